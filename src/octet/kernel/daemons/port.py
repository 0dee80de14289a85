"""The port to processes: run one to its end, start one that stays, find one that stayed, ask one.

What lives here: the protocol that the real thing (``processes.HostProcesses``) and the fake share.
What it must not know: which programs there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

SEARCHED = "/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs are looked for, whatever the caller's PATH is."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A process that ran to its end.

    Attributes:
        code: exit code, or minus the signal's number.
        output: what it said on stdout and stderr.
    """

    code: int
    output: str


class Line(NamedTuple):
    """One line of an answer: its number says what it is about."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What a daemon answered to one command, line by line."""

    lines: tuple[Line, ...]

    @property
    def code(self) -> int:
        """The number of the last line, which says what came of the command."""
        return self.lines[-1].code if self.lines else 0

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join(line.text for line in self.lines)


class Process(Protocol):
    """A process that stays, started here or found."""

    @property
    def pid(self) -> int:
        """Its process id."""
        ...

    def ended(self) -> str:
        """Return how it ended, in words; empty while it runs."""
        ...

    def wait(self, seconds: float) -> bool:
        """Wait for its end; False if it still runs then."""
        ...

    def kill(self) -> None:
        """End it at once and collect it; idempotent."""
        ...

    def forget(self) -> None:
        """Let go of what watches it; the process is left as it is. Idempotent."""
        ...


class Routes(Protocol):
    """What a daemon of ours put into the kernel's tables, told by its protocol number and our metric."""

    def present(self) -> bool:
        """Are there any? Raises OSError."""
        ...

    def remove(self) -> None:
        """Take exactly them away. Raises OSError."""
        ...


class Processes(Protocol):
    """Processes of one network namespace. All raise OSError, FileNotFoundError for a missing program."""

    def run(self, command: Sequence[str], directory: Path, seconds: float) -> Finished:
        """Run a program to its end; TimeoutError when it takes longer, and it is gone then."""
        ...

    def start(self, command: Sequence[str], directory: Path, last_words: Path) -> Process:
        """Start a program in a session of its own; what it says on stderr goes to a file (0600), emptied."""
        ...

    def find(self, control: Path) -> Process | None:
        """Return the process that listens on a control socket, or None where nobody does."""
        ...

    def ask(self, control: Path, command: str, seconds: float) -> Reply:
        """Send a command to a control socket; TimeoutError where the answer is not whole in time."""
        ...
