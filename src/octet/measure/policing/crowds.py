"""Worlds of many pods and policies, as objects of the Kubernetes API.

What lives here: pods on nodes that are nowhere, policies of the usual shape. Pure.
What it must not know: labs, stores, what is compiled.
"""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Address
from typing import Any

Object = dict[str, Any]

PORT, FIRST_PORT = 7002, 10_000
"""Where the measured pods serve; the first of the ports that others are allowed to."""

PORTS = 20_000

PEER = "peer"
"""The word of the labels that ``selecting`` lets in: with a number that is the policy's."""
CLUSTER = "10.224.0.0/11"
"""Where all pods are: those of nodes that are nowhere (up to 5,120), and those of a lab's own."""

_PODS = IPv4Address("10.224.0.0")
_NODES = IPv4Address("172.24.0.0")
_ON_ONE = 20
"""Pods of a node that is nowhere."""


def policy(
    name: str,
    namespace: str,
    subject: Mapping[str, str],
    peer: Mapping[str, str],
    port: int = PORT,
) -> Object:
    """Return a NetworkPolicy: pods with the subject's labels may be reached by the peer's, at one port."""
    # The probes of rates speak TCP, the probe of changes UDP.
    both = ("TCP", "UDP") if port == PORT else ("TCP",)
    ports = [{"port": port, "protocol": protocol} for protocol in both]
    rule = {"from": [{"podSelector": {"matchLabels": dict(peer)}}], "ports": ports}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "podSelector": {"matchLabels": dict(subject)},
            "policyTypes": ["Ingress"],
            "ingress": [rule],
        },
    }


def selecting(
    count: int, namespace: str, subject: Mapping[str, str], peer: Mapping[str, str]
) -> list[Object]:
    """Return policies that all select the subject; the one in the middle is what lets the peer in."""
    prefix = "-".join(subject.values())
    found = []
    for number in range(count):
        wanted = number == count // 2
        label, port = (peer, PORT) if wanted else ({"app": f"{PEER}{number}"}, FIRST_PORT + number % PORTS)
        found.append(policy(f"{prefix}-{number:05}", namespace, subject, label, port))
    return found


def spread(count: int, namespaces: int, labels: int) -> Iterator[Object]:
    """Yield policies over namespaces ``space0`` and so on: each selects one label of ``labels``."""
    for number in range(count):
        subject = {"app": f"app{number // namespaces % labels}"}
        peer = {"app": f"app{(number // namespaces + 1) % labels}"}
        yield policy(f"spread-{number:05}", f"space{number % namespaces}", subject, peer, 80 + number % 100)


def pods(count: int, namespaces: Sequence[str], labels: int, word: str = "app") -> Iterator[Object]:
    """Yield running pods, twenty to a node that is nowhere, over namespaces and labels in turn."""
    for number in range(count):
        address = str(_PODS + 256 * (number // _ON_ONE) + 2 + number % _ON_ONE)
        app = f"{word}{number // len(namespaces) % labels}"
        yield {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"crowd-{number:06}",
                "namespace": namespaces[number % len(namespaces)],
                "labels": {"app": app, "pod-template-hash": f"{number % 997:08x}"},
            },
            "spec": {
                "nodeName": f"far{number // _ON_ONE:05}",
                "containers": [{"name": "main", "ports": [{"name": "http", "containerPort": 80}]}],
            },
            "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]},
        }


def nodes(count: int) -> Iterator[Object]:
    """Yield nodes that flannel manages, each with a /24 and a VXLAN device somewhere."""
    for number in range(count):
        cidr, address = f"{_PODS + 256 * number}/24", str(_NODES + number + 1)
        said = {
            "kube-subnet-manager": "true",
            "backend-type": "vxlan",
            "backend-data": f'{{"VNI":1,"VtepMAC":"02:00:00:01:{number >> 8:02x}:{number & 255:02x}"}}',
            "public-ip": address,
        }
        yield {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": f"far{number:05}",
                "annotations": {f"flannel.alpha.coreos.com/{key}": value for key, value in said.items()},
            },
            "spec": {"podCIDR": cidr, "podCIDRs": [cidr]},
            "status": {"addresses": [{"type": "InternalIP", "address": address}]},
        }


def spaces(names: Sequence[str]) -> Iterator[Object]:
    """Yield namespaces."""
    for name in names:
        labels = {"kubernetes.io/metadata.name": name}
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


__all__ = [
    "CLUSTER",
    "FIRST_PORT",
    "PEER",
    "PORT",
    "PORTS",
    "nodes",
    "pods",
    "policy",
    "selecting",
    "spaces",
    "spread",
]
