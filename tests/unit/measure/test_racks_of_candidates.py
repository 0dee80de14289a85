"""What candidates on racks are told: each node its own rack's router."""

from typing import Any

import pytest

from octet.errors import NotReadyError
from octet.measure import racked
from octet.measure.racked import peer_with_racks


class Told:
    """A lab of two nodes that remembers what it is told."""

    def __init__(self, sessions: str = "Established", failures: str = "") -> None:
        self.put_objects: list[dict[str, Any]] = []
        self._sessions = sessions
        self._failures = failures

    def info(self) -> dict[str, Any]:
        return {"nodes": ["node1", "node2"]}

    def get(self, _kind: str) -> list[dict[str, Any]]:
        return [
            {"kind": "Node", "metadata": {"name": name, "annotations": {"a": "b"}}, "lab": {}}
            for name in ("node1", "node2")
        ]

    def put(self, objects: list[dict[str, Any]]) -> None:
        self.put_objects += objects

    def ask_agent(self, _node: str, path: str) -> str:
        if path == "/state":
            return f'{{"failures": ["{self._failures}"]}}'
        return f'{{"sessions": [{{"state": "{self._sessions}"}}, {{"state": "{self._sessions}"}}]}}'


def test_kube_routers_nodes_are_annotated() -> None:
    """Each node names the router of its rack, and keeps what it said before."""
    lab = Told()
    peer_with_racks(lab, "kube-router:no-overlay")  # type: ignore[arg-type]
    first, second = (each["metadata"]["annotations"] for each in lab.put_objects)
    assert first == {"a": "b", "kube-router.io/peers": '[{"remoteip": "172.31.1.254", "remoteasn": 65001}]'}
    assert '"172.31.2.254", "remoteasn": 65002' in second["kube-router.io/peers"]
    assert all("lab" not in each for each in lab.put_objects)


def test_calicos_nodes_get_a_peer_each() -> None:
    """A BGPPeer for each node, that takes the other rack's routes though they bear its own AS number."""
    lab = Told()
    peer_with_racks(lab, "calico")  # type: ignore[arg-type]
    specs = [each["spec"] for each in lab.put_objects]
    assert [(each["node"], each["peerIP"], each["asNumber"]) for each in specs] == [
        ("node1", "172.31.1.254", 65001),
        ("node2", "172.31.2.254", 65002),
    ]


def test_others_are_told_nothing() -> None:
    """A model without BGP has nothing to say to routers."""
    lab = Told()
    peer_with_racks(lab, "flannel")  # type: ignore[arg-type]
    assert lab.put_objects == []


def test_a_lab_that_does_not_converge_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sessions' states, and what the node itself has to say, are in the error."""
    monkeypatch.setattr(racked, "CONVERGED", 0.0)
    lab = Told("Active", "node node2 is left out: the kernel has no ipip")
    with pytest.raises(NotReadyError, match="sessions of node1 are Active, Active; node node2 is left out"):
        peer_with_racks(lab, "kube-router")  # type: ignore[arg-type]
