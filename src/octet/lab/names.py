"""Names of a lab and the addresses computed from them, so that a log line can be read alone.

What lives here: which names are allowed, node names, handles of pods, the address plan.
What it must not know: the kernel, providers, how anything is wired.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_network,
)
from typing import Any

from octet.errors import BadConfigurationError

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address
Interface = IPv4Interface | IPv6Interface

FAMILIES = {"v4": (4,), "v6": (6,), "dual": (4, 6)}
"""The word of ``--family`` and the IP versions it stands for."""

MAX_NODES = 200
"""A /16 of pod addresses cut into /24 (kube-controller-manager's defaults) is 256 nodes."""

SWITCH = "switch"
OUTSIDE = "outside"
"""The host beyond the cluster: default gateway of every node, with an address that knows no pod route."""

LAB = "lab"
"""What the supervisor's own log is called."""

_LONGEST = 250
"""Bytes: a pod's handle and ``.log`` make a file name (NAME_MAX is 255)."""

_LAB = re.compile(r"[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?")
_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_POD = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_NODE = re.compile(r"node[1-9][0-9]*")
_ROUTER = re.compile(r"(tor|spine)[1-9][0-9]*")
_NAMESPACE = re.compile(_LABEL)
_WORD = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_LABEL_KEY = re.compile(rf"((?=.{{1,253}}/){_LABEL}(\.{_LABEL})*/)?{_WORD}")
_LABEL_VALUE = re.compile(rf"({_WORD})?")

UNDERLAY: dict[int, Network] = {4: ip_network("172.31.0.0/16"), 6: ip_network("fd00:172:31::/64")}
PODS: dict[int, Network] = {4: ip_network("10.244.0.0/16"), 6: ip_network("fd00:10:244::/48")}
SERVICES: dict[int, Network] = {4: ip_network("10.96.0.0/16"), 6: ip_network("fd00:10:96::/112")}
NODE_MASK = {4: 24, 6: 64}
"""Prefix length of a node's pod CIDR (kube-controller-manager, --node-cidr-mask-size-ipv4 and -ipv6)."""

_GATEWAY = {4: 0xFFFE, 6: 0xFFFE}
_BEYOND: dict[int, Interface] = {
    4: IPv4Interface("198.51.100.1/32"),  # TEST-NET-2, RFC 5737
    6: IPv6Interface("2001:db8:ffff::1/128"),  # RFC 3849
}


def check_lab(name: str) -> str:
    """Return a lab's name if it is one. Raises BadConfigurationError."""
    if not _LAB.fullmatch(name):
        raise BadConfigurationError(
            "lab", "name", name, "not a lab name", hint="use a-z, 0-9 and -, up to 32"
        )
    return name


def check_pod(name: str, namespace: str) -> None:
    """Refuse what is no pod's name or namespace (RFC 1123). Raises BadConfigurationError."""
    if not _POD.fullmatch(name):
        raise BadConfigurationError("pod", "name", name, "not a pod name", hint="use a-z, 0-9, - and dots")
    if name in {SWITCH, OUTSIDE, LAB} or _NODE.fullmatch(name) or _ROUTER.fullmatch(name):
        raise BadConfigurationError("pod", "name", name, "means something else in a lab")
    if len(handle(namespace, name)) > _LONGEST:
        raise BadConfigurationError("pod", "name", name, "too long together with its namespace")
    if not _NAMESPACE.fullmatch(namespace):
        hint = "use a-z, 0-9 and -, up to 63"
        raise BadConfigurationError("pod", "namespace", namespace, "not a namespace", hint=hint)


def check_labels(labels: Mapping[Any, Any], source: str) -> None:
    """Refuse what the API server would not take as labels. Raises BadConfigurationError.

    Source: Kubernetes, apimachinery/pkg/util/validation: IsQualifiedName, IsValidLabelValue.
    """
    for key, value in labels.items():
        if not isinstance(key, str) or not _LABEL_KEY.fullmatch(key):
            hint = "use A-Z, a-z, 0-9, -, _ and dots, up to 63; a DNS name and / may stand before"
            raise BadConfigurationError(source, "label", key, "not a label's key", hint=hint)
        if not isinstance(value, str) or not _LABEL_VALUE.fullmatch(value):
            hint = "use A-Z, a-z, 0-9, -, _ and dots, up to 63, or nothing"
            raise BadConfigurationError(source, f"label {key}", value, "not a label's value", hint=hint)


def node_name(number: int) -> str:
    """Return the name of a node, counted from 1."""
    return f"node{number}"


def node_names(count: int) -> tuple[str, ...]:
    """Return the names of the first nodes."""
    return tuple(node_name(number) for number in range(1, count + 1))


def node_number(name: str) -> int:
    """Return a node's number from its name. Raises ValueError for another name."""
    if not _NODE.fullmatch(name):
        raise ValueError(f"{name!r} is not a node name")
    return int(name.removeprefix("node"))


def handle(namespace: str, pod: str) -> str:
    """Return the name of a pod's network namespace: reversible, for a Kubernetes namespace has no dot."""
    return f"{namespace}.{pod}"


@dataclass(frozen=True, slots=True)
class Plan:
    """Which addresses a lab of these families has; all follow from the numbers of the nodes.

    Attributes:
        versions: IP versions, 4 before 6.
    """

    versions: tuple[int, ...]

    @classmethod
    def of(cls, family: str) -> "Plan":
        """Return the plan for ``v4``, ``v6`` or ``dual``. Raises BadConfigurationError."""
        if family not in FAMILIES:
            raise BadConfigurationError("lab", "family", family, "unknown", hint="one of v4, v6, dual")
        return cls(FAMILIES[family])

    @property
    def pod_cidrs(self) -> tuple[Network, ...]:
        """The cluster's pod CIDRs, that node CIDRs are cut from."""
        return tuple(PODS[version] for version in self.versions)

    @property
    def service_cidrs(self) -> tuple[Network, ...]:
        """The cluster's service CIDRs."""
        return tuple(SERVICES[version] for version in self.versions)

    @property
    def gateways(self) -> tuple[Address, ...]:
        """The nodes' default gateways: addresses of the host outside on the fabric."""
        return tuple(UNDERLAY[version][_GATEWAY[version]] for version in self.versions)

    @property
    def gateway_interfaces(self) -> tuple[Interface, ...]:
        """The same with the underlay's prefix length."""
        return tuple(_on_underlay(address) for address in self.gateways)

    @property
    def beyond(self) -> tuple[Interface, ...]:
        """Addresses outside the cluster, that only a masqueraded pod gets an answer from."""
        return tuple(_BEYOND[version] for version in self.versions)

    def node_interfaces(self, node: str) -> tuple[Interface, ...]:
        """Return a node's underlay addresses with their prefix length: node7 has 172.31.0.7/16."""
        number = node_number(node)
        return tuple(_on_underlay(UNDERLAY[version][number]) for version in self.versions)


def _on_underlay(address: Address) -> Interface:
    if isinstance(address, IPv4Address):
        return IPv4Interface((address, UNDERLAY[4].prefixlen))
    return IPv6Interface((address, UNDERLAY[6].prefixlen))


def everywhere(version: int) -> Network:
    """Return the network of a default route."""
    return ip_network("0.0.0.0/0" if version == 4 else "::/0")


def texts(values: Sequence[object]) -> list[str]:
    """Return addresses, interfaces or networks as their texts."""
    return [str(value) for value in values]
