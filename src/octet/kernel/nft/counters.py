"""How many packets the counters of some chains have seen.

What lives here: reading the rules of single chains straight over netlink, without listing the table.
What it must not know: which chains, what the numbers are for.
Source: linux/netfilter/nf_tables.h.
"""

import struct
from collections.abc import Iterable

from octet.kernel.netlink import wire
from octet.kernel.netlink.wire import NETLINK_NETFILTER, Message, Socket
from octet.kernel.port import NFT_TABLE

_GET_RULE = 10 << 8 | 7
_HEADER = struct.pack("!BBH", 1, 0, 0)  # struct nfgenmsg: NFPROTO_INET
_TABLE, _CHAIN, _EXPRESSIONS = 1, 2, 4
_ELEMENT, _NAME, _DATA, _PACKETS = 1, 1, 2, 2


def packets(chains: Iterable[str]) -> dict[str, int]:
    """Return the packets that each chain's counter has seen; chains that are not there are left out.

    A counter counts where it is all that its rule does. Costs one short dump a chain.

    Raises:
        OSError: the kernel does not answer.
    """
    with Socket(NETLINK_NETFILTER) as socket:
        return {chain: found for chain in chains if (found := _packets(socket, chain)) is not None}


def _packets(socket: Socket, chain: str) -> int | None:
    request = Message(_GET_RULE, 0, _HEADER + wire.text(_TABLE, NFT_TABLE) + wire.text(_CHAIN, chain))
    counts = [_count(body) for _, body in socket.dump(request)]
    return max((count for count in counts if count is not None), default=None)


def _count(body: bytes) -> int | None:
    expressions = wire.attributes(body, len(_HEADER)).get(_EXPRESSIONS, b"")
    only = wire.attributes(wire.attributes(expressions).get(_ELEMENT, b""))
    if wire.as_text(only.get(_NAME, b"")) != "counter":
        return None
    return int.from_bytes(wire.attributes(only.get(_DATA, b"")).get(_PACKETS, b""), "big")
