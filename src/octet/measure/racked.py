"""What an operator of racks tells a model that speaks BGP: each node's own rack's router.

What lives here: ``peer_with_racks``, in each model's own words. What it must not know: probes, other fabrics.
"""

import json
import time
from collections.abc import Iterator

from octet.errors import NotReadyError
from octet.lab import Lab
from octet.lab import racks as plan
from octet.lab.objects import Object
from octet.lab.racks import Shape

CONVERGED = 20.0
"""Seconds until all sessions are up; a lab that needs longer is broken."""

_LOOK = 0.05


def peer_with_racks(lab: Lab, model: str) -> None:
    """Have a lab's nodes peer with their racks' routers, where the model can; wait until they do.

    Raises:
        NotReadyError: a session is not up in time.
    """
    kind = model.partition(":")[0]
    if kind not in ("calico", "kube-router"):
        return
    routers = {node: _router(node, lab.info()["nodes"]) for node in lab.info()["nodes"]}
    if kind == "calico":
        lab.put([*_peers(routers)])
    else:
        lab.put([_annotated(item, *routers[item["metadata"]["name"]]) for item in lab.get("nodes")])
    for node in routers:
        _await(lab, node, len(routers))


def _router(node: str, nodes: list[str]) -> tuple[str, int]:
    """Return address and AS number of the router of a node's rack."""
    rack = Shape().rack(node, len(nodes))
    return str(plan.gateway_interface(rack, 4).ip), plan.TOR_AS + rack


def _peers(routers: dict[str, tuple[str, int]]) -> Iterator[Object]:
    for node, (address, asn) in routers.items():
        # Other racks' nodes have this one's AS number, too, and are heard by way of the routers.
        spec = {"node": node, "peerIP": address, "asNumber": asn, "numAllowedLocalASNumbers": 1}
        yield {
            "apiVersion": "projectcalico.org/v3",
            "kind": "BGPPeer",
            "metadata": {"name": f"router-of-{node}"},
            "spec": spec,
        }


def _annotated(item: Object, address: str, asn: int) -> Object:
    said = {"kube-router.io/peers": json.dumps([{"remoteip": address, "remoteasn": asn}])}
    metadata = {**item["metadata"], "annotations": {**item["metadata"].get("annotations", {}), **said}}
    return {**{key: value for key, value in item.items() if key != "lab"}, "metadata": metadata}


def _await(lab: Lab, node: str, sessions: int) -> None:
    """Wait for a session with each other node, and one with the router."""
    end = time.monotonic() + CONVERGED
    while True:
        held = [each["state"] for each in json.loads(lab.ask_agent(node, "/bgp"))["sessions"]]
        if held.count("Established") >= sessions:
            return
        if time.monotonic() > end:
            why = json.loads(lab.ask_agent(node, "/state"))["failures"]
            raise NotReadyError("; ".join([f"the sessions of {node} are {', '.join(held) or 'none'}", *why]))
        time.sleep(_LOOK)
