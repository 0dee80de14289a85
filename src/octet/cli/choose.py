"""``octet choose``: which provider to take, from answers on the command line, in a file, or to questions.

What lives here: flags and files. What it must not know: how the choice is made.
"""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from octet.choose import requirements as asked
from octet.choose.questions import BY_FIELD
from octet.choose.requirements import FIELDS, Requirements
from octet.cli import asking, decision, output
from octet.errors import NotFoundError

if TYPE_CHECKING:
    from octet.measure.results import Results

app = typer.Typer()

Sheet = Annotated[
    Path | None, typer.Option("--page", help="Write the answer as a page, one HTML file for others.")
]


def flag(field: str) -> str:
    """Return the flag of a field."""
    return f"--{field.replace('_', '-')}"


def with_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command a flag for each field of Requirements: they reach it as ``answers``, by field."""

    def filled(**given: Any) -> None:
        answers = {field: given.pop(field) for field in FIELDS}
        command(**given, answers=answers)

    own = [each for each in inspect.signature(command).parameters.values() if each.name != "answers"]
    flags = [
        inspect.Parameter(
            field,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                str | None,
                typer.Option(
                    flag(field), help=f"{BY_FIELD[field].text} ({asked.spoken(field)})", metavar="ANSWER"
                ),
            ],
        )
        for field in FIELDS
    ]
    keyword_only = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own]
    filled.__name__, filled.__doc__ = command.__name__, command.__doc__
    vars(filled)["__signature__"] = inspect.Signature([*keyword_only, *flags])
    filled.__annotations__ = {each.name: each.annotation for each in [*keyword_only, *flags]}
    return filled


@app.command(
    epilog=output.examples(
        "octet choose",
        "octet choose --installer kops --cloud aws --private-topology yes --nodes 60",
        "octet choose --requirements examples/choose/sixty-private-aws-nodes.toml",
        "octet choose --policy-egress yes --results report/results.json --json",
        "octet choose --nodes 5000 --windows yes --page answer.html",
        "octet choose --nodes 5000 --windows yes --all",
        "octet choose --nodes 5000 --weights 'upkeep=100,headroom=80,cpu=40'",
    )
)
@with_flags
def choose(
    answers: Mapping[str, str | None],
    file: Annotated[
        Path | None, typer.Option("--requirements", help=r"A TOML file with a table \[requirements].")
    ] = None,
    results: Annotated[Path | None, typer.Option(help="What octet compare wrote: results.json.")] = None,
    weights: Annotated[
        str | None, typer.Option(help="upkeep=100,cpu=60 (swings), or upkeep>cpu (an order).")
    ] = None,
    accept: Annotated[
        bool,
        typer.Option("--accept-other-machine", help="Take figures of another machine; the answer says so."),
    ] = False,
    sheet: Sheet = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All of it: sources, tables, what is left open, what is missing.")
    ] = False,
    as_json: output.Json = False,
) -> None:
    """Say which CNI provider to take, why, what was ruled out by what, and what would change that.

    Asks questions on a terminal; flags or a file answer them beforehand, and whatever isn't answered is
    "don't know". The answers are providers; figures are of our models of them. Exit code 1 when nothing
    is left.
    """
    from octet.choose import decide
    from octet.choose.deciding import check
    from octet.choose.facts import load
    from octet.cli import page

    paper = page.bundle() if sheet else None
    facts = load()
    held = asked.read(_there(file)) if file else asked.RequirementsFile(requirements=Requirements())
    wanted = flagged(held.requirements, answers)
    figures, other = _figures(results, accept=accept)
    given = _weights(held.weights, weights, str(file))
    check(wanted, facts, str(file or "octet choose"))
    if file is None and not any(answers.values()):
        if asking.on_a_terminal():
            wanted = asking.needs(wanted, facts)
            given = given or asking.order(wanted, facts, figures)
        else:
            output.note(
                'nobody was asked: every answer is "don\'t know" (flags, --requirements, or a terminal)'
            )
    found = decide(wanted, facts, figures, given, other_machine=other)
    if sheet and paper:
        page.write(found, facts, figures, sheet, paper)
        output.note(f"written: {sheet}")
    decision.show(found, as_json=as_json, everything=everything)


def flagged(held: Requirements, answers: Mapping[str, str | None]) -> Requirements:
    """Return requirements with the answers of flags. Raises BadConfigurationError naming the flag."""
    said = {
        field: asked.answer(field, text, flag(field)) for field, text in answers.items() if text is not None
    }
    return msgspec.structs.replace(held, **said)


def _weights(held: Mapping[str, float] | None, typed: str | None, file: str) -> Mapping[str, float] | None:
    """Return the weights of the flag, else of the file; errors name which."""
    from octet.choose import criteria

    if typed is not None:
        return criteria.read(typed, "--weights")
    criteria.checked(held, file)
    return held


def _there(path: Path) -> Path:
    if not path.is_file():
        raise NotFoundError(f"{path}: no such file", hint="a TOML file with a table [requirements]")
    return path


def _figures(path: Path | None, *, accept: bool) -> tuple["Results | None", str]:
    """Read figures; refuse another machine's, unless they are accepted, and then say how it differs."""
    if path is None:
        return None, ""
    from octet.choose import origin
    from octet.measure import machine, results

    if not path.is_file():
        raise NotFoundError(f"{path}: no such file", hint="octet compare writes report/results.json")
    found = results.read(path)
    return found, origin.checked(found, machine.facts(), path, accept=accept)
