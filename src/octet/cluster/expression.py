"""Calico's selectors: a text that says which labels are meant (projectcalico.org/v3, "Selectors").

What lives here: the grammar, read once into a value that answers for labels. What it must not know: whose
labels, what is selected for.

    any := all ("||" all)*      all := not ("&&" not)*      not := "!"* atom
    atom := "(" any ")" | "all()" | "global()" | "has(" label ")" | label test
    test := ("==" | "!=" | "contains" | "starts with" | "ends with") string
          | ("in" | "not in" | "notin") "{" [string ("," string)*] "}"
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

import msgspec

from octet.cluster.reading import Fields, Words

LONGEST = 1024  # characters of a selector that Calico accepts
DEEPEST = 64  # parentheses and negations inside each other; each nesting costs the reader a stack frame

_TOKENS = re.compile(
    r"""\s*(?:(?P<sign>&&|\|\||==|!=|[!(){},])
    |"(?P<double>[^"]*)"|'(?P<single>[^']*)'
    |(?P<word>[A-Za-z0-9_./-]+))""",
    re.VERBOSE,
)
_TESTS: dict[str, Callable[[str, str], bool]] = {
    "==": lambda value, wanted: value == wanted,
    "contains": lambda value, wanted: wanted in value,
    "starts": lambda value, wanted: value.startswith(wanted),
    "ends": lambda value, wanted: value.endswith(wanted),
}
_JOINED: dict[str, Callable[[Iterable[bool]], bool]] = {
    "and": all,
    "or": any,
    "not": lambda parts: not any(parts),
}
_WHOLE = {"all": True, "global": False}


class Term(msgspec.Struct, frozen=True, gc=False):
    """One node of a selector's tree.

    Attributes:
        kind: a key of ``_JOINED``, ``_WHOLE`` or ``_TESTS``, or ``has`` or ``in``.
        parts: of ``and``, ``or``, ``not``.
        label, values: what is asked of which label.
    """

    kind: str
    parts: tuple["Term", ...] = ()
    label: str = ""
    values: tuple[str, ...] = ()

    def matches(self, labels: Words) -> bool:
        """Tell whether labels meet it; a test of a missing label is false, its negation true."""
        if self.kind in _JOINED:
            return _JOINED[self.kind](part.matches(labels) for part in self.parts)
        if self.kind in _WHOLE:
            return _WHOLE[self.kind]
        value = labels.get(self.label)
        if value is None or self.kind == "has":
            return value is not None
        return value in self.values if self.kind == "in" else _TESTS[self.kind](value, self.values[0])


class Expression(msgspec.Struct, frozen=True, gc=False):
    """A selector; equal texts are equal selectors.

    Attributes:
        text: as it was written.
    """

    text: str = ""

    def matches(self, labels: Words) -> bool:
        """Tell whether these labels are selected; an empty selector selects everything."""
        return parse(self.text).matches(labels)

    @property
    def asks_for_global(self) -> bool:
        """Does it select what is in no namespace (``global()`` alone)?"""
        return parse(self.text).kind == "global"


class _Problem(Exception):  # noqa: N818 - never leaves this module
    """What the reader stumbled over."""


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens = _split(text)
        self._next = 0
        self._depth = 0

    def whole(self) -> Term:
        found = self._any()
        if self._peek()[0]:
            raise _Problem(f"{self._peek()[1]!r} where the selector should end")
        return found

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._next] if self._next < len(self._tokens) else ("", "")

    def _take(self, *kinds: str) -> str:
        kind, value = self._peek()
        if kind not in kinds:
            raise _Problem(f"{value!r} instead of {' or '.join(kinds)}" if kind else "ends too early")
        self._next += 1
        return value

    def _took(self, sign: str) -> bool:
        found = self._peek() == (sign, sign)
        self._next += found
        return found

    def _any(self) -> Term:
        parts = [self._all()]
        while self._took("||"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Term("or", tuple(parts))

    def _all(self) -> Term:
        parts = [self._not()]
        while self._took("&&"):
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else Term("and", tuple(parts))

    def _not(self) -> Term:
        self._depth += 1
        if self._depth > DEEPEST:
            raise _Problem(f"nested deeper than {DEEPEST}")
        if self._took("!"):
            found = Term("not", (self._not(),))
        elif self._took("("):
            found = self._any()
            self._take(")")
        else:
            found = self._atom()
        self._depth -= 1
        return found

    def _atom(self) -> Term:
        word = self._take("word")
        if word in {"all", "global", "has"} and self._took("("):
            label = self._take("word") if word == "has" else ""
            self._take(")")
            return Term(word, label=label)
        return self._test(word)

    def _test(self, label: str) -> Term:
        if self._took("=="):
            return Term("==", label=label, values=(self._take("text"),))
        if self._took("!="):
            return Term("not", (Term("==", label=label, values=(self._take("text"),)),))
        word = self._take("word")
        if word in {"starts", "ends"}:
            if self._take("word") != "with":
                raise _Problem(f"{word} without with")
            return Term(word, label=label, values=(self._take("text"),))
        if word == "contains":
            return Term(word, label=label, values=(self._take("text"),))
        return self._membership(label, word)

    def _membership(self, label: str, word: str) -> Term:
        negated = word == "notin" or (word == "not" and self._take("word") == "in")
        if not negated and word != "in":
            raise _Problem(f"{word!r} is no test")
        self._take("{")
        values = []
        while not self._took("}"):
            values.append(self._take("text"))
            if not self._took(","):
                self._take("}")
                break
        found = Term("in", label=label, values=tuple(values))
        return Term("not", (found,)) if negated else found


def _split(text: str) -> list[tuple[str, str]]:
    tokens, at = [], 0
    stripped = text.rstrip()
    while at < len(stripped):
        found = _TOKENS.match(stripped, at)
        if found is None:
            raise _Problem(f"{stripped[at]!r} at position {at}")
        kind = found.lastgroup or ""
        value = found[kind]
        tokens.append((value if kind == "sign" else "word" if kind == "word" else "text", value))
        at = found.end()
    return tokens


@lru_cache(maxsize=16384)
def parse(text: str) -> Term:
    """Return a selector's tree; an empty text selects everything. Raises ValueError saying what is wrong."""
    if len(text) > LONGEST:
        raise ValueError(f"has more than {LONGEST} characters")
    if not text.strip():
        return Term("all")
    try:
        return _Reader(text).whole()
    except _Problem as problem:
        raise ValueError(f"is no selector: {problem}") from None


def expression(fields: Fields, key: str) -> Expression | None:
    """Read a selector field; None where it is absent or empty. Raises BadConfigurationError."""
    text = fields.text(key)
    if not text.strip():
        return None
    try:
        parse(text)
    except ValueError as error:
        raise fields.refusal(key, str(error), hint="such as app == 'web' && has(tier)") from None
    return Expression(text)


__all__ = ["Expression", "Term", "expression", "parse"]
