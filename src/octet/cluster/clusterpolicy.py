"""ClusterNetworkPolicy (policy.networking.k8s.io/v1alpha2) as values, refused where its API would refuse it.

What lives here: the administrator's policies: tier, priority, subject, rules, peers. What it must not know:
which pods exist, how a policy becomes rules of the kernel.
Source: network-policy-api, apis/v1alpha2/clusternetworkpolicy_types.go.
"""

from collections.abc import Mapping
from typing import Any, Self

import msgspec

from octet.cluster.conduct import NORMAL, Conduct, domain, read_conduct
from octet.cluster.netpol import Port, Selector
from octet.cluster.reading import Fields, Network, read

ADMIN, BASELINE = "Admin", "Baseline"
ACCEPT, DENY, PASS = "Accept", "Deny", "Pass"
MOST = 25
"""Rules of a direction, peers and protocols of a rule, networks and names of a peer (MaxItems of the API)."""

_PROTOCOLS = {"tcp": "TCP", "udp": "UDP", "sctp": "SCTP"}


class ClusterPeer(msgspec.Struct, frozen=True, gc=False):
    """The other end of a rule; exactly one of these is stated.

    Attributes:
        namespaces: every pod of these namespaces; or, with ``pods``, those of them.
        nodes: addresses of these nodes.
        domains: names that pods asked for, egress only.
        unknown: none of the fields that we know is set: the policy is of a newer API, and fails closed.
    """

    namespaces: Selector | None = None
    pods: Selector | None = None
    nodes: Selector | None = None
    networks: tuple[Network, ...] = ()
    domains: tuple[str, ...] = ()
    unknown: bool = False


class ClusterRule(msgspec.Struct, frozen=True, gc=False):
    """What happens to traffic with any of the peers, on any of the ports; no port is all of everything."""

    action: str
    peers: tuple[ClusterPeer, ...]
    ports: tuple[Port, ...] = ()
    name: str = ""


class ClusterNetworkPolicy(msgspec.Struct, frozen=True, gc=False):
    """One policy of the administrator.

    Attributes:
        priority: 0 to 1000, lower first.
        namespaces, pods: the pods it is about; ``pods`` None is every pod of the namespaces.
    """

    name: str
    tier: str
    priority: int
    namespaces: Selector = Selector()
    pods: Selector | None = None
    ingress: tuple[ClusterRule, ...] = ()
    egress: tuple[ClusterRule, ...] = ()
    conduct: Conduct = NORMAL

    @classmethod
    def from_object(cls, item: Mapping[str, Any]) -> Self:
        """Read a ClusterNetworkPolicy; raises BadConfigurationError naming the field."""
        fields, metadata = read("ClusterNetworkPolicy", item)
        spec = fields.child("spec")
        namespaces, pods = _subject(spec.child("subject"), spec)
        return cls(
            name=metadata.text("name"),
            tier=spec.choice("tier", (ADMIN, BASELINE), ""),
            priority=spec.number("priority", -1, high=1000),
            namespaces=namespaces,
            pods=pods,
            ingress=tuple(_rule(each, "from") for each in few(spec, "ingress")),
            egress=tuple(_rule(each, "to") for each in few(spec, "egress")),
            conduct=read_conduct(metadata),
        )

    @property
    def key(self) -> tuple[str, str]:
        """No namespace, and the name."""
        return "", self.name


def few(fields: Fields, key: str) -> tuple[Fields, ...]:
    """Return the objects of an array that the API keeps short."""
    found = fields.children(key)
    if len(found) > MOST:
        raise fields.refusal(key, f"has more than {MOST} items")
    return found


def _subject(fields: Fields, spec: Fields) -> tuple[Selector, Selector | None]:
    if ("namespaces" in fields) == ("pods" in fields):
        raise spec.refusal("subject", "must have namespaces or pods, and not both")
    if "namespaces" in fields:
        return Selector.read(fields.child("namespaces")), None
    return _namespaced(fields.child("pods"))


def _namespaced(fields: Fields) -> tuple[Selector, Selector]:
    return Selector.read(fields.child("namespaceSelector")), Selector.read(fields.child("podSelector"))


def _rule(fields: Fields, key: str) -> ClusterRule:
    action = fields.choice("action", (ACCEPT, DENY, PASS), "")
    peers = tuple(_peer(each, action, egress=key == "to") for each in few(fields, key))
    if not peers:
        raise fields.refusal(key, "must have at least one peer")
    ports = tuple(_port(each) for each in few(fields, "protocols"))
    named = any(isinstance(port.port, str) for port in ports)
    if named and any(each.nodes is not None or each.networks or each.domains for each in peers):
        raise fields.refusal("protocols", "nodes, networks and domainNames have no named ports")
    return ClusterRule(action, peers, ports, fields.text("name"))


def _peer(fields: Fields, action: str, *, egress: bool) -> ClusterPeer:
    known = ("namespaces", "pods", *(("nodes", "networks", "domainNames") if egress else ()))
    stated = [key for key in known if key in fields]
    if len(stated) > 1:
        raise fields.refusal(stated[1], f"cannot stand beside {stated[0]}")
    match stated:
        case ["namespaces"]:
            return ClusterPeer(namespaces=Selector.read(fields.child("namespaces")))
        case ["pods"]:
            namespaces, pods = _namespaced(fields.child("pods"))
            return ClusterPeer(namespaces, pods)
        case ["nodes"]:
            return ClusterPeer(nodes=Selector.read(fields.child("nodes")))
        case ["networks"]:
            return ClusterPeer(networks=_networks(fields))
        case ["domainNames"]:
            return ClusterPeer(domains=_domains(fields, action))
    return ClusterPeer(unknown=True)


def _networks(fields: Fields) -> tuple[Network, ...]:
    found = fields.networks("networks")
    if not 0 < len(found) <= MOST:
        raise fields.refusal("networks", f"must be 1 to {MOST} CIDRs")
    return found


def _domains(fields: Fields, action: str) -> tuple[str, ...]:
    names = fields.texts("domainNames")
    if action != ACCEPT:
        raise fields.refusal("domainNames", "can be accepted only: that a name is denied proves nothing")
    if not 0 < len(names) <= MOST:
        raise fields.refusal("domainNames", f"must be 1 to {MOST} names")
    return tuple(domain(each, fields, "domainNames") for each in names)


def _port(fields: Fields) -> Port:
    stated = [key for key in (*_PROTOCOLS, "destinationNamedPort") if key in fields]
    if len(stated) != 1:
        raise fields.refusal("tcp", f"must have exactly one of {', '.join(_PROTOCOLS)}, destinationNamedPort")
    if stated == ["destinationNamedPort"]:
        return Port("", fields.text("destinationNamedPort"))
    protocol, port = _PROTOCOLS[stated[0]], fields.child(stated[0]).child("destinationPort")
    if "range" in port:
        span = port.child("range")
        start, end = span.number("start", low=1, high=65535), span.number("end", low=1, high=65535)
        if start >= end:
            raise span.refusal("end", "must be above start")
        return Port(protocol, start, end)
    if "number" in port:
        return Port(protocol, port.number("number", low=1, high=65535))
    return Port(protocol)
