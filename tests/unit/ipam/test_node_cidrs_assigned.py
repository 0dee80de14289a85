"""Node CIDRs are assigned as kube-controller-manager does it."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet.cluster.objects import Node
from octet.errors import BadConfigurationError, ExhaustedError
from octet.ipam.assign import Assigner, NodeCounts


def assigner(*cluster, reserved=(), **options):
    cidrs = [ip_network(each) for each in cluster]
    return Assigner(cidrs, reserved=[ip_network(each) for each in reserved], **options)


def node(name, *cidrs):
    return Node(name, pod_cidrs=tuple(ip_network(each) for each in cidrs))


def assigned(made, name):
    return [str(each) for each in made.assign(name)]


def test_nodes_get_the_default_sizes_in_order():
    """Each node gets a /24 and a /64 by default, one after the other, in the order of the cluster CIDRs."""
    made = assigner("10.244.0.0/16", "fd00:244::/48")
    assert assigned(made, "node1") == ["10.244.0.0/24", "fd00:244::/64"]
    assert assigned(made, "node2") == ["10.244.1.0/24", "fd00:244:0:1::/64"]


def test_a_node_keeps_its_cidrs():
    """Asking again for a node returns what it has."""
    made = assigner("10.244.0.0/16")
    assert made.assign("node1") == made.assign("node1")
    assert made.counts()[ip_network("10.244.0.0/16")] == NodeCounts(total=256, used=1, reserved=0)


def test_sizes_can_be_chosen():
    """The masks of both families can be chosen."""
    made = assigner("10.244.0.0/16", "fd00::/56", v4_mask=26, v6_mask=72)
    assert [assigned(made, name) for name in ("a", "b")][1] == ["10.244.0.64/26", "fd00::100:0:0:0/72"]


@pytest.mark.parametrize(
    ("cluster", "mask"), [("10.0.0.0/24", 23), ("10.0.0.0/8", 25), ("10.0.0.0/30", 33), ("fd00::/40", 24)]
)
def test_sizes_have_bounds(cluster, mask):
    """A node CIDR is not larger than the cluster's, and at most 16 bits longer, as in nodeipam."""
    with pytest.raises(BadConfigurationError, match="mask"):
        assigner(cluster, v4_mask=mask)


@pytest.mark.parametrize("cluster", [[], ["10.0.0.0/16", "10.1.0.0/16"]])
def test_one_cluster_cidr_per_family(cluster):
    """No cluster CIDR, or two of a family, are refused."""
    with pytest.raises(BadConfigurationError, match="pod_cidrs"):
        assigner(*cluster)


def test_existing_assignments_stand():
    """CIDRs that nodes have are neither changed nor given to others."""
    made = assigner("10.244.0.0/22", nodes=[node("old", "10.244.0.0/24"), node("new")])
    assert (assigned(made, "old"), assigned(made, "new")) == (["10.244.0.0/24"], ["10.244.1.0/24"])


def test_existing_assignments_of_any_size_stand():
    """A node's CIDR of another size blocks all that it touches, a foreign one nothing."""
    nodes = [node("large", "10.244.0.0/23"), node("small", "10.244.2.128/26"), node("else", "192.168.0.0/24")]
    made = assigner("10.244.0.0/22", nodes=nodes)
    assert (assigned(made, "new"), assigned(made, "else")) == (["10.244.3.0/24"], ["192.168.0.0/24"])


def test_a_cidr_that_surrounds_the_cluster_blocks_all():
    """A node that was given more than the whole cluster CIDR leaves nothing."""
    made = assigner("10.244.0.0/22", nodes=[node("huge", "10.0.0.0/8")])
    with pytest.raises(ExhaustedError):
        made.assign("new")


def test_service_addresses_are_left_out():
    """Node CIDRs that share addresses with a service CIDR are not assigned."""
    made = assigner("10.244.0.0/22", reserved=["10.244.0.0/25", "fd00::/108"])
    assert assigned(made, "node1") == ["10.244.1.0/24"]


def test_exhaustion_says_how_many():
    """When a cluster CIDR is used up the error has it and the counts, and nothing of the other is taken."""
    made = assigner("10.244.0.0/23", "fd00::/48", reserved=["10.244.0.0/24"])
    made.assign("node1")
    with pytest.raises(ExhaustedError, match=r"10\.244\.0\.0/23: 2 in total: 1 used, 1 reserved, 0 free"):
        made.assign("node2")
    assert made.counts()[ip_network("fd00::/48")].used == 1


def test_a_nodes_cidr_comes_back_when_it_goes():
    """A removed node's CIDR is assigned again, after all others."""
    made = assigner("10.244.0.0/22")
    for number in range(3):
        made.assign(f"node{number}")
    assert made.release("node1") == (ip_network("10.244.1.0/24"),)
    assert [assigned(made, name) for name in ("a", "b")] == [["10.244.3.0/24"], ["10.244.1.0/24"]]
    assert made.release("node1") == ()


def test_a_shared_cidr_is_free_only_when_both_nodes_are_gone():
    """Where two nodes have one CIDR by mistake, it is not assigned while one of them has it."""
    made = assigner("10.244.0.0/24", nodes=[node("a", "10.244.0.0/24"), node("b", "10.244.0.0/24")])
    made.release("a")
    with pytest.raises(ExhaustedError):
        made.assign("c")
    made.release("b")
    assert assigned(made, "c") == ["10.244.0.0/24"]


def test_a_node_made_anew_brings_its_cidr():
    """A node that turns up with another CIDR than it had is believed, and the old one is free."""
    made = assigner("10.244.0.0/23", nodes=[node("a", "10.244.0.0/24")])
    made.know(node("a", "10.244.1.0/24"))
    assert assigned(made, "b") == ["10.244.0.0/24"]
    made.know(node("a"))
    assert assigned(made, "a") == ["10.244.1.0/24"]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), max_size=60))
@settings(deadline=None)
def test_no_two_nodes_share_addresses(steps):
    """Whatever nodes come and go, no two living ones have a common address, and none is lost."""
    made, living = assigner("10.244.0.0/20", "fd00::/60"), {}
    for comes, number in steps:
        if comes and (len(living) < 16 or number in living):
            living[number] = made.assign(str(number))
        elif not comes:
            assert made.release(str(number)) == living.pop(number, ())
    cidrs = [cidr for each in living.values() for cidr in each]
    assert len(set(cidrs)) == len(cidrs)
    assert all(each.used == len(living) for each in made.counts().values())
    assert all(ip_address("10.244.0.0") <= each[0].network_address for each in living.values())
