"""The house rules that a tool can check, on every file of the tree."""

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOURCES = sorted((ROOT / "src/octet").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LONGEST_MODULE, LONGEST_FUNCTION = 400, 45
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
SUPPRESSION = re.compile(r"#\s*(noqa|type: ignore)(?P<rest>[^\n]*)")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, FUNCTIONS):
            yield node


def code_lines(path: Path) -> set[int]:
    """Return the lines of a file that hold code: no blank lines, comments or docstrings."""
    silent = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    held: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type not in silent:
            held.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            held.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return held


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    """A module opens with what it is, and one that holds code also with what it must not know."""
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    assert text
    if len(code_lines(path)) > 20:
        assert "What lives here:" in text
        assert "must not know" in text


@pytest.mark.parametrize("path", SOURCES + TESTS, ids=named)
def test_nothing_is_longer_than_a_person_can_hold(path: Path) -> None:
    """Modules have at most 400 lines, functions at most 45 lines of code."""
    assert path.read_text().count("\n") <= LONGEST_MODULE
    code = code_lines(path)
    for function in functions(path):
        body = code & set(range(function.lineno, (function.end_lineno or function.lineno) + 1))
        assert len(body) <= LONGEST_FUNCTION, f"{function.name} has {len(body)} lines"


@pytest.mark.parametrize("path", [path for path in TESTS if path.name.startswith("test_")], ids=named)
def test_every_test_is_a_sentence(path: Path) -> None:
    """A test function's docstring begins with one sentence that says what the product does."""
    for function in functions(path):
        if function.name.startswith("test_"):
            sentence = (ast.get_docstring(function) or "").split("\n\n", maxsplit=1)[0]
            assert sentence.endswith("."), f"{function.name} has no sentence"
            assert len(sentence.split()) > 3, f"{function.name}: {sentence}"


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
