"""The order of a change: what must be there first comes first, and goes last."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface, ip_network
from itertools import permutations

import pytest

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
    Rule,
    Shaper,
    Sysctl,
    Veth,
    Vxlan,
)
from octet.kernel.plan import levels, link_of_sysctl, links_named, ordered, plan
from octet.kernel.port import Outcome

BRIDGE = Link("br0", Bridge(), "bridge")
PORT = Link("pod0", Veth("eth0"), "pod", master="br0")
TUNNEL = Link("vx0", Vxlan(1, 8472, ip_address("10.0.0.1"), lower="br0"), "overlay")
ADDRESS = Address("br0", ip_interface("10.0.0.1/24"))
NEIGHBOUR = Neighbour("vx0", ip_address("10.1.0.0"), "02:00:00:00:00:01")
FDB = FdbEntry("vx0", "02:00:00:00:00:01", ip_address("192.0.2.1"))
DIRECT = Route(ip_network("169.254.1.1/32"), "br0")
BEHIND = Route(ip_network("10.1.0.0/24"), "br0", ip_address("169.254.1.1"))
RULE = Rule(100, 4, 1000)
STRICT = Sysctl("net/ipv4/conf/pod0/rp_filter", "1")
FORWARDING = Sysctl("net/ipv4/ip_forward", "1")
SHAPER = Shaper("pod0", 8000, 8000)


@dataclass(frozen=True)
class Part:
    """A facility that takes some classes and writes down what it is told."""

    name: str
    kinds: tuple[type, ...]
    atomic: bool = False

    def handles(self, item: KernelObject) -> bool:
        """Is it of its classes?"""
        return isinstance(item, self.kinds)

    def read(self, _wanted: Blueprint) -> Iterator[KernelObject]:
        """Return nothing."""
        return iter(())

    def apply(self, change: Change) -> Outcome:
        """Say that all is done."""
        return Outcome((*change.add, *change.remove))

    def close(self) -> None:
        """Nothing is held."""


LINKS = Part("links", (Link, Address, Route))
SETTINGS = Part("settings", (Sysctl,))
SHAPING = Part("shaping", (Shaper,))
TABLE = Part("table", (Rule,), atomic=True)
PARTS = (LINKS, SETTINGS, SHAPING, TABLE)


def told(change: Change) -> list[tuple[str, int, int]]:
    """Return (facility, additions, removals) of each stage."""
    stages = plan(change, PARTS).stages
    return [(stage.facility.name, len(stage.change.add), len(stage.change.remove)) for stage in stages]


def test_objects_are_added_from_the_ground_up() -> None:
    """Links before addresses, those before neighbours, direct routes before routes through gateways."""
    expected = [BRIDGE, ADDRESS, NEIGHBOUR, FDB, DIRECT, BEHIND, RULE]
    assert all(ordered(mixed) == expected for mixed in permutations(expected))


def test_lower_links_and_masters_come_first() -> None:
    """A link waits for the link below it and for its bridge, whatever the order they are given in."""
    for mixed in permutations([PORT, TUNNEL, BRIDGE]):
        first, second = levels(mixed)
        assert first == [BRIDGE]
        assert set(second) == {PORT, TUNNEL}


def test_links_that_need_each_other_in_a_circle_still_have_an_end() -> None:
    """A senseless circle comes out as one last group instead of never."""
    one = Link("vx1", Vxlan(1, 1, ip_address("10.0.0.1"), lower="vx2"), "a")
    two = Link("vx2", Vxlan(2, 2, ip_address("10.0.0.1"), lower="vx1"), "b")
    assert [sorted(link.name for link in level) for level in levels([one, two])] == [["vx1", "vx2"]]


def test_links_outside_the_change_are_not_waited_for() -> None:
    """A bridge that is there already holds nobody up."""
    assert list(levels([PORT, TUNNEL])) == [[PORT, TUNNEL]]


def test_filters_come_before_what_carries_packets() -> None:
    """An atomic facility that adds is first, so that no link carries a packet before its filter."""
    assert told(Change(add=(BRIDGE, RULE)))[0] == ("table", 1, 0)


def test_filters_go_after_what_carried_packets() -> None:
    """An atomic facility that only removes is last."""
    assert told(Change(remove=(RULE, BRIDGE))) == [("links", 0, 1), ("table", 0, 1)]


def test_an_atomic_facility_is_told_once() -> None:
    """Additions and removals of an atomic facility arrive in one call, those of others in two."""
    other = Rule(101, 4, 1000)
    change = Change(add=(RULE, BRIDGE, FORWARDING), remove=(other, PORT))
    assert told(change) == [("table", 1, 1), ("links", 1, 0), ("settings", 1, 0), ("links", 0, 1)]


def test_removals_go_up_the_list() -> None:
    """What was added last is removed first."""
    change = Change(remove=(BRIDGE, FORWARDING, Shaper("other0", 8000, 8000)))
    assert [name for name, _, _ in told(change)] == ["shaping", "settings", "links"]


def test_what_goes_with_its_link_is_not_put_back_first() -> None:
    """Settings and shapers of a link that is removed are left to the link's end: no gap opens before."""
    result = plan(Change(remove=(PORT, STRICT, SHAPER, FORWARDING)), PARTS)
    assert set(result.gone) == {STRICT, SHAPER}
    assert [stage.change.remove for stage in result.stages] == [(FORWARDING,), (PORT,)]


def test_what_nobody_knows_is_named() -> None:
    """An object of a class that no facility takes is not lost silently."""
    assert plan(Change(add=(NEIGHBOUR, BRIDGE)), PARTS).unknown == (NEIGHBOUR,)


@pytest.mark.parametrize(
    ("path", "link"),
    [
        ("net/ipv4/conf/eth0/rp_filter", "eth0"),
        ("net/ipv6/conf/eth0.7/accept_ra", "eth0.7"),
        ("net/ipv6/neigh/br-a/proxy_delay", "br-a"),
        ("net/ipv4/conf/all/rp_filter", None),
        ("net/ipv4/conf/default/rp_filter", None),
        ("net/ipv4/ip_forward", None),
        ("net/bridge/bridge-nf-call-iptables", None),
        ("net/ipv4/conf/alligator/rp_filter", "alligator"),
    ],
)
def test_a_setting_knows_its_link(path: str, link: str | None) -> None:
    """A path below conf or neigh belongs to the link it names; ``all`` and ``default`` are no links."""
    assert link_of_sysctl(Sysctl(path, "1")) == link


def test_objects_name_the_links_they_need() -> None:
    """A change can be looked up in one question: every link whose number its messages need."""
    assert links_named(TUNNEL) == {"vx0", "br0"}
    assert links_named(PORT) == {"pod0", "br0"}
    assert links_named(ADDRESS) == {"br0"}
    assert links_named(RULE) == set()
    assert links_named(Route(ip_network("10.0.0.0/8"))) == set()
