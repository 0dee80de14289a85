"""What contradicts itself is refused at the door, by field; addresses become ranges where they may."""

from collections.abc import Callable
from ipaddress import IPv4Address, ip_address, ip_network

import pytest

from octet.errors import BadConfigurationError
from octet.transport.bgp import (
    Action,
    Bfd,
    Filter,
    Operator,
    Prepend,
    Rule,
    Session,
    Speaker,
    Tagged,
    Timers,
    aggregated,
)

HERE = IPv4Address("10.0.0.1")


def peer(**fields: object) -> Session:
    return Session(**{"name": "tor1", "address": HERE, "asn": 65000, **fields})


def rules(*held: Rule) -> Filter:
    return Filter("racks", import_v4=held)


NET = ip_network("10.0.0.0/8")

WRONG: dict[str, Callable[[], object]] = {
    "speaker: asn = 0": lambda: Speaker(HERE, 0),
    "speaker: router_id = '0.0.0.0'": lambda: Speaker(IPv4Address(0), 64512),
    "speaker: restart_time = 4096": lambda: Speaker(HERE, 64512, restart_time=4096),
    "speaker: ecmp = 0": lambda: Speaker(HERE, 64512, ecmp=0),
    "speaker: tagged = '65536:1'": lambda: Speaker(HERE, 64512, tagged=(Tagged(NET, ((65536, 1),)),)),
    "peer tor1: asn = 4294967296": lambda: peer(asn=2**32),
    "peer tor1: port = 0": lambda: peer(port=0),
    "peer tor1: hops = 256": lambda: peer(hops=256),
    "peer tor1: families = ''": lambda: peer(families=()),
    "peer tor1: families = '4,4'": lambda: peer(families=(4, 4)),
    "peer tor1: communities = '1:2:3:4'": lambda: peer(communities=((1, 2, 3, 4),)),
    "peer tor1: timers.hold = 2": lambda: peer(timers=Timers(hold=2)),
    "peer tor1: prepend.times = 26": lambda: peer(prepend=Prepend(64512, 26)),
    "peer tor1: bfd.multiplier = 0": lambda: peer(bfd=Bfd(multiplier=0)),
    "peer tor1: address = 'fe80::1'": lambda: peer(address=ip_address("fe80::1"), families=(6,)),
    "peer tor1: source = 'fd00::1'": lambda: peer(source=ip_address("fd00::1")),
    "peer tor1: reached_by = 'fd00::1'": lambda: peer(reached_by=ip_address("fd00::1")),
    "filter racks: importV4[0].cidr": lambda: rules(Rule(Action.ACCEPT, ip_network("fd00::/8"))),
    "filter racks: importV4[1].prefixLength": lambda: rules(
        Rule(Action.ACCEPT), Rule(Action.ACCEPT, NET, Operator.EQUAL, (8, 9))
    ),
    "no prefix has that length": lambda: rules(Rule(Action.ACCEPT, NET, Operator.IN, (30, 20))),
    "needs a cidr": lambda: rules(Rule(Action.ACCEPT, lengths=(8, 9))),
    "filter racks: importV4[0].asPath = 0": lambda: rules(Rule(Action.ACCEPT, path_prefix=(0,))),
}


@pytest.mark.parametrize("said", WRONG)
def test_nonsense_is_refused_by_field(said: str) -> None:
    """The error names what it is about, the field and its value, before anything is rendered."""
    with pytest.raises(BadConfigurationError) as error:
        WRONG[said]()
    assert said in str(error.value)


def test_addresses_that_every_node_announces_become_ranges() -> None:
    """Within an allowed range there is one prefix for all; beyond it, and for Local traffic, single ones."""
    everywhere = [ip_address("10.96.0.1"), ip_address("10.96.7.7"), ip_address("192.0.2.1")]
    local = [ip_address("10.96.0.9"), ip_address("fd00::9")]
    found = aggregated(everywhere, local, [ip_network("10.96.0.0/16"), ip_network("172.16.0.0/12")])
    assert [str(each) for each in found] == ["10.96.0.0/16", "10.96.0.9/32", "192.0.2.1/32", "fd00::9/128"]


def test_without_ranges_there_are_single_addresses() -> None:
    """Where no range may be announced, every address is announced by itself."""
    assert aggregated([ip_address("10.96.0.1")], [], []) == (ip_network("10.96.0.1/32"),)
