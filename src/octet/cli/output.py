"""How every command speaks: tables or JSON on stdout, errors on stderr, exit codes that mean something.

What lives here: the exit codes, tables, examples in help, the translation of errors for a person.
What it must not know: any command.
"""

import json
import os
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from typing import Annotated, NoReturn

import typer

from octet import errors

OK = 0
FAILED = 1
WRONG_USE = 2
NOT_READY = 3
NOT_FOUND = 4
INTERRUPTED = 130

EXIT_CODES: Mapping[int, str] = {
    OK: "done",
    FAILED: "failed: the error says why",
    WRONG_USE: "wrong arguments or a wrong configuration: trying again will not help",
    NOT_READY: "not ready yet: trying again later is the answer",
    NOT_FOUND: "what was named is not there",
    INTERRUPTED: "interrupted with Ctrl-C (128 + SIGINT)",
}
"""What each exit code of ``octet`` means; the README prints this table."""

_CODES: tuple[tuple[type[errors.OctetError], int], ...] = (
    (errors.BadConfigurationError, WRONG_USE),
    (errors.NotReadyError, NOT_READY),
    (errors.NotFoundError, NOT_FOUND),
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")]
"""The parameter every command that prints a table takes: ``as_json: Json = False``."""


def examples(*commands: str) -> str:
    """Return the epilog of a command's help: whole command lines that work, one per line.

    They are checked: a test parses each of them with the real command line.
    """
    lines = [command.replace("[", r"\[") for command in commands]
    return "\n".join(["Examples:", *(f"  $ {line}" for line in lines)])


def table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    json_rows: object = None,
    as_json: bool,
    fold: int | None = None,
) -> None:
    """Print rows for a person, or the same as JSON for a program.

    Args:
        title: one line above the table; not part of the JSON.
        columns: headings; the keys of each JSON object are these in lower case with ``_`` for spaces.
        rows: cells in the order of the columns; None is shown as ``-`` and is ``null`` in JSON.
        as_json: the command's ``--json``.
        fold: off a terminal, the columns after which cells of prose go on in the next line; None never.
        json_rows: what to print as JSON instead, where the table leaves something out.
    """
    held = [tuple(row) for row in rows]
    if as_json:
        keys = [column.lower().replace(" ", "_") for column in columns]
        print_json([dict(zip(keys, row, strict=True)) for row in held] if json_rows is None else json_rows)
        return
    _print_table(title, columns, held, fold)


def print_json(value: object) -> None:
    """Print a value as indented JSON; what JSON lacks (addresses, paths) is written as its text."""
    typer.echo(json.dumps(value, indent=2, default=str, ensure_ascii=False))


def printable(text: str) -> str:
    """Return a text that can do nothing to a terminal, whoever wrote it: what is not printable is escaped."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def note(text: str) -> None:
    """Say something to the person on stderr, so that stdout holds results only."""
    typer.echo(_harmless(text), err=True)


def _harmless(text: str) -> str:
    """Return a text of several lines, each of them printable."""
    return "\n".join(map(printable, text.split("\n")))


def _print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], fold: int | None
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(
        title=Text(title) if title else None,
        title_justify="left",
        box=None,
        pad_edge=False,
        header_style="bold",
    )
    for index, column in enumerate(columns):
        cells = [row[index] for row in rows if row[index] is not None]
        numbers = bool(cells) and all(isinstance(cell, int | float) for cell in cells)
        shown.add_column(column, justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(Text(_harmless(_cell(value))) for value in row))
    if sys.stdout.isatty():
        Console().print(shown)
        return
    # A pipe has no width: nothing may be cut off or padded where another program reads it, and nothing is
    # wrapped but what is told to people.
    console = Console(width=fold or 1000, file=StringIO())
    with console.capture() as capture:
        console.print(shown)
    typer.echo("\n".join(line.rstrip() for line in capture.get().splitlines()))


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def report(error: errors.OctetError | OSError) -> int:
    """Tell a person about an error on stderr and return the exit code it stands for.

    With OCTET_DEBUG=1 in the environment the traceback comes first.
    """
    if os.environ.get("OCTET_DEBUG", "") not in {"", "0"}:
        traceback.print_exception(error)
    note(f"error: {_sentence(error)}")
    return next((code for kind, code in _CODES if isinstance(error, kind)), FAILED)


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        names = [str(name) for name in (error.filename, error.filename2) if name]
        return ": ".join([*names, error.strerror])
    return str(error) or type(error).__name__


def fail(message: str, code: int = FAILED) -> NoReturn:
    """Print an error and end the command with this exit code. Raises typer.Exit."""
    note(f"error: {message}")
    raise typer.Exit(code)
