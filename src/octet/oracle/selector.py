"""Calico's selector language (projectcalico.org/v3, "Selectors"), read from its grammar.

    or    := and ("||" and)*                and := not ("&&" not)*        not := "!"* term
    term  := "(" or ")" | "all()" | "global()" | "has(" label ")" | label test
    test  := ("==" | "!=" | "contains" | "starts with" | "ends with") string
           | ("in" | "not in") "{" (string ("," string)* ","?)? "}"
    Blanks may stand between tokens and between the words of an operator, and may be left out there.

What lives here: a reader that answers with a predicate over labels. What it must not know: whose labels.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from octet.oracle.refusal import refuse

Labels = Mapping[str, str]
Predicate = Callable[[Labels], bool]

LONGEST = 1024  # characters of a selector (Calico's validator)
NAMESPACE = "projectcalico.org/namespace"
"""The label that every endpoint and network set of a namespace has."""

_LABEL = re.compile(r"[a-zA-Z0-9_./-]{1,512}")
_STRING = re.compile(r"\"([^\"]*)\"|'([^']*)'")
_BLANK = re.compile(r"[ \t]*")
_TESTS = ("==", "!=", "contains", "starts with", "ends with", "not in", "in")
_WORDS = {word: re.compile(r"[ \t]*".join(map(re.escape, word.split()))) for word in _TESTS}


@lru_cache(maxsize=4096)
def parse(text: str, prefix: str = "") -> Predicate:
    """Return what a selector says of labels; an empty selector is ``all()``.

    Args:
        text: the selector.
        prefix: what its labels' names begin with in the labels that it will be asked about. With one, it
            speaks of namespaces: ``all()`` is whatever is in one, ``global()`` what is in none, and nothing
            but ``global()`` means what is in none.

    Raises:
        BadConfigurationError: it is not a selector.
    """
    if len(text) > LONGEST:
        refuse("selector", "", text, f"must have at most {LONGEST} characters")
    reader = _Reader(text, prefix)
    if reader.ended():
        return _everything(prefix)
    found = reader.disjunction()
    if not reader.ended():
        reader.fail("the end")
    if prefix and "global(" not in text:
        return lambda labels: NAMESPACE in labels and found(labels)
    return found


def _everything(prefix: str) -> Predicate:
    return (lambda labels: NAMESPACE in labels) if prefix else (lambda _: True)


class _Reader:
    """One pass over the text; each method reads what it is named after."""

    def __init__(self, text: str, prefix: str) -> None:
        self._text = text
        self._prefix = prefix
        self._at = 0

    def ended(self) -> bool:
        self._skip()
        return self._at == len(self._text)

    def fail(self, wanted: str) -> None:
        refuse("selector", f"character {self._at + 1}", self._text, f"must be {wanted}")

    def disjunction(self) -> Predicate:
        parts = [self.conjunction()]
        while self._take("||"):
            parts.append(self.conjunction())
        return lambda labels: any(part(labels) for part in parts)

    def conjunction(self) -> Predicate:
        parts = [self.negation()]
        while self._take("&&"):
            parts.append(self.negation())
        return lambda labels: all(part(labels) for part in parts)

    def negation(self) -> Predicate:
        if self._take("!"):
            inner = self.negation()
            return lambda labels: not inner(labels)
        return self.term()

    def term(self) -> Predicate:
        if self._take("("):
            inner = self.disjunction()
            self._expect(")")
            return inner
        for word in ("all(", "global(", "has("):
            if self._take(word):
                return self._call(word)
        return self._test(self._label())

    def _call(self, word: str) -> Predicate:
        if word == "has(":
            name = self._label()
            self._expect(")")
            return lambda labels: name in labels
        self._expect(")")
        if word == "all(":
            return _everything(self._prefix)
        return lambda labels: NAMESPACE not in labels

    def _test(self, name: str) -> Predicate:
        self._skip()
        for word, pattern in _WORDS.items():
            found = pattern.match(self._text, self._at)
            if found:
                self._at = found.end()
                return self._in(name, word) if word.endswith("in") else self._compare(name, word)
        return refuse("selector", f"character {self._at + 1}", self._text, "must be an operator")

    def _compare(self, name: str, word: str) -> Predicate:
        value = self._string()
        if value is None:
            return refuse("selector", f"character {self._at + 1}", self._text, "must be a string")
        tests: dict[str, Predicate] = {
            "==": lambda labels: labels.get(name) == value,
            "!=": lambda labels: labels.get(name) != value,
            "contains": lambda labels: name in labels and value in labels[name],
            "starts with": lambda labels: name in labels and labels[name].startswith(value),
            "ends with": lambda labels: name in labels and labels[name].endswith(value),
        }
        return tests[word]

    def _in(self, name: str, word: str) -> Predicate:
        self._expect("{")
        values = set()
        while (value := self._string()) is not None:
            values.add(value)
            if not self._take(","):
                break
        self._expect("}")
        if word == "in":
            return lambda labels: name in labels and labels[name] in values
        return lambda labels: name not in labels or labels[name] not in values

    def _label(self) -> str:
        self._skip()
        found = _LABEL.match(self._text, self._at)
        if found is None:
            return refuse("selector", f"character {self._at + 1}", self._text, "must be a label's name")
        self._at = found.end()
        return self._prefix + found.group()

    def _string(self) -> str | None:
        self._skip()
        found = _STRING.match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        return found.group(1) if found.group(1) is not None else found.group(2)

    def _take(self, token: str) -> bool:
        self._skip()
        if not self._text.startswith(token, self._at):
            return False
        self._at += len(token)
        return True

    def _expect(self, token: str) -> None:
        if not self._take(token):
            self.fail(token)

    def _skip(self) -> None:
        found = _BLANK.match(self._text, self._at)
        self._at = found.end() if found else self._at
