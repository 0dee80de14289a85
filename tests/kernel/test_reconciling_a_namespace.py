"""Reconciling a real namespace: devices made anew get all back, big changes arrive whole, faults are told."""

import json
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Network, ip_address, ip_interface, ip_network

import pytest

from hands import run
from node_state import NODE_STATE
from octet.blueprint import (
    Address,
    Blueprint,
    Bridge,
    Change,
    FdbEntry,
    KernelObject,
    Link,
    Neighbour,
    Route,
    Vxlan,
)
from octet.kernel.host import HostKernel
from octet.kernel.reconcile import compare, make_gone, make_so, prune
from refusals import REFUSALS, STANDING

pytestmark = pytest.mark.kernel

BRIDGE = Link("br0", Bridge(), "bridge", mtu=1400)
NETWORK = Address("br0", ip_interface("10.1.0.1/24"))


@pytest.fixture
def kernel(node_ns: int) -> Iterator[HostKernel]:
    """An empty node, emptied again."""
    with HostKernel(node_ns) as kernel:
        yield kernel
        kernel.apply(Change(remove=tuple(NODE_STATE)))
        prune(kernel, Blueprint())
        kernel.reap()


def peers(count: int) -> list[KernelObject]:
    """Return what a VXLAN network of many nodes needs: three entries for each peer."""
    items: list[KernelObject] = []
    for number in range(count):
        network = IPv4Network((0x0A800000 + number * 256, 24))
        mac = f"0a:58:{number >> 24:02x}:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
        gateway = network.network_address
        items.append(Neighbour("vx0", gateway, mac))
        items.append(FdbEntry("vx0", mac, ip_address(0xC6120000 + number)))
        items.append(Route(network, "vx0", gateway, onlink=True))
    return items


OVERLAY = Link("vx0", Vxlan(1, 8472, ip_address("10.1.0.1")), "overlay", mtu=1350)


def test_a_device_made_anew_gets_back_what_was_on_it(kernel: HostKernel, node_ns: int) -> None:
    """A port that can't be changed in place costs the device, and nothing that was on it."""
    assert prune(kernel, NODE_STATE).ok
    (overlay,) = (link for link in NODE_STATE.of(Link) if link.name == "vx0")
    moved = replace(overlay, detail=replace(overlay.detail, port=4789))
    wanted = Blueprint([moved, *(item for item in NODE_STATE if item != overlay)])
    assert prune(kernel, wanted).ok
    assert not compare(kernel, wanted, pruning=True)
    assert "dstport 4789" in run(node_ns, "ip -d link show vx0")
    assert "10.2.0.0/24" in run(node_ns, "ip route show dev vx0")


def test_an_underlay_address_changes_in_place(kernel: HostKernel, node_ns: int) -> None:
    """Another local address of the same family keeps the device and its entries."""
    wanted = Blueprint([OVERLAY, *peers(3)])
    assert prune(kernel, wanted).ok
    before = json.loads(run(node_ns, "ip -j link show vx0"))[0]["ifindex"]
    moved = replace(OVERLAY, detail=replace(OVERLAY.detail, local=ip_address("10.1.0.2")))
    assert kernel.apply(Change(alter=((OVERLAY, moved),))).ok
    shown = json.loads(run(node_ns, "ip -d -j link show vx0"))[0]
    assert (shown["ifindex"], shown["linkinfo"]["info_data"]["local"]) == (before, "10.1.0.2")
    assert len(run(node_ns, "bridge fdb show dev vx0").splitlines()) == 3


def test_thousands_of_objects_arrive_in_one_change(kernel: HostKernel, node_ns: int) -> None:
    """A change larger than a socket's buffers is split, and every object of it is there."""
    wanted = Blueprint([OVERLAY, *peers(3000)])
    assert len(prune(kernel, wanted).done) == 9001
    assert len(run(node_ns, "ip route show dev vx0").splitlines()) == 3000
    assert len(run(node_ns, "bridge fdb show dev vx0").splitlines()) == 3000
    assert not compare(kernel, wanted, pruning=True)
    assert make_gone(kernel, wanted).ok
    assert run(node_ns, "ip route show") == ""


def test_each_refused_object_is_told_with_the_kernels_reason(kernel: HostKernel) -> None:
    """Of many objects the refused ones fail, each with errno and words; the rest is in force."""
    good = [Route(ip_network(f"10.5.{n}.0/24"), "br0", ip_address("10.1.0.9")) for n in range(200)]
    bad = [Route(ip_network(f"10.6.{n}.0/24"), "br0", ip_address("172.16.0.9")) for n in range(200)]
    mixed = [route for pair in zip(good, bad, strict=True) for route in pair]
    outcome = kernel.apply(Change(add=(BRIDGE, NETWORK, *mixed)))
    assert {failure.item for failure in outcome.failed} == set(bad)
    assert {failure.errno for failure in outcome.failed} == {101}
    assert {failure.reason for failure in outcome.failed} == {"Nexthop has invalid gateway"}
    assert set(kernel.read(Blueprint()).of(Route)) == set(good)


def test_objects_on_a_refused_link_are_refused_with_it(kernel: HostKernel, node_ns: int) -> None:
    """Nothing is put on a foreign link that has the name of one of ours."""
    run(node_ns, "ip link add br0 type bridge")
    outcome = kernel.apply(Change(add=(BRIDGE, NETWORK)))
    assert [failure.errno for failure in outcome.failed] == [17, 19]
    assert "10.1.0.1" not in run(node_ns, "ip address")
    run(node_ns, "ip link del br0")


def test_what_does_not_stay_is_a_failure(kernel: HostKernel, node_ns: int) -> None:
    """A value that the kernel takes and does not keep is reported, as is one that it refuses."""
    run(node_ns, "ip link add lower0 type bridge")
    run(node_ns, "ip link set lower0 mtu 1500 up")
    tunnel = Link("vx0", Vxlan(1, 8472, ip_address("10.1.0.1"), lower="lower0"), "overlay", mtu=1480)
    outcome = make_so(kernel, Blueprint([tunnel]))
    assert [failure.item for failure in outcome.failed] == [tunnel]
    kernel.apply(Change(remove=(tunnel,)))
    run(node_ns, "ip link del lower0")


def test_make_so_leaves_the_rest_alone(kernel: HostKernel) -> None:
    """What is ours and not mentioned stays; pruning with the same set removes it."""
    assert prune(kernel, NODE_STATE).ok
    assert make_so(kernel, Blueprint([BRIDGE])).ok
    assert len(kernel.read(NODE_STATE)) == len(NODE_STATE)
    assert prune(kernel, Blueprint([BRIDGE])).ok
    assert [link.name for link in kernel.read(Blueprint([BRIDGE])).of(Link)] == ["br0"]


def test_what_is_true_is_not_touched(kernel: HostKernel) -> None:
    """Reconciling a node that is as wanted changes nothing."""
    assert prune(kernel, NODE_STATE).ok
    again = prune(kernel, NODE_STATE)
    assert (again.done, again.failed) == ((), ())


def test_foreign_state_survives_everything(kernel: HostKernel, node_ns: int) -> None:
    """Links, routes, rules, neighbours and tables of others are the same before and after."""
    hands = (
        "ip link add other0 type bridge",
        "ip link set other0 up",
        "ip address add 10.9.0.1/24 dev other0",
        "ip route add 10.10.0.0/16 via 10.9.0.2",
        "ip rule add priority 100 from 10.9.0.0/24 lookup 77",
        "ip neigh add 10.9.0.3 lladdr 02:00:00:00:00:01 dev other0 nud permanent",
        "nft add table ip other",
    )
    for hand in hands:
        run(node_ns, hand)
    views = (
        "ip -4 address show other0",
        "ip route show proto boot",
        "ip rule",
        "ip neigh",
        "nft list tables",
    )
    before = [run(node_ns, view) for view in views]
    assert prune(kernel, NODE_STATE).ok
    assert prune(kernel, Blueprint()).ok
    assert [run(node_ns, view) for view in views] == before
    run(node_ns, "ip link del other0")
    run(node_ns, "ip rule del priority 100 from 10.9.0.0/24 lookup 77")
    run(node_ns, "nft delete table ip other")


def test_a_rule_equal_to_a_foreign_one_is_removed_alone(kernel: HostKernel, node_ns: int) -> None:
    """Of two rules that differ in who made them, removing ours leaves the other."""
    (ours,) = (item for item in NODE_STATE if str(item).startswith("rule 100"))
    run(node_ns, "ip rule add priority 100 fwmark 1/3 lookup 1000 proto static")
    kernel.apply(Change(add=(ours,)))
    kernel.apply(Change(remove=(ours,)))
    assert run(node_ns, "ip rule show priority 100").split()[-2:] == ["proto", "static"]
    run(node_ns, "ip rule del priority 100")


def test_a_learned_neighbour_gives_way(kernel: HostKernel, node_ns: int) -> None:
    """An entry that the kernel found out itself is replaced by the permanent one that is wanted."""
    kernel.apply(Change(add=(BRIDGE, NETWORK)))
    run(node_ns, "ip neigh add 10.1.0.9 lladdr 02:00:00:00:00:09 dev br0 nud stale")
    wanted = Neighbour("br0", ip_address("10.1.0.9"), "02:00:00:00:00:01")
    assert kernel.apply(Change(add=(wanted,))).ok
    assert "02:00:00:00:00:01 PERMANENT" in run(node_ns, "ip neigh show dev br0")


def test_an_address_moves_within_its_network(kernel: HostKernel) -> None:
    """A bridge's address changes to another of the same network, though the kernel drops both at first."""
    assert prune(kernel, Blueprint([BRIDGE, NETWORK])).ok
    moved = Blueprint([BRIDGE, Address("br0", ip_interface("10.1.0.2/24"))])
    assert prune(kernel, moved).ok
    assert kernel.read(moved) == moved


@pytest.mark.parametrize("what", REFUSALS)
def test_refusals_are_the_kernels(what: str, kernel: HostKernel) -> None:
    """A mistake has the errno that the fake says it has."""
    assert kernel.apply(Change(add=STANDING)).ok
    item, number = REFUSALS[what]
    assert [failure.errno for failure in kernel.apply(Change(add=(item,))).failed] == [number]
