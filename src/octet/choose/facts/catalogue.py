"""Every question that may be asked of a provider, and what an answer looks like.

What lives here: the keys of facts and limits, their kinds, groups and units; the installers.
What it must not know: any provider's answers, files, which answers rule anything out.
"""

import re
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What an answer is made of."""

    YES_NO = "yes or no"
    CHOICE = "one of its choices"
    TEXT = "a text"
    DATE = "a date"
    NUMBER = "a whole number"
    LIST = "a list of texts"
    VERSION = "a version, as 5.10, or any"


@dataclass(frozen=True, slots=True)
class Key:
    """One question.

    Attributes:
        group: a name of GROUPS.
        unit: of a number.
        choices: what a CHOICE, or each part of a LIST, must be one of; empty is free.
        installer: a name of INSTALLERS, where the question is what that installer lets its users reach;
            empty is a question about the provider itself. The two are never mixed.
        required: must every provider have an answer, if only *unknown*?
    """

    name: str
    question: str
    kind: Kind
    group: str
    unit: str = ""
    choices: tuple[str, ...] = ()
    installer: str = ""
    required: bool = True


@dataclass(frozen=True, slots=True)
class Installer:
    """A program that makes clusters.

    Attributes:
        applies_any: can an operator bring a provider that the installer doesn't know?
        how: what to tell it for that.
    """

    name: str
    title: str
    applies_any: bool
    how: str


GROUPS = {
    "identity": "What it is",
    "health": "Is it alive",
    "support": "Who answers the telephone",
    "store": "Where nodes agree",
    "path": "How a packet gets to another node",
    "policy": "Who may talk to whom",
    "encryption": "Who can read along",
    "family": "Which addresses",
    "reach": "What else it reaches",
    "service": "Who turns a service address into a pod",
    "kernel": "What a node must have",
    "limits": "How far it goes",
    "kops": "What kops lets you reach",
}
"""Headings, in the order in which people read them."""

INSTALLERS = (
    Installer("kops", "kops", True, "spec.networking.cni: {} and a manifest of your own under spec.addons"),
    Installer("kubeadm", "kubeadm", True, "kubeadm installs no network: apply the provider's manifest"),
    Installer("k3s", "k3s", True, "--flannel-backend=none --disable-network-policy, then its manifest"),
    Installer("rke2", "RKE2", True, "cni: none, then its manifest"),
    Installer("kind", "kind", True, "networking.disableDefaultCNI: true, then its manifest"),
    Installer("eks", "Amazon EKS", True, "remove or chain the VPC CNI, then its manifest"),
    Installer("aks", "Azure AKS", True, "--network-plugin none, then its manifest"),
    Installer("gke", "Google GKE", False, "the network is Google's own"),
)
"""Programs that make clusters, and how each takes a provider that it doesn't bring itself."""

STATUSES = ("active", "experimental", "legacy", "deprecated", "unmaintained", "archived")
"""The original's own standing, best first; what an installer says of it is a Step."""

FOUNDATIONS = ("none", "kubernetes", "cncf-sandbox", "cncf-incubating", "cncf-graduated")
CLOUDS = ("aws", "gcp", "azure", "own-machines")
STORES = ("none", "gossip", "kubernetes", "etcd", "cloud-api", "own-database")
TRANSPORTS = (
    "cloud-routes",
    "host-gateway",
    "layer-2",
    "vxlan",
    "geneve",
    "gre",
    "stt",
    "ipip",
    "fou",
    "udp",
    "sleeve",
    "wireguard",
    "ipsec",
    "bgp",
    "aggregate-routes",
    "eni",
)
ENCRYPTIONS = ("wireguard", "ipsec", "nacl")


def _yes_no(name: str, question: str, group: str, installer: str = "") -> Key:
    return Key(name, question, Kind.YES_NO, group, installer=installer)


def _list(name: str, question: str, group: str, choices: tuple[str, ...] = ()) -> Key:
    return Key(name, question, Kind.LIST, group, choices=choices)


def _limit(name: str, question: str, unit: str) -> Key:
    return Key(name, question, Kind.NUMBER, "limits", unit=unit, required=False)


KEYS: tuple[Key, ...] = (
    Key("licence", "Under which licence is it?", Kind.TEXT, "identity"),
    Key("repository", "Where is its source? (owner/name on GitHub)", Kind.TEXT, "identity"),
    Key("first-release", "What was its first release?", Kind.TEXT, "identity"),
    Key("first-release-date", "When was its first release?", Kind.DATE, "identity"),
    Key("latest-release", "What is its latest release?", Kind.TEXT, "health"),
    Key("latest-release-date", "When was its latest release?", Kind.DATE, "health"),
    Key("status", "Is it still developed?", Kind.CHOICE, "health", choices=STATUSES),
    Key("governance", "Who decides about it?", Kind.TEXT, "health"),
    Key("foundation", "Which foundation holds it?", Kind.CHOICE, "health", choices=FOUNDATIONS),
    _yes_no("commercial-support", "Can one buy support for it today?", "support"),
    _list("support-by", "Who sells or sold support?", "support"),
    Key("support-from", "Since when?", Kind.DATE, "support"),
    Key("support-until", "Until when? (unknown where no end is announced)", Kind.DATE, "support"),
    _list("stores", "Where can nodes agree? (any one will do)", "store", STORES),
    _yes_no("needs-database", "Must one run a database besides Kubernetes for it?", "store"),
    _yes_no("overlay", "Can it carry pods' packets inside others?", "path"),
    _yes_no("native", "Can it send pods' packets as they are?", "path"),
    _list("transports", "Which ways to another node are there?", "path", TRANSPORTS),
    Key(
        "default-transport", "Which one does its own manifest take?", Kind.CHOICE, "path", choices=TRANSPORTS
    ),
    _yes_no("bgp", "Does it speak BGP with one's own routers?", "path"),
    Key(
        "bgp-abilities",
        "What can its BGP do?",
        Kind.LIST,
        "path",
        choices=("routers", "import", "filters", "communities", "reflectors", "passwords"),
        required=False,
    ),
    _yes_no("needs-layer-2", "Must all nodes be on one layer-2 segment?", "path"),
    _yes_no("needs-cloud-routes", "Does it need a cloud's route tables or interfaces?", "path"),
    _yes_no("udp-only", "Does it work where only UDP passes between nodes?", "path"),
    _yes_no("partial-mesh-relay", "Do nodes relay for others that can't reach each other?", "path"),
    _yes_no("aws-private-topology", "Does it work where AWS subnets have route tables of their own?", "path"),
    _list("clouds", "Where does it run?", "path", CLOUDS),
    _yes_no("policy-ingress", "Does it enforce NetworkPolicy for what comes in?", "policy"),
    _yes_no("policy-egress", "Does it enforce NetworkPolicy for what goes out?", "policy"),
    _yes_no("policy-cluster-wide", "Are there policies for the whole cluster?", "policy"),
    _yes_no("policy-by-name", "Can a policy name a DNS name?", "policy"),
    _yes_no("encryption", "Can it encrypt what passes between nodes?", "encryption"),
    _list("encryptions", "How?", "encryption", ENCRYPTIONS),
    _yes_no("ipv6-only", "Does it work with IPv6 alone?", "family"),
    _yes_no("dual-stack", "Does it work with IPv4 and IPv6 at once?", "family"),
    _yes_no("multicast", "Does multicast between pods work across nodes?", "reach"),
    _yes_no("windows", "Can Windows nodes take part?", "reach"),
    _yes_no("replaces-kube-proxy", "Can it take kube-proxy's place?", "service"),
    Key("kernel-minimum", "Which Linux is the oldest that will do?", Kind.VERSION, "kernel"),
    Key("kernel-needs", "What must the kernel have?", Kind.TEXT, "kernel"),
    Key("largest-cluster", "How many nodes are sensible?", Kind.NUMBER, "limits", unit="nodes"),
    Key("kops-name", "What is it called in spec.networking?", Kind.TEXT, "kops", installer="kops"),
    Key(
        "kops-flag",
        "What is it called after --networking?",
        Kind.TEXT,
        "kops",
        installer="kops",
        required=False,
    ),
    Key("kops-ships", "Which version does kops install?", Kind.TEXT, "kops", installer="kops"),
    _yes_no("kops-policy", "Does NetworkPolicy work as kops installs it?", "kops", "kops"),
    _yes_no("kops-encryption", "Can encryption be switched on through kops?", "kops", "kops"),
    _yes_no("kops-ipv6-only", "Does kops allow it with IPv6 alone?", "kops", "kops"),
    _yes_no("kops-private-topology", "Does kops allow it in a private topology?", "kops", "kops"),
    _yes_no("kops-outside-aws", "Does kops allow it outside AWS?", "kops", "kops"),
    _yes_no("kops-kube-proxy-off", "Must kube-proxy be off for it in kops?", "kops", "kops"),
)
"""Every fact, in the order in which people read them. A provider's file answers each that is required."""

LIMITS: tuple[Key, ...] = (
    _limit("limit-nodes", "Nodes of a cluster", "nodes"),
    _limit("limit-routes", "Routes of one table", "routes"),
    _limit("limit-mesh", "Nodes of a full BGP mesh", "nodes"),
    _limit("limit-connections", "Connections of one node to its peers", "connections"),
    _limit("limit-pods-per-node", "Pods of one node", "pods"),
    _limit("limit-overhead", "Bytes a packet loses to its outer headers", "bytes"),
    _limit("limit-policy-entries", "Entries of one pod's policy map", "entries"),
    _limit("limit-nodes-before-fan-out", "Nodes before a fan-out process is advised", "nodes"),
)
"""Numbers where something ends; a limit's note says why. A provider may have several of one key."""

BOUNDED = frozenset({"largest-cluster", "limit-nodes"})
"""Numbers of nodes at which a cluster may end; each says whether it is an end, a default or the largest
seen."""

FAMILIES = ("ipv4", "ipv6", "dual")
NEEDS = ("encryption", "multicast", "windows", "bgp", "udp_only", "kube_proxy_replacement")
"""Needs beside which a fact may not hold."""

BY_NAME = {key.name: key for key in (*KEYS, *LIMITS)}
VERSION = re.compile(r"any|\d+(\.\d+)*")


def version(text: str) -> tuple[int, ...]:
    """Return a version as what can be compared: "5.10" is after "5.4"; "any" is before all.

    Raises:
        ValueError: the text is no version.
    """
    if not VERSION.fullmatch(text):
        raise ValueError(f"{text!r} is no version")
    return (0,) if text == "any" else tuple(map(int, text.split(".")))
