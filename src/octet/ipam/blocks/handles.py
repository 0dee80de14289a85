"""The reverse index: which blocks a handle has addresses in.

What lives here: keeping one handle's object as it should be. What it must not know: who writes blocks.
A handle names a subset of what blocks say, at every moment: it is written after the block that allocates, and
deleted before the block that frees, so that who dies in between leaves an address that its node still finds.
"""

from collections.abc import Mapping
from functools import partial
from ipaddress import ip_network

from msgspec.structs import replace

from octet.cluster.blocks import Handle
from octet.cluster.reading import Network
from octet.errors import NotFoundError
from octet.ipam.blocks import steps
from octet.ipam.blocks.steps import HANDLE, Create, RaceError, Steps, Update

Counts = Mapping[Network, int]
"""Addresses of a handle, by block."""


def keep(handle: str, counts: Counts) -> Steps[None]:
    """Make a handle's object say this, none at all is no object; where it does nothing is written."""
    yield from steps.persistent(partial(_keep_once, handle, counts), f"handle {handle}")


def networks(held: Handle) -> tuple[Network, ...]:
    """Return the blocks that a handle names; what is no CIDR is left out."""
    found = []
    for text in held.blocks:
        try:
            found.append(ip_network(text))
        except ValueError:
            continue
    return tuple(found)


def _keep_once(handle: str, counts: Counts) -> Steps[None]:
    wanted = {str(cidr): count for cidr, count in sorted(counts.items(), key=str) if count}
    held = yield from steps.handle(handle)
    if held is None:
        if wanted:
            yield Create(HANDLE, Handle(handle, wanted).to_object())
        return
    if not wanted:
        if not (yield from steps.gone(HANDLE, held)):
            raise RaceError(f"handle {handle} changed")
        return
    if dict(held.blocks) != wanted:
        try:
            yield Update(HANDLE, replace(held, blocks=wanted).to_object())
        except NotFoundError:
            raise RaceError(f"handle {handle} is gone") from None
