"""Settings under /proc/sys/net, of the namespace that a descriptor stands for.

What lives here: reading, writing, and putting back. What it must not know: which settings anybody wants.
"""

import errno
import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from octet.blueprint import Blueprint, Change, KernelObject, Sysctl
from octet.kernel import namespaces
from octet.kernel.plan import link_of_sysctl
from octet.kernel.port import Failure, Outcome

_ROOT = "/proc/sys/"


def _same(one: str, other: str) -> bool:
    """Compare values as the kernel does: it prints several numbers with tabs between."""
    return one.split() == other.split()


def _get(path: str) -> str:
    return Path(_ROOT + path).read_text(encoding="ascii").strip()


def put(path: str, value: str) -> None:
    """Write a setting of the calling thread's namespace. Raises OSError."""
    descriptor = os.open(_ROOT + path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)


def current(item: Sysctl) -> Sysctl | None:
    """Return a setting as it is in the calling thread's namespace, as wanted if it is; None if absent."""
    try:
        value = _get(item.path)
    except OSError:
        return None
    return item if _same(value, item.value) else Sysctl(item.path, value)


def is_set(item: Sysctl) -> bool:
    """Tell whether a setting of the calling thread's namespace has its value; one that is absent has not."""
    try:
        return _same(_get(item.path), item.value)
    except OSError:
        return False


class Memory:
    """Values that settings had before ours, in a file so that a restarted agent can still put them back.

    Attributes:
        path: the file, or None to remember only as long as this object lives.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._values: dict[str, str] = {}
        if path is not None and path.exists():
            self._values = json.loads(path.read_text(encoding="ascii"))

    def paths(self) -> tuple[str, ...]:
        """Return the settings that are not as they were before us."""
        return tuple(self._values)

    def keep(self, path: str, value: str) -> None:
        """Remember a value unless an earlier one is remembered."""
        if self._values.setdefault(path, value) is value:
            self._save()

    def take(self, path: str) -> str | None:
        """Return and forget the value that a setting had."""
        value = self._values.pop(path, None)
        if value is not None:
            self._save()
        return value

    def _save(self) -> None:
        if self.path is None:
            return
        draft = self.path.with_suffix(".new")
        draft.write_text(json.dumps(self._values), encoding="ascii")
        draft.replace(self.path)


class Sysctls:
    """The facility for settings of the whole namespace, or (``of_links``) for those that belong to a link.

    They are two facilities because a link's settings exist only after the link. The whole namespace's go back
    to what was remembered; a link's go back to the namespace's ``default``, which every link is born with.
    """

    atomic = False

    def __init__(self, namespace: int, memory: Memory | None = None, *, of_links: bool) -> None:
        self._namespace = namespace
        self._memory = memory or Memory()
        self._of_links = of_links

    def handles(self, item: KernelObject) -> bool:
        """Is it a setting of this half?"""
        return isinstance(item, Sysctl) and (link_of_sysctl(item) is not None) is self._of_links

    def read(self, wanted: Blueprint) -> Iterator[KernelObject]:
        """Return the wanted settings that exist, with their present values."""
        ours = [item for item in wanted.of(Sysctl) if self.handles(item)]
        if not ours:
            return
        with namespaces.inside(self._namespace):
            found = [current(item) for item in ours]
        yield from (item for item in found if item is not None)

    def apply(self, change: Change) -> Outcome:
        """Write what is added or altered, put back what is removed."""
        done: list[KernelObject] = []
        failed: list[Failure] = []
        with namespaces.inside(self._namespace):
            for item in (*change.add, *(new for _, new in change.alter)):
                self._try(self._write, item, done, failed)
            for item in reversed(change.remove):
                self._try(self._restore, item, done, failed)
        return Outcome(tuple(done), tuple(failed))

    def _try(
        self,
        act: Callable[[Sysctl], None],
        item: KernelObject,
        done: list[KernelObject],
        failed: list[Failure],
    ) -> None:
        if not isinstance(item, Sysctl):
            return
        try:
            act(item)
        except OSError as error:
            failed.append(
                Failure(item, error.errno or errno.EIO, f"{item.path}: {os.strerror(error.errno or 0)}")
            )
        else:
            done.append(item)

    def _write(self, item: Sysctl) -> None:
        if not self._of_links:
            before = _get(item.path)
            if _same(before, item.value):
                return
            self._memory.keep(item.path, before)
        put(item.path, item.value)

    def _restore(self, item: Sysctl) -> None:
        """Put the earlier value back; a setting that is gone, with its link or its module, needs nothing."""
        with suppress(FileNotFoundError):
            if self._of_links:
                link = link_of_sysctl(item) or ""
                put(item.path, _get(item.path.replace(f"/{link}/", "/default/", 1)))
                return
            before = self._memory.take(item.path)
            if before is not None:
                put(item.path, before)

    def close(self) -> None:
        """Nothing is held."""
