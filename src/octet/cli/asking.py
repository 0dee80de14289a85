"""The conversation of ``octet choose``: questions on a terminal, one after another.

What lives here: what is asked and shown on stderr, so that stdout holds the answer only.
What it must not know: which answers matter (``choose.conversation``).
"""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

import msgspec
import typer

from octet.choose import conversation, figures
from octet.choose import requirements as asked
from octet.choose.deciding import check
from octet.choose.facts import Facts
from octet.choose.questions import QUESTIONS
from octet.choose.requirements import Requirements
from octet.cli import output
from octet.errors import BadConfigurationError
from octet.measure.results import Results

T = TypeVar("T")


def on_a_terminal() -> bool:
    """Tell whether there is somebody to ask; the answer itself may go to a file."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def needs(wanted: Requirements, facts: Facts) -> Requirements:
    """Ask what still makes a difference, in elimination order."""
    output.note('Press Enter for "don\'t know". Questions that no longer matter are skipped.\n')
    for question in QUESTIONS:
        if not conversation.matters(question.field, wanted, facts):
            continue
        output.note(f"{question.text}\n  why: {question.why}\n  answers: {asked.spoken(question.field)}")
        answered = _until_read(partial(_answered, wanted, question.field, facts))
        output.note(f"  {conversation.told(wanted, answered, facts)}\n")
        wanted = answered
    return wanted


def _answered(wanted: Requirements, field: str, facts: Facts, text: str) -> Requirements:
    """Return requirements with one more answer. Raises BadConfigurationError where it cannot be."""
    held = msgspec.structs.replace(wanted, **{field: asked.answer(field, text, "answer")})
    check(held, facts)
    return held


def order(wanted: Requirements, facts: Facts, results: Results | None) -> Mapping[str, float] | None:
    """Ask which improvements matter most, where there is something to rank; None keeps the usual order."""
    listed = conversation.swings(wanted, facts, figures.of(results))
    if not listed:
        return None
    output.note("Which of these moves, from the worst to the best, matters most to you?")
    output.note("  why: the providers that are left are ranked by it")
    for number, criterion in enumerate(listed, 1):
        output.note(f"  {number}. {criterion.title}: from {criterion.worst} to {criterion.best}")
    output.note("  answers: numbers, the most important first, as 3,1; Enter for the order above")
    names = [criterion.id for criterion in listed]
    return _until_read(lambda text: conversation.ordered(text, names))


def _typed() -> str:
    """Return a line. Raises typer.Exit with 130 for Ctrl-C and Ctrl-D."""
    try:
        return str(typer.prompt(">", default="?", show_default=False, prompt_suffix=" ", err=True))
    except typer.Abort:
        output.note("\ninterrupted: no answer was worked out")
        raise typer.Exit(output.INTERRUPTED) from None


def _until_read(read: Callable[[str], T]) -> T:
    """Ask until the answer can be read."""
    while True:
        text = _typed()
        try:
            return read(text)
        except BadConfigurationError as error:
            output.note(f"  {error}")
