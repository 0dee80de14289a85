"""The watcher: what the kernel multicasts about one namespace, as events. Never blocks.

What lives here: the sockets, the links known so far, one decoder for each kind of news (``_KINDS``).
What it must not know: what is wanted, beyond undoing the kernel's defaults; how drift is repaired.
"""

import os
import select
import struct
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Self

from octet.blueprint import FouPort, KernelObject, Key, Neighbour, Sysctl
from octet.kernel import fou, namespaces, shaping, sysctl
from octet.kernel.drift import (
    Event,
    Gone,
    Overflow,
    Seen,
    ShapingLost,
    TableGone,
    TableTouched,
    UnderlayChanged,
)
from octet.kernel.netlink import addresses, interfaces, links, neighbours, netconf, routes
from octet.kernel.netlink.addresses import ADDRESSES
from octet.kernel.netlink.interfaces import IFF_UP, RTM_DELLINK, RTM_NEWLINK, Interface
from octet.kernel.netlink.kind import AF_BRIDGE, AF_UNSPEC, Kind
from octet.kernel.netlink.neighbours import FDB, NEIGHBOURS
from octet.kernel.netlink.routes import ROUTES
from octet.kernel.netlink.rules import RULES
from octet.kernel.netlink.wire import NETLINK_GENERIC, NETLINK_NETFILTER, NETLINK_ROUTE, Socket
from octet.kernel.nft import events as nft_events

_GROUPS = (1, 3, 4, 5, 7, 8, 9, 11, 19, 24, 25)
"""Links, neighbours, traffic control, then addresses, routes, rules and settings of both families
(linux/rtnetlink.h, enum rtnetlink_groups)."""

_TC_INDEX = struct.Struct("=4xi")

Desired = Mapping[Key, KernelObject]


class Monitor:
    """Hears of every change in one namespace. Not thread-safe."""

    def __init__(self, namespace: int | None = None) -> None:
        """Listen in a namespace by descriptor, or the calling thread's; what is there now is no news."""
        self._namespace = namespaces.held(namespace)
        with namespaces.inside(self._namespace):
            self._route = Socket(NETLINK_ROUTE, _GROUPS)
            self._asking = Socket(NETLINK_ROUTE)
            self._nft = Socket(NETLINK_NETFILTER, (nft_events.GROUP,))
            self._generic = Socket(NETLINK_GENERIC)
        self._listener = nft_events.Listener()
        self._lost = False
        self._known = interfaces.everything(self._asking)
        self._poll = select.epoll()
        for each in (self._route, self._nft):
            self._poll.register(each.file.fileno(), select.EPOLLIN)

    def fileno(self) -> int:
        """Return a descriptor that is readable when there is news."""
        return self._poll.fileno()

    def table_fileno(self) -> int:
        """Return a descriptor that is readable when there is news of nftables."""
        return self._nft.file.fileno()

    def table(self) -> list[Event]:
        """Return what others did to our table since the last time, which need not wait for other news."""
        verdicts, lost = self._nft.drain()
        self._lost |= lost
        touched = self._listener.hear(verdicts)
        if self._listener.gone:
            return [TableGone()]
        return [TableTouched()] if touched else []

    def drain(self, desired: Desired) -> list[Event]:
        """Return what happened since the last time, the latest word on each object only.

        Args:
            desired: by key; read only, to undo what the kernel makes of values by default.
        """
        news, lost = self._route.drain()
        touched = self.table()
        lost, self._lost = lost or self._lost, False
        if lost:
            self._known = interfaces.everything(self._asking)
            return [Overflow()]
        latest: dict[object, Event] = {}
        for kind, body in news:
            for event in self._read(kind, body, desired):
                latest.pop(_subject(event), None)
                latest[_subject(event)] = event
        return [*latest.values(), *touched]

    def look(self, desired: Desired) -> list[Event]:
        """Return the differences that the kernel tells nobody of: proxied addresses, FOU ports, settings.

        Costs a dump of the proxied addresses and of the ports, and one read for each setting that it doesn't
        announce; meant for once a second.
        """
        proxies = [item for item in desired.values() if isinstance(item, Neighbour) and item.proxy]
        there = self._proxies(desired) if proxies else set()
        quiet = [
            item for item in desired.values() if isinstance(item, Sysctl) and not netconf.announced(item)
        ]
        with namespaces.inside(self._namespace):
            present = [sysctl.current(item) for item in quiet]
        events: list[Event] = [Gone(item.key) for item in proxies if item.key not in there]
        events += self._ports(desired)
        return events + [Seen(item) for item in present if item is not None]

    def _ports(self, desired: Desired) -> Iterator[Event]:
        wanted = [item for item in desired.values() if isinstance(item, FouPort)]
        there = {item.key: item for item in fou.present(self._generic)} if wanted else {}
        for item in wanted:
            found = there.get(item.key)
            yield Gone(item.key) if found is None else Seen(found)

    def _proxies(self, desired: Desired) -> set[Key]:
        found = (
            NEIGHBOURS.decode(body, self._known, desired)
            for _, body in self._asking.dump(neighbours.proxies_request())
        )
        return {item.key for item in found if item is not None}

    def _read(self, kind: int, body: bytes, desired: Desired) -> Iterator[Event]:
        if kind in {RTM_NEWLINK, RTM_DELLINK}:
            yield from self._link(kind, body, desired)
        elif kind == netconf.RTM_NEWNETCONF:
            yield from (Seen(item) for item in netconf.decode(body, self._known))
        elif kind in {shaping.RTM_DELQDISC, shaping.RTM_DELTFILTER}:
            yield ShapingLost(self._known.name(_TC_INDEX.unpack_from(body)[0]))
        elif kind == shaping.RTM_NEWQDISC:
            bucket = shaping.heard(self._known.name(_TC_INDEX.unpack_from(body)[0]), body, desired)
            yield from (Seen(item) for item in (bucket,) if item is not None)
        else:
            yield from self._object(kind, body, desired)

    def _link(self, kind: int, body: bytes, desired: Desired) -> Iterator[Event]:
        """A message of a bridge tells its port's settings only; everybody else's tells the whole link."""
        if body[0] == AF_BRIDGE and kind == RTM_NEWLINK:
            index, port = interfaces.decode_port(body)
            before = self._known.at(index)
            if before is not None and port is not None:
                yield from self._changed(before, replace(before, port=port), desired)
        elif body[0] == AF_UNSPEC:
            found = interfaces.decode(body)
            before = self._known.at(found.index)
            if kind == RTM_NEWLINK:
                yield from self._changed(before, found, desired)
            else:
                self._known.forget(found.name)
                yield from _removed(before or found)

    def _changed(self, before: Interface | None, found: Interface, desired: Desired) -> Iterator[Event]:
        self._known.learn(found)
        if found.group == interfaces.BORN_GROUP:
            return
        item = links.read(found, self._known, desired)
        if before is not None and before.owned and (item is None or before.name != found.name):
            yield Gone(("link", before.name))
        if item is not None:
            yield Seen(item)
        elif not found.retired and not (before is not None and _alike(before, found)):
            fell = before is not None and bool(before.flags & ~found.flags & IFF_UP)
            yield UnderlayChanged(found.name, lost=fell)

    def _object(self, kind: int, body: bytes, desired: Desired) -> Iterator[Event]:
        ours = False
        for each in _KINDS.get(kind & ~3, ()):
            item = each.decode(body, self._known, desired)
            if item is not None:
                ours = True
                yield Seen(item) if kind == each.message else Gone(item.key)
        if not ours and kind & ~3 == ADDRESSES.message:
            yield from self._foreign_address(kind, body)
        elif not ours and kind & ~3 == ROUTES.message:
            yield from self._foreign_route(body, desired)

    def _foreign_address(self, kind: int, body: bytes) -> Iterator[Event]:
        link = self._known.at(addresses.held(body).index)
        if link is not None and not (link.owned or link.retired):
            yield UnderlayChanged(link.name, lost=kind != ADDRESSES.message)

    def _foreign_route(self, body: bytes, desired: Desired) -> Iterator[Event]:
        """Somebody else's route may have taken the place of ours, or be the default route."""
        item = routes.anyones(body, self._known, desired)
        if item is None:
            return
        if item.key in desired:
            yield Gone(item.key)
        if routes.is_default(item):
            yield UnderlayChanged(item.link or "")

    def close(self) -> None:
        """Stop listening; idempotent."""
        self._poll.close()
        if self._namespace >= 0:
            os.close(self._namespace)
            self._namespace = -1
        for each in (self._route, self._asking, self._nft, self._generic):
            each.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_KINDS: dict[int, tuple[Kind[Any], ...]] = {
    ADDRESSES.message: (ADDRESSES,),
    ROUTES.message: (ROUTES,),
    NEIGHBOURS.message: (NEIGHBOURS, FDB),
    RULES.message: (RULES,),
}


def _subject(event: Event) -> object:
    """Return what an event is about: a later one about the same takes its place."""
    match event:
        case Seen(item):
            return item.key
        case Gone(key):
            return key
        case _:
            return event


def _alike(before: Interface, found: Interface) -> bool:
    """Does a foreign link look the same to whoever sends through it?"""
    return (before.name, before.mtu, before.mac, before.flags & IFF_UP) == (
        found.name,
        found.mtu,
        found.mac,
        found.flags & IFF_UP,
    )


def _removed(link: Interface) -> Iterator[Event]:
    if link.owned:
        yield Gone(("link", link.name))
    elif not link.retired:
        yield UnderlayChanged(link.name, lost=True)
