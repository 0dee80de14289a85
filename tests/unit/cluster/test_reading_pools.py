"""Pools, reservations, blocks and claims: read as Calico writes them, refused where it refuses."""

from ipaddress import ip_address, ip_network

import pytest

from octet.cluster.blocks import Affinity, Block, Handle, cidr_name
from octet.cluster.ownership import BlockAffinity, IPAMBlock
from octet.cluster.pools import (
    IPAMConfiguration,
    IPPool,
    IPReservation,
    allocatable,
    pool_of,
    refuse_change,
)
from octet.errors import BadConfigurationError


def pool(name="p", cidr="10.0.0.0/16", created="", status=None, **spec):
    item = {"metadata": {"name": name, "creationTimestamp": created}, "spec": {"cidr": cidr, **spec}}
    return IPPool.from_object({**item, "status": status or {}})


def test_a_pools_defaults():
    """A pool that says its CIDR alone has blocks of 64, for pods and tunnels of everybody, and no tunnel."""
    v4, v6 = pool(), pool(cidr="fd00::/48")
    assert (v4.block_size, v6.block_size) == (26, 122)
    assert (v4.uses, v4.automatic, v4.nodes, v4.namespaces) == (("Workload", "Tunnel"), True, None, None)
    assert (v4.vxlan_mode, v4.ipip_mode, v4.nat_outgoing, v4.disabled) == ("Never", "Never", False, False)
    assert (v4.capacity, pool(cidr="10.0.0.0/26").capacity) == (1024, 1)


@pytest.mark.parametrize(
    ("field", "spec"),
    [
        ("cidr", {"cidr": "10.0.0.1/16"}),
        ("cidr", {"cidr": "10.0.0.0"}),
        ("cidr", {"cidr": "169.254.0.0/16"}),
        ("cidr", {"cidr": "fe80::/64"}),
        ("cidr", {"cidr": "10.0.0.0/27"}),
        ("blockSize", {"blockSize": 19}),
        ("blockSize", {"blockSize": 33}),
        ("blockSize", {"cidr": "fd00::/48", "blockSize": 26}),
        ("vxlanMode", {"vxlanMode": "Sometimes"}),
        ("vxlanMode", {"vxlanMode": "Always", "ipipMode": "CrossSubnet"}),
        ("ipipMode", {"cidr": "fd00::/48", "ipipMode": "Always"}),
        ("nodeSelector", {"nodeSelector": "rack = 1"}),
        ("namespaceSelector", {"namespaceSelector": "has("}),
        ("allowedUses", {"allowedUses": ["Pods"]}),
        ("allowedUses", {"allowedUses": ["LoadBalancer", "Workload"]}),
        ("assignmentMode", {"assignmentMode": "Never"}),
        ("ipip", {"ipip": {"enabled": True}}),
        ("nat-outgoing", {"nat-outgoing": True}),
    ],
)
def test_a_pool_that_calico_would_refuse(field, spec):
    """A pool that Calico's API does not take is refused, naming the field."""
    with pytest.raises(BadConfigurationError, match=rf"spec\.{field}\b"):
        pool(**{"cidr": "10.0.0.0/16", **spec})


def test_a_small_pool_may_be_there_disabled():
    """A disabled pool may be smaller than a block: it says what is inside, and hands out nothing."""
    assert pool(cidr="10.0.0.0/30", disabled=True).disabled


def test_of_pools_that_overlap_the_older_one_counts():
    """Whatever came into the store, no two pools hand out one address."""
    old = pool("z", "10.0.0.0/16", created="2024-01-01T00:00:00Z")
    new = pool("a", "10.0.128.0/17", created="2025-01-01T00:00:00Z")
    refused = pool("b", "10.9.0.0/16", status={"conditions": [{"type": "Allocatable", "status": "False"}]})
    other = pool("c", "10.1.0.0/16")
    assert [each.name for each in allocatable([new, refused, other, old])] == ["c", "z"]
    assert pool_of([old, other], ip_address("10.1.2.3")) is other
    assert pool_of([old, other], ip_address("192.0.2.1")) is None


def test_what_of_a_pool_cannot_change():
    """CIDR and block size stay; a new pool keeps off the others; a pool for load balancers stays one."""
    old = pool(uses=None)
    refuse_change(old, pool(natOutgoing=True), [])
    refuse_change(None, pool("q", "10.1.0.0/16"), [old])
    balancer = pool(allowedUses=["LoadBalancer"])
    for before, after, others in (
        (old, pool(cidr="10.0.0.0/17"), []),
        (old, pool(blockSize=28), []),
        (None, pool("q", "10.0.1.0/24"), [old]),
        (balancer, pool(allowedUses=["Workload"]), []),
    ):
        with pytest.raises(BadConfigurationError, match="IPPool"):
            refuse_change(before, after, others)


def config(name="default", **spec):
    return IPAMConfiguration.from_object({"metadata": {"name": name}, "spec": spec})


def test_the_configuration_and_its_defaults():
    """Without limits a node has 20 blocks at most (as in Calico's code), may borrow, and nothing cools."""
    assert config() == IPAMConfiguration() == IPAMConfiguration("default", False, True, 20, 0)
    strict = config(strictAffinity=True, autoAllocateBlocks=False, maxBlocksPerHost=3, ipCooldownSeconds=60)
    assert strict == IPAMConfiguration("default", True, False, 3, 60)


@pytest.mark.parametrize(
    ("field", "name", "spec"),
    [
        ("autoAllocateBlocks", "default", {"autoAllocateBlocks": False}),
        ("maxBlocksPerHost", "default", {"maxBlocksPerHost": 2}),
        ("ipCooldownSeconds", "default", {"ipCooldownSeconds": 1201}),
        ("name", "mine", {}),
    ],
)
def test_a_configuration_that_would_hand_out_nothing_is_refused(field, name, spec):
    """Settings that contradict each other are refused by name, and so is a second configuration."""
    with pytest.raises(BadConfigurationError, match=field):
        config(name, **spec)


def test_reservations_are_addresses_and_cidrs():
    """A reservation may name single addresses."""
    item = {"metadata": {"name": "r"}, "spec": {"reservedCIDRs": ["10.0.0.1", "10.0.1.0/28"]}}
    assert IPReservation.from_object(item).cidrs == (ip_network("10.0.0.1/32"), ip_network("10.0.1.0/28"))


def block_object(**spec):
    """A block as calico-ipam writes it, with a field that we don't know."""
    return {
        "apiVersion": "crd.projectcalico.org/v1",
        "kind": "IPAMBlock",
        "metadata": {"name": "10-0-0-4-30", "labels": {"x": "y"}, "resourceVersion": "9"},
        "spec": {
            "affinity": "host:node1",
            "affinityClaimTime": "2026-01-01T00:00:00Z",
            "allocations": [0, None, 1, 0],
            "attributes": [
                {"handle_id": "k8s-pod-network.c1", "secondary": {"node": "node1", "pod": "web"}},
                {"handle_id": "vm\r", "secondary": {"node": "node2"}, "alternateOwnerAttrs": {"pod": "b"}},
            ],
            "cidr": "10.0.0.4/30",
            "deleted": False,
            "futureField": {"a": 1},
            "sequenceNumber": 1700000000000000007,
            "sequenceNumberForAllocation": {"0": 5, "2": 6, "3": 5},
            "strictAffinity": False,
            "unallocated": [1],
            **spec,
        },
    }


def test_a_block_goes_back_as_it_came():
    """Reading and writing a block of Calico's changes nothing, not even in what we have no meaning for."""
    item = block_object()
    item["spec"]["attributes"][1]["handle_id"] = "vm"
    assert Block.from_object(item).to_object() == item


def test_a_block_as_values():
    """Addresses have handle, node and sequence; an old migration's carriage return is no part of a handle."""
    block = Block.from_object(block_object())
    assert (block.host, block.name, block.empty) == ("node1", "10-0-0-4-30", False)
    slot = block.at(ip_address("10.0.0.6"))
    assert (slot.handle, slot.node, slot.sequence) == ("vm", "node2", 6)
    assert block.at(ip_address("10.0.0.5")) is None
    seen = IPAMBlock.from_object(block_object())
    assert (seen.host, seen.elsewhere) == ("node1", ((ip_address("10.0.0.6"), "node2"),))
    assert seen.nodes == {"node1", "node2"}


@pytest.mark.parametrize(
    "spec",
    [
        {"allocations": [0, None]},
        {"allocations": [9, None, 1, 0]},
        {"unallocated": [0]},
        {"unallocated": [1, 1]},
        {"unallocated": [4]},
        {"sequenceNumberForAllocation": {"0": "x"}},
        {"cidr": "10.0.0.4/29"},
    ],
)
def test_a_block_that_contradicts_itself_is_refused(spec):
    """From a damaged block nothing is given out."""
    with pytest.raises(BadConfigurationError, match="IPAMBlock 10-0-0-4-30"):
        Block.from_object(block_object(**spec))


def test_an_address_that_a_block_forgot_is_free():
    """What is neither allocated nor listed as free is the last of the free ones."""
    block = Block.from_object(block_object(allocations=[0, None, None, None], unallocated=[2]))
    assert block.free == (2, 1, 3)


def test_claims_have_calicos_shape():
    """A claim's name is node and CIDR, its deleted a text; one that is about to go is told."""
    claim = Affinity("node1", ip_network("fd00::40/122"))
    item = claim.to_object()
    assert item["metadata"]["name"] == "node1-fd00--40-122"
    assert item["spec"] == {
        "cidr": "fd00::40/122",
        "deleted": "false",
        "node": "node1",
        "state": "pending",
        "type": "host",
    }
    assert Affinity.from_object(item).to_object() == item
    item["spec"] |= {"deleted": "true", "state": "confirmed"}
    assert Affinity.from_object(item).deleted
    assert not BlockAffinity.from_object(item).routed


@pytest.mark.parametrize(
    ("state", "kind", "routed"),
    [("pending", "host", False), ("confirmed", "host", True), ("confirmed", "virtual", False)],
)
def test_only_confirmed_claims_are_routed(state, kind, routed):
    """Packets go to a node whose claim is confirmed; load balancers' claims are no node's."""
    spec = {"cidr": "10.0.0.0/26", "node": "n", "state": state, "type": kind}
    assert BlockAffinity.from_object({"metadata": {"name": "x"}, "spec": spec}).routed is routed


def test_long_names_are_shortened():
    """A node's name that leaves no room for the CIDR is cut, with a digest that keeps names apart."""
    names = [Affinity(f"{'n' * 249}{end}", ip_network("10.0.0.0/26")).name for end in "ab"]
    assert len(set(names)) == 2
    assert all(len(name) <= 252 and "-10-0-0-0-26-" in name for name in names)
    assert cidr_name(ip_network("10.0.0.64/26")) == "10-0-0-64-26"


def test_handles_have_calicos_shape():
    """A handle's name is its text in lower case; counts that are no numbers are refused."""
    handle = Handle("k8s-pod-network.ABC", {"10.0.0.0/26": 2})
    item = handle.to_object()
    assert item["metadata"]["name"] == "k8s-pod-network.abc"
    assert Handle.from_object(item).to_object() == item
    item["spec"]["block"] = {"10.0.0.0/26": "two"}
    with pytest.raises(BadConfigurationError, match="block"):
        Handle.from_object(item)
