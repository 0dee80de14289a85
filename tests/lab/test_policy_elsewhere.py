"""Policy where it is met less often: IPv6 alone, a tunnel's port of one's own, policies of the same order."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from octet.lab.api import Lab
from octet.lab.provider import Octet
from policy_lab import Cluster, cluster, egress, octet, only, until
from policy_programs import DUET, TALK

pytestmark = [pytest.mark.lab, pytest.mark.slow]

MODELS = ("canal", "flannel:policy")


@pytest.fixture(scope="module", params=MODELS)
def six(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A lab that has IPv6 alone."""
    model = request.param
    with cluster(f"six-{model.replace(':', '-')}", model, "--family", "v6") as held:
        yield held


def test_ipv6_alone_is_under_policy(six: Cluster, tmp_path: Path) -> None:
    """Where nodes and pods have IPv6 only, a policy opens one port to one label, both ways round."""
    with six.policy(tmp_path, only("b")):
        for kind in ("tcp", "udp"):
            asked = [six.ask(place, "a", kind=kind) for place in ("b", "b2", "c", "c2", "node1", "node2")]
            assert asked == [["yes"], ["yes"], ["silence"], ["silence"], ["yes"], ["silence"]], kind
        assert six.ask("b2", "a", 81) == ["silence"]
    with six.policy(tmp_path, egress("c", {"to": [{"podSelector": {"matchLabels": {"app": "a"}}}]})):
        assert [six.ask("c2", "a"), six.ask("c2", "b", seconds=0.3)] == [["yes"], ["silence"]]
    assert json.loads(octet("policy", "verify", "--name", six.name, "--json"))["differences"] == []


def test_ipv6_alone_is_cut(six: Cluster, tmp_path: Path) -> None:
    """Running connections of both kinds end where a new policy forbids them."""
    (goal,) = six.addresses["a"]
    duet = (sys.executable, "-c", DUET)
    with (
        six.voice("c2", sys.executable, "-c", TALK, goal) as talk,
        six.voice("a", *duet, "9000") as far,
        six.voice("c2", *duet, "9001", goal, "9000") as near,
    ):
        assert until(lambda: near.last == far.last == "heard")
        with six.policy(tmp_path, only("b")):
            assert until(lambda: talk.last == "cut" and near.last == far.last == "silence")
            time.sleep(1)
            assert near.last == far.last == "silence"


@pytest.fixture(scope="module", params=MODELS)
def ported(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A lab whose nodes send each other VXLAN at a port of their own."""
    options = {"Backend": {"Type": "vxlan", "Port": 9999}}
    name = f"port-{request.param.replace(':', '-')}"
    lab = Lab.up(Octet(model=request.param, options=options), nodes=2, name=name, family="v4")
    held = Cluster(name, request.param, {})
    try:
        for pod, node in (("b", "node1"), ("c", "node1"), ("b2", "node2")):
            held.run(pod, node, label=pod[0])
        yield held
    finally:
        lab.down()


def test_the_running_models_own_port_is_closed_to_pods(ported: Cluster, tmp_path: Path) -> None:
    """Verify, explain and diff know which port the model closes, though a policy opens it by name."""
    opened = only("c", port=9999, subject="b")
    with ported.policy(tmp_path, opened):
        found = json.loads(octet("policy", "verify", "--name", ported.name, "--json"))
        assert found["flows"] > 0
        assert found["differences"] == []
        ask = ("policy", "explain", "default/c", "default/b2", "--name", ported.name, "--port")
        assert "c -> default/b2, 9999/UDP: denied" in octet(*ask, "9999/udp")
        assert "c -> default/b2, 9999/TCP: allowed" in octet(*ask, "9999/tcp")
    (tmp_path / "new.json").write_text(json.dumps(opened))
    said = json.loads(octet("policy", "diff", str(tmp_path / "new.json"), "--name", ported.name, "--json"))
    assert not [each for each in said["changes"] if each["now"] == "allowed"]


def ordered(name: str, action: str, order: int = 10) -> dict[str, Any]:
    rule = {"action": action, "protocol": "TCP", "destination": {"ports": [80]}}
    return {
        "apiVersion": "projectcalico.org/v3",
        "kind": "GlobalNetworkPolicy",
        "metadata": {"name": name},
        "spec": {"selector": "app == 'a'", "order": order, "types": ["Ingress"], "ingress": [rule]},
    }


@pytest.fixture(scope="module", params=MODELS)
def two(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    model = request.param
    with cluster(f"two-{model.replace(':', '-')}", model) as held:
        yield held


def test_names_decide_between_policies_of_the_same_order(two: Cluster, tmp_path: Path) -> None:
    """Of two policies of one order the first by name is asked first, however they came; order goes before."""
    allow, deny = ["yes"], ["silence"]
    for objects, answer in (
        ((ordered("a1", "Allow"), ordered("b1", "Deny")), allow),
        ((ordered("b1", "Allow"), ordered("a1", "Deny")), deny),
        ((ordered("a1", "Deny"), ordered("b1", "Allow")), deny),
        ((ordered("b1", "Deny"), ordered("a1", "Allow")), allow),
        ((ordered("b1", "Allow", order=9), ordered("a1", "Deny")), allow),
    ):
        with two.policy(tmp_path, *objects):
            assert [two.ask(place, "a") for place in ("b", "c2")] == [answer, answer], objects
            assert json.loads(octet("policy", "verify", "--name", two.name, "--json"))["differences"] == []
