"""The house rules that a tool can check, on every file of the tree."""

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
SOURCES = sorted((ROOT / "src/octet").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LONGEST_MODULE, LONGEST_FUNCTION = 400, 45
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
SUPPRESSION = re.compile(r"#\s*(noqa|type: ignore)(?P<rest>[^\n]*)")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def functions(path: Path) -> tuple[ast.FunctionDef | ast.AsyncFunctionDef, ...]:
    return tuple(_functions(parsed(path).body))


def _functions(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield functions wherever a statement may stand; expressions, most of a tree, hold none."""
    for node in body:
        if isinstance(node, FUNCTIONS):
            yield node
        for name in ("body", "orelse", "finalbody"):
            yield from _functions(getattr(node, name, []))
        for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
            yield from _functions(part.body)


@cache
def code_lines(path: Path) -> set[int]:
    """Return the lines of a file that hold code: no blank lines, comments or docstrings."""
    silent = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    held: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type not in silent:
            held.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            held.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return held


def test_every_module_says_what_it_is_for() -> None:
    """A module opens with what it is, and one that holds code also with what it must not know."""
    texts = {path: ast.get_docstring(parsed(path)) or "" for path in SOURCES}
    assert [named(path) for path, text in texts.items() if not text] == []
    whole = {path: text for path, text in texts.items() if path.read_text().count("\n") > 40}
    assert [named(path) for path, text in whole.items() if "What lives here:" not in text] == []
    assert [named(path) for path, text in whole.items() if "must not know" not in text] == []


def test_no_module_is_longer_than_a_person_can_hold() -> None:
    """Modules, also those of tests, have at most 400 lines."""
    sizes = {named(path): path.read_text().count("\n") for path in SOURCES + TESTS}
    assert {name: size for name, size in sizes.items() if size > LONGEST_MODULE} == {}


def test_no_function_is_longer_than_a_person_can_hold() -> None:
    """Functions, also those of tests, have at most 45 lines of code."""
    sizes = {
        f"{named(path)} {function.name}": len(code_lines(path) & lines_of(function))
        for path in SOURCES + TESTS
        for function in functions(path)
        if len(lines_of(function)) > LONGEST_FUNCTION
    }
    assert {name: size for name, size in sizes.items() if size > LONGEST_FUNCTION} == {}


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[int]:
    return set(range(function.lineno, (function.end_lineno or function.lineno) + 1))


def test_every_test_is_a_sentence() -> None:
    """A test function's docstring begins with one sentence that says what the product does."""
    silent = []
    for path in TESTS:
        for function in functions(path) if path.name.startswith("test_") else ():
            sentence = (ast.get_docstring(function) or "").split("\n\n", maxsplit=1)[0]
            if function.name.startswith("test_") and (
                not sentence.endswith(".") or len(sentence.split()) < 4
            ):
                silent.append(f"{named(path)} {function.name}: {sentence}")
    assert silent == []


def test_test_files_have_names_of_their_own() -> None:
    """Pytest tells test modules apart by name only, because test folders are no packages."""
    counted = Counter(path.name for path in TESTS if path.name != "conftest.py")
    assert [name for name, count in counted.items() if count > 1] == []


def test_suppressions_are_few_and_have_reasons() -> None:
    """At most one suppressed warning per 1,000 lines of source, each with its reason after its code."""
    lines = sum(path.read_text().count("\n") for path in SOURCES)
    found = [match for path in SOURCES for match in SUPPRESSION.finditer(path.read_text())]
    assert [match.group() for match in found if len(match["rest"].split()) < 4] == []
    assert len(found) <= max(1, lines // 1000)


def test_nothing_is_left_to_do() -> None:
    """Open ends are issues, not comments."""
    words = re.compile(r"\b(TODO|FIXME|XXX)\b")
    mine = Path(__file__).name
    assert [
        named(path) for path in SOURCES + TESTS if words.search(path.read_text()) and path.name != mine
    ] == []
