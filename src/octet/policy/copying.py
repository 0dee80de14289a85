"""Which DNS packets are copied to us: those between pods with policies about names and believed resolvers.

What lives here: the chain that picks them, who is believed, one limit for each pod.
What it must not know: what messages say, what names mean.

A resolver is known by the address that the pod sent to, as connection tracking remembers it, so a service's
address will do, and by its own address (``agent.learning`` asks for that). NodeLocal DNSCache has its packets
not tracked; those are known by the addresses in them. Each pod has a chain with a limit of its own: who
floods makes us miss its own answers, not another's.
"""

from collections.abc import Iterable, Iterator, Mapping

from octet.blueprint import KernelObject
from octet.blueprint.nft import (
    CT_DIRECTION,
    CT_DPORT,
    CT_STATE,
    DPORT,
    L4PROTO,
    SPORT,
    Chain,
    Compare,
    Element,
    Limit,
    Log,
    Lookup,
    Map,
    Rule,
    Set,
    VerdictMap,
    ct_daddr,
    daddr,
    jump,
    saddr,
)
from octet.cluster.endpoint import Endpoint
from octet.cluster.objects import Address
from octet.cluster.services import Service, SliceEndpoint
from octet.cluster.view import View
from octet.policy.told import plain

NAMES, NAMES_GROUP = "policy-names", 80
"""The chain that copies, with the stem of the maps of whose packets are; the NFLOG group."""

APART = "policy-names-apart"
"""The chain of packets that connection tracking does not know."""

RESOLVERS = "policy-resolvers"
"""Stem of the sets of who is believed."""

DNS = 53
COPIED, BURST = 100, 200
"""DNS packets of one pod that are copied in a second, and at once: two for each name by UDP."""


def base() -> Iterator[KernelObject]:
    """Yield what there is whoever asks."""
    for family in (4, 6):
        yield Map(f"{NAMES}{family}", (f"ipv{family}_addr",))
        yield Set(f"{RESOLVERS}{family}", (f"ipv{family}_addr",))
    yield Chain(NAMES, tuple(_picks()))
    yield Chain(APART, tuple(_leads()))


def tracked() -> Iterator[Rule]:
    """Yield what leads DNS packets of tracked connections there: whatever a service's own port is."""
    for protocol in ("udp", "tcp"):
        yield Rule(Compare(L4PROTO, protocol), Compare(CT_DPORT, DNS), jump(NAMES))


def untracked() -> Rule:
    """Return what leads others there, to and from the node itself."""
    return Rule(Compare(CT_STATE, "untracked"), jump(APART))


def _leads() -> Iterator[Rule]:
    for protocol in ("udp", "tcp"):
        for port in (DPORT, SPORT):
            yield Rule(Compare(L4PROTO, protocol), Compare(port, DNS), jump(NAMES))


def _picks() -> Iterator[Rule]:
    for family in (4, 6):
        asked, pods = f"{RESOLVERS}{family}", f"{NAMES}{family}"
        asker, other = saddr(family), daddr(family)
        believed = Lookup(ct_daddr(family), into=asked)
        yield Rule(Compare(CT_DIRECTION, "original"), believed, VerdictMap(asker, into=pods))
        yield Rule(Compare(CT_DIRECTION, "reply"), believed, VerdictMap(other, into=pods))
        apart = Compare(CT_STATE, "untracked")
        yield Rule(apart, Lookup(other, into=asked), VerdictMap(asker, into=pods))
        yield Rule(apart, Lookup(asker, into=asked), VerdictMap(other, into=pods))


def of_endpoint(endpoint: Endpoint) -> Iterator[KernelObject]:
    """Yield what has an endpoint's packets copied."""
    name = f"{NAMES}-{endpoint.attachment.digest()[:12]}"
    where = plain(f"{endpoint.namespace}/{endpoint.pod}")
    yield Chain(name, (Rule(Limit(COPIED, BURST), Log("octet names", NAMES_GROUP), comment=where),))
    for address in endpoint.addresses:
        yield Element(f"{NAMES}{address.version}", address, target=jump(name))


def of_resolvers(addresses: Iterable[Address]) -> Iterator[KernelObject]:
    """Yield who is believed."""
    return (Element(f"{RESOLVERS}{address.version}", address) for address in addresses)


def resolvers(view: View, local: Mapping[Address, tuple[str, str]]) -> frozenset[Address]:
    """Return who is believed: what the configuration says, services' addresses, and who is behind those.

    Args:
        view: what is known now.
        local: which pod (namespace, name) has an address of this node, whatever its status says yet.
    """
    found = set(view.resolvers.addresses)
    for key in view.resolvers.services:
        service = view.services.get(key)
        if service is None:
            continue
        found |= set(service.cluster_ips)
        for each in view.slices.behind(key).values():
            for endpoint in each.endpoints:
                held = ((address, _holder(address, view, local)) for address in endpoint.addresses)
                found |= {address for address, who in held if _is_behind(service, endpoint, who, view)}
    return frozenset(found)


def _holder(address: Address, view: View, local: Mapping[Address, tuple[str, str]]) -> tuple[str, str] | None:
    if address in local:
        return local[address]
    pod = view.pods.at(address)
    return pod.key if pod is not None else None


def _is_behind(service: Service, endpoint: SliceEndpoint, holder: tuple[str, str] | None, view: View) -> bool:
    """Is an address still what a slice says? Not where another namespace's pod has it by now.

    Nor where nobody is known to have it and the pod of the slice is gone: it may be anybody's next.
    """
    if holder is not None:
        return holder[0] == service.namespace
    return not endpoint.pod or view.pods.get((service.namespace, endpoint.pod)) is not None
