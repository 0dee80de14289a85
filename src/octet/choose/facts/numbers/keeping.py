"""Counts in files: those that come with Octet, and those that were fetched on this machine.

What lives here: reading and writing rows. What it must not know: how they were counted, what they mean.
"""

import datetime as dt
import os
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from octet.choose.facts.numbers.figures import BY_NAME
from octet.choose.facts.values import Count
from octet.errors import BadConfigurationError

SHIPPED = Path(__file__).with_name("rows.toml")


class _Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    provider: str
    date: dt.date
    source: str
    figures: dict[str, bool | int | float | None]


class _Rows(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    counts: tuple[_Row, ...] = ()


def shipped() -> tuple[Count, ...]:
    """Return the counts that come with Octet, oldest first."""
    return read(SHIPPED)


def read(path: Path) -> tuple[Count, ...]:
    """Return the counts of a TOML or JSON file, oldest first; a file that isn't there holds none.

    Raises:
        BadConfigurationError: it is neither, or a field of it is wrong.
    """
    if not path.exists():
        return ()
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text) if path.suffix == ".toml" else msgspec.json.decode(text.encode())
        rows = msgspec.convert(document, _Rows)
    except (msgspec.MsgspecError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        hint = "move it away, and `octet facts refresh` writes a new one"
        raise BadConfigurationError(str(path), "counts", path.name, str(error), hint=hint) from error
    counts = [_count(row, f"{path}: counts[{index}]") for index, row in enumerate(rows.counts)]
    return tuple(sorted(counts, key=lambda count: (count.date, count.provider)))


def _count(row: _Row, source: str) -> Count:
    if not row.source.strip():
        raise BadConfigurationError(source, "source", row.source, "is empty")
    for name, value in row.figures.items():
        if name not in BY_NAME:
            hint = f"one of {', '.join(BY_NAME)}"
            raise BadConfigurationError(source, f"figures.{name}", value, "is no figure", hint=hint)
        if value is not None and value < 0:
            raise BadConfigurationError(source, f"figures.{name}", value, "is less than nothing")
    return Count(row.provider, row.date, row.source, row.figures)


def write(path: Path, counts: Iterable[Count]) -> None:
    """Replace a file of fetched counts, whole or not at all."""
    rows = [_Row(each.provider, each.date, each.source, dict(each.figures)) for each in counts]
    body = msgspec.json.format(msgspec.json.encode(_Rows(tuple(rows))), indent=1)
    replace(path, body)


def replace(path: Path, body: bytes) -> None:
    """Write a file beside its place and move it there, so that nobody ever reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(body)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def together(kept: Iterable[Count], fetched: Iterable[Count]) -> tuple[Count, ...]:
    """Return both, oldest first; of two rows of one project, day and source the fetched one."""
    rows = {(each.date, each.provider, each.source): each for each in (*kept, *fetched)}
    return tuple(rows[key] for key in sorted(rows))


def by_provider(counts: Iterable[Count]) -> Mapping[str, tuple[Count, ...]]:
    """Return counts by the project that they are of."""
    found: dict[str, list[Count]] = {}
    for count in counts:
        found.setdefault(count.provider, []).append(count)
    return {name: tuple(rows) for name, rows in found.items()}
