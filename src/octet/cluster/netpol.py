"""NetworkPolicy (networking.k8s.io/v1) as values, refused where Kubernetes itself would refuse it.

What lives here: policies, rules, peers, ports, label selectors and what a selector matches.
What it must not know: which pods exist, how a policy becomes rules of the kernel.
"""

from collections.abc import Mapping
from typing import Any, Self

import msgspec

from octet.cluster.conduct import NORMAL, Conduct, read_conduct
from octet.cluster.reading import Fields, Network, Words, read
from octet.cluster.workloads import PROTOCOLS

INGRESS, EGRESS = "Ingress", "Egress"
OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


class Requirement(msgspec.Struct, frozen=True, gc=False):
    """One line of a selector (``matchExpressions``)."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Words) -> bool:
        """Tell whether labels meet it; ``NotIn`` is also met by a missing key, as in Kubernetes."""
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case _:
                return self.key not in labels


class Selector(msgspec.Struct, frozen=True, gc=False):
    """A label selector: all requirements must hold; none at all matches everything.

    ``matchLabels`` are requirements of operator ``In`` with one value.
    """

    requirements: tuple[Requirement, ...] = ()

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read a ``LabelSelector``; raises BadConfigurationError naming the field."""
        labels = fields.words("matchLabels")
        equal = [Requirement(key, "In", (value,)) for key, value in labels.items()]
        return cls((*equal, *(_requirement(each) for each in fields.children("matchExpressions"))))

    def matches(self, labels: Words) -> bool:
        """Tell whether these labels are selected."""
        for each in self.requirements:  # noqa: SIM110 - asked ten thousand times for one change
            if not each.matches(labels):
                return False
        return True


class IPBlock(msgspec.Struct, frozen=True, gc=False):
    """Addresses named by CIDR, without some of them (``ipBlock``)."""

    cidr: Network
    exceptions: tuple[Network, ...] = ()


class Peer(msgspec.Struct, frozen=True, gc=False):
    """The other end of a rule: a block, or pods by selectors.

    Attributes:
        pods: None is every pod of the namespaces.
        namespaces: None is the policy's own namespace.
    """

    block: IPBlock | None = None
    pods: Selector | None = None
    namespaces: Selector | None = None


class Port(msgspec.Struct, frozen=True, gc=False):
    """A port of a rule.

    Attributes:
        port: a number, a container port's name, or None for every port of the protocol.
        end: last port of a range that begins at ``port``, or None.
    """

    protocol: str = "TCP"
    port: int | str | None = None
    end: int | None = None


class Rule(msgspec.Struct, frozen=True, gc=False):
    """Traffic that is allowed: from or to any of the peers, on any of the ports; none listed is all."""

    peers: tuple[Peer, ...] = ()
    ports: tuple[Port, ...] = ()


class NetworkPolicy(msgspec.Struct, frozen=True, gc=False):
    """One policy: the pods it isolates, in which directions, and what stays allowed.

    Attributes:
        pods: which pods of its namespace.
        types: the directions it isolates, of INGRESS and EGRESS.
    """

    name: str
    namespace: str
    uid: str = ""
    pods: Selector = Selector()
    types: tuple[str, ...] = (INGRESS,)
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()
    conduct: Conduct = NORMAL

    @classmethod
    def from_object(cls, item: Mapping[str, Any]) -> Self:
        """Read a Kubernetes NetworkPolicy; raises BadConfigurationError naming the field."""
        fields, metadata = read(cls.__name__, item)
        spec = fields.child("spec")
        return cls(
            name=metadata.text("name"),
            namespace=metadata.shared_text("namespace", "default"),
            uid=metadata.text("uid"),
            pods=Selector.read(spec.child("podSelector")),
            types=_types(spec),
            ingress=tuple(_rule(each, "from") for each in spec.children("ingress")),
            egress=tuple(_rule(each, "to") for each in spec.children("egress")),
            conduct=read_conduct(metadata),
        )

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, name)."""
        return self.namespace, self.name


class StagedKubernetesNetworkPolicy(NetworkPolicy, frozen=True, gc=False):
    """Calico's staged kind of the same policy: told what it would do, never enforced."""


def _types(spec: Fields) -> tuple[str, ...]:
    """Return the directions; unset means ingress, and egress if there is an egress rule (API reference)."""
    stated = spec.texts("policyTypes")
    if not set(stated) <= {INGRESS, EGRESS}:
        raise spec.refusal("policyTypes", f"must be of {INGRESS}, {EGRESS}")
    if stated:
        return tuple(each for each in (INGRESS, EGRESS) if each in stated)
    return (INGRESS, EGRESS) if spec.children("egress") else (INGRESS,)


def _rule(fields: Fields, peers: str) -> Rule:
    return Rule(
        tuple(_peer(each) for each in fields.children(peers)),
        tuple(_port(each) for each in fields.children("ports")),
    )


def _peer(fields: Fields) -> Peer:
    selects = "podSelector" in fields or "namespaceSelector" in fields
    if "ipBlock" in fields:
        if selects:
            raise fields.refusal("ipBlock", "cannot stand beside a selector")
        return Peer(block=_block(fields.child("ipBlock")))
    if not selects:
        raise fields.refusal("podSelector", "a peer must have a selector or an ipBlock")
    return Peer(pods=_selector(fields, "podSelector"), namespaces=_selector(fields, "namespaceSelector"))


def _selector(fields: Fields, key: str) -> Selector | None:
    return Selector.read(fields.child(key)) if key in fields else None


def _block(fields: Fields) -> IPBlock:
    cidr, exceptions = fields.network("cidr"), fields.networks("except")
    for each in exceptions:
        inside = each.version == cidr.version and each.prefixlen > cidr.prefixlen
        if not inside or each.network_address not in cidr:
            raise fields.refusal("except", f"{each} must be a smaller part of {cidr}")
    return IPBlock(cidr, exceptions)


def _port(fields: Fields) -> Port:
    port = fields.number_or_name("port")
    end = fields.number("endPort", low=1, high=65535) if "endPort" in fields else None
    if end is not None and (not isinstance(port, int) or end < port):
        raise fields.refusal("endPort", "needs a numeric port that is not above it")
    return Port(fields.choice("protocol", PROTOCOLS, "TCP"), port, end)


def _requirement(fields: Fields) -> Requirement:
    operator, values = fields.choice("operator", OPERATORS, ""), fields.texts("values")
    if (operator in ("In", "NotIn")) != bool(values):
        raise fields.refusal("values", "In and NotIn need values, Exists and DoesNotExist take none")
    if not fields.text("key"):
        raise fields.refusal("key", "must be a label's key")
    return Requirement(fields.text("key"), operator, values)
