"""Faults as a value: what each change adds and takes away, and the table it renders to."""

import pytest

from octet.errors import BadConfigurationError
from octet.lab.faults import PROTOCOLS, TABLE, Drop, Faults

HEAD = f"add table bridge {TABLE}\ndelete table bridge {TABLE}\n"


def rules(faults: Faults) -> list[str]:
    """The rules of the table, without the text around them."""
    lines = faults.render().removeprefix(HEAD).splitlines()
    return [line.strip() for line in lines if line.startswith("\t\t") and "hook" not in line]


def test_nothing_broken_leaves_no_table() -> None:
    """Without faults the text only removes what was there."""
    assert Faults().render() == HEAD
    assert Faults().cut("node1").render() == HEAD


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
    assert rules(Faults().drop(Drop(node="a", peer="b", protocol="udp", port=8472))) == [
        'iifname "a" oifname "b" udp dport 8472 drop',
        'iifname "a" oifname "b" udp sport 8472 drop',
        'iifname "b" oifname "a" udp dport 8472 drop',
        'iifname "b" oifname "a" udp sport 8472 drop',
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
