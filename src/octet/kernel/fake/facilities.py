"""The facilities of a pretended namespace: links and what is on them, settings, shapers, nftables.

What lives here: one class for each real facility, holding values. What it must not know: order between them.
"""

import errno
from collections.abc import Iterator
from functools import partial

from octet.blueprint import (
    Address,
    Blueprint,
    Change,
    FdbEntry,
    KernelObject,
    Link,
    Neighbour,
    Route,
    Rule,
    Sysctl,
)
from octet.blueprint.nft import NftObject, validate
from octet.kernel.fake.checks import CHECKS
from octet.kernel.fake.devices import Devices
from octet.kernel.fake.world import Held, Namespace
from octet.kernel.netlink.jobs import Progress
from octet.kernel.plan import link_of_sysctl, ordered
from octet.kernel.port import Failure, Outcome

ON_LINKS = (Address, Neighbour, FdbEntry, Route, Rule)


class Objects:
    """Holds objects of some kinds, each checked and refused on its own."""

    atomic = False

    def __init__(self, here: Namespace, kinds: tuple[type, ...]) -> None:
        self._here = here
        self._kinds = kinds

    def handles(self, item: KernelObject) -> bool:
        """Is it of one of the kinds?"""
        return isinstance(item, self._kinds)

    def read(self, _wanted: Blueprint) -> Iterator[KernelObject]:
        """Return ours."""
        for held in self._here.objects.values():
            if held.ours and isinstance(held.item, self._kinds):
                yield held.item

    def apply(self, change: Change) -> Outcome:
        """Add in order, then remove in the reverse."""
        progress = Progress()
        for item in ordered((*change.add, *(new for _, new in change.alter))):
            progress.attempt(item, partial(self._add, item))
        for item in reversed(ordered(change.remove)):
            progress.attempt(item, partial(self._remove, item))
        return progress.outcome()

    def _add(self, item: KernelObject) -> None:
        self._here.refuse(item.key)
        CHECKS[type(item)](item, self._here)
        found = self._here.objects.get(item.key)
        if found is not None and not found.ours:
            raise OSError(errno.EEXIST, "something that is not ours is there")
        self._here.objects[item.key] = Held(item)

    def _remove(self, item: KernelObject) -> None:
        self._here.refuse(item.key)
        found = self._here.objects.get(item.key)
        if found is not None and found.ours:
            self._here.drop(item.key)

    def close(self) -> None:
        """Nothing is held open."""


class Netlink(Objects):
    """Links and what is on them, in one facility, as rtnetlink is."""

    def __init__(self, here: Namespace, devices: Devices) -> None:
        super().__init__(here, (Link, *ON_LINKS))
        self._devices = devices

    def read(self, wanted: Blueprint) -> Iterator[KernelObject]:
        """Return our links in use, then what is ours on any."""
        yield from self._devices.read(wanted)
        yield from super().read(wanted)

    def apply(self, change: Change) -> Outcome:
        """Make links before what is on them, and remove them after."""
        progress = Progress()
        self._devices.make(change, progress)
        links, others = _apart(change)
        outcome = super().apply(others)
        for link in links.remove:
            if isinstance(link, Link):
                progress.attempt(link, partial(self._devices.remove, link))
        made = progress.outcome()
        return Outcome(made.done + outcome.done, made.failed + outcome.failed)


def _apart(change: Change) -> tuple[Change, Change]:
    """Return the links of a change, and the rest of it."""

    def part(links: bool) -> Change:
        return Change(
            tuple(item for item in change.add if isinstance(item, Link) is links),
            tuple(pair for pair in change.alter if isinstance(pair[1], Link) is links),
            tuple(item for item in change.remove if isinstance(item, Link) is links),
        )

    return part(True), part(False)


class Settings:
    """Sysctls of the whole namespace, or of links. A setting that nobody set yet reads as ``0``."""

    atomic = False

    def __init__(self, here: Namespace, *, of_links: bool) -> None:
        self._here = here
        self._of_links = of_links

    def handles(self, item: KernelObject) -> bool:
        """Is it a setting of this half?"""
        return isinstance(item, Sysctl) and (link_of_sysctl(item) is not None) is self._of_links

    def read(self, wanted: Blueprint) -> Iterator[KernelObject]:
        """Return the wanted settings that exist, with their present values."""
        for item in wanted.of(Sysctl):
            if self.handles(item) and self._exists(item):
                yield Sysctl(item.path, self._value(item.path))

    def _exists(self, item: Sysctl) -> bool:
        link = link_of_sysctl(item)
        return link is None or link in self._here.devices

    def _value(self, path: str) -> str:
        return self._here.settings.get(path, "0")

    def apply(self, change: Change) -> Outcome:
        """Write what arrives, put back what goes."""
        progress = Progress()
        for item in (*change.add, *(new for _, new in change.alter)):
            progress.attempt(item, partial(self._write, item))
        for item in change.remove:
            progress.attempt(item, partial(self._restore, item))
        return progress.outcome()

    def _write(self, item: KernelObject) -> None:
        self._here.refuse(item.key)
        if not isinstance(item, Sysctl) or not self._exists(item):
            raise OSError(errno.ENOENT, f"there is no {item}")
        self._here.before.setdefault(item.path, self._value(item.path))
        self._here.settings[item.path] = item.value

    def _restore(self, item: KernelObject) -> None:
        self._here.refuse(item.key)
        if not isinstance(item, Sysctl):
            return
        before = self._here.before.pop(item.path, None)
        if before is not None and self._exists(item):
            self._here.settings[item.path] = before

    def close(self) -> None:
        """Nothing is held open."""


class Nft:
    """Our nftables table: a change that leaves the table inconsistent is refused as a whole."""

    atomic = True

    def __init__(self, here: Namespace) -> None:
        self._here = here

    def handles(self, item: KernelObject) -> bool:
        """Does it live in our table?"""
        return isinstance(item, NftObject)

    def read(self, _wanted: Blueprint) -> Iterator[KernelObject]:
        """Return what our table holds."""
        yield from (held.item for held in self._here.objects.values() if isinstance(held.item, NftObject))

    def apply(self, change: Change) -> Outcome:
        """Make the whole change true, or nothing of it."""
        arriving = (*change.add, *(new for _, new in change.alter))
        items = (*arriving, *change.remove)
        after = {item.key: item for item in self.read(Blueprint())}
        for item in change.remove:
            after.pop(item.key, None)
        after |= {item.key: item for item in arriving}
        try:
            for item in items:
                self._here.refuse(item.key)
            validate(after.values())
        except (OSError, ValueError) as error:
            number = error.errno or errno.EINVAL if isinstance(error, OSError) else errno.EINVAL
            return Outcome(failed=tuple(Failure(item, number, str(error)) for item in items))
        for item in change.remove:
            self._here.objects.pop(item.key, None)
        self._here.objects |= {item.key: Held(item) for item in arriving}
        return Outcome(items)

    def close(self) -> None:
        """Nothing is held open."""
