"""What is too large is refused by name: its pods are shut, others go on, and somebody can see why."""

from ipaddress import IPv4Address
from typing import Any

import pytest

from octet.blueprint.nft import Element, Packet, validate
from octet.cluster.changes import Underlay
from octet.cluster.endpoint import Attachment, Endpoint
from octet.cluster.view import View
from octet.kernel.fake_nft import Tracer
from octet.policy import limits, refusing, turns
from octet.policy.engine import Engine
from octet.policy.gates import Gate
from octet.policy.holders import pieces
from octet.policy.judge import Packet as First
from octet.policy.lasting import Way
from octet.policy.limits import TooLargeError
from octet.policy.telling.answers import answers
from octet.policy.telling.traffic import Traffic

MOST_OF_ONE, MOST_ON_NODE = 60, 130
FIRST = IPv4Address("10.0.0.2")
SPACES = ("blue", "green", "red")
CROWD = 40


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let little be too much."""
    monkeypatch.setattr(limits, "MOST_OF_ONE", MOST_OF_ONE)
    monkeypatch.setattr(limits, "MOST_ON_NODE", MOST_ON_NODE)
    monkeypatch.setattr(turns, "WEIGHED", 8)
    monkeypatch.setattr(turns, "SLICE", 8)


def pod(number: int, space: str, app: str, node: str) -> dict[str, Any]:
    return {
        "metadata": {"name": f"{app}{number}", "namespace": space, "labels": {"app": app}},
        "spec": {"nodeName": node},
        "status": {"podIPs": [{"ip": str(FIRST + number)}]},
    }


def endpoint(number: int, space: str) -> Endpoint:
    link = f"cali{number}"
    key = Attachment("o", f"c{number}", "eth0")
    mac = f"02:00:00:00:00:{number:02x}"
    return Endpoint(key, link, mac, 1500, FIRST + number, None, space, f"web{number}")


def allowing(name: str, space: str, *ports: int, app: str = "crowd") -> dict[str, Any]:
    """A policy for the web of a namespace: its crowd, at some ports; each port is a rule of its own."""
    peers = [{"podSelector": {"matchLabels": {"app": app}}}]
    rules = [{"from": peers, "ports": [{"port": port}]} for port in ports]
    spec = {"podSelector": {"matchLabels": {"app": "web"}}, "ingress": rules}
    return {"metadata": {"name": name, "namespace": space}, "spec": spec}


class Node:
    """A node with a web pod in each of three namespaces, each with a crowd elsewhere."""

    def __init__(self, *policies: dict[str, Any]) -> None:
        items = [pod(number, space, "web", "node1") for number, space in enumerate(SPACES)]
        crowd = range(CROWD * len(SPACES))
        items += [pod(100 + number, SPACES[number % len(SPACES)], "crowd", "node2") for number in crowd]
        view = View("node1", Underlay("eth0", 1500)).with_listing("Pod", items).view
        self.view = view.with_listing("NetworkPolicy", policies).view
        self.engine = Engine(self.view, Gate())
        self.engine.attach(*(endpoint(number, space) for number, space in enumerate(SPACES)))

    def change(self, happened: str, item: dict[str, Any], kind: str = "NetworkPolicy") -> None:
        self.view, changes = self.view.with_event(kind, (happened, item))
        self.engine.see(self.view, changes)

    def lets(self, space: str, port: int = 80) -> bool:
        """Does a pod of the crowd reach the web of its namespace?"""
        number = SPACES.index(space)
        held = self.engine.blueprint()
        validate(held)
        source = FIRST + 100 + number
        packet = Packet(
            source, FIRST + number, source_port=9, destination_port=port, iif="eth0", oif=f"cali{number}"
        )
        return Tracer(held).trace(packet).accepted


def test_one_policy_too_large_shuts_its_own_pods() -> None:
    """A policy of twice what may be is refused by name; its pods are shut, and pods of others are not."""
    node = Node(allowing("fine", "green", 80), allowing("large", "blue", 80, 81))
    assert list(node.engine.refused) == ["NetworkPolicy blue/large"]
    assert [node.lets(space) for space in SPACES] == [False, True, True]
    assert len(node.engine.blueprint().of(Element)) < MOST_OF_ONE + 20


def test_the_largest_of_several_is_refused() -> None:
    """Of a pod's policies it is the one that comes to most, whatever else selects the pod."""
    few = {**allowing("few", "blue", 80, app="nobody")}
    node = Node(few, allowing("large", "blue", 80, 81))
    assert list(node.engine.refused) == ["NetworkPolicy blue/large"]


def test_a_refused_policy_that_shrinks_is_enforced() -> None:
    """When it changes to something that fits, its pods are under it at once; when it goes, they are free."""
    node = Node(allowing("large", "blue", 80, 81))
    assert not node.lets("blue")
    node.change("MODIFIED", allowing("large", "blue", 80))
    assert not node.engine.refused
    assert node.lets("blue")
    assert not node.lets("blue", 81)
    node.change("MODIFIED", allowing("large", "blue", 81, 82))
    assert not node.lets("blue", 81)
    node.change("DELETED", allowing("large", "blue", 81, 82))
    assert node.lets("blue", 99)


def test_what_grows_too_large_is_refused() -> None:
    """Pods that come make a policy too large that was not: from then on what it selects is shut."""
    node = Node(allowing("growing", "blue", 80))
    assert node.lets("blue")
    for number in range(300, 300 + MOST_OF_ONE):
        node.change("ADDED", pod(number, "blue", "crowd", "node2"), "Pod")
    assert list(node.engine.refused) == ["NetworkPolicy blue/growing"]
    assert not node.lets("blue")


def test_a_greedy_namespace_takes_nothing_from_others() -> None:
    """Where a node's policies are too many, the namespace with most of them loses one, nobody else."""
    node = Node(allowing("a", "green", 80), allowing("b", "red", 80), allowing("c", "blue", 80))
    assert not node.engine.refused
    for name, number in (("web-2", 3), ("web-3", 4)):
        extra = {**pod(number, "blue", "web", "node1"), "spec": {"nodeName": "node1"}}
        extra["metadata"]["labels"] = {"app": name}
        node.change("ADDED", extra, "Pod")
        node.engine.attach(endpoint(number, "blue"))
        more = allowing(name, "blue", 80)
        more["spec"]["podSelector"] = {"matchLabels": {"app": name}}
        node.change("ADDED", more)
    assert node.engine.refused
    assert all("blue/" in policy for policy in node.engine.refused)
    assert "this node's policies" in next(iter(node.engine.refused.values()))
    assert [node.lets(space) for space in ("green", "red")] == [True, True]


def test_running_connections_of_what_is_shut_are_judged_so() -> None:
    """What nothing allows any more is cut, too: the same answer as of the rules."""
    node = Node(allowing("large", "blue", 80, 81))
    assert not node.engine.lasting().allows(Way(First(FIRST + 100, FIRST, 6, 40000, 80)))


def test_explaining_names_what_is_refused() -> None:
    """The sentence says which policy is too large, and that what it selects is isolated."""
    node = Node(allowing("large", "blue", 80, 81))
    view = node.engine._turns.view
    (answer,) = answers(view, f"{FIRST + 100}", "blue/web0", Traffic(6, 80))
    assert answer.allowed is False
    words = answer.steps[-1].words
    assert words.startswith(
        "NetworkPolicy blue/large is refused, and what it selects is isolated: it comes to"
    )


def test_too_much_to_find_out_is_too_large() -> None:
    """Networks with ports that overlap a million times over are not worked out to the end."""
    everything = (0, (1 << 32) - 1)
    pairs = [(everything, (port, port)) for port in range(1, 2000, 2)]
    pairs += [((number, number + 1), (2 * number, 2 * number)) for number in range(1000, 3000, 2)]
    with pytest.raises(TooLargeError):
        list(pieces(pairs, work=10_000))


def test_who_is_largest_is_told_from_a_sample() -> None:
    """A policy for everybody outweighs one of more rules for nobody, though not everybody is asked."""
    node = Node()
    few = [allowing("wide", "blue", 80), allowing("narrow", "blue", *range(80, 90), app="nobody")]
    view = node.view.with_listing("NetworkPolicy", few).view
    engine = Engine(view, Gate())
    engine.attach(endpoint(0, "blue"))
    rules = next(iter(engine._turns.asking.programs.values())).rules
    found = refusing.weights(rules, view)
    assert {origin.name for origin in found} == {"wide", "narrow"}
    assert max(found, key=lambda origin: found[origin]).name == "wide"
