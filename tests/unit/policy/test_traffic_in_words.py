"""Which ports are worth asking about, and what they are called."""

from ipaddress import ip_network

import pytest

from octet.lab.reading import completed, view_of
from octet.policy.telling.ends import parts
from octet.policy.telling.traffic import Traffic, read, single_ports, summary, worth_asking
from policy_manifests import pod, policy

TCP, UDP = 6, 17


def asked(*ports: dict[str, object]) -> tuple[Traffic, ...]:
    """What is worth asking with one policy of these ports."""
    (objects,) = completed([pod("a"), policy("p", ingress=[{"ports": list(ports)}])])
    return worth_asking([view_of(objects)])


def test_every_named_port_is_asked_of_every_protocol() -> None:
    """A policy of one protocol must not open another's port, so all are asked."""
    found = asked({"port": 80})
    assert {each.protocol for each in found if each.port == 80} == {6, 17, 132}
    assert {str(each) for each in found if each.rest} == {"other TCP", "other UDP", "other SCTP"}


def test_overlapping_ranges_become_pieces_that_rules_treat_alike() -> None:
    """No piece has a border of a stated range inside."""
    found = [
        each.ports
        for each in asked({"port": 10, "endPort": 20}, {"port": 15, "endPort": 30})
        if each.protocol == TCP
    ]
    assert found[:-1] == ["10-14", "15-20", "21-30"]


def test_the_port_that_stands_for_all_others_is_in_no_range() -> None:
    """It is moved out of the way of whatever ranges there are; where all are named there is none."""
    (rest,) = (
        each for each in asked({"port": 30000, "endPort": 65535}) if each.rest and each.protocol == UDP
    )
    assert rest.port < 30000
    assert not any(each.rest for each in asked({"port": 1, "endPort": 65535}))


def test_a_range_is_verified_at_its_ends_and_beyond() -> None:
    """With real packets both ends are asked, and their neighbours outside of it."""
    found = {each.port for each in single_ports(asked({"port": 100, "endPort": 200})) if each.protocol == TCP}
    assert {99, 100, 200, 201} <= found


@pytest.mark.parametrize(
    ("text", "traffic"),
    [
        ("80", Traffic(6, 80, 80)),
        ("53/udp", Traffic(17, 53, 53)),
        ("9/SCTP", Traffic(132, 9, 9)),
        ("icmp", Traffic(1)),
        ("ICMPv6", Traffic(58)),
    ],
)
def test_ports_are_read_as_people_write_them(text: str, traffic: Traffic) -> None:
    """A number is TCP's, a protocol may be in any case."""
    assert read(text) == traffic


def test_a_summary_is_as_short_as_it_can_be() -> None:
    """All is everything, all of a protocol its name, all but some says which."""
    everything = asked({"port": 80}, {"port": 443})
    tcp = [each for each in everything if each.protocol == TCP]
    assert summary(everything, everything) == "everything"
    assert summary(tcp, everything) == "TCP"
    assert summary(tcp[:1], everything) == "80/TCP"
    assert summary(tcp[1:], everything) == "TCP but 80"


def test_a_network_full_of_pods_has_no_outside() -> None:
    """Addresses of pods stand for pods, not for the network around them."""
    (objects,) = completed([pod("a", address="192.0.2.0"), pod("b", address="192.0.2.1")])
    view = view_of(objects)
    assert list(parts([view], [ip_network("192.0.2.0/31")], [], "192.0.2.0/31")) == []
