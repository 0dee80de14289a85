"""The whole command line, walked: every command explains itself, and its examples are valid."""

import ast
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from octet.cli import main as command_line

SOURCES = sorted(Path(command_line.__file__).parent.glob("*.py"))
ROOT = typer.main.get_command(command_line.app)


def walk(command: Any, *path: str) -> Iterator[tuple[str, Any]]:
    """Yield every command and group below this one with what a person types for it."""
    yield " ".join(path), command
    for name in command.list_commands(None) if hasattr(command, "list_commands") else ():
        yield from walk(command.get_command(None, name), *path, name)


COMMANDS = dict(walk(ROOT, "octet"))


def examples(command: Any) -> list[str]:
    lines = (command.epilog or "").replace(r"\[", "[").splitlines()
    return [line.strip().removeprefix("$ ") for line in lines if line.strip().startswith("$ ")]


EXAMPLES = [(name, line) for name, command in COMMANDS.items() for line in examples(command)]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    """Each command and group has a help text that starts with a capital and says more than its name."""
    text = (COMMANDS[name].help or "").strip()
    assert len(text) > 20
    assert text[0].isupper()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_an_example_of_itself(name: str) -> None:
    """Each command's help ends in at least one whole command line that begins with the command."""
    assert [line for line in examples(COMMANDS[name]) if line.startswith(name)]


@pytest.mark.parametrize(("name", "line"), EXAMPLES, ids=[line for _, line in EXAMPLES])
def test_every_example_is_valid(name: str, line: str) -> None:
    """The command line of each example is accepted: commands, options and values exist."""
    words = shlex.split(line.partition(" | ")[0])
    assert words[0] == "octet", name
    parse(ROOT, words[1:])


def parse(command: Any, words: list[str], parent: Any = None) -> None:
    """Parse words as the command line does, without doing anything; files need not be there."""
    if not hasattr(command, "resolve_command"):
        try:
            command.make_context(command.name, list(words), parent=parent)
        except Exception as error:
            if "does not exist" not in str(error):
                raise
        return
    context = command.make_context(command.name, list(words), parent=parent, resilient_parsing=True)
    rest = [*context._protected_args, *context.args]
    if rest:
        _, below, remaining = command.resolve_command(context, rest)
        assert below is not None, f"no such command: {rest}"
        parse(below, remaining, context)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_every_table_can_be_json(path: Path) -> None:
    """Whatever prints a table can print JSON too, and only output.py draws tables."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "rich.table":
            assert path.name == "output.py"
        if isinstance(node, ast.FunctionDef) and "output.table(" in ast.unparse(node):
            names = {argument.arg for argument in [*node.args.args, *node.args.kwonlyargs]}
            assert "as_json" in names, node.name
