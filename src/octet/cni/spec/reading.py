"""Reading foreign JSON: typed values out of untyped ones, with errors that name key and value.

What lives here: Fields, one object's keys without regard to case, as Go's decoder reads them.
What it must not know: what the keys mean.
"""

from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

import msgspec

from octet.cni.spec.failures import CniError, Code

Value = TypeVar("Value")

SHOWN = 80
"""Characters of a refused value that an error message repeats."""


def shown(value: object) -> str:
    """Return a value short enough for an error message."""
    text = repr(value) if not isinstance(value, dict | list) else f"a JSON {_KINDS[type(value)]}"
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."


def decode(data: bytes, *, source: str) -> Any:
    """Return what JSON bytes say. Raises CniError (6) for anything that is not JSON, however deep."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError) as error:
        raise CniError(Code.DECODING_FAILURE, f"{source} is not JSON: {error}") from error


class Fields:
    """One JSON object: typed access by key, ignoring case; the last of equal keys counts, as in Go.

    Every reader raises CniError: 6 if the type is wrong, 7 if the value is. ``null`` is the same as absent.
    """

    __slots__ = ("_folded", "path")

    def __init__(self, value: object, path: str = "") -> None:
        if not isinstance(value, Mapping):
            wrong_type(path or "the document", value, "an object")
        self.path = path
        self._folded: dict[str, tuple[str, Any]] = {
            str(key).lower(): (str(key), v) for key, v in value.items()
        }

    def __contains__(self, key: str) -> bool:
        return self._folded.get(key.lower(), ("", None))[1] is not None

    def __iter__(self) -> Any:
        return iter(self._folded.values())

    def at(self, key: str) -> str:
        """Return the full name of a key for a message: ``runtimeConfig.mac``."""
        return f"{self.path}.{key}" if self.path else key

    def raw(self, key: str) -> Any:
        """Return the value of a key as decoded; None where absent."""
        return self._folded.get(key.lower(), ("", None))[1]

    def text(self, key: str, default: str = "") -> str:
        """Return a string."""
        value = self.raw(key)
        if value is None:
            return default
        return value if isinstance(value, str) else wrong_type(self.at(key), value, "a string")

    def number(self, key: str, default: int = 0, *, low: int = 0, high: int = 2**63 - 1) -> int:
        """Return an integer between low and high, both included."""
        found = self.number_or_none(key, low=low, high=high)
        return default if found is None else found

    def number_or_none(self, key: str, *, low: int = 0, high: int = 2**63 - 1) -> int | None:
        """Return an integer between low and high, or None where absent."""
        value = self.raw(key)
        if value is None:
            return None
        if type(value) is not int:
            wrong_type(self.at(key), value, "an integer")
        return value if low <= value <= high else bad(self.at(key), value, f"must be {low} to {high}")

    def items(self, key: str) -> list[Any]:
        """Return a list, empty where absent."""
        value = self.raw(key)
        if value is None:
            return []
        return value if isinstance(value, list) else wrong_type(self.at(key), value, "a list")

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of strings, empty where absent."""
        found = self.items(key)
        for number, item in enumerate(found):
            if not isinstance(item, str):
                wrong_type(f"{self.at(key)}[{number}]", item, "a string")
        return tuple(found)

    def fields(self, key: str) -> "Fields":
        """Return the object under a key; an empty one where absent."""
        value = self.raw(key)
        return Fields({} if value is None else value, self.at(key))

    def each(self, key: str) -> list["Fields"]:
        """Return a list of objects, empty where absent."""
        return [Fields(item, f"{self.at(key)}[{number}]") for number, item in enumerate(self.items(key))]

    def parsed(self, key: str, parse: Callable[[str], Value], what: str) -> Value | None:
        """Return a string's meaning, None where it is absent or empty.

        Args:
            key: where it stands.
            parse: gives the meaning; raises ValueError.
            what: names the meaning, for the message: "an address".
        """
        value = self.text(key)
        return parsed(self.at(key), value, parse, what) if value else None


def parsed(path: str, value: str, parse: Callable[[str], Value], what: str) -> Value:
    """Return a string's meaning. Raises CniError (7) where ``parse`` raises ValueError."""
    try:
        return parse(value)
    except ValueError as error:
        raise CniError(Code.INVALID_CONFIG, f"{path} = {shown(value)}: is not {what}") from error


def wrong_type(path: str, value: object, wanted: str) -> NoReturn:
    """Refuse a value whose JSON type is wrong. Raises CniError (6)."""
    raise CniError(Code.DECODING_FAILURE, f"{path} = {shown(value)}: must be {wanted}")


def bad(path: str, value: object, problem: str) -> NoReturn:
    """Refuse a value. Raises CniError (7)."""
    raise CniError(Code.INVALID_CONFIG, f"{path} = {shown(value)}: {problem}")


_KINDS: Mapping[type, str] = {dict: "object", list: "list"}
