import errno
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest

from agent_node import AgentNode, cluster, node
from octet.blueprint import Change, Link, Route


@pytest.fixture
def pod(here: AgentNode) -> tuple[int, dict[str, Any]]:
    """An attached pod: its namespace, and what ADD answered."""
    namespace = here.world.create()
    return namespace, here.add(namespace=namespace)


def test_check_is_silent_while_all_is_well(here: AgentNode, pod: tuple[int, dict[str, Any]]) -> None:
    """CHECK has nothing to say of a pod that is as ADD made it."""
    assert here.call("CHECK", namespace=pod[0], prevResult=pod[1]) == {}


@pytest.mark.parametrize(
    ("where", "key", "said"),
    [
        ("pod", ("route", 254, "0.0.0.0/0", 0), "the pod lacks route 0.0.0.0/0"),
        ("pod", ("address", "eth0", "10.244.1.2/24"), "the pod lacks address 10.244.1.2/24"),
        ("pod", ("link", "eth0"), "the node lacks link veth"),
        ("node", ("nft-element", "hostport-any4"), "the node lacks"),
    ],
)
def test_check_names_what_is_missing(here: AgentNode, where: str, key: tuple[Any, ...], said: str) -> None:
    """CHECK fails with what is missing, in the pod or on the node."""
    namespace = here.world.create()
    ports = {"runtimeConfig": {"portMappings": [{"hostPort": 80, "containerPort": 80}]}}
    answer = here.add(namespace=namespace, **ports)
    place = here.kernel.enter(namespace) if where == "pod" else here.kernel
    held = here.desired.objects if where == "node" else {key: None}
    place.delete(next(each for each in held if each[: len(key)] == key))
    failed = here.call("CHECK", namespace=namespace, prevResult=answer)
    assert failed["code"] == 103
    assert said in failed["msg"]


def test_check_names_an_altered_mtu(here: AgentNode, pod: tuple[int, dict[str, Any]]) -> None:
    """An MTU that nobody in the chain set is a difference; one that prevResult states is not."""
    namespace, result = pod
    here.kernel.set_peer_mtu(next(iter(here.links())), 1300)
    failed = here.call("CHECK", namespace=namespace, prevResult=result)
    assert "mtu 1300" in failed["msg"]
    result["interfaces"][1]["mtu"] = 1300
    assert here.call("CHECK", namespace=namespace, prevResult=result) == {}


@pytest.mark.parametrize("version", ["0.4.0", "1.0.0"])
def test_check_takes_a_smaller_mtu_of_a_result_that_names_none(here: AgentNode, version: str) -> None:
    """Before 1.1.0 no result says that ``tuning`` set an MTU: a smaller one is its work, a larger is not."""
    namespace = here.world.create()
    result = here.add(namespace=namespace, cniVersion=version)
    for mtu, agrees in ((1400, True), (1451, False)):
        here.kernel.set_peer_mtu(next(iter(here.links())), mtu)
        said = here.call("CHECK", namespace=namespace, prevResult=result, cniVersion=version)
        assert ("code" not in said) is agrees, said


def test_check_finds_a_route_that_was_moved_to_another_table(
    here: AgentNode, pod: tuple[int, dict[str, Any]]
) -> None:
    """What ``sbr`` does is no difference: the pod's routes are in a table of its own, otherwise the same."""
    inside = here.kernel.enter(pod[0])
    route = inside.peek(("route", 254, "0.0.0.0/0", 0))
    assert isinstance(route, Route)
    moved = replace(route, table=100)
    inside.apply(Change(add=(moved,), remove=(route,)))
    assert here.call("CHECK", namespace=pod[0], prevResult=pod[1]) == {}
    inside.apply(Change(add=(replace(moved, via=IPv4Address("10.244.1.9")),), remove=(moved,)))
    assert "lacks route 0.0.0.0/0" in here.call("CHECK", namespace=pod[0], prevResult=pod[1])["msg"]


def test_check_says_what_differs(here: AgentNode, pod: tuple[int, dict[str, Any]]) -> None:
    """A pod's link that somebody put down is told so, not shown twice as the same."""
    inside = here.kernel.enter(pod[0])
    link = inside.peek(("link", "eth0"))
    assert isinstance(link, Link)
    inside.apply(Change(alter=((link, replace(link, up=False)),)))
    assert " down, not link eth0 " in here.call("CHECK", namespace=pod[0], prevResult=pod[1])["msg"]


def test_check_believes_no_other_pods_result(here: AgentNode, pod: tuple[int, dict[str, Any]]) -> None:
    """A prevResult without our address or interface contradicts what we know."""
    namespace, result = pod
    other = {**result, "ips": [{**result["ips"][0], "address": "10.244.1.99/24"}]}
    failed = here.call("CHECK", namespace=namespace, prevResult=other)
    assert "prevResult lacks the address 10.244.1.2" in failed["msg"]
    failed = here.call("CHECK", namespace=namespace, prevResult={**result, "interfaces": [], "ips": []})
    assert "prevResult has no interface eth0" in failed["msg"]


def test_check_of_another_namespace_fails(here: AgentNode, pod: tuple[int, dict[str, Any]]) -> None:
    """The namespace that CHECK names must be the one that ADD was given."""
    failed = here.call("CHECK", namespace=here.world.create(), prevResult=pod[1])
    assert failed["code"] == 103
    assert "another namespace" in failed["msg"]


def test_check_of_a_stranger(here: AgentNode) -> None:
    """CHECK of what was never attached has its own code."""
    previous = {"cniVersion": "1.1.0", "ips": []}
    assert here.call("CHECK", "stranger", here.world.create(), prevResult=previous)["code"] == 3


def test_status_follows_the_node(fresh: AgentNode) -> None:
    """STATUS is 50 with the reason until there is a network."""
    unknown = fresh.call("STATUS", "")
    assert unknown["code"] == 50
    assert "not known yet" in unknown["msg"]


async def test_status_tells_of_a_refused_node(here: AgentNode) -> None:
    """STATUS is 51 while the kernel refuses part of the node's own network, and good again after."""
    assert here.call("STATUS", "") == {}
    here.kernel.delete(("link", "flannel.1"))
    here.kernel.refuse(("link", "flannel.1"), errno.EOPNOTSUPP, times=20)
    await here.repair.turn(compare=True)
    refused = here.call("STATUS", "")
    assert refused["code"] == 51
    assert "flannel.1" in refused["msg"]
    here.kernel.refuse(("link", "flannel.1"), errno.EOPNOTSUPP, times=0)


async def test_a_bad_peer_is_no_fault_of_this_node(here: AgentNode) -> None:
    """A peer that cannot be reached is told of, but kubelet may go on giving this node pods."""
    await here.see(cluster(node(1), node(2, annotations={})))
    assert here.call("STATUS", "") == {}
    assert any("node2" in each for each in here.network.obstacles)


def test_version_says_what_the_plugin_speaks(here: AgentNode) -> None:
    """VERSION lists every version of the specification that requests may have."""
    assert here.call("VERSION")["supportedVersions"] == ["0.3.1", "0.4.0", "1.0.0", "1.1.0"]


def test_an_unknown_command_is_refused(here: AgentNode) -> None:
    """A command that the specification lacks is an error of the environment."""
    assert here.call("FLY")["code"] == 4


def test_requests_are_counted_by_command(here: AgentNode) -> None:
    """Every request is counted and timed under its command; made-up commands share one label."""
    here.add()
    here.call("FLY")
    text = here.metrics.text().decode()
    assert 'octet_cni_request_seconds_count{command="ADD"} 1.0' in text
    assert 'octet_cni_request_failures_total{command="unknown"} 1.0' in text


def test_a_route_of_the_pod_is_in_the_main_table(here: AgentNode, pod: tuple[int, dict[str, Any]]) -> None:
    """The pod's routes are where its programs look."""
    held = here.kernel.enter(pod[0]).peek(("route", 254, "0.0.0.0/0", 0))
    assert isinstance(held, Route)
