"""A daemon's directory: its configuration in force, and a draft of the next one.

What lives here: files, 0600 in directories 0700, each replaced whole. What it must not know: what is in them.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

CONFIG, DRAFT, CONTROL, LAST_WORDS = "config", "draft", "control.sock", "last-words"


class Directory:
    """What one daemon has on disk.

    Attributes:
        config: the configuration in force.
        draft: the next one, while it is made.
        control: the daemon's control socket.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config = root / CONFIG
        self.draft = root / DRAFT
        self.control = root / CONTROL
        self.last_words = root / LAST_WORDS

    def names(self) -> Iterator[str]:
        """Yield the names of the configuration's files."""
        yield from sorted(each.name for each in self.config.iterdir()) if self.config.is_dir() else ()

    def text(self, name: str) -> str | None:
        """Return a file's text, or None."""
        try:
            return (self.config / name).read_text()
        except (OSError, UnicodeDecodeError):
            return None

    def texts(self, names: Iterable[str]) -> dict[str, str]:
        """Return the texts of files in force, by name; of those only that are there."""
        held = {name: self.text(name) for name in names}
        return {name: text for name, text in held.items() if text is not None}

    def prepare(self, skipped: Callable[[str], bool]) -> None:
        """Make a draft that is the configuration in force but for some files, without copying it."""
        self.discard()
        self.draft.mkdir(mode=0o700, parents=True)
        for name in self.names():
            if not skipped(name):
                os.link(self.config / name, self.draft / name)

    def put(self, name: str, text: str | None) -> None:
        """Write a file of the draft, or take it out."""
        path = self.draft / name
        path.unlink(missing_ok=True)  # a link: the file in force stays as it is
        if text is None:
            return
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)

    def restore(self, name: str) -> None:
        """Let the draft have a file as it is in force."""
        (self.draft / name).unlink(missing_ok=True)
        if (self.config / name).exists():
            os.link(self.config / name, self.draft / name)

    def enact(self, changed: Mapping[str, bool]) -> None:
        """Let the draft's version of these files be in force; whether each is there after, by name."""
        self.config.mkdir(mode=0o700, exist_ok=True)
        for name, present in changed.items():
            if present:
                (self.draft / name).replace(self.config / name)
            else:
                (self.config / name).unlink(missing_ok=True)
        self.discard()

    def discard(self) -> None:
        """Forget the draft; idempotent."""
        shutil.rmtree(self.draft, ignore_errors=True)

    def remove(self) -> None:
        """Delete all of it; idempotent."""
        shutil.rmtree(self.root, ignore_errors=True)
