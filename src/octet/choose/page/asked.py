"""What was asked for in words, and the questions as a form shows them.

What lives here: texts from ``requirements`` and ``questions``. What it must not know: answers, markup.
"""

from collections.abc import Mapping

from msgspec import Struct

from octet.choose.profile import ABOUT, USUAL
from octet.choose.questions import QUESTIONS, say
from octet.choose.requirements import Kind, Requirements, choices, kind_of, takes


class Choice(Struct, frozen=True, kw_only=True):
    """One answer of a closed list."""

    value: str
    text: str


class QuestionShown(Struct, frozen=True, kw_only=True):
    """One question, which can always be answered "don't know".

    Attributes:
        kind: yes-no, choice, number or text.
        takes: what may be written, for a person.
    """

    field: str
    section: str
    text: str
    why: str
    kind: str
    takes: str
    choices: tuple[Choice, ...]


_KINDS: Mapping[Kind, str] = {
    "bool": "yes-no",
    "choice": "choice",
    "number": "number",
    "version": "text",
    "name": "text",
}

SECTIONS = {
    "installer": "Installer",
    "cloud": "Where nodes are",
    "ip_family": "Addresses",
    "policy_ingress": "Who may talk to whom",
    "multicast": "What else pods need",
    "layer2": "Between nodes",
    "nodes": "How large, on what",
    "paid_support": "People",
}
"""Headings of the form: each begins at the question named, and holds those up to the next one."""


def profile(requirements: Requirements) -> str:
    """Return what was asked for as one line; what wasn't answered is not in it."""
    if requirements == USUAL:
        return ABOUT
    held = {question.field: getattr(requirements, question.field) for question in QUESTIONS}
    said = [f"{field.replace('_', ' ')}: {say(value)}" for field, value in held.items() if value is not None]
    return "; ".join(said) or 'nothing: every question was answered "don\'t know"'


def questions() -> tuple[QuestionShown, ...]:
    """Return every question in elimination order, under its heading."""
    section, shown = "", []
    for question in QUESTIONS:
        section = SECTIONS.get(question.field, section)
        offered = choices(question.field)
        shown.append(
            QuestionShown(
                field=question.field,
                section=section,
                text=question.text,
                why=question.why,
                kind=_KINDS[kind_of(question.field)],
                takes=takes(question.field),
                choices=tuple(Choice(value=each, text=each) for each in offered),
            )
        )
    return tuple(shown)
