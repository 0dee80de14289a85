"""Who is measured: a model of ours, or BIRD by hand, on two racks with a reflector in each.

What lives here: bringing both to the same topology: no mesh, node2 and node3 reflect, every node has a
session with its rack's router. What it must not know: what is broken then.
"""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

import msgspec

from octet.errors import BadConfigurationError, NotReadyError
from octet.lab import Lab, Octet, racks, reference
from octet.lab.racks import Shape
from octet.measure.convergence import plain
from octet.measure.convergence.plain import CLUSTER, Site
from octet.measure.racked import peer_with_racks

NODES = ("node1", "node2", "node3", "node4")
REFLECTORS = ("node2", "node3")
PLAIN = "BIRD by hand"
LIMIT = 90.0
"""Seconds until every node's pod reaches every other's, after a start or a repair."""

_MODULE = "octet.measure.convergence.streams"


@dataclass(frozen=True, slots=True)
class Racked:
    """A lab on two racks, a pod on each node that echoes; ``addresses`` are theirs by node."""

    lab: Lab
    addresses: Mapping[str, str]

    def program(self, *arguments: str) -> list[str]:
        """Return a command of ``streams``."""
        return [sys.executable, "-m", _MODULE, *arguments]

    def settle(self, nodes: tuple[str, ...] = NODES) -> None:
        """Wait until pods of the first of these nodes reach those of the others. Raises NotReadyError."""
        end = time.monotonic() + LIMIT
        first, *others = nodes
        for node in others:
            ping = ["ping", "-c3", "-i0.05", "-W1", self.addresses[node]]
            while " 0% packet loss" not in self.lab.exec(f"on-{first}", ping).stdout:
                if time.monotonic() > end:
                    raise NotReadyError(f"the pod on {node} is not reached from {first} within {LIMIT:.0f} s")
                time.sleep(0.1)


def up(who: str, name: str) -> Racked:
    """Start a lab of this candidate and wait until its pods reach each other; whoever calls ends it.

    Raises:
        BadConfigurationError: nobody of that name can be measured here.
        OctetError: it does not come up.
    """
    if who not in CANDIDATES:
        hint = f"one of {', '.join(CANDIDATES)}"
        raise BadConfigurationError("octet.measure.convergence", "--candidates", who, "unknown", hint=hint)
    lab = CANDIDATES[who](name)
    try:
        command = [sys.executable, "-m", _MODULE, "echo"]
        made = Racked(lab, {node: lab.run(f"on-{node}", node, command).addresses[0] for node in NODES})
        made.settle()
    except BaseException:
        lab.down()
        raise
    return made


def _calico(name: str) -> Lab:
    lab = Lab.up(Octet("calico"), nodes=len(NODES), name=name, fabric="routed")
    try:
        peer_with_racks(lab, "calico")
        lab.put([_resource("BGPPeer", "reflectors", nodeSelector="all()", peerSelector="has(reflector)")])
        for node in REFLECTORS:
            _mark(lab, node, {"reflector": ""}, {"projectcalico.org/RouteReflectorClusterID": CLUSTER})
        time.sleep(2)  # reflectors first, then no mesh: docs/bgp.md, "Changing the topology"
        lab.put([_resource("BGPConfiguration", "default", nodeToNodeMeshEnabled=False)])
    except BaseException:
        lab.down()
        raise
    return lab


def _kube_router(name: str) -> Lab:
    lab = Lab.up(
        Octet("kube-router", {"enable-overlay": False}), nodes=len(NODES), name=name, fabric="routed"
    )
    try:
        peer_with_racks(lab, "kube-router")
        for node in NODES:
            role = "server" if node in REFLECTORS else "client"
            _mark(lab, node, {}, {f"kube-router.io/rr.{role}": "1"})
    except BaseException:
        lab.down()
        raise
    return lab


def _resource(kind: str, name: str, **spec: object) -> dict[str, object]:
    version = "projectcalico.org/v3"
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}


def _mark(lab: Lab, node: str, labels: Mapping[str, str], annotations: Mapping[str, str]) -> None:
    """Give a Node object labels and annotations."""
    item: dict[str, Any] = next(each for each in lab.get("nodes") if each["metadata"]["name"] == node)
    metadata = item["metadata"]
    metadata["labels"] = {**metadata.get("labels", {}), **labels}
    metadata["annotations"] = {**metadata.get("annotations", {}), **annotations}
    lab.put([{key: value for key, value in item.items() if key != "lab"}])


def _by_hand(name: str) -> Lab:
    provider = msgspec.structs.replace(reference("ptp"), static_routes=False)
    lab = Lab.up(provider, nodes=len(NODES), name=name, fabric="routed")
    try:
        for item in lab.get("nodes"):
            _start_bird(lab, str(item["metadata"]["name"]), str(item["spec"]["podCIDR"]))
    except BaseException:
        lab.down()
        raise
    return lab


def _start_bird(lab: Lab, node: str, pods: str) -> None:
    home = f"/run/octet/{node}"
    lab.exec(
        node,
        ["sh", "-c", f"cat > {home}/bird.conf"],
        text=plain.configuration(_site(node, pods)),
    )
    command = f"cd {home} && exec bird -c bird.conf -s bird.ctl >bird.log 2>&1"
    if lab.exec(node, ["sh", "-c", command]).returncode != 0:
        said = lab.exec(node, ["cat", f"{home}/bird.log"]).stdout
        raise NotReadyError(f"BIRD does not start on {node}: {said.strip()}")


def _site(node: str, pods: str) -> Site:
    addresses = {each: str(racks.node_interface(each, _rack(each), 4).ip) for each in NODES}
    rack = _rack(node)
    return Site(
        address=addresses[node],
        pods=str(ip_network(pods)),
        tor=(str(racks.gateway_interface(rack, 4).ip), racks.TOR_AS + rack),
        reflectors=[addresses[each] for each in REFLECTORS],
        others=[addresses[each] for each in NODES if each not in REFLECTORS],
    )


def _rack(node: str) -> int:
    return Shape().rack(node, len(NODES))


CANDIDATES: Mapping[str, Callable[[str], Lab]] = {
    "calico": _calico,
    "kube-router": _kube_router,
    PLAIN: _by_hand,
}
"""How each candidate is brought up, by name."""
