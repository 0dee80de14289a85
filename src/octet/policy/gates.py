"""Where packets of pods are led to their policies: base chains, dispatch maps, what no pod may send.

What lives here: the part of the table that is the same whatever policies there are, and each endpoint's
entries in the maps. What it must not know: policies.

Pods with links of their own are told by interface. Pods behind a bridge are told by address, which they
cannot forge: the bridge's ports are isolated from each other, so everything they send passes the node, and
is checked against the port's MAC and address first. Who is in no map is dropped: a pod that is not known
yet, or no more.

What runs goes on without being asked, unless it was cut: then packets of who began it are judged again, so
that they are counted, told and answered as any denied ones, and no other passes in either direction.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_network

from octet.blueprint import Blueprint, KernelObject, mac
from octet.blueprint.nft import (
    ACCEPT,
    CT_DIRECTION,
    CT_STATE,
    CUT,
    DPORT,
    DROP,
    ICMP_TYPE,
    ICMPV6_TYPE,
    IIFNAME,
    L4PROTO,
    OIFNAME,
    RETURN,
    SADDR6,
    SMAC,
    Chain,
    Compare,
    Counter,
    Element,
    Field,
    Hook,
    Lookup,
    Map,
    Marked,
    Part,
    Rule,
    Set,
    Verdict,
    VerdictMap,
    answers,
    began,
    daddr,
    goto,
    jump,
    saddr,
)
from octet.cluster.endpoint import BRIDGED_PREFIX, ROUTED_PREFIX, Endpoint
from octet.policy import copying
from octet.policy.programs import OPEN, open_chain

FORWARD, INPUT, OUTPUT, GUARD = "policy-forward", "policy-input", "policy-output", "policy-guard"
FROM, TO = "policy-from", "policy-to"
OWN = "policy-own"
"""Stems of the dispatch maps and of the set of each pod's true addresses."""

ERRORS = "policy-errors"
"""The chain of pods' packets about connections: only of their own they may say something."""

FILTER, RAW = 0, -300
"""Priorities (nft(8)): between the translations of destination and source; before connection tracking."""

TUNNELS = (4789, 8472)
"""UDP ports of VXLAN (IANA's, Linux' first one), closed to pods whatever the cluster itself uses."""

NEIGHBOURS = (
    "nd-router-solicit",
    "nd-neighbor-solicit",
    "nd-neighbor-advert",
    "mld-listener-query",
    "mld-listener-report",
    "mld-listener-done",
    "mld2-listener-report",
)
"""What IPv6 cannot do without, and policy does not judge (RFC 4861, RFC 3810). Routers' advertisements are
not among them."""

FAILURES = ("destination-unreachable", 4, "redirect", "time-exceeded", 12)
FAILURES6 = ("destination-unreachable", "packet-too-big", "time-exceeded", 4)
"""Types of ICMP that are about another packet (net/netfilter/nf_conntrack_proto_icmp.c and icmpv6.c)."""

UNSPECIFIED = (IPv6Address("::"), ip_network("fe80::/10"))


@dataclass(frozen=True, slots=True)
class Gate:
    """How the pods of a node are told from each other.

    Attributes:
        bridge: the link they are all behind; empty where each has its own.
        ports: UDP ports of this cluster's packets between nodes, beside TUNNELS: what a pod sent there would
            come out of the other node's tunnel as a packet of any pod it names.
    """

    bridge: str = ""
    ports: tuple[int, ...] = ()

    @property
    def closed(self) -> tuple[int, ...]:
        """UDP ports that no pod may send to."""
        return tuple(dict.fromkeys((*TUNNELS, *self.ports)))

    @property
    def link(self) -> str:
        """What pods' packets come in and leave by, as rules match it."""
        return self.bridge or f"{ROUTED_PREFIX}*"

    @property
    def ends(self) -> tuple[str, ...]:
        """Every link of the node that is a pod's, as rules match it: by its port packets leave for a pod."""
        return (self.bridge, f"{BRIDGED_PREFIX}*") if self.bridge else (self.link,)

    @property
    def _near(self) -> Field:
        """What tells which pod a packet is of, whatever it says."""
        return SMAC if self.bridge else IIFNAME

    def base(self) -> Blueprint:
        """Return what there is whatever pods and policies there are."""
        came = Compare(IIFNAME, self.link)
        running = tuple(_running(came))
        names, own = tuple(copying.tracked()), (*copying.tracked(), copying.untracked())
        return Blueprint(
            [
                *self._holders(),
                open_chain(),
                Chain(FROM, (*self._wrapped(), *self._lookups(FROM), _unknown())),
                Chain(TO, (*self._lookups(TO), *self._no_pod())),
                *copying.base(),
                Chain(
                    FORWARD,
                    (*names, *running, Rule(came, jump(FROM)), self._towards(), _cut()),
                    _at("forward"),
                ),
                Chain(OUTPUT, (*own, _cut(Compare(CT_STATE, "established", "new"))), _at("output")),
                Chain(
                    INPUT,
                    (*own, *running, *_neighbours(came), Rule(came, jump(FROM)), _cut()),
                    _at("input"),
                ),
                Chain(ERRORS, tuple(self._errors())),
                Chain(GUARD, tuple(self._guard(came)), Hook("filter", "prerouting", RAW)),
            ]
        )

    def _towards(self) -> Rule:
        """Return what leads to the policies of who receives: behind a bridge addresses tell, not links."""
        return Rule(jump(TO)) if self.bridge else Rule(Compare(OIFNAME, self.link), jump(TO))

    def _no_pod(self) -> Iterator[Rule]:
        """Yield what becomes of packets to an address that no pod has (pods of a bridge have own routes)."""
        if not self.bridge:
            yield _unknown()
            return
        yield Rule(Compare(OIFNAME, self.bridge), Counter(), DROP, comment="not known, or not yet")

    def _holders(self) -> Iterator[KernelObject]:
        for stem in (FROM, TO):
            if not self.bridge:
                yield Map(f"{stem}-link", ("ifname",))
                continue
            for family in (4, 6):
                yield Map(f"{stem}-address{family}", (f"ipv{family}_addr",))
        for family in (4, 6):
            yield Set(f"{OWN}{family}", (self._near.kind, f"ipv{family}_addr"))

    def _errors(self) -> Iterator[Rule]:
        """Yield what drops ICMP errors about connections of others, known here or not (RFC 5927 has attacks).

        Routers and nodes may send them about any, so that path MTU discovery works.
        """
        for family in (4, 6):
            for end in (began(family), answers(family)):
                yield Rule(Lookup(self._near, end, into=f"{OWN}{family}"), RETURN)
        for field, types in ((ICMP_TYPE, FAILURES), (ICMPV6_TYPE, FAILURES6)):
            yield Rule(Compare(field, *types), Counter(), DROP, comment="error about another's connection")

    def _lookups(self, stem: str) -> Iterator[Rule]:
        if not self.bridge:
            link = IIFNAME if stem == FROM else OIFNAME
            yield Rule(VerdictMap(link, into=f"{stem}-link"))
            return
        for family in (4, 6):
            address = saddr(family) if stem == FROM else daddr(family)
            yield Rule(VerdictMap(address, into=f"{stem}-address{family}"))

    def _guard(self, came: Part) -> Iterator[Rule]:
        """Yield what is dropped before anything else: packets in packets, and behind a bridge forged ones."""
        yield from self._wrapped(came)
        if not self.bridge:
            return
        alone = (came, Compare(SADDR6, *UNSPECIFIED), Compare(ICMPV6_TYPE, *NEIGHBOURS))
        yield Rule(*alone, ACCEPT, comment="neighbour discovery")
        for family in (4, 6):
            own = Lookup(SMAC, saddr(family), into=f"{OWN}{family}", negated=True)
            yield Rule(came, own, Counter(), DROP, comment="source address of another pod or machine")

    def _wrapped(self, *came: Part) -> Iterator[Rule]:
        """Yield what drops packets in packets: where they come in, and again as translation has left them."""
        tunnel = (*came, Compare(L4PROTO, "udp"), Compare(DPORT, *self.closed))
        yield Rule(*tunnel, Counter(), DROP, comment="pods send no VXLAN")
        yield Rule(*came, Compare(L4PROTO, 4, 41), Counter(), DROP, comment="pods send no IP in IP")

    def endpoint(self, endpoint: Endpoint, outgoing: Verdict, incoming: Verdict) -> Blueprint:
        """Return an endpoint's entries in the maps: where its packets go, and those to it.

        Args:
            endpoint: of this node.
            outgoing: what becomes of its packets.
            incoming: what becomes of those to it.
        """
        return Blueprint(self._entries(endpoint, outgoing, incoming))

    def _entries(self, endpoint: Endpoint, outgoing: Verdict, incoming: Verdict) -> Iterator[KernelObject]:
        near = endpoint.mac if self.bridge else endpoint.host_link
        own = (*endpoint.addresses, *([mac.link_local(endpoint.mac)] if endpoint.v6 else []))
        yield from (Element(f"{OWN}{address.version}", near, address) for address in own)
        if not self.bridge:
            yield Element(f"{FROM}-link", endpoint.host_link, target=outgoing)
            yield Element(f"{TO}-link", endpoint.host_link, target=incoming)
            return
        for address in endpoint.addresses:
            yield Element(f"{FROM}-address{address.version}", address, target=outgoing)
            yield Element(f"{TO}-address{address.version}", address, target=incoming)


def verdict(entrance: str | None, *, other: bool) -> Verdict:
    """Return where a direction leads: to its program, or nowhere in particular.

    Args:
        entrance: the program's chain; None where no policy is about the direction.
        other: are there policies about the endpoint's other direction?
    """
    if entrance is not None:
        return goto(entrance)
    return goto(OPEN) if other else RETURN


def _running(came: Part) -> Iterator[Rule]:
    """Yield what lets go on what runs, and ends what was cut; pods' errors are looked at between."""
    going = Marked(0, CUT, connection=True)
    yield Rule(Compare(CT_STATE, "established"), going, ACCEPT)
    yield Rule(came, Compare(CT_STATE, "invalid", "related"), jump(ERRORS))
    yield Rule(Compare(CT_STATE, "related"), going, ACCEPT)
    yield _cut(Compare(CT_DIRECTION, "reply"))


def _cut(*which: Part) -> Rule:
    """Return what drops packets of a connection that was cut."""
    return Rule(Marked(CUT, CUT, connection=True), *which, Counter(), DROP, comment="cut by policy")


def _unknown() -> Rule:
    return Rule(Counter(), DROP, comment="not known, or not yet")


def _neighbours(came: Part) -> Iterator[Rule]:
    yield Rule(came, Compare(ICMPV6_TYPE, *NEIGHBOURS), ACCEPT, comment="neighbour discovery")
    yield Rule(came, Compare(ICMPV6_TYPE, "nd-router-advert"), Counter(), DROP, comment="pods are no routers")


def _at(hook: str) -> Hook:
    return Hook("filter", hook, FILTER)


__all__ = ["CUT", "Gate", "verdict"]
