"""The rtnetlink facility: one change becomes a few batches on one socket, with one answer per object.

What lives here: the table of kinds, and what happens when the kernel refuses one.
What it must not know: who wants the change; sysctls, shapers, nftables.
"""

import errno
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from octet.blueprint import Blueprint, Change, KernelObject, Link, Neighbour
from octet.kernel.netlink import interfaces, links, neighbours
from octet.kernel.netlink.addresses import ADDRESSES
from octet.kernel.netlink.interfaces import Interfaces
from octet.kernel.netlink.jobs import Progress, encode, run
from octet.kernel.netlink.kind import ABSENT, Kind
from octet.kernel.netlink.linking import Linking
from octet.kernel.netlink.neighbours import FDB, NEIGHBOURS
from octet.kernel.netlink.routes import ROUTES
from octet.kernel.netlink.rules import RULES
from octet.kernel.netlink.wire import Message, Socket
from octet.kernel.plan import links_named, ordered
from octet.kernel.port import Outcome

KINDS: dict[type, Kind[Any]] = {kind.of: kind for kind in (ADDRESSES, NEIGHBOURS, FDB, ROUTES, RULES)}
"""Every kind but links, which have an order among themselves (``linking``). A new kind is one word here."""

_Encoder = Callable[[KernelObject], list[Message]]


class Rtnetlink:
    """Links, addresses, neighbours, forwarding entries, routes and rules of one namespace.

    Attributes:
        linking: how its links are made and removed.
    """

    atomic = False

    def __init__(self, socket: Socket, linking: Linking) -> None:
        self._socket = socket
        self.linking = linking

    def handles(self, item: KernelObject) -> bool:
        """Is it one of the kinds of rtnetlink?"""
        return type(item) is Link or type(item) in KINDS

    def read(self, wanted: Blueprint) -> Iterator[KernelObject]:
        """Return everything of ours; one dump for each kind and family."""
        known = interfaces.everything(self._socket)
        yield from (link for each in known.all() if (link := links.read(each, known, wanted)))
        for kind in KINDS.values():
            yield from self._read_kind(kind, known, wanted)

    def _read_kind(self, kind: Kind[Any], known: Interfaces, wanted: Blueprint) -> Iterator[KernelObject]:
        for request in kind.dumps(known):
            for message, body in self._socket.dump(request):
                item = kind.decode(body, known, wanted) if message == kind.message else None
                if item is not None:
                    yield item

    def apply(self, change: Change) -> Outcome:
        """Make links, then configure them and everything on them in one batch; then remove, in reverse."""
        progress = Progress()
        wanted = [*change.add, *(new for _, new in change.alter)]
        names = {name for item in (*wanted, *change.remove) for name in links_named(item)}
        known = self.linking.newborn(change) if self.linking.of_pod else None
        if known is None or not all(map(known.get, names)):
            known = interfaces.lookup(self._socket, sorted(names))
        if wanted:
            self._add(change, known, progress)
        if change.remove:
            self._remove(change.remove, known, progress)
        return progress.outcome()

    def _add(self, change: Change, known: Interfaces, progress: Progress) -> None:
        altered = {new.key: old for old, new in change.alter}
        wanted = ordered([*change.add, *(new for _, new in change.alter)])
        recreate = {new.name for _, new in change.alter if isinstance(new, Link)}
        made = [item for item in wanted if isinstance(item, Link)]
        present = self.linking.make(made, known, recreate, progress)

        def messages(item: KernelObject) -> list[Message]:
            if isinstance(item, Link):
                return self._towards(item, known)
            kind, old = KINDS[type(item)], altered.get(item.key)
            return kind.alter(old, item, known) if old is not None else kind.add(item, known)

        others = [item for item in wanted if not isinstance(item, Link)]
        there = self._send([*present, *others], messages, known, progress)
        if there:
            self._settle(there, known, progress)

    def _towards(self, link: Link, known: Interfaces) -> list[Message]:
        """Return what makes a link the wanted one. A pair gets carrier last, from its end on the node."""
        found = known.get(link.name)
        if found is None:
            return []
        master = known.get(link.master) if link.master else None
        if master is not None and not master.owned:
            raise OSError(errno.EEXIST, f"its master {master.name} is not ours")
        carrier = [] if self.linking.of_pod else links.honour_carrier(link, found, known)
        return [*links.towards(link, found, known), *carrier]

    def _send(
        self, items: Iterable[KernelObject], messages: _Encoder, known: Interfaces, progress: Progress
    ) -> list[KernelObject]:
        """Send one batch; return the objects that were there already, whether as wanted or not."""
        there: list[KernelObject] = []
        for item, refusal, replies in run(self._socket, encode(items, messages, progress)):
            if refusal is None and isinstance(item, Link) and links.has_lost_mac(item, replies, known):
                self._insist_on_mac(item, known, progress)
            elif refusal is None:
                progress.done.append(item)
            elif refusal.errno == errno.EEXIST and not isinstance(item, Link):
                there.append(item)
            else:
                progress.fail(item, refusal.errno, refusal.reason)
        return there

    def _insist_on_mac(self, link: Link, known: Interfaces, progress: Progress) -> None:
        """Set a MAC once more that somebody changed in the meantime, and read it back again."""
        *_, told = self._socket.batch(links.set_mac(link, known))
        if told.errno or links.has_lost_mac(link, told.replies, known):
            reason = "its MAC does not stay: somebody else sets it (MACAddressPolicy of systemd.link(5)?)"
            progress.fail(link, errno.EAGAIN, reason)
        else:
            progress.done.append(link)

    def _settle(self, there: list[KernelObject], known: Interfaces, progress: Progress) -> None:
        """Decide about objects that are there: ours and equal is done, merely learned is taken over."""
        learned = [item for item in there if isinstance(item, Neighbour) and self._learned(item, known)]
        jobs = encode(learned, lambda item: KINDS[type(item)].alter(item, item, known), progress)
        settled = {item for item, refusal, _ in run(self._socket, jobs) if refusal is None}
        settled |= self._held(set(there) - settled)
        for item in there:
            if item in settled:
                progress.done.append(item)
            else:
                progress.fail(item, errno.EEXIST, "something that is not ours, or differs, is there")

    def _learned(self, item: Neighbour, known: Interfaces) -> bool:
        replies = self._socket.ask(neighbours.request(item, known)).replies
        return any(neighbours.learned(body) for _, body in replies)

    def _held(self, items: set[KernelObject]) -> set[KernelObject]:
        """Return those that are there as ours; one listing for each kind of them."""
        known, wanted = interfaces.everything(self._socket), Blueprint(items)
        kinds = {type(item) for item in items}
        return items & {found for kind in kinds for found in self._read_kind(KINDS[kind], known, wanted)}

    def _remove(self, unwanted: Iterable[KernelObject], known: Interfaces, progress: Progress) -> None:
        backwards = ordered(unwanted)[::-1]
        rest: list[KernelObject] = []
        for item in backwards:
            if isinstance(item, Link):
                continue
            if links_named(item) and not any(known.get(name) for name in links_named(item)):
                progress.done.append(item)
            else:
                rest.append(item)
        jobs = encode(rest, lambda item: KINDS[type(item)].remove(item, known), progress)
        for item, refusal, _ in run(self._socket, jobs):
            if refusal is None or refusal.errno in ABSENT:
                progress.done.append(item)
            else:
                progress.fail(item, refusal.errno, refusal.reason)
        self.linking.remove([item for item in backwards if isinstance(item, Link)], known, progress)

    def close(self) -> None:
        """Close the socket; idempotent."""
        self._socket.close()
