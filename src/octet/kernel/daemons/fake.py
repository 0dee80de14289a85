"""Processes in memory: a daemon that reads its files, answers, dies when told to, for tests of who keeps it.

What lives here: ``FakeProcesses``. What it must not know: real processes, the supervisor.
"""

import errno
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from octet.kernel.daemons.port import Finished, Line, Reply

BAD = "bad"
"""A file that holds this word is refused, by its name and line."""

NEEDS = "needs"
"""A file that holds this word and then another file's name is refused where that one is not there."""


@dataclass
class FakeProcess:
    """A process that runs until it is told to end.

    Attributes:
        loaded: the texts it has read, by file.
        how: how it ended; empty while it runs.
    """

    pid: int
    command: tuple[str, ...]
    control: Path
    loaded: dict[str, str] = field(default_factory=dict)
    how: str = ""

    def ended(self) -> str:
        """Return how it ended."""
        return self.how

    def wait(self, _seconds: float) -> bool:
        """Tell whether it has ended; time does not pass."""
        return bool(self.how)

    def kill(self) -> None:
        """End it."""
        self.how = self.how or "killed by SIGKILL"

    def forget(self) -> None:
        """Nothing is held."""


class FakeProcesses:
    """``port.Processes`` of a pretended namespace, and what tests do behind its back.

    Attributes:
        made: every process that was ever started, in order.
        commands: what daemons were told, in order.
        runs: how many checks there were.
        read: the files that the last check has read.
        deaf: let no daemon answer.
        broken: let every new daemon end at once, with these words.
    """

    def __init__(self) -> None:
        self.made: list[FakeProcess] = []
        self.commands: list[str] = []
        self.runs = 0
        self.read: set[str] = set()
        self.deaf = False
        self.broken = ""

    def run(self, command: Sequence[str], _directory: Path, _seconds: float) -> Finished:
        """Check a configuration: its directory is that of the last word."""
        self.runs += 1
        main = Path(command[-1])
        texts = _texts(main.parent)
        self.read = set(texts)
        for name, text in texts.items():
            for number, line in enumerate(text.splitlines(), 1):
                if why := _complaint(line.split(), texts):
                    return Finished(1, f"bird: {main.parent / name}:{number}:1 {why}\n")
        return Finished(0, "")

    def start(self, command: Sequence[str], directory: Path, last_words: Path) -> FakeProcess:
        """Start a daemon, which reads its files."""
        control = directory / command[command.index("-s") + 1]
        main = Path(command[command.index("-c") + 1])
        made = FakeProcess(1000 + len(self.made), tuple(command), control, _texts(main.parent))
        last_words.write_text(self.broken)
        made.how = "exit code 1" if self.broken else ""
        if not made.how:
            control.touch()
        self.made.append(made)
        return made

    def find(self, control: Path) -> FakeProcess | None:
        """Return the daemon that runs behind a socket."""
        return next((each for each in self.made if each.control == control and not each.how), None)

    def ask(self, control: Path, command: str, _seconds: float) -> Reply:
        """Tell a daemon something."""
        found = self.find(control)
        if found is None or self.deaf:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "nobody answers")
        self.commands.append(command)
        if command == "configure":
            main = Path(found.command[found.command.index("-c") + 1])
            found.loaded = _texts(main.parent)
            return Reply((Line(2, "Reading configuration"), Line(3, "Reconfigured")))
        if command in {"graceful restart", "down"}:
            found.how = "exit code 0"
        return Reply((Line(13, "Daemon is up and running"),))


class FakeRoutes:
    """``port.Routes`` that are a flag."""

    def __init__(self) -> None:
        self.there = False

    def present(self) -> bool:
        """Are there any?"""
        return self.there

    def remove(self) -> None:
        """Take them away."""
        self.there = False


def _complaint(words: Sequence[str], there: Container[str]) -> str:
    if BAD in words:
        return "syntax error, unexpected BAD"
    lacks = words[:1] == [NEEDS] and words[1] not in there
    return f"No such thing as {words[1]}" if lacks else ""


def _texts(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(directory.iterdir())}
