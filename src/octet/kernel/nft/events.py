"""Has another program touched our table? Reads what the kernel tells about nftables changes.

What lives here: the decoder of NFNLGRP_NFTABLES messages (linux/netfilter/nf_tables.h, nfnetlink.h).
What it must not know: sockets' life, event loops, what to do about it.

The kernel tells a transaction as the objects it changed, then one NEWGEN that names the process.
"""

import struct
from collections.abc import Iterable

from octet.kernel.netlink import wire
from octet.kernel.netlink.wire import NETLINK_NETFILTER, Message, Socket
from octet.kernel.port import NFT_TABLE

GROUP = 7
"""Multicast group of nftables changes (NFNLGRP_NFTABLES) on a NETLINK_NETFILTER socket."""

SUBSYSTEM = 10 << 8
"""Subsystem of nftables in a message type (NFNL_SUBSYS_NFTABLES)."""

NEWGEN, GETGEN = SUBSYSTEM | 15, SUBSYSTEM | 16
_DELTABLE = SUBSYSTEM | 2
_FAMILY_INET = 1
_TABLE_NAME = 1  # the first attribute of tables, chains, rules, sets, elements, objects and flowtables alike
_GENERATION_PID = 2
_HEADER = 4  # struct nfgenmsg


def own_pid() -> int:
    """Return the number by which the kernel names the calling thread's transactions.

    It is of the first pid namespace, which a process in a container cannot see: the kernel is asked, since
    its answer about the generation names who asks.
    """
    with Socket(NETLINK_NETFILTER) as socket:
        answer = socket.ask(Message(GETGEN, 0, bytes(_HEADER)))
    for kind, body in answer.replies:
        if kind == NEWGEN:
            return _pid(body)
    return 0


def _pid(body: bytes) -> int:
    raw = wire.attributes(body, _HEADER).get(_GENERATION_PID, b"")
    return int(struct.unpack("!I", raw)[0]) if len(raw) == 4 else 0


class Listener:
    """Feed it everything a NETLINK_NETFILTER socket in GROUP receives, in order.

    Attributes:
        gone: did a transaction of somebody else, told of in the last ``hear``, take our table away?
    """

    def __init__(self, pid: int | None = None) -> None:
        """Remember who we are.

        Args:
            pid: whose transactions are our own; None is the calling thread's.
        """
        self._pid = own_pid() if pid is None else pid
        self._touched = self._taken = False
        self.gone = False

    def hear(self, messages: Iterable[tuple[int, bytes]]) -> bool:
        """Return whether a transaction of somebody else, complete with these messages, touched our table.

        Args:
            messages: (type, body) of each, as ``wire.Socket.drain`` returns them.
        """
        foreign = self.gone = False
        for kind, body in messages:
            if kind == NEWGEN:
                others = _pid(body) != self._pid
                foreign |= self._touched and others
                self.gone |= self._taken and others
                self._touched = self._taken = False
            elif kind & 0xFF00 == SUBSYSTEM and _ours(body):
                self._touched = True
                self._taken |= kind == _DELTABLE
        return foreign


def _ours(body: bytes) -> bool:
    name = wire.attributes(body, _HEADER).get(_TABLE_NAME, b"")
    return body[:1] == bytes([_FAMILY_INET]) and wire.as_text(name) == NFT_TABLE
