"""Calico's policies (projectcalico.org/v3) as values, refused where Calico's validation would refuse them.

What lives here: NetworkPolicy, GlobalNetworkPolicy, their staged kinds, Tier, network sets, HostEndpoint.
Rules are in ``calico_rules``. What it must not know: which pods exist, how policies become rules of kernels.
Sources: libcalico-go's lib/apis/v3 types and lib/validator.
"""

from collections.abc import Mapping
from math import inf
from typing import Any, Self

import msgspec

from octet.cluster.calico_rules import MOST, CalicoRule, rule
from octet.cluster.conduct import NORMAL, Conduct, read_conduct
from octet.cluster.expression import Expression, expression
from octet.cluster.netpol import EGRESS, INGRESS
from octet.cluster.reading import NOTHING, Address, Fields, Network, Words, read
from octet.cluster.workloads import PROTOCOLS, ContainerPort

DEFAULT_TIER = "default"
SET, DELETE = "Set", "Delete"


class Tier(msgspec.Struct, frozen=True, gc=False):
    """A group of policies that is asked as a whole, in its order.

    Attributes:
        order: lower first; unstated is last.
        passes: what happens to a packet that a policy of the tier was asked about and none decided: it goes
            to the next tier (``defaultAction: Pass``), or is denied.
    """

    name: str
    order: float = inf
    passes: bool = False

    @classmethod
    def from_object(cls, item: Mapping[str, Any]) -> Self:
        """Read a Tier; raises BadConfigurationError naming the field."""
        fields, metadata = read("Tier", item)
        spec = fields.child("spec")
        action = spec.choice("defaultAction", ("Deny", "Pass"), "Deny")
        return cls(metadata.text("name"), order(spec), action == "Pass")

    @property
    def key(self) -> tuple[str, str]:
        """No namespace, and the name."""
        return "", self.name


class CalicoNetworkPolicy(msgspec.Struct, frozen=True, gc=False):
    """A policy of Calico's: of one namespace, or with an empty namespace a global one.

    Attributes:
        order: lower first; unstated is last, equal ones go by name.
        selector: which endpoints; None is all (of the namespace).
        namespaces: whose namespace has these labels; global policies only.
        accounts: whose service account has these labels.
        types: the directions it is asked in, of INGRESS and EGRESS.
        staged: empty where it is enforced; else what it would do: SET or DELETE.
        untracked, before_nat, forwarded: ``doNotTrack``, ``preDNAT``, ``applyOnForward`` (host endpoints).
    """

    name: str
    namespace: str = ""
    kind: str = "CalicoNetworkPolicy"
    tier: str = DEFAULT_TIER
    order: float = inf
    selector: Expression | None = None
    namespaces: Expression | None = None
    accounts: Expression | None = None
    types: tuple[str, ...] = (INGRESS,)
    ingress: tuple[CalicoRule, ...] = ()
    egress: tuple[CalicoRule, ...] = ()
    staged: str = ""
    untracked: bool = False
    before_nat: bool = False
    forwarded: bool = False
    conduct: Conduct = NORMAL

    @classmethod
    def from_object(cls, item: Mapping[str, Any]) -> Self:
        """Read a NetworkPolicy or StagedNetworkPolicy; raises BadConfigurationError naming the field."""
        return cls(**_policy(item, "CalicoNetworkPolicy", namespaced=True))

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, name)."""
        return self.namespace, self.name


class GlobalNetworkPolicy(CalicoNetworkPolicy, frozen=True, gc=False):
    """A policy for endpoints of all namespaces, and of hosts."""

    @classmethod
    def from_object(cls, item: Mapping[str, Any]) -> Self:
        """Read a GlobalNetworkPolicy or its staged kind; raises BadConfigurationError naming the field."""
        return cls(**_policy(item, "GlobalNetworkPolicy", namespaced=False))


class StagedNetworkPolicy(CalicoNetworkPolicy, frozen=True, gc=False):
    """A StagedNetworkPolicy: told what it would do, never enforced."""

    @classmethod
    def from_object(cls, item: Mapping[str, Any]) -> Self:
        """Read a StagedNetworkPolicy; raises BadConfigurationError naming the field."""
        return cls(**_policy(item, "StagedNetworkPolicy", namespaced=True))


class StagedGlobalNetworkPolicy(GlobalNetworkPolicy, frozen=True, gc=False):
    """A StagedGlobalNetworkPolicy: told what it would do, never enforced."""

    @classmethod
    def from_object(cls, item: Mapping[str, Any]) -> Self:
        """Read a StagedGlobalNetworkPolicy; raises BadConfigurationError naming the field."""
        return cls(**_policy(item, "StagedGlobalNetworkPolicy", namespaced=False))


class NetworkSet(msgspec.Struct, frozen=True, gc=False):
    """Networks with labels, so that selectors find them; with an empty namespace a global one."""

    name: str
    namespace: str = ""
    labels: Words = NOTHING
    networks: tuple[Network, ...] = ()

    @classmethod
    def from_object(cls, item: Mapping[str, Any]) -> Self:
        """Read a NetworkSet; raises BadConfigurationError naming the field."""
        fields, metadata = read("NetworkSet", item)
        namespace = metadata.shared_text("namespace", "default")
        return cls(metadata.text("name"), namespace, metadata.words("labels"), _nets(fields))

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, name)."""
        return self.namespace, self.name


class GlobalNetworkSet(NetworkSet, frozen=True, gc=False):
    """A network set for policies of all namespaces."""

    @classmethod
    def from_object(cls, item: Mapping[str, Any]) -> Self:
        """Read a GlobalNetworkSet; raises BadConfigurationError naming the field."""
        fields, metadata = read("GlobalNetworkSet", item)
        return cls(metadata.text("name"), "", metadata.words("labels"), _nets(fields))


class HostEndpoint(msgspec.Struct, frozen=True, gc=False):
    """An interface of a node itself, as something that policies select.

    Attributes:
        interface: its name, ``*`` for all of the node's, or empty where ``addresses`` say which.
        ports: names that policies may use for ports of it.
        profiles: ``projectcalico-default-allow`` makes it open where no policy selects it.
    """

    name: str
    node: str
    interface: str = ""
    labels: Words = NOTHING
    addresses: tuple[Address, ...] = ()
    ports: tuple[ContainerPort, ...] = ()
    profiles: tuple[str, ...] = ()

    @classmethod
    def from_object(cls, item: Mapping[str, Any]) -> Self:
        """Read a HostEndpoint; raises BadConfigurationError naming the field."""
        fields, metadata = read("HostEndpoint", item)
        spec = fields.child("spec")
        if not spec.text("node"):
            raise spec.refusal("node", "must be the name of a node")
        if not spec.text("interfaceName") and "expectedIPs" not in spec:
            raise spec.refusal("interfaceName", "an interface or expectedIPs must be stated")
        return cls(
            name=metadata.text("name"),
            node=spec.shared_text("node"),
            interface=spec.text("interfaceName"),
            labels=metadata.words("labels"),
            addresses=spec.addresses("expectedIPs"),
            ports=tuple(_port(each) for each in spec.children("ports")),
            profiles=spec.texts("profiles"),
        )

    @property
    def key(self) -> tuple[str, str]:
        """No namespace, and the name."""
        return "", self.name


class ServiceAccount(msgspec.Struct, frozen=True, gc=False):
    """An identity that pods run as; policies select by its name and labels."""

    name: str
    namespace: str
    labels: Words = NOTHING

    @classmethod
    def from_object(cls, item: Mapping[str, Any]) -> Self:
        """Read a Kubernetes ServiceAccount; raises BadConfigurationError naming the field."""
        _, metadata = read("ServiceAccount", item)
        namespace = metadata.shared_text("namespace", "default")
        return cls(metadata.text("name"), namespace, metadata.words("labels"))

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, name)."""
        return self.namespace, self.name


def order(spec: Fields) -> float:
    """Return the order of a tier or policy; unstated is after all others."""
    if "order" not in spec:
        return inf
    return spec.real("order")


def _policy(item: Mapping[str, Any], kind: str, *, namespaced: bool) -> dict[str, Any]:
    fields, metadata = read(kind, item)
    spec = fields.child("spec")
    staged = spec.choice("stagedAction", (SET, DELETE), SET) if kind.startswith("Staged") else ""
    ingress, egress = _rules(spec, "ingress"), _rules(spec, "egress")
    flags = [spec.flag(key) and not namespaced for key in ("doNotTrack", "preDNAT", "applyOnForward")]
    _refuse_hosts(spec, flags, egress)
    return {
        "name": metadata.text("name"),
        "namespace": metadata.shared_text("namespace", "default") if namespaced else "",
        "kind": kind,
        "tier": spec.shared_text("tier") or DEFAULT_TIER,
        "order": order(spec),
        "selector": expression(spec, "selector"),
        "namespaces": None if namespaced else expression(spec, "namespaceSelector"),
        "accounts": expression(spec, "serviceAccountSelector"),
        "types": _types(spec, ingress, egress),
        "ingress": ingress,
        "egress": egress,
        "staged": staged,
        "untracked": flags[0],
        "before_nat": flags[1],
        "forwarded": any(flags),
        "conduct": read_conduct(metadata),
    }


def _rules(spec: Fields, key: str) -> tuple[CalicoRule, ...]:
    rules = spec.children(key)
    if len(rules) > MOST:
        raise spec.refusal(key, f"has more than {MOST} rules")
    return tuple(rule(each) for each in rules)


def _refuse_hosts(spec: Fields, flags: list[bool], egress: tuple[CalicoRule, ...]) -> None:
    """Refuse what Calico's validator refuses of policies for host endpoints."""
    untracked, before_nat, _ = flags
    if untracked and before_nat:
        raise spec.refusal("preDNAT", "cannot stand beside doNotTrack")
    if (untracked or before_nat) and spec.flag("applyOnForward", default=True) is False:
        raise spec.refusal("applyOnForward", "must be true with doNotTrack and preDNAT")
    if before_nat and (egress or EGRESS in spec.texts("types")):
        raise spec.refusal("egress", "a preDNAT policy has ingress only")


def _types(spec: Fields, ingress: tuple[CalicoRule, ...], egress: tuple[CalicoRule, ...]) -> tuple[str, ...]:
    """Return the directions; unset means ingress unless there are only egress rules, and egress with any."""
    stated = spec.texts("types")
    if not set(stated) <= {INGRESS, EGRESS}:
        raise spec.refusal("types", f"must be of {INGRESS}, {EGRESS}")
    if stated:
        return tuple(each for each in (INGRESS, EGRESS) if each in stated)
    if egress:
        return (INGRESS, EGRESS) if ingress else (EGRESS,)
    return (INGRESS,)


def _nets(fields: Fields) -> tuple[Network, ...]:
    return fields.child("spec").networks("nets")


def _port(fields: Fields) -> ContainerPort:
    protocol = fields.text("protocol", "TCP").upper()
    if protocol not in PROTOCOLS:
        raise fields.refusal("protocol", f"must be one of {', '.join(PROTOCOLS)}")
    return ContainerPort(fields.text("name"), fields.number("port", low=1, high=65535), protocol)
