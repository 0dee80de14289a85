import errno
from pathlib import Path
from typing import Any

import pytest

from agent_node import AgentNode
from octet.blueprint import Address, Blueprint, Link, Route, Veth
from octet.cluster.endpoint import Attachment
from octet.cni import wire
from octet.cni.pending import directory_of
from octet.ipam.limits import Limits

PORTS = {"runtimeConfig": {"portMappings": [{"hostPort": 8080, "containerPort": 80}]}}


def inside(node: AgentNode, namespace: int) -> Blueprint:
    """What a pod's namespace holds of ours."""
    return node.kernel.enter(namespace).read(Blueprint())


def counts(node: AgentNode) -> tuple[int, int]:
    """Addresses used, and cooling down."""
    assert node.endpoints.pool is not None
    held = node.endpoints.pool.counts(4)
    return held.used, held.cooling


def test_an_add_makes_what_it_answers(here: AgentNode) -> None:
    """The answer names link, address and route that the pod's namespace holds then."""
    namespace = here.world.create()
    answer = here.add(namespace=namespace)
    made = inside(here, namespace)
    assert [str(each.interface) for each in made.of(Address)] == [answer["ips"][0]["address"]]
    assert [str(each.via) for each in made.of(Route)] == [answer["routes"][0]["gw"]] == ["10.244.1.1"]
    host, inner = answer["interfaces"]
    assert host["name"] in here.links()
    assert (inner["name"], inner["sandbox"]) == ("eth0", f"/ns/{namespace}")
    assert [each.mac for each in made.of(Link)] == [inner["mac"]]


async def test_a_pod_has_both_families(tmp_path: Path) -> None:
    """On a dual-stack node a pod gets an address and a default route of each family."""
    node = AgentNode(tmp_path, (4, 6))
    await node.sync()
    answer = node.add()
    assert [each["address"] for each in answer["ips"]] == ["10.244.1.2/24", "fd00:10:244:1::2/64"]
    assert [each["dst"] for each in answer["routes"]] == ["0.0.0.0/0", "::/0"]
    node.close()


async def test_pods_get_what_the_operator_lets_them(tmp_path: Path) -> None:
    """With ranges and reserved addresses a node hands out these and no others, and says when none is left."""
    node = AgentNode(tmp_path)
    node.endpoints.limits = Limits.read(["10.244.1.16-10.244.1.18"], ["10.244.1.17"], "test")
    await node.sync()
    given = [node.add(container)["ips"][0]["address"] for container in ("one", "two")]
    assert given == ["10.244.1.16/24", "10.244.1.18/24"]
    assert "0 free" in node.add("three")["msg"]
    node.close()


async def test_ranges_outside_of_the_node_are_told(tmp_path: Path) -> None:
    """Ranges of another node's CIDR keep this node from being ready, and the reason names them."""
    node = AgentNode(tmp_path)
    node.endpoints.limits = Limits.read(["10.244.9.16-10.244.9.18"], [], "test")
    await node.sync()
    assert node.add("one")["code"] == 11
    assert "10.244.9.16" in node.network.problem
    node.close()


def test_an_add_before_there_is_a_network(fresh: AgentNode) -> None:
    """ADD says "try again later" until this node knows its share of the pod network."""
    assert fresh.add()["code"] == 11
    assert not fresh.links()


@pytest.mark.parametrize("direction", ["ingress", "egress"])
def test_a_burst_of_less_than_a_packet_is_refused(here: AgentNode, direction: str) -> None:
    """A limit that would drop every packet of full size is an error that names the field."""

    def limited(container: str, burst: int) -> Any:
        limits = {f"{direction}Rate": 1_000_000, f"{direction}Burst": burst}
        return here.add(container, runtimeConfig={"bandwidth": limits})

    for burst in (1, 8_000, 11_711):
        refused = limited("c1", burst)
        assert (refused["code"], refused["details"]) == (7, "at least 11712 bits, or leave it out")
        assert f"bandwidth.{direction}Burst = {burst}: no packet of the pod's MTU, 1450" in refused["msg"]
    assert not here.links()
    assert "code" not in limited("c1", 11_712)


def test_a_repeated_add_is_refused(here: AgentNode) -> None:
    """An attachment that exists is refused with the first one intact."""
    namespace = here.world.create()
    here.add(namespace=namespace)
    before = here.links()
    assert here.add(namespace=namespace)["code"] == 104
    assert here.links() == before


def test_an_interface_of_another_attachment_is_refused(here: AgentNode) -> None:
    """A namespace that has eth0 from one container gets no second eth0 from another, and keeps the first."""
    namespace = here.world.create()
    here.add("one", namespace)
    refused = here.add("two", namespace)
    assert refused["code"] == 104
    assert "octet/one/eth0" in refused["msg"]
    assert counts(here) == (1, 0)


def test_a_foreign_interface_of_that_name_is_refused(here: AgentNode) -> None:
    """An interface that somebody else put there is not taken over; nothing of the ADD is left."""
    namespace = here.world.create()
    here.kernel.enter(namespace).plant(Link("eth0", Veth("x"), "somebody's"))
    assert here.add(namespace=namespace)["code"] == 104
    assert not here.links()
    here.reap()
    assert counts(here) == (0, 0)


def test_the_nodes_own_namespace_is_refused(here: AgentNode) -> None:
    """A pod cannot be the node itself, nor something that is no namespace."""
    assert here.add(namespace=here.number)["code"] == 8
    assert here.add(namespace=999)["code"] == 8


@pytest.mark.parametrize("refused", ["pod", "node"])
def test_what_the_kernel_refuses_is_undone(here: AgentNode, refused: str) -> None:
    """When either side's part fails, nothing stays and the address is free after the reaping."""
    namespace = here.world.create()
    if refused == "pod":
        here.kernel.enter(namespace).refuse(("address", "eth0", "10.244.1.2/24"), errno.ENOBUFS)
    else:
        name = here.running.attach.host_link(Attachment("octet", "c1", "eth0"))
        here.kernel.refuse(("link", name), errno.EPERM)
    assert here.add(namespace=namespace)["code"] == 101
    assert not here.links()
    here.reap()
    assert counts(here) == (0, 0)
    assert "code" not in here.add(namespace=namespace)


def test_a_host_port_belongs_to_one_pod(here: AgentNode) -> None:
    """A second claim to a host port is refused with the holder's name; after its DEL the port is free."""
    here.add("one", **PORTS)
    refused = here.add("two", **PORTS)
    assert refused["code"] == 105
    assert "octet/one/eth0" in refused["msg"]
    here.call("DEL", "one")
    assert "code" not in here.add("two", **PORTS)


def test_a_second_interface_has_no_default_route(here: AgentNode) -> None:
    """The first interface of a container keeps the default route; a second one leads to pods only."""
    namespace = here.world.create()
    first = here.add("c1", namespace)
    second = here.call("ADD", "c1", namespace, ifname="net1")
    assert [each["dst"] for each in first["routes"]] == ["0.0.0.0/0"]
    assert [each["dst"] for each in second["routes"]] == ["10.244.0.0/16"]
    here.call("DEL", "c1", namespace)
    third = here.call("ADD", "c1", here.world.create(), ifname="net2")
    assert [each["dst"] for each in third["routes"]] == ["0.0.0.0/0"]


def test_a_chain_goes_on(here: AgentNode) -> None:
    """What plugins before us made comes first in our result, and our addresses point at our interface."""
    before = {
        "cniVersion": "1.1.0",
        "interfaces": [{"name": "other", "sandbox": "/ns/1"}],
        "ips": [{"address": "192.0.2.9/24", "interface": 0}],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dns": {"nameservers": ["192.0.2.53"]},
    }
    answer = here.add(prevResult=before)
    assert [each["name"] for each in answer["interfaces"]][0::2] == ["other", "eth0"]
    assert [each["interface"] for each in answer["ips"]] == [0, 2]
    assert answer["routes"][1]["dst"] == "10.244.0.0/16"
    assert answer["dns"] == before["dns"]


def test_requests_of_a_runtime_are_honoured(here: AgentNode) -> None:
    """Address, MAC and name servers that a runtime asks for are what the pod gets."""
    asked = {"ips": ["10.244.1.77"], "mac": "02:00:00:00:00:77", "dns": {"servers": ["10.96.0.10"]}}
    answer = here.add(runtimeConfig=asked)
    assert answer["ips"][0]["address"] == "10.244.1.77/24"
    assert answer["interfaces"][1]["mac"] == asked["mac"]
    assert answer["dns"]["nameservers"] == ["10.96.0.10"]


def test_ranges_are_honoured(here: AgentNode) -> None:
    """Of a range the first free address is given; two sets of one family are refused."""
    one = [{"subnet": "10.244.1.0/24", "rangeStart": "10.244.1.90", "rangeEnd": "10.244.1.91"}]
    assert here.add("c1", runtimeConfig={"ipRanges": [one]})["ips"][0]["address"] == "10.244.1.90/24"
    assert here.add("c2", runtimeConfig={"ipRanges": [one, one]})["code"] == 7


def test_a_full_node_says_so_with_counts(here: AgentNode) -> None:
    """When no address is left, the error has the counts; a DEL makes room after its link is gone."""
    for number in range(253):
        assert "code" not in here.add(f"c{number}")
    refused = here.add("late")
    assert refused["code"] == 100
    assert "253 used" in refused["msg"]
    here.call("DEL", "c7")
    assert here.add("late")["code"] == 100
    here.reap()
    assert here.add("late")["ips"][0]["address"] == "10.244.1.9/24"


def test_a_waiting_del_comes_before_an_add(here: AgentNode) -> None:
    """A DEL that the plugin had to write down is done before the next ADD, so that it cannot hit it."""
    here.add("c1", **PORTS)
    waiting = directory_of(here.directory / "cni.sock")
    waiting.mkdir()
    environment = {"CNI_COMMAND": "DEL", "CNI_CONTAINERID": "c1", "CNI_IFNAME": "eth0"}
    stdin = b'{"cniVersion":"1.1.0","name":"octet"}'
    (waiting / "0001").write_bytes(wire.encode_request(environment, stdin))
    assert "code" not in here.add("c1", **PORTS)
    assert not list(waiting.iterdir())
    assert len(here.endpoints) == 1


def test_a_full_disk_refuses_and_undoes(here: AgentNode) -> None:
    """When the journal cannot be written, the ADD fails with code 5 (input and output) and holds nothing."""
    here.journal.close()
    assert here.add()["code"] == 5
    assert counts(here) == (0, 0)
    assert not here.links()


def test_a_colliding_name_is_refused(here: AgentNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two attachments whose links would have one name: the second is refused and the first goes on."""
    monkeypatch.setattr(type(here.running.attach), "host_link", lambda *_: "veth0")
    here.add("one")
    refused = here.add("two")
    assert (refused["code"], here.links()) == (105, {"veth0"})
    assert counts(here) == (1, 0)
