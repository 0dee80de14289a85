"""Policies of great size in a lab: 30,000 ports are soon in force, what is too large shuts its pods."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from octet.cli.main import app
from octet.lab import Lab, Registry
from octet.measure.policing.crowds import pods, spaces
from octet.measure.policing.filling import fill

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]

NODE, CROWD, PATIENCE = "node1", 3000, 90.0
SLOWEST = 4.0
"""Seconds for a pod that has nothing to do with what is decided, which takes longer; on a quiet machine it is
some 50 ms."""


@pytest.fixture(scope="module")
def lab(labs_place: Any) -> Iterator[Lab]:
    """A node under canal that knows 3,000 pods elsewhere, in the namespace of its one pod."""
    with Lab.up("canal", nodes=1, name="great-size", registry=Registry(labs_place)) as made:
        made.run("web", NODE, namespace="space0", labels={"run": "web"})
        made.kill_agent(NODE)
        fill(made, NODE, [*spaces(["space0", "space1"]), *pods(CROWD, ["space0"], 10)])
        made.start_agent(NODE)
        yield made


def policy(name: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    spec = {"podSelector": {"matchLabels": {"run": "web"}}, "ingress": rules}
    metadata = {"name": name, "namespace": "space0"}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def state(lab: Lab) -> dict[str, Any]:
    return dict(json.loads(lab.ask_agent(NODE, "/state")))


def until(lab: Lab, what: Any) -> None:
    end = time.monotonic() + PATIENCE
    while not what(state(lab)):
        assert time.monotonic() < end, state(lab)["failures"]
        time.sleep(0.2)


def slowest_add(lab: Lab, names: str) -> float:
    """Return the seconds that the slowest of ten pods of another namespace takes to be attached."""
    taken = []
    for number in range(10):
        begun = time.monotonic()
        lab.run(f"{names}{number}", NODE, namespace="space1", labels={"app": "other"})
        taken.append(time.monotonic() - begun)
    return max(taken)


def test_thirty_thousand_ports_for_thousands_of_pods(lab: Lab) -> None:
    """It comes to its ports and its peers, 33,000 objects, and other pods are attached meanwhile."""
    ports = [{"port": 2 * number + 1, "protocol": "TCP"} for number in range(30_000)]
    lab.put([policy("ports", [{"from": [{"podSelector": {}}], "ports": ports}])])
    assert slowest_add(lab, "amid") < SLOWEST
    until(lab, lambda told: told["wanted"] > 33_000)
    assert state(lab)["wanted"] < 34_000
    assert state(lab)["refused"] == {}
    lab.delete("NetworkPolicy", "ports", namespace="space0")
    until(lab, lambda told: told["wanted"] < 1_000)


def test_what_is_too_large_is_refused_by_name(lab: Lab) -> None:
    """240,000 addresses with ports are refused: the pod is shut, explain says why, others are attached."""
    peers = [
        {"podSelector": {"matchExpressions": [{"key": f"x{number}", "operator": "DoesNotExist"}]}}
        for number in range(80)
    ]
    lab.put([policy("large", [{"from": [p], "ports": [{"port": 80 + n}]} for n, p in enumerate(peers)])])
    assert slowest_add(lab, "beside") < SLOWEST
    until(lab, lambda told: "NetworkPolicy space0/large" in told["refused"])
    told = CliRunner().invoke(app, ["policy", "explain", "space1/beside0", "space0/web", "--name", lab.name])
    assert "NetworkPolicy space0/large is refused, and what it selects is isolated" in told.output
    lab.delete("NetworkPolicy", "large", namespace="space0")
    until(lab, lambda told: not told["refused"] and told["wanted"] < 1_000)
