"""First packets of connections, sent from some network namespaces and seen in others: which ones arrive?

What lives here: the sockets and the sending. What it must not know: policies, pods, what should arrive.

Each packet is made whole and carries a token where its protocol has room for one (TCP: the sequence number;
UDP, ICMP: the payload; SCTP: the initiate tag), so an arrival is told apart
from everything else whatever addresses were translated on its way. Nobody has to listen at the port: packets
are seen by raw sockets, which get a copy after the filters (raw(7)). What comes back, a reset or "port
unreachable", ends what connection tracking began.
"""

import contextlib
import resource
import secrets
import selectors
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from octet.kernel import namespaces
from octet.kernel.probing import ICMP, LONGEST, Probe, packet, token_of

ROUNDS = (0.03, 0.1, 0.3)
"""Seconds without an arrival that end each round. What has not arrived is sent again in the next one: the
first packets to a neighbour may be lost while its MAC is asked for."""

PATIENCE = 5.0
"""Seconds that a round may take, however much arrives that is not ours."""

BURST = 256
"""Packets sent before arrivals are read, so that no receive buffer overflows."""

_BUFFER = 4 << 20
_SO_RCVBUFFORCE = 33
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_SEEN = {4: (6, 17, 132, ICMP[4]), 6: (6, 17, 132, ICMP[6])}
_SPARE_FILES = 64


@dataclass(frozen=True, slots=True)
class _Ear:
    place: str
    family: int
    protocol: int
    socket: socket.socket


class FirstPackets:
    """Sockets of one process that stand in many namespaces.

    Args:
        places: open descriptors of network namespaces by name; they stay the caller's.

    Raises:
        OSError: a namespace can't be entered, or raw sockets are not allowed (CAP_NET_RAW).
    """

    def __init__(self, places: Mapping[str, int]) -> None:
        _allow_files(len(places) * 10 + _SPARE_FILES)
        self._selector = selectors.DefaultSelector()
        self._mouths: dict[tuple[str, int], socket.socket] = {}
        self._ears: list[socket.socket] = []
        for name, descriptor in places.items():
            with namespaces.inside(descriptor):
                for family in _FAMILIES:
                    self._open(name, family)

    def _open(self, place: str, family: int) -> None:
        mouth = socket.socket(_FAMILIES[family], socket.SOCK_RAW, socket.IPPROTO_RAW)
        self._mouths[place, family] = mouth
        for protocol in _SEEN[family]:
            ear = socket.socket(_FAMILIES[family], socket.SOCK_RAW, protocol)
            self._ears.append(ear)
            ear.setblocking(False)
            with contextlib.suppress(PermissionError):  # the common buffer does for a few hundred packets
                ear.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
            self._selector.register(ear, selectors.EVENT_READ, _Ear(place, family, protocol, ear))

    def arriving(self, probes: Sequence[Probe]) -> list[bool]:
        """Send every probe until it arrives, or ROUNDS are over; return which ones arrived at their goals."""
        salt = secrets.randbelow(0xFFF) + 1
        arrived: set[int] = set()
        for pause in ROUNDS:
            missing = [number for number in range(len(probes)) if number not in arrived]
            if not missing:
                break
            for begin in range(0, len(missing), BURST):
                for number in missing[begin : begin + BURST]:
                    self._send(probes[number], salt << 20 | number)
                self._hear(probes, salt, arrived, 0.0)
            self._hear(probes, salt, arrived, pause)
        return [number in arrived for number in range(len(probes))]

    def _send(self, probe: Probe, token: int) -> None:
        # What its own namespace refuses at once (no route, a filter) has not arrived.
        with contextlib.suppress(OSError):
            mouth = self._mouths[probe.origin, probe.source.version]
            mouth.sendto(packet(probe, token), (str(probe.destination), 0))

    def _hear(self, probes: Sequence[Probe], salt: int, arrived: set[int], quiet: float) -> None:
        """Take arrivals in, until there was none of ours for so many seconds."""
        limit = time.monotonic() + PATIENCE
        until = time.monotonic() + quiet
        while True:
            ready = self._selector.select(max(0.0, until - time.monotonic()))
            fresh = False
            for key, _ in ready:
                fresh |= self._read(key, probes, salt, arrived)
            now = time.monotonic()
            if fresh:
                until = now + quiet
            if (now >= until and not fresh) or now >= limit:
                return

    def _read(
        self, key: selectors.SelectorKey, probes: Sequence[Probe], salt: int, arrived: set[int]
    ) -> bool:
        ear: _Ear = key.data
        fresh = False
        with contextlib.suppress(BlockingIOError):
            for _ in range(BURST):
                token = token_of(ear.family, ear.protocol, ear.socket.recv(LONGEST))
                number = token & 0xFFFFF
                if token >> 20 != salt or number >= len(probes) or number in arrived:
                    continue
                if probes[number].goal == ear.place and probes[number].protocol == ear.protocol:
                    arrived.add(number)
                    fresh = True
        return fresh

    def close(self) -> None:
        """Close every socket; idempotent."""
        self._selector.close()
        for each in (*self._ears, *self._mouths.values()):
            each.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _allow_files(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


def arriving(places: Mapping[str, int], probes: Iterable[Probe]) -> list[bool]:
    """Return which of some probes arrive, with sockets that live as long as that takes. Raises OSError."""
    with FirstPackets(places) as sockets:
        return sockets.arriving(list(probes))
