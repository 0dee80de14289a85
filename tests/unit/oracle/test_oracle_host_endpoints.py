"""Calico's host endpoints: failsafe ports, stages, forwarded traffic, as their documentation has them."""

from ipaddress import ip_address

import pytest

import policy_world
from octet.oracle import Flow, World, decide
from policy_cases import policy

XA, XB = (ip_address(policy_world.ADDRESSES[name]) for name in ("x/a", "x/b"))  # on node-1, on node-2
NODE_1, NODE_2 = (ip_address(address) for address in policy_world.NODES.values())
WORLD = ip_address("203.0.113.7")
ON_NODES = "has(host)"


def endpoint(**spec):
    base = {"node": "node-1", "interfaceName": "*", "expectedIPs": [str(NODE_1)], **spec}
    return {"kind": "HostEndpoint", "name": "node-1", "labels": {"host": "yes"}, "spec": base}


def rules(name="g", **spec):
    return {
        "kind": "GlobalNetworkPolicy",
        "name": name,
        "spec": {"selector": ON_NODES, "types": ["Ingress", "Egress"], **spec},
    }


def allowed(stated, *flow, **more):
    made = [policy(each, "CalicoNetworkPolicy") for each in stated]
    return decide(World([*policy_world.objects().values(), *made]), Flow(*flow, **more)).allowed


def test_a_host_endpoint_closes_its_node():
    """Without policy and profile nothing gets in or out but by failsafe ports; other nodes are as before."""
    closed = [endpoint()]
    assert allowed(closed, WORLD, NODE_1, "TCP", 80) is False
    assert allowed(closed, NODE_1, WORLD, "TCP", 80) is False
    assert allowed(closed, WORLD, NODE_2, "TCP", 80) is True
    assert allowed([], WORLD, NODE_1, "TCP", 80) is True


@pytest.mark.parametrize("port", [("TCP", 22), ("TCP", 6443), ("TCP", 179), ("UDP", 68)])
def test_failsafe_ports_stay_open(port):
    """No policy of any stage closes the ports by which a node is reached and managed."""
    denied = [
        endpoint(),
        rules(ingress=[{"action": "Deny"}]),
        rules("u", doNotTrack=True, applyOnForward=True, ingress=[{"action": "Deny"}]),
    ]
    assert allowed(denied, WORLD, NODE_1, *port) is True


def test_failsafe_ports_of_one_direction_are_not_the_others():
    """SSH is for coming in, DNS for going out."""
    closed = [endpoint()]
    assert allowed(closed, NODE_1, WORLD, "TCP", 22) is False
    assert allowed(closed, NODE_1, WORLD, "UDP", 53) is True
    assert allowed(closed, WORLD, NODE_1, "UDP", 53) is False


def test_policy_and_profile_open_a_node():
    """A rule opens what it says; the profile that allows everything counts where no policy applies."""
    assert (
        allowed(
            [
                endpoint(),
                rules(ingress=[{"action": "Allow", "protocol": "TCP", "destination": {"ports": [80]}}]),
            ],
            WORLD,
            NODE_1,
            "TCP",
            80,
        )
        is True
    )
    profile = endpoint(profiles=["projectcalico-default-allow"])
    assert allowed([profile], WORLD, NODE_1, "TCP", 80) is True
    assert allowed([profile, rules(ingress=[])], WORLD, NODE_1, "TCP", 80) is False


def test_stages_go_in_their_order():
    """Untracked comes before pre-DNAT before the rest; what an early one accepts is final, its end open."""
    denying = rules("n", ingress=[{"action": "Deny"}])
    early = {"applyOnForward": True, "ingress": [{"action": "Allow", "source": {"nets": [f"{WORLD}/32"]}}]}
    untracked = rules("u", doNotTrack=True, **early)
    before = rules("d", preDNAT=True, types=["Ingress"], **{k: v for k, v in early.items() if k != "types"})
    assert allowed([endpoint(), denying], WORLD, NODE_1, "TCP", 80) is False
    assert allowed([endpoint(), denying, untracked], WORLD, NODE_1, "TCP", 80) is True
    assert allowed([endpoint(), denying, before], WORLD, NODE_1, "TCP", 80) is True
    assert allowed([endpoint(), denying, untracked], ip_address("203.0.113.8"), NODE_1, "TCP", 80) is False


def test_forwarded_traffic_is_free_until_a_policy_says_it_is_for_it():
    """A host endpoint does not stand between pods and the world; a policy with applyOnForward does."""
    plain, forward = (
        rules(ingress=[{"action": "Deny"}]),
        rules(applyOnForward=True, ingress=[{"action": "Allow", "protocol": "TCP"}]),
    )
    assert allowed([endpoint(), plain], WORLD, XA, "UDP", 80) is True
    assert allowed([endpoint(), forward], WORLD, XA, "TCP", 80) is True
    assert allowed([endpoint(), forward], WORLD, XA, "UDP", 80) is False
    assert allowed([endpoint(), forward], WORLD, XB, "UDP", 80) is True


def test_between_a_node_and_its_pods_no_host_endpoint_stands():
    """Pods reach their node and nodes their pods as if there were no host endpoint."""
    closed = [endpoint(), rules()]
    assert allowed(closed, XA, NODE_1, "TCP", 80) is True
    assert allowed(closed, NODE_1, XA, "TCP", 80) is True
    assert allowed(closed, XB, NODE_1, "TCP", 80) is False


def test_an_interface_of_its_own_comes_before_all():
    """The endpoint of the packet's interface decides, else the one of its address, else that of all."""
    own = {**endpoint(interfaceName="eth1", expectedIPs=[]), "name": "own", "labels": {"own": "yes"}}
    opened = rules(selector="has(own)", ingress=[{"action": "Allow"}])
    assert allowed([endpoint(), own, opened], WORLD, NODE_1, "TCP", 80, interface="eth1") is True
    assert allowed([endpoint(), own, opened], WORLD, NODE_1, "TCP", 80, interface="eth0") is False


def test_host_endpoints_are_found_by_selectors():
    """A rule's selector finds a node by the addresses and labels of its host endpoint."""
    peers = {
        "kind": "GlobalNetworkPolicy",
        "name": "p",
        "spec": {
            "selector": "pod == 'b'",
            "types": ["Ingress"],
            "ingress": [{"action": "Allow", "source": {"selector": ON_NODES}}],
        },
    }
    profile = endpoint(profiles=["projectcalico-default-allow"])
    assert allowed([profile, peers], NODE_1, XB, "TCP", 80) is True
    assert allowed([peers], NODE_1, XB, "TCP", 80) is False
