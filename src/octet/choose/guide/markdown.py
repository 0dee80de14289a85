"""Markdown: tables, lists, and lines of a width that people can read and compare.

What lives here: layout. What it must not know: what any of it says.
"""

import re
import textwrap
from collections.abc import Iterable, Sequence

WIDTH = 110
_AS_IT_IS = re.compile(r"\s*(?:[#|>]|\[\^\d+\]:|<!--)")
_ITEM = re.compile(r"(?P<mark>- |\d+\. )")
_WHOLE = re.compile(r"`[^`]+`|\[[^\]]+\]\([^)]+\)")
"""Code and links, which no line may be broken in."""

_TIED = "\ue000"
"""Stands for a space that holds (private use: no text has it)."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a cell's line breaks become spaces."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(' '.join(cell.split()) for cell in line)} |" for line in lines)


def items(lines: Iterable[str]) -> str:
    """Return a list."""
    return "\n".join(f"- {line}" for line in lines)


def wrapped(text: str) -> str:
    """Return a page with its paragraphs and list items filled to WIDTH, and at most one empty line in a row.

    Tables, headings, footnotes and fenced blocks stay as they are.
    """
    text = re.sub(r"\n(#{2,4} )", r"\n\n\1", text)
    parts = re.split(r"(^```.*?^```$)", text, flags=re.MULTILINE | re.DOTALL)
    filled = [part if part.startswith("```") else _filled(part) for part in parts]
    return re.sub(r"\n{3,}", "\n\n", "".join(filled)).strip() + "\n"


def _filled(text: str) -> str:
    blocks = re.split(r"(\n\s*\n)", text)
    return "".join(block if not block.strip() else _block(block) for block in blocks)


def _block(block: str) -> str:
    lead, tail = block[: len(block) - len(block.lstrip("\n"))], block[len(block.rstrip("\n")) :]
    lines = block.strip("\n").split("\n")
    runs: list[list[str]] = []
    for line in lines:
        fresh = not runs or _AS_IT_IS.match(line) or _ITEM.match(line) or _AS_IT_IS.match(runs[-1][-1])
        runs.append([line]) if fresh else runs[-1].append(line)
    return lead + "\n".join(_line(" ".join(part.strip() for part in run)) for run in runs) + tail


def _line(text: str) -> str:
    if _AS_IT_IS.match(text):
        return text
    item = _ITEM.match(text)
    indent = " " * len(item["mark"]) if item else ""
    tied = _WHOLE.sub(lambda found: found[0].replace(" ", _TIED), text)
    filled = textwrap.fill(
        tied, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return filled.replace(_TIED, " ")
