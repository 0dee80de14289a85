"""Daemons that a node's kernel state needs beside the kernel, as values: what runs, and the files it reads.

What lives here: a daemon, its configuration files, references to secrets. A file is an object of its own, so
that one peer's change is one file's change. What it must not know: programs, processes, directories, secrets.
"""

import re
from dataclasses import dataclass, field

from octet.blueprint.base import Key

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
ROUTE_METRIC = 111
"""Priority of the routes that a routing daemon of ours puts into the kernel. Daemons mark routes with a
number of their own (BIRD: 12, RTPROT_BIRD of linux/rtnetlink.h); this tells ours from another daemon's."""


@dataclass(frozen=True, slots=True, order=True)
class Secret:
    """Where a secret is kept: a key of a Kubernetes Secret. It itself is in no value, log or error."""

    namespace: str
    name: str
    key: str

    def __str__(self) -> str:
        return f"secret {self.namespace}/{self.name}[{self.key}]"


@dataclass(frozen=True, slots=True)
class Inline:
    """A secret that is part of what an operator wrote (kube-router's annotations have passwords in base64).

    Attributes:
        where: it stands, for people.
    """

    value: str = field(repr=False)
    where: str

    def __str__(self) -> str:
        return f"secret in {self.where}"


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """One file of a daemon's configuration. The daemon is told of all changed files at once.

    Attributes:
        daemon: the name of the ``Daemon`` that reads it.
        name: of the file in the daemon's own directory, such as ``node.node7.conf``.
        parts: the text in order; a ``Secret`` stands for what is put in its place when the file is written,
            an ``Inline`` is shown nowhere but there.

    Raises:
        ValueError: the name could leave the directory, is hidden, or has more than 200 bytes.
    """

    daemon: str
    name: str
    parts: tuple[str | Secret | Inline, ...] = field(repr=False)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no name for a file of a daemon's configuration")

    @property
    def key(self) -> Key:
        """Identity: daemon and name."""
        return ("config", self.daemon, self.name)

    @property
    def secrets(self) -> tuple[Secret | Inline, ...]:
        """Every secret that the text needs, in order."""
        return tuple(part for part in self.parts if not isinstance(part, str))

    @property
    def text(self) -> str:
        """The text as it may be shown: references where secrets are."""
        return "".join(part if isinstance(part, str) else f"<{part}>" for part in self.parts)

    def __str__(self) -> str:
        return f"file {self.name} of {self.daemon}, {len(self.text.splitlines())} lines"


@dataclass(frozen=True, slots=True)
class Daemon:
    """A program that runs as long as this object is wanted. Its routes and files go with it.

    Attributes:
        name: also the name of its directory, and what its ``ConfigFile`` objects refer to.
        program: which kind of program it is, by a name that ``kernel`` knows: ``bird``.
    """

    name: str
    program: str

    @property
    def key(self) -> Key:
        """Identity: the name."""
        return ("daemon", self.name)

    def __str__(self) -> str:
        return f"daemon {self.name} ({self.program})"
