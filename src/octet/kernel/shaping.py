"""Shapers: a token bucket on a link, and what leads a link's incoming traffic through one.

What lives here: the facility for ``Shaper``, over raw rtnetlink. What it must not know: pods, policies.

Sources: linux/pkt_sched.h, linux/pkt_cls.h, tc-tbf(8), tc-u32(8), tc-mirred(8). u32 is the oldest classifier
and every kernel has it; matchall came with 4.8.
"""

import errno
import os
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence

from octet.blueprint import Blueprint, Change, KernelObject, Key, Shaper
from octet.kernel.netlink import interfaces, wire
from octet.kernel.netlink.interfaces import Interfaces
from octet.kernel.netlink.wire import Message, Socket
from octet.kernel.port import Failure, Outcome

RTM_NEWQDISC, RTM_DELQDISC, RTM_GETQDISC = 36, 37, 38
RTM_NEWTFILTER, RTM_DELTFILTER, RTM_GETTFILTER = 44, 45, 46

BUCKET = 0x6F630000
"""Handle of every token bucket of ours: how we know it (major number "oc")."""

PRIORITY = 0x6F63
"""Preference of every redirecting filter of ours."""

LATENCY = 0.025
"""Seconds a packet may wait for tokens beyond a burst before it is dropped, as the ``bandwidth`` plugin."""

_TCM = struct.Struct("=BBHiIII")
_ROOT, _INGRESS, _INGRESS_HANDLE = 0xFFFFFFFF, 0xFFFFFFF1, 0xFFFF0000
_KIND, _OPTIONS = 1, 2
_TBF_PARMS, _TBF_RATE64, _TBF_BURST = 1, 4, 6
_TBF = struct.Struct("=BBHhHI12xIII")  # tc_tbf_qopt: rate, no peak rate, limit, buffer, mtu
_ETHERNET = 1  # TC_LINKLAYER_ETHERNET: no rate table is needed
_U32_SEL, _U32_ACT = 5, 7
_MATCH_ALL = struct.pack("=BBBxHHhhI IIii", 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)  # tc_u32_sel, one empty key
_MIRRED_PARMS = 2
_MIRRED = struct.Struct("=IIiiiiI")  # tc_mirred: index, capab, action, refcnt, bindcnt, eaction, ifindex
_STOLEN, _EGRESS_REDIRECT = 4, 1
_ALL_PROTOCOLS = 0x0300  # htons(ETH_P_ALL)
_FILTER_INFO = PRIORITY << 16 | _ALL_PROTOCOLS
_TICK = 64  # nanoseconds (PSCHED_SHIFT)
_GONE = {0, errno.ENOENT, errno.ENODEV, errno.EINVAL, errno.EOPNOTSUPP}


class Shaping:
    """Token buckets of ours in the namespace of a socket. The socket is its owner's: not closed here."""

    atomic = False

    def __init__(self, socket: Socket) -> None:
        self._socket = socket

    def handles(self, item: KernelObject) -> bool:
        """Is it a shaper?"""
        return isinstance(item, Shaper)

    def read(self, wanted: Blueprint) -> Iterable[KernelObject]:
        """Return the shapers that are there; one whose traffic is not led to it any more says so."""
        found = self._socket.dump(Message(RTM_GETQDISC, 0, _TCM.pack(0, 0, 0, 0, 0, 0, 0)))
        buckets = [(index, body) for index, handle, body in map(_opened, found) if handle == BUCKET]
        if not buckets:
            return []
        known = interfaces.everything(self._socket)
        entrances = [index for index, handle, _ in map(_opened, found) if handle == _INGRESS_HANDLE]
        origins = {self._target(index): known.name(index) for index in entrances}
        return [
            _decode(name, body, origins.get(index), wanted.get(("shaper", name)))
            for name, index, body in ((known.name(index), index, body) for index, body in buckets)
        ]

    def _target(self, index: int) -> int:
        """Return the number of the link that incoming traffic of a link is redirected to, or 0."""
        header = _TCM.pack(0, 0, 0, index, 0, _INGRESS_HANDLE, _FILTER_INFO)
        for _, body in self._socket.dump(Message(RTM_GETTFILTER, 0, header)):
            target = _redirection(body)
            if target:
                return target
        return 0

    def apply(self, change: Change) -> Outcome:
        """Make a change of shapers true; each one succeeds or fails on its own."""
        names = [name for item in _shapers(change) for name in (item.link, item.redirect_from) if name]
        known = interfaces.lookup(self._socket, dict.fromkeys(names))
        done: list[KernelObject] = []
        failed: list[Failure] = []
        for old, new in _arriving(change):
            problem = self._make(old, new, known)
            failed += [problem] if problem else []
            done += [] if problem else [new]
        for item in change.remove:
            if isinstance(item, Shaper):
                self._unmake(item, known)
                done.append(item)
        return Outcome(tuple(done), tuple(failed))

    def _make(self, old: Shaper | None, new: Shaper, known: Interfaces) -> Failure | None:
        try:
            if old and old.redirect_from not in {None, new.redirect_from}:
                self._lead_away(old, known)
            self._ask([_bucket(known.index(new.link), new)])
            if new.redirect_from:
                self._lead(known.index(new.redirect_from), known.index(new.link))
        except OSError as error:
            return Failure(new, error.errno or errno.EIO, f"{new}: {error.strerror}")
        return None

    def _lead(self, origin: int, target: int) -> None:
        """Send what enters one link through another, whatever was there of ours before."""
        header = _TCM.pack(0, 0, 0, origin, _INGRESS_HANDLE, _INGRESS, 0)
        entrance = Message(RTM_NEWQDISC, wire.CREATE | wire.EXCL, header + wire.text(_KIND, "ingress"))
        self._ask([entrance], tolerated={errno.EEXIST})
        if self._target(origin) == target:
            return
        self._ask([_filter(RTM_DELTFILTER, origin)], tolerated=_GONE)
        self._ask([_redirect(origin, target)])

    def _unmake(self, item: Shaper, known: Interfaces) -> None:
        self._lead_away(item, known)
        link = known.get(item.link)
        if link is not None:
            header = _TCM.pack(0, 0, 0, link.index, BUCKET, _ROOT, 0)
            self._ask([Message(RTM_DELQDISC, 0, header)], tolerated=_GONE)

    def _lead_away(self, item: Shaper, known: Interfaces) -> None:
        """Take our redirection away, and the ingress hook if nobody else uses it."""
        origin = known.get(item.redirect_from) if item.redirect_from else None
        if origin is None:
            return
        self._ask([_filter(RTM_DELTFILTER, origin.index)], tolerated=_GONE)
        header = _TCM.pack(0, 0, 0, origin.index, 0, _INGRESS_HANDLE, 0)
        if not self._socket.dump(Message(RTM_GETTFILTER, 0, header)):
            header = _TCM.pack(0, 0, 0, origin.index, _INGRESS_HANDLE, _INGRESS, 0)
            self._ask([Message(RTM_DELQDISC, 0, header)], tolerated=_GONE)

    def _ask(self, messages: Sequence[Message], tolerated: Iterable[int] = ()) -> None:
        for answer in self._socket.batch(messages):
            if answer.errno and answer.errno not in tolerated:
                raise OSError(answer.errno, answer.reason or os.strerror(answer.errno))

    def close(self) -> None:
        """Nothing to let go of."""


def _shapers(change: Change) -> Iterator[Shaper]:
    both = (item for pair in change.alter for item in pair)
    yield from (item for item in (*change.add, *both, *change.remove) if isinstance(item, Shaper))


def _arriving(change: Change) -> Iterator[tuple[Shaper | None, Shaper]]:
    yield from ((None, item) for item in change.add if isinstance(item, Shaper))
    for old, new in change.alter:
        if isinstance(old, Shaper) and isinstance(new, Shaper):
            yield old, new


def _opened(message: tuple[int, bytes]) -> tuple[int, int, bytes]:
    """Return (link number, handle, body) of a queueing discipline."""
    _, _, _, index, handle, _, _ = _TCM.unpack_from(message[1])
    return index, handle, message[1]


def _ticks(shaper: Shaper) -> int:
    """Return the burst as the kernel keeps it: time at the full rate, in 64 ns, cut to 32 bits."""
    return shaper.burst // 8 * 1_000_000_000 // max(1, shaper.rate // 8) // _TICK & 0xFFFFFFFF


def _bucket(index: int, shaper: Shaper) -> Message:
    """Return the request that makes or changes the token bucket of a link, tokens kept."""
    rate, burst = shaper.rate // 8, min(shaper.burst // 8, 0xFFFFFFFF)
    limit = min(int(rate * LATENCY) + burst, 0xFFFFFFFF)
    parameters = _TBF.pack(0, _ETHERNET, 0, 0, 0, min(rate, 0xFFFFFFFF), limit, _ticks(shaper), 0)
    options = wire.attribute(_TBF_PARMS, parameters) + wire.u32(_TBF_BURST, burst)
    if rate > 0xFFFFFFFF:
        options += wire.attribute(_TBF_RATE64, struct.pack("=Q", rate))
    body = _TCM.pack(0, 0, 0, index, BUCKET, _ROOT, 0) + wire.text(_KIND, "tbf")
    return Message(RTM_NEWQDISC, wire.CREATE | wire.REPLACE, body + wire.nested(_OPTIONS, options))


def _filter(kind: int, index: int) -> Message:
    return Message(kind, 0, _TCM.pack(0, 0, 0, index, 0, _INGRESS_HANDLE, _FILTER_INFO))


def _redirect(origin: int, target: int) -> Message:
    """Return the request for the filter that matches everything and redirects it."""
    parameters = _MIRRED.pack(0, 0, _STOLEN, 0, 0, _EGRESS_REDIRECT, target)
    action = wire.text(_KIND, "mirred") + wire.nested(_OPTIONS, wire.attribute(_MIRRED_PARMS, parameters))
    options = wire.attribute(_U32_SEL, _MATCH_ALL) + wire.nested(_U32_ACT, wire.nested(1, action))
    body = _filter(RTM_NEWTFILTER, origin).body + wire.text(_KIND, "u32") + wire.nested(_OPTIONS, options)
    return Message(RTM_NEWTFILTER, wire.CREATE | wire.EXCL, body)


def _redirection(body: bytes) -> int:
    """Return the number of the link that a filter redirects to, or 0."""
    options = wire.attributes(wire.attributes(body, _TCM.size).get(_OPTIONS, b""))
    action = wire.attributes(wire.attributes(options.get(_U32_ACT, b"")).get(1, b""))
    mirred = wire.attributes(action.get(_OPTIONS, b"")).get(_MIRRED_PARMS, b"")
    if len(mirred) < _MIRRED.size:
        return 0
    *_, how, index = _MIRRED.unpack_from(mirred)
    return index if how == _EGRESS_REDIRECT else 0


def heard(link: str, body: bytes, desired: Mapping[Key, KernelObject]) -> Shaper | None:
    """Return the shaper that a message about a queueing discipline tells of; None where it is not ours.

    What leads traffic to it is told by other messages, so that counts as it is wanted.
    """
    if _opened((RTM_NEWQDISC, body))[1] != BUCKET:
        return None
    ours = desired.get(("shaper", link))
    return _decode(link, body, ours.redirect_from if isinstance(ours, Shaper) else None, ours)


def _decode(link: str, body: bytes, origin: str | None, ours: KernelObject | None) -> Shaper:
    """Return the shaper of a bucket: the wanted one, if it has the same rate, burst and origin."""
    options = wire.attributes(wire.attributes(body, _TCM.size).get(_OPTIONS, b""))
    *_, rate, _limit, ticks, _mtu = _TBF.unpack_from(options[_TBF_PARMS])
    rate = wire.as_int(options[_TBF_RATE64]) if _TBF_RATE64 in options else rate
    if isinstance(ours, Shaper) and (ours.rate // 8, ours.redirect_from) == (rate, origin):
        difference = abs(_ticks(ours) - ticks)
        if difference <= 2 + _ticks(ours) // 10_000:
            return ours
    return Shaper(link, rate * 8, ticks * _TICK * rate // 1_000_000_000 * 8, origin)
