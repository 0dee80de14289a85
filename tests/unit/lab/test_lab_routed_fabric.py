"""Racks, spines and the outside as data: who is where, with which address, and who tells whom."""

from collections import Counter
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet.blueprint import Address, Link, Route
from octet.errors import BadConfigurationError
from octet.lab import fabrics
from octet.lab.by_hand import static_routes
from octet.lab.fabric import Fabric
from octet.lab.names import OUTSIDE, Plan, node_names
from octet.lab.racks import NODE_AS, Shape

SHAPES = st.builds(
    lambda racks, spines, more: Shape(racks, spines, min(spines + more, 4)),
    st.integers(1, 16),
    st.integers(1, 4),
    st.integers(0, 3),
)


def routed(nodes: int = 4, family: str = "dual", shape: Shape | None = None) -> Fabric:
    return fabrics.build("routed", node_names(nodes), Plan.of(family), shape)


def addresses(fabric: Fabric, space: str) -> set[str]:
    return {str(each.interface) for each in fabric.spaces[space].of(Address)}


def test_four_nodes_fill_two_racks_in_order() -> None:
    """The first half of the nodes is below the first router, with its addresses in that rack's subnet."""
    made = routed()
    assert {node: port.space for node, port in made.ports.items()} == {
        "node1": "tor1", "node2": "tor1", "node3": "tor2", "node4": "tor2",
    }  # fmt: skip
    assert addresses(made, "node3") == {"172.31.2.3/24", "fd00:172:31:2::3/64"}
    assert [str(route.via) for route in made.spaces["node3"].of(Route)] == [
        "172.31.2.254", "fd00:172:31:2::fe",
    ]  # fmt: skip


def test_a_rack_routers_addresses_are_those_of_the_docstring() -> None:
    """A tor is the gateway of its rack and has the odd address of each of its links."""
    assert addresses(routed(), "tor2") == {
        "172.31.2.254/24", "fd00:172:31:2::fe/64",
        "172.30.2.3/31", "fd00:172:30:2::3/127",
        "172.30.2.5/31", "fd00:172:30:2::5/127",
    }  # fmt: skip
    assert addresses(routed(), OUTSIDE) == {
        "172.30.200.3/31", "fd00:172:30:200::3/127",
        "172.30.200.5/31", "fd00:172:30:200::5/127",
        "198.51.100.1/32", "2001:db8:ffff::1/128",
    }  # fmt: skip


def test_as_numbers_are_a_racks_own_and_the_spines_common_one() -> None:
    """Every session between routers is external, and no router has the number that nodes use."""
    routers = routed(shape=Shape(racks=3)).routers
    assert {name: router.asn for name, router in routers.items()} == {
        "tor1": 65001, "tor2": 65002, "tor3": 65003, "spine1": 65100, "spine2": 65100, OUTSIDE: 65200,
    }  # fmt: skip
    assert NODE_AS not in {router.asn for router in routers.values()}


@given(SHAPES, st.integers(1, 40), st.sampled_from(["v4", "v6", "dual"]))
@settings(max_examples=12, deadline=None)
def test_every_session_has_two_sides_that_agree(shape: Shape, nodes: int, family: str) -> None:
    """Whatever the shape: what a router calls its neighbour, that one calls itself, over their wire."""
    made = routed(nodes, family, shape)
    sides = {
        (each.local, each.address): (router, each)
        for router in made.routers.values()
        for each in router.neighbours
    }
    for (local, address), (router, neighbour) in sides.items():
        other, back = sides[address, local]
        assert (neighbour.asn, back.asn) == (other.asn, router.asn)
        assert any(wire.joins(router.name, other.name) for wire in made.wires)
        assert (router.name, neighbour.link) != (other.name, back.link)


@given(SHAPES, st.integers(1, 40))
@settings(max_examples=12, deadline=None)
def test_no_address_or_router_id_is_given_twice(shape: Shape, nodes: int) -> None:
    """All addresses of a fabric differ, and every wire's ends are links of their namespaces."""
    made = routed(nodes, "dual", shape)
    held = [each.interface.ip for each in (a for s in made.spaces.values() for a in s.of(Address))]
    assert max(Counter(held).values()) == 1
    assert len({router.id for router in made.routers.values()}) == len(made.routers)
    for wire in made.wires:
        for end in (wire.near, wire.far):
            assert isinstance(made.spaces[end.space].get(("link", end.link)), Link)
            assert len(end.link) <= 15


def test_one_family_has_nothing_of_the_other() -> None:
    """A fabric of IPv6 has no IPv4 address, session or subnet; router ids are numbers all the same."""
    made = routed(family="v6")
    held = [each.interface.version for s in made.spaces.values() for each in s.of(Address)]
    assert set(held) == {6}
    assert {each.local.version for r in made.routers.values() for each in r.neighbours} == {6}


def test_racks_take_their_software_in_turn() -> None:
    """The first rack runs the first that was named, and so on, from the first again."""
    routers = routed(shape=Shape(racks=3, routers=("frr", "gobgp"))).routers
    assert [routers[name].software for name in ("tor1", "tor2", "tor3", "spine1")] == [
        "frr", "gobgp", "frr", "bird",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"racks": 0}, "racks"),
        ({"spines": 5}, "spines"),
        ({"spines": 3, "uplinks": 2}, "uplinks"),
        ({"routers": ("bird", "ios")}, "routers"),
        ({"routers": ()}, "routers"),
    ],
)
def test_a_shape_that_cannot_be_is_refused_by_field(wrong: dict[str, Any], field: str) -> None:
    """The error names the field."""
    with pytest.raises(BadConfigurationError) as caught:
        Shape(**wrong)
    assert caught.value.field == field


def test_one_switch_has_no_shape() -> None:
    """Racks that are asked of the fabric without any are refused with the fabric that has them."""
    with pytest.raises(BadConfigurationError, match="--fabric routed"):
        fabrics.build("l2", node_names(2), Plan.of("v4"), Shape())


def test_what_can_be_broken_are_nodes_routers_and_links_between_routers() -> None:
    """A link has a name at each of its ends; a node's cable is the node."""
    there = routed(2, shape=Shape(racks=1, spines=1, uplinks=1)).breakable()
    assert there == (
        "node1", "node2", "tor1", "spine1", OUTSIDE,
        "spine1/tor1-up1", "tor1/up1", "outside/eth0", "spine1/outside",
    )  # fmt: skip


def test_routes_by_hand_are_a_peers_on_the_own_network_and_a_nodes_on_its_router() -> None:
    """A node sends to peers of its rack itself; its router has routes to it, which BGP carries on."""
    cidrs = {f"node{n}": [ip_network(f"10.244.{n - 1}.0/24")] for n in range(1, 5)}
    routes = static_routes(routed(family="v4"), cidrs)
    assert routes["node1"] == [(cidrs["node2"][0], ip_address("172.31.1.2"))]
    assert routes["tor2"] == [
        (cidrs["node3"][0], ip_address("172.31.2.3")),
        (cidrs["node4"][0], ip_address("172.31.2.4")),
    ]
    assert "spine1" not in routes


def test_routes_by_hand_on_one_switch_lead_to_every_other_node_in_its_own_family() -> None:
    """A node's table has each peer's CIDRs by that peer's address of the family, and none of its own."""
    cidrs = {
        "node1": [ip_network("10.244.0.0/24")],
        "node2": [ip_network("10.244.1.0/24"), ip_network("fd00::/64")],
    }
    routes = static_routes(fabrics.build("l2", node_names(2), Plan.of("dual")), cidrs)
    assert routes == {
        "node1": [
            (cidrs["node2"][0], ip_address("172.31.0.2")),
            (cidrs["node2"][1], ip_address("fd00:172:31::2")),
        ],
        "node2": [(cidrs["node1"][0], ip_address("172.31.0.1"))],
    }
