"""The cluster of the published policy cases: namespaces x, y, z with pods a, b, c on two nodes.

What lives here: its objects and addresses where nothing runs. What it must not know: policies.
"""

from collections.abc import Mapping
from typing import Any

from policy_cases import Objects, namespace, pod, where

ADDRESSES = {
    "x/a": "10.244.1.2",
    "x/b": "10.244.2.2",
    "x/c": "10.244.1.3",
    "y/a": "10.244.2.3",
    "y/b": "10.244.1.20",
    "y/c": "10.244.2.20",
    "z/a": "10.244.1.21",
    "z/b": "10.244.2.21",
    "z/c": "10.244.1.4",
}
LATER = {"y-2/a": "10.244.1.5", "y-2/b": "10.244.2.5", "x/d": "10.244.1.6", "w/a": "10.244.2.6"}
"""Addresses of pods that come during a case."""

NODES = {"node-1": "192.168.0.1", "node-2": "192.168.0.2"}


def node(name: str, address: str) -> dict[str, Any]:
    """Return a node with its pod CIDR."""
    number = name.removeprefix("node-")
    cidr = f"10.244.{number}.0/24"
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "uid": f"uid-{name}", "labels": {"kubernetes.io/os": "linux"}},
        "spec": {"podCIDR": cidr, "podCIDRs": [cidr]},
        "status": {
            "addresses": [{"type": "InternalIP", "address": address}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def second(address: str) -> str:
    """Return a pod's IPv6 address."""
    _, _, third, fourth = address.split(".")
    return f"fd00:244:{third}::{int(fourth):x}"


def objects(addresses: Mapping[str, str] = ADDRESSES, *, dual: bool = False) -> Objects:
    """Return nodes, namespaces and pods."""
    made = [node(name, address) for name, address in NODES.items()]
    made += [namespace(name, {"ns": name}) for name in ("x", "y", "z")]
    found = {f"{item['kind']} {item['metadata']['name']}": item for item in made}
    for key, address in addresses.items():
        more = (second(address),) if dual else ()
        found[f"Pod {key}"] = pod(key, {"pod": key.rpartition("/")[2]}, address, where(address), more)
    return found
