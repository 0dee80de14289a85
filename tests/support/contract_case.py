"""One row of the kernel's contract, and what a kernel is judged through.

What lives here: ``Case``, ``Harness``. What it must not know: the rows, any kernel.
"""

from dataclasses import dataclass
from typing import Protocol

from octet.blueprint import KernelObject
from octet.kernel.port import Kernel


@dataclass(frozen=True)
class Case:
    """One kind of object and what there is to say about it.

    Attributes:
        kind: the class; of a link, its detail's.
        altered: the same key with another value; None where the key says it all.
        shown: a command and a text that it prints while the object is there.
        shown_altered: the text once it is altered.
        base: what it stands on.
        foreign: commands by which somebody else takes its place, separated by semicolons; empty where
            nothing can. ``undo`` takes that away again.
        orphan: errno when the link it is on is missing; 0 where it is on none.
        in_pod: is it made in a pod's namespace?
        feature: of the kernel, where not every kernel that runs the tests has it: judged in tests/qemu.
    """

    name: str
    kind: type
    item: KernelObject
    altered: KernelObject | None
    shown: tuple[str, str]
    shown_altered: str = ""
    base: tuple[KernelObject, ...] = ()
    foreign: str = ""
    undo: str = ""
    orphan: int = 0
    in_pod: bool = False
    feature: str = ""

    def __str__(self) -> str:
        return self.name


class Harness(Protocol):
    """A kernel and a way to see and disturb what it holds without its help."""

    kernel: Kernel

    def shows(self, case: Case, text: str) -> bool:
        """Is the case's object there, with this text about it?"""
        ...

    def plant(self, case: Case) -> None:
        """Let somebody else put something in the object's place."""
        ...

    def uproot(self, case: Case) -> None:
        """Take that away."""
        ...
