"""Faults as a value: what each change adds and takes away, and the rules and links it comes to."""

import pytest

from octet.errors import BadConfigurationError, NotFoundError
from octet.lab import fabrics
from octet.lab.breaking import TABLE, down, tables
from octet.lab.fabric import End, Fabric
from octet.lab.faults import PROTOCOLS, Drop, Faults
from octet.lab.names import SWITCH, Plan, node_names

HEAD = "".join(f"add table {each} {TABLE}\ndelete table {each} {TABLE}\n" for each in ("bridge", "inet"))
ONE_SWITCH = fabrics.build("l2", node_names(3), Plan.of("v4"))
RACKS = fabrics.build("routed", node_names(4), Plan.of("v4"))


def lines(faults: Faults, fabric: Fabric, space: str) -> list[str]:
    """The chains and rules of one namespace, without the text around them."""
    text = tables(faults, fabric)[space].splitlines()
    return [
        line.strip() for line in text if line.startswith("\t") and line.strip() != "}" and "hook" not in line
    ]


def rules(faults: Faults) -> list[str]:
    """The rules of the one switch."""
    return [line for line in lines(faults, ONE_SWITCH, SWITCH) if not line.startswith("chain")]


def test_nothing_broken_leaves_no_table() -> None:
    """Without faults the text only removes what was there."""
    assert tables(Faults(), ONE_SWITCH) == {SWITCH: HEAD}
    assert tables(Faults().cut("node1"), ONE_SWITCH) == {SWITCH: HEAD}


def test_a_cut_node_is_unplugged_at_the_switch() -> None:
    """The switch's port goes down; the node's own link is left as it is."""
    assert down(Faults().cut("node1"), ONE_SWITCH) == {End(SWITCH, "node1")}
    assert down(Faults().cut("node1"), RACKS) == {End("tor1", "node1")}


def test_a_cut_between_two_drops_both_ways_and_nothing_else() -> None:
    """Two nodes cut from each other still reach all others."""
    assert rules(Faults().cut("node2", "node1")) == [
        'iifname "node1" oifname "node2" drop',
        'iifname "node2" oifname "node1" drop',
    ]


def test_a_pair_has_no_order() -> None:
    """Cut one way and healed the other is whole."""
    assert Faults().cut("a", "b").heal("b", "a") == Faults()


def test_a_node_cannot_be_cut_from_itself() -> None:
    """A pair of one node is refused."""
    with pytest.raises(BadConfigurationError, match="itself"):
        Faults().cut("node1", "node1")


def test_a_node_loses_nothing_on_the_way_to_itself() -> None:
    """A loss between a node and itself would match no packet: it is refused, not accepted in vain."""
    with pytest.raises(BadConfigurationError, match="the node itself"):
        Drop(node="node1", peer="node1")


def test_healing_a_node_leaves_what_others_have() -> None:
    """Only what touches the node is mended."""
    others = Faults().cut("b").cut("b", "c").drop(Drop(5, "c"))
    broken = others.cut("a").cut("a", "b").drop(Drop(10, "a")).drop(Drop(10, "b", "a"))
    assert broken.heal("a") == others


def test_healing_everything_is_whole() -> None:
    """Without a name all is mended."""
    assert Faults().cut("a").cut("a", "b").drop(Drop()).heal() == Faults()


def test_a_part_of_packets_is_drawn_for_each() -> None:
    """A percentage becomes a draw in hundredths of a per cent."""
    assert rules(Faults().drop(Drop(0.5))) == ["numgen random mod 10000 < 50 drop"]


def test_a_port_is_either_end_and_a_pair_either_way() -> None:
    """Traffic and its answers are lost alike."""
    assert rules(Faults().drop(Drop(node="node1", peer="node2", protocol="udp", port=8472))) == [
        'iifname "node1" oifname "node2" udp dport 8472 drop',
        'iifname "node1" oifname "node2" udp sport 8472 drop',
        'iifname "node2" oifname "node1" udp dport 8472 drop',
        'iifname "node2" oifname "node1" udp sport 8472 drop',
    ]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_protocols_are_matched_by_number(protocol: str) -> None:
    """No protocol's name needs /etc/protocols to be understood."""
    assert rules(Faults().drop(Drop(protocol=protocol))) == [f"meta l4proto {PROTOCOLS[protocol]} drop"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"percent": 0}, "percent"),
        ({"percent": 101}, "percent"),
        ({"protocol": "quic"}, "protocol"),
        ({"protocol": "icmp", "port": 1}, "port"),
        ({"protocol": "udp", "port": 70000}, "port"),
        ({"port": 80}, "port"),
        ({"peer": "b"}, "peer"),
    ],
)
def test_a_loss_that_makes_no_sense_is_refused(wrong: dict[str, object], field: str) -> None:
    """The error names the field."""
    with pytest.raises(BadConfigurationError) as caught:
        Drop(**wrong)
    assert caught.value.field == field


def test_what_is_broken_at_a_node_reads_as_sentences() -> None:
    """An operator reads every fault of a node, and none of another."""
    faults = Faults().cut("a").cut("b", "c").drop(Drop(1, "b", "", "tcp", 80)).drop(Drop(2))
    assert faults.at("a") == ("cut off", "drop 2 % of packets at every node")
    assert faults.at("b") == (
        "cut from c",
        "drop 1 % of tcp port 80 packets at b",
        "drop 2 % of packets at every node",
    )


def test_a_cut_router_loses_every_cable() -> None:
    """All wires of a router lose one end each, so that both of their ends lose their carrier."""
    cut = down(Faults().cut("tor1"), RACKS)
    assert cut == {
        End("tor1", "node1"),
        End("tor1", "node2"),
        End("spine1", "tor1-up1"),
        End("spine2", "tor1-up2"),
    }


@pytest.mark.parametrize("faults", [Faults().cut("spine1", "tor1"), Faults().cut("tor1/up1")])
def test_one_link_between_routers_is_cut_by_its_ends_or_its_name(faults: Faults) -> None:
    """The cable between two routers is pulled, and there is no rule: both see it at once."""
    assert down(faults, RACKS) == {End("spine1", "tor1-up1")}
    assert not any(lines(faults, RACKS, space) for space in RACKS.spaces if space not in RACKS.ports)


def test_a_loss_between_routers_is_where_the_spine_receives_and_sends() -> None:
    """Both directions of the wire are lost before anything else sees the packet, in the inet family."""
    faults = Faults().drop(Drop(node="tor1", peer="spine2"))
    assert lines(faults, RACKS, "spine2") == [
        "chain prerouting {",
        'iifname "tor1-up2" drop',
        "chain postrouting {",
        'oifname "tor1-up2" drop',
    ]
    assert lines(faults, RACKS, "tor1") == []


def test_a_loss_at_a_node_of_a_rack_holds_for_its_router_too() -> None:
    """What the rack's bridge passes on, takes for the router and gets from it is lost alike."""
    faults = Faults().drop(Drop(node="node1"))
    ends = ['iifname "node1" drop', 'oifname "node1" drop']
    assert lines(faults, RACKS, "tor1") == [
        "chain forward {", *ends, "chain input {", *ends, "chain output {", *ends,
    ]  # fmt: skip


def test_two_nodes_of_a_rack_are_cut_in_its_switch_and_no_others() -> None:
    """A pair is a wire or two ports of one switch; nodes of two racks have nothing between them alone."""
    assert lines(Faults().cut("node1", "node2"), RACKS, "tor1")[1:] == [
        'iifname "node1" oifname "node2" drop',
        'iifname "node2" oifname "node1" drop',
    ]
    RACKS.check_pair("node1", "node2")
    RACKS.check_pair("tor1", "spine2")
    RACKS.check_pair("node1", "tor1")
    with pytest.raises(NotFoundError, match="node1 is joined to tor1"):
        RACKS.check_pair("node1", "node3")


def test_a_loss_at_every_node_is_at_every_racks_switch() -> None:
    """Without a name, all that nodes send or receive is lost where their racks' bridges see it."""
    made = tables(Faults().drop(Drop(1)), RACKS)
    assert {space for space, text in made.items() if "drop\n" in text} == {"tor1", "tor2"}
    assert made["tor1"].count("numgen random mod 10000 < 100 drop") == 3


def test_a_healed_router_has_its_links_back() -> None:
    """What is broken at one of a router's links is broken at the router, and mended with it."""
    faults = Faults().cut("tor1/up1")
    assert faults.at("tor1") == ("tor1/up1 cut off",)
    assert faults.heal("tor1") == Faults()
    assert faults.heal("tor11") == faults
