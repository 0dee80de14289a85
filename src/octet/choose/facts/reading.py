"""A provider's file, read: TOML in, a Provider out, or an error that names file, field and value.

What lives here: the shape of the files, every check of them. What it must not know: what facts mean.
"""

import datetime as dt
import re
import tomllib
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from octet.choose.facts import catalogue
from octet.choose.facts.catalogue import BY_NAME, KEYS, LIMITS, Key, Kind
from octet.choose.facts.values import (
    Bound,
    Certainty,
    Condition,
    Fact,
    Provider,
    Release,
    Step,
    Support,
    Value,
)
from octet.errors import BadConfigurationError

INSTALLERS = {installer.name for installer in catalogue.INSTALLERS}
CERTAINTIES = (Certainty.VERIFIED, Certainty.DERIVED, Certainty.UNVERIFIED)
"""What a file may claim: *computed* is Octet's word about its own models, which no file may say."""

_PLACE = re.compile(r" - at `\$\.?(?P<where>.*)`$")
_FIELD = re.compile(r"(?:missing required field|unknown field) `(?P<field>[^`]+)`")


class _When(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    since: str = ""
    families: tuple[str, ...] = ()
    clouds: tuple[str, ...] = ()
    not_with: tuple[str, ...] = ()
    or_kernel: str = ""


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    as_of: dt.date
    source: str
    value: Any = msgspec.UNSET
    unknown: bool = False
    certainty: Certainty = Certainty.VERIFIED
    note: str = ""
    when: _When | None = None
    bound: Bound | None = None


class _Limit(_Entry, frozen=True, forbid_unknown_fields=True, rename="kebab", kw_only=True):
    key: str


class _Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    installer: str
    version: str
    state: Support
    as_of: dt.date
    source: str
    date: dt.date | None = None
    kubernetes: str = ""
    certainty: Certainty = Certainty.VERIFIED
    note: str = ""


class _Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: str
    date: dt.date
    source: str


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    name: str
    title: str
    summary: str
    packet: str
    facts: dict[str, _Entry]
    model: str = ""
    good_for: tuple[str, ...] = ()
    steps: tuple[_Step, ...] = ()
    releases: tuple[_Release, ...] = ()
    limits: tuple[_Limit, ...] = ()


@lru_cache(64)
def _document(text: str) -> Mapping[str, Any]:
    """Return a TOML text as values; the same few are read again and again. Raises TOMLDecodeError."""
    return tomllib.loads(text)


def installers(path: Path) -> Mapping[str, tuple[Release, ...]]:
    """Return when versions of installers came out, by installer. Raises BadConfigurationError."""
    try:
        held = msgspec.convert(_document(path.read_text(encoding="utf-8")), dict[str, tuple[_Release, ...]])
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadConfigurationError(str(path), "installers", path.name, str(error)) from error
    if unknown := sorted(held.keys() - INSTALLERS):
        raise BadConfigurationError(str(path), "installers", unknown[0], "is no installer of the catalogue")
    return {
        name: tuple(Release(each.version, each.date, each.source) for each in releases)
        for name, releases in held.items()
    }


def read(path: Path) -> Provider:
    """Return the provider that a file describes.

    Raises:
        BadConfigurationError: the file is missing or no TOML, a field is unknown, missing or of the wrong
            kind, a fact has no date or source, or a question has no answer (*unknown* is one).
    """
    try:
        document = _document(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfigurationError(str(path), "file", path.name, str(error)) from error
    except tomllib.TOMLDecodeError as error:
        raise BadConfigurationError(str(path), "file", path.name, f"is no TOML: {error}") from error
    return provider(document, str(path))


def provider(document: Mapping[str, Any], source: str) -> Provider:
    """Return the provider that a document describes; ``source`` names it in errors, as those of ``read``."""
    try:
        file = msgspec.convert(document, _File)
    except msgspec.ValidationError as error:
        raise _explained(error, document, source) from error
    facts = {name: _fact(name, entry, source, f"facts.{name}") for name, entry in file.facts.items()}
    for key in KEYS:
        if key.required and key.name not in facts:
            hint = f"[facts.{key.name}] with unknown = true, the day, and where it was looked for"
            problem = f"is not answered: {key.question}"
            raise BadConfigurationError(source, f"facts.{key.name}", None, problem, hint=hint)
    return Provider(
        name=_filled(file.name, source, "name"),
        title=_filled(file.title, source, "title"),
        summary=_filled(file.summary, source, "summary"),
        packet=_filled(file.packet, source, "packet"),
        facts={key.name: facts[key.name] for key in KEYS if key.name in facts},
        steps=tuple(_step(step, source, f"steps[{index}]") for index, step in enumerate(file.steps)),
        releases=tuple(_release(each, source, f"releases[{n}]") for n, each in enumerate(file.releases)),
        good_for=file.good_for,
        limits=tuple(_limit(each, source, f"limits[{n}]") for n, each in enumerate(file.limits)),
        model=file.model,
    )


def _limit(entry: _Limit, source: str, field: str) -> Fact:
    if entry.key not in {key.name for key in LIMITS}:
        raise _unknown_key(entry.key, LIMITS, source, f"{field}.key")
    if not entry.note:
        raise BadConfigurationError(source, f"{field}.note", "", "is empty: a limit says why it is one")
    return _fact(entry.key, entry, source, field)


def _fact(name: str, entry: _Entry, source: str, field: str) -> Fact:
    key = BY_NAME.get(name)
    if key is None:
        raise _unknown_key(name, KEYS, source, field)
    value = None if entry.value is msgspec.UNSET else entry.value
    if (value is None) != entry.unknown:
        problem = "must be either a value or unknown = true"
        raise BadConfigurationError(source, f"{field}.value", value, problem, hint=key.kind.value)
    _certainty(entry.certainty, source, field)
    return Fact(
        key=name,
        value=None if value is None else _value(key, value, source, f"{field}.value"),
        as_of=entry.as_of,
        source=_filled(entry.source, source, f"{field}.source"),
        certainty=entry.certainty,
        note=entry.note,
        when=_when(key, entry, source, f"{field}.when"),
        bound=_bound(key, entry, source, f"{field}.bound"),
    )


def _when(key: Key, entry: _Entry, source: str, field: str) -> Condition | None:
    """Return where a fact holds; a condition is said in words, too."""
    when = entry.when
    if when is None:
        return None
    if not entry.note:
        raise BadConfigurationError(source, field, "", "needs a note that says the same in words")
    if when.since and not (key.installer and catalogue.VERSION.fullmatch(when.since)):
        hint = "a version such as 1.28, of a fact about what an installer allows"
        raise BadConfigurationError(source, f"{field}.since", when.since, "cannot be", hint=hint)
    if when.or_kernel and not (key.kind is Kind.VERSION and catalogue.VERSION.fullmatch(when.or_kernel)):
        hint = "a version such as 4.18, of an oldest kernel"
        raise BadConfigurationError(source, f"{field}.or-kernel", when.or_kernel, "cannot be", hint=hint)
    for part, given, known in (
        ("families", when.families, catalogue.FAMILIES),
        ("clouds", when.clouds, catalogue.CLOUDS),
        ("not-with", when.not_with, catalogue.NEEDS),
    ):
        wrong = next((each for each in given if each not in known), None)
        if wrong is not None:
            hint = f"one of {', '.join(known)}"
            raise BadConfigurationError(source, f"{field}.{part}", wrong, "is unknown", hint=hint)
    return Condition(when.since, when.families, when.clouds, when.not_with, when.or_kernel)


def _bound(key: Key, entry: _Entry, source: str, field: str) -> Bound | None:
    """Return what a number of nodes is: where the facts end a cluster they say in which way."""
    wants = key.name in catalogue.BOUNDED and entry.value is not msgspec.UNSET
    if wants != (entry.bound is not None):
        problem = "is missing" if wants else "is no part of this fact"
        hint = f"one of {', '.join(each.value for each in Bound)}, where a number ends a cluster"
        raise BadConfigurationError(source, field, entry.bound, problem, hint=hint)
    if entry.bound is Bound.DEFAULT and not entry.note:
        raise BadConfigurationError(source, field, "default", "needs a note that says how to raise it")
    return entry.bound


def _unknown_key(name: str, keys: tuple[Key, ...], source: str, field: str) -> BadConfigurationError:
    hint = f"one of {', '.join(key.name for key in keys)}"
    return BadConfigurationError(source, field, name, "is no key of the catalogue", hint=hint)


_RIGHT: Mapping[Kind, Callable[[Any], bool]] = {
    Kind.YES_NO: lambda value: isinstance(value, bool),
    Kind.CHOICE: lambda value: isinstance(value, str) and bool(value),
    Kind.TEXT: lambda value: isinstance(value, str) and bool(value),
    Kind.DATE: lambda value: isinstance(value, dt.date) and not isinstance(value, dt.datetime),
    Kind.NUMBER: lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 0,
    Kind.LIST: lambda value: isinstance(value, list) and all(isinstance(each, str) for each in value),
    Kind.VERSION: lambda value: isinstance(value, str) and bool(catalogue.VERSION.fullmatch(value)),
}


def _value(key: Key, value: Any, source: str, field: str) -> Value:
    if not _RIGHT[key.kind](value):
        raise BadConfigurationError(source, field, value, f"is not {key.kind.value}", hint=key.question)
    parts: tuple[Any, ...] = tuple(value) if isinstance(value, list) else (value,)
    for part in parts:
        if key.choices and part not in key.choices:
            hint = f"one of {', '.join(key.choices)}"
            raise BadConfigurationError(source, field, part, "is no choice of this key", hint=hint)
    held: Value = parts if isinstance(value, list) else value
    return held


def _step(step: _Step, source: str, field: str) -> Step:
    if step.installer not in INSTALLERS:
        hint = f"one of {', '.join(sorted(INSTALLERS))}"
        raise BadConfigurationError(source, f"{field}.installer", step.installer, "is unknown", hint=hint)
    for name, text in {"version": step.version, "kubernetes": step.kubernetes or "1"}.items():
        if not catalogue.VERSION.fullmatch(text):
            raise BadConfigurationError(source, f"{field}.{name}", text, "is no version", hint="such as 1.28")
    _certainty(step.certainty, source, field)
    return Step(
        installer=step.installer,
        version=step.version,
        state=step.state,
        date=step.date,
        as_of=step.as_of,
        source=_filled(step.source, source, f"{field}.source"),
        certainty=step.certainty,
        kubernetes=step.kubernetes,
        note=step.note,
    )


def _release(release: _Release, source: str, field: str) -> Release:
    return Release(release.version, release.date, _filled(release.source, source, f"{field}.source"))


def _certainty(certainty: Certainty, source: str, field: str) -> None:
    if certainty not in CERTAINTIES:
        hint = f"one of {', '.join(each.value for each in CERTAINTIES)}"
        problem = "is said by Octet of its own models only"
        raise BadConfigurationError(source, f"{field}.certainty", certainty.value, problem, hint=hint)


def _filled(text: str, source: str, field: str) -> str:
    if not text.strip():
        raise BadConfigurationError(source, field, text, "is empty")
    return text


def _explained(
    error: msgspec.ValidationError, document: Mapping[str, Any], source: str
) -> BadConfigurationError:
    """Return msgspec's words as ours: field and value first."""
    words = str(error)
    place, field = _PLACE.search(words), _FIELD.search(words)
    where = place["where"].replace("[...]", "") if place else ""
    if field:
        where = f"{where}.{field['field']}".lstrip(".")
    problem = _PLACE.sub("", words)
    return BadConfigurationError(source, where or "file", _found(document, where), problem)


def _found(document: Any, where: str) -> Any:
    for part in re.findall(r"[\w-]+", where):
        try:
            document = document[int(part) if isinstance(document, list) else part]
        except (KeyError, IndexError, ValueError, TypeError):
            return None
    return document
