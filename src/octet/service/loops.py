"""Announced service addresses: what nobody here answers goes no way round between node and router.

What lives here: ``guard``. What it must not know: who announces which addresses, who turns one into a pod
(that is done before a packet is forwarded, by whomever it is done: what comes here nobody answers).
"""

from collections.abc import Iterable, Iterator

from octet.blueprint import Blueprint, KernelObject
from octet.blueprint.nft import (
    Chain,
    Counter,
    Element,
    Hook,
    Lookup,
    Network,
    Part,
    Rule,
    Set,
    collapse,
    daddr,
)

_FILTER = 0  # priority filter of nft(8)


def guard(addresses: Iterable[Network], families: Iterable[int], answer: Part, *only: Part) -> Blueprint:
    """Return the rule that keeps packets for announced addresses from being forwarded.

    Args:
        addresses: everything that is announced.
        families: those that there are pods of.
        answer: what is done with such a packet, a drop or a reject.
        only: conditions of the packets that are meant; none is all that are forwarded.
    """
    networks, kinds = tuple(addresses), tuple(families)
    return Blueprint(_guard(networks, kinds, answer, only)) if networks else Blueprint()


def _guard(
    networks: tuple[Network, ...], families: tuple[int, ...], answer: Part, only: tuple[Part, ...]
) -> Iterator[KernelObject]:
    comment = "nobody answers here: no way round and round"
    for family in families:
        yield Set(f"service-address{family}", (f"ipv{family}_addr",), interval=True)
        yield from (Element(f"service-address{family}", each) for each in collapse(networks, family))
    rules = (
        Rule(*only, Lookup(daddr(each), into=f"service-address{each}"), Counter(), answer, comment=comment)
        for each in families
    )
    yield Chain("service-guard", tuple(rules), Hook("filter", "forward", _FILTER))
