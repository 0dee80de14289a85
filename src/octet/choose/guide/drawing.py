"""A packet's way as text: hops from pod to pod, and the headers on the wire with their bytes.

What lives here: lines. What it must not know: how the way was found (``choose.packet``), any model.
"""

from collections.abc import Iterator

from octet.choose.packet import ETHERNET, Header, Walk

MACHINE, DEVICE = 11, 17
"""Columns: ``pod web-10`` and a veth's name, which has at most 15 bytes (IFNAMSIZ)."""


def drawn(walk: Walk) -> str:
    """Return the way as lines: who sees the packet, what is done with it, and because of which objects."""
    return "\n".join(_lines(walk))


def _lines(walk: Walk) -> Iterator[str]:
    before = ""
    for hop in walk.hops:
        if (before, hop.kind) == ("nic", "nic"):
            yield from _wire(walk)
        yield f"{hop.machine:<{MACHINE}} {hop.device:<{DEVICE}} {hop.does}".rstrip()
        for reason in hop.because:
            yield f"{'':<{MACHINE}} {'':<{DEVICE}}   {reason}"
        before = hop.kind


def _wire(walk: Walk) -> Iterator[str]:
    cells = [_cell(header) for header in walk.wire]
    edge = "+".join("-" * (len(cell) + 2) for cell in cells)
    yield ""
    yield f"  +{edge}+"
    yield f"  | {' | '.join(cells)} |"
    yield f"  +{edge}+"
    total = sum(header.size for header in walk.wire)
    yield f"    {total} bytes: {walk.pod_mtu} of the pod, {ETHERNET} of Ethernet, {walk.overhead} added"
    yield ""


def _cell(header: Header) -> str:
    return f"{header.protocol} {header.size}"
