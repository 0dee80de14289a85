"""Reading Kubernetes-shaped JSON: one object's fields, each checked where it is taken.

What lives here: ``Fields``, which knows where in which object it stands, so a refusal can say it.
What it must not know: any kind of object.
"""

import sys
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from math import isnan
from types import MappingProxyType
from typing import Any, TypeVar

from octet.errors import BadConfigurationError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Words = Mapping[str, str]

NOTHING: Words = MappingProxyType({})
SHARED_SETS = 8192  # label sets kept for sharing: the pods of one Deployment have one set between them
LARGEST = (1 << 63) - 1  # Kubernetes integers are int64

_T = TypeVar("_T")


@lru_cache(maxsize=SHARED_SETS)
def _shared(items: tuple[tuple[str, str], ...]) -> Words:
    return MappingProxyType({sys.intern(key): sys.intern(value) for key, value in items})


class Fields:
    """The fields of one JSON object inside a Kubernetes object; ``null`` counts as absent, as in Go.

    Args:
        owner: the object that is read, as in ``NetworkPolicy shop/web``.
        values: the JSON object.
        at: where inside the owner, as in ``spec.ingress[0]``.
    """

    __slots__ = ("_at", "_owner", "_values")

    def __init__(self, owner: str, values: Mapping[str, Any], at: str = "") -> None:
        self._owner = owner
        self._values = values
        self._at = at

    def __contains__(self, key: str) -> bool:
        return self._values.get(key) is not None

    def __iter__(self) -> Iterator[str]:
        return (key for key in self._values if key in self)

    def refusal(self, key: str, problem: str, *, hint: str = "") -> BadConfigurationError:
        """Return the error that says what is wrong with one field; the caller raises it."""
        return BadConfigurationError(self._owner, self._path(key), self._values.get(key), problem, hint=hint)

    def only(self, known: Collection[str], hint: str = "") -> None:
        """Refuse any field that is not known: it would be lost in silence."""
        for key in self:
            if key not in known:
                raise self.refusal(key, "has no meaning here", hint=hint)

    def text(self, key: str, default: str = "") -> str:
        """Return a string."""
        return self._typed(key, str, default, "a string")

    def shared_text(self, key: str, default: str = "") -> str:
        """Return a string that many objects have in common (a namespace, a node), kept once in memory."""
        return sys.intern(self.text(key, default))

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Return true or false."""
        return self._typed(key, bool, default, "true or false")

    def number(self, key: str, default: int = 0, *, low: int = 0, high: int = LARGEST) -> int:
        """Return an integer between two bounds, both included; one that must be there defaults to outside."""
        value = self._typed(key, int, default, "an integer")
        if isinstance(value, bool) or not low <= value <= high:
            raise self.refusal(key, f"must be an integer from {low} to {high}")
        return value

    def real(self, key: str) -> float:
        """Return a number that may have a fraction; it must be there."""
        value = self._values.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or isnan(value):
            raise self.refusal(key, "must be a number")
        return float(value)

    def raw(self, key: str) -> object:
        """Return a value as it is, for fields of several types; None where absent."""
        return self._values.get(key)

    def items(self, key: str) -> tuple[object, ...]:
        """Return the values of an array as they are, for arrays of several types."""
        return tuple(self._array(key))

    def choice(self, key: str, choices: tuple[str, ...], default: str) -> str:
        """Return one of a few words."""
        value = self.text(key, default)
        if value not in choices:
            raise self.refusal(key, f"must be one of {', '.join(choices)}")
        return value

    def child(self, key: str) -> "Fields":
        """Return the fields of an object inside this one; an absent one has no fields."""
        return Fields(self._owner, self._object(key), self._path(key))

    def children(self, key: str) -> tuple["Fields", ...]:
        """Return the objects of an array."""
        found = []
        for index, value in enumerate(self._array(key)):
            if not isinstance(value, Mapping):
                raise self.refusal(f"{key}[{index}]", "must be an object")
            found.append(Fields(self._owner, value, self._path(f"{key}[{index}]")))
        return tuple(found)

    def texts(self, key: str) -> tuple[str, ...]:
        """Return an array of strings."""
        values = self._array(key)
        if not all(isinstance(value, str) for value in values):
            raise self.refusal(key, "must be an array of strings")
        return tuple(values)

    def words(self, key: str) -> Words:
        """Return an object whose values are strings, such as labels; equal ones share memory."""
        values = self._object(key)
        for name, value in values.items():
            if not isinstance(value, str) or not isinstance(name, str):
                raise self.refusal(f"{key}[{name!r}]", "must be a string")
        return _shared(tuple(sorted(values.items()))) if values else NOTHING

    def address(self, key: str) -> Address:
        """Return an IP address; it must be there."""
        try:
            return ip_address(self.text(key))
        except ValueError:
            raise self.refusal(key, "must be an IP address") from None

    def addresses(self, key: str) -> tuple[Address, ...]:
        """Return an array of IP addresses."""
        try:
            return tuple(ip_address(text) for text in self.texts(key))
        except ValueError:
            raise self.refusal(key, "must be an array of IP addresses") from None

    def network(self, key: str) -> Network:
        """Return a CIDR; it must be there. Host bits are cleared, as Kubernetes does with old objects."""
        try:
            return ip_network(self.text(key), strict=False)
        except ValueError:
            raise self.refusal(key, "must be a CIDR such as 10.244.1.0/24") from None

    def networks(self, key: str) -> tuple[Network, ...]:
        """Return an array of CIDRs."""
        try:
            return tuple(ip_network(text, strict=False) for text in self.texts(key))
        except ValueError:
            raise self.refusal(key, "must be an array of CIDRs such as 10.244.1.0/24") from None

    def number_or_name(self, key: str) -> int | str | None:
        """Return a port as a number (1 to 65535) or as a name (IntOrString), or None where absent."""
        value = self._values.get(key)
        if value is None:
            return None
        numeric = isinstance(value, int) and not isinstance(value, bool)
        if (numeric and 1 <= value <= 65535) or (isinstance(value, str) and value):
            return value if isinstance(value, str) else int(value)
        raise self.refusal(key, "must be a port from 1 to 65535 or a port's name")

    def _object(self, key: str) -> Mapping[str, Any]:
        value = self._values.get(key)
        if value is None:
            return NOTHING
        if not isinstance(value, Mapping):
            raise self.refusal(key, "must be an object")
        return value

    def _array(self, key: str) -> tuple[Any, ...] | list[Any]:
        value = self._values.get(key)
        if value is None:
            return ()
        if isinstance(value, list | tuple):
            return value
        raise self.refusal(key, "must be an array")

    def _typed(self, key: str, kind: type[_T], default: _T, wanted: str) -> _T:
        value = self._values.get(key)
        if value is None:
            return default
        if not isinstance(value, kind):
            raise self.refusal(key, f"must be {wanted}")
        return value

    def _path(self, key: str) -> str:
        return f"{self._at}.{key}" if self._at else key


def read(kind: str, item: Mapping[str, Any]) -> tuple[Fields, Fields]:
    """Return an object's fields and its metadata's; raises BadConfigurationError where it has no name."""
    metadata = item.get("metadata")
    known = metadata if isinstance(metadata, Mapping) else NOTHING
    namespace, name = known.get("namespace"), known.get("name")
    owner = f"{kind} {f'{namespace}/' if namespace else ''}{name or '(no name)'}"
    fields = Fields(owner, item)
    metadata_fields = fields.child("metadata")
    if not metadata_fields.text("name"):
        raise metadata_fields.refusal("name", "must be the object's name")
    return fields, metadata_fields
