"""The fabric as data, and the commands that build it."""

import pytest

from octet.blueprint import Address, Bridge, Link, Route, Rule, Veth
from octet.errors import BadConfigurationError
from octet.lab import fabrics, wiring
from octet.lab.fabric import UPLINK, End, Fabric
from octet.lab.names import OUTSIDE, SWITCH, Plan

NODES = ("node1", "node2", "node3")


def l2(family: str = "dual") -> Fabric:
    return fabrics.build("l2", NODES, Plan.of(family))


def test_every_node_and_the_outside_hang_on_one_switch() -> None:
    """One bridge, one port per host, each joined to that host's uplink by a wire."""
    made = l2()
    assert [link.name for link in made.spaces[SWITCH].of(Link) if isinstance(link.detail, Bridge)] == [SWITCH]
    assert {(wire.near, wire.far) for wire in made.wires} == {
        (End(SWITCH, host), End(host, UPLINK)) for host in (*NODES, OUTSIDE)
    }


def test_a_wires_two_ends_know_each_other() -> None:
    """Both ends of each wire are links whose peers are each other."""
    made = l2()
    for wire in made.wires:
        near, far = (made.spaces[end.space].get(("link", end.link)) for end in (wire.near, wire.far))
        assert isinstance(near, Link)
        assert isinstance(far, Link)
        assert (near.detail, far.detail) == (Veth(wire.far.link), Veth(wire.near.link))


def test_only_nodes_have_ports_to_break() -> None:
    """The switch port of a node is known by its name; the host outside can't be cut."""
    assert l2().ports == {node: End(SWITCH, node) for node in NODES}


@pytest.mark.parametrize(("family", "count"), [("v4", 1), ("v6", 1), ("dual", 2)])
def test_a_node_has_an_address_and_a_default_route_of_each_family(family: str, count: int) -> None:
    """Each family gives one address and one default route, and no family gives another's."""
    node = l2(family).spaces["node1"]
    assert len(node.of(Address)) == count
    assert [str(route.destination) for route in node.of(Route)] == {
        "v4": ["0.0.0.0/0"],
        "v6": ["::/0"],
        "dual": ["0.0.0.0/0", "::/0"],
    }[family]


def test_the_outside_knows_no_way_to_pods() -> None:
    """The host outside has no route but its connected ones: a pod's own address gets no answer from it."""
    assert l2().spaces[OUTSIDE].of(Route) == []


def test_a_nodes_commands_are_what_an_operator_would_type() -> None:
    """Addresses come before the routes that need them, and IPv6 is usable at once."""
    assert wiring.render(l2().spaces["node2"]) == [
        "link set lo up",
        "link set eth0 up",
        "address add 172.31.0.2/16 dev eth0",
        "address add fd00:172:31::2/64 dev eth0 nodad",
        "route add 0.0.0.0/0 via 172.31.255.254 dev eth0",
        "route add ::/0 via fd00:172:31::fffe dev eth0",
    ]


def test_the_switchs_commands_make_bridge_then_ports() -> None:
    """The bridge is there before a port becomes its member; no part of the switch gives itself addresses."""
    lines = wiring.render(l2().spaces[SWITCH])
    assert lines[1] == "link add switch type bridge mcast_snooping 0"
    assert lines.index("link set node1 master switch") > 1
    for link in (SWITCH, *NODES, OUTSIDE):
        assert f"link set {link} addrgenmode none" in lines


def test_wires_are_made_from_their_near_end() -> None:
    """One command makes both ends, each in its own namespace."""
    assert next(iter(wiring.render_wires(l2().wires))) == (
        SWITCH,
        "link add node1 type veth peer name eth0 netns node1",
    )


def test_what_no_fabric_holds_is_a_fault_of_ours() -> None:
    """An object that the builder doesn't know is refused, never left out."""
    with pytest.raises(ValueError, match=r"not in tuple|cannot hold"):
        wiring.render([Rule(100, 4, 200)])


def test_an_unknown_fabric_is_refused_with_those_there_are() -> None:
    """The error of a wrong fabric names the right ones."""
    with pytest.raises(BadConfigurationError, match="one of l2"):
        fabrics.build("l3", NODES, Plan.of("v4"))
