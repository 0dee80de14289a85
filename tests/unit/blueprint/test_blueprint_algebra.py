from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octet.blueprint import (
    Address,
    Blueprint,
    Bridge,
    BridgePort,
    Change,
    Ifb,
    Link,
    Neighbour,
    Route,
    RouteKind,
    Scope,
    Sysctl,
    Veth,
    Vxlan,
)
from octet.blueprint.base import KernelObject, union

SYSCTLS = st.builds(Sysctl, st.sampled_from([f"net/ipv4/{name}" for name in "abcdef"]), st.sampled_from("01"))
BLUEPRINTS = st.dictionaries(SYSCTLS.map(lambda s: s.key), SYSCTLS).map(
    lambda held: Blueprint({item.key: item for item in held.values()}.values())
)


def apply(change: Change, old: Blueprint) -> Blueprint:
    gone = {item.key for item in change.remove} | {before.key for before, _ in change.alter}
    kept: list[KernelObject] = [item for item in old if item.key not in gone]
    return Blueprint([*kept, *change.add, *(after for _, after in change.alter)])


@given(BLUEPRINTS, BLUEPRINTS)
def test_change_leads_from_old_to_new(old: Blueprint, new: Blueprint) -> None:
    """Applying the change between two blueprints to the old one gives the new one."""
    assert apply(new.change_from(old), old) == new


@given(BLUEPRINTS)
def test_no_change_from_itself(blueprint: Blueprint) -> None:
    """A blueprint needs no change to become itself."""
    assert not blueprint.change_from(blueprint)


@given(BLUEPRINTS, BLUEPRINTS)
def test_difference_and_union_are_by_key(left: Blueprint, right: Blueprint) -> None:
    """What is left after a difference shares no key, so its union with the other never conflicts."""
    assert len((left - right) | right) == len({item.key for item in left} | {item.key for item in right})


def test_equal_objects_are_one() -> None:
    """Two features that want the same setting share it."""
    forward = Sysctl("net/ipv4/ip_forward", "1")
    assert len(union([Blueprint([forward]), Blueprint([Sysctl("net/ipv4/ip_forward", "1")])])) == 1


def test_different_objects_under_one_key_are_refused() -> None:
    """Two features that want different values of one setting are a mistake, named with both values."""
    with pytest.raises(ValueError, match=r"ip_forward = 0 and sysctl net/ipv4/ip_forward = 1"):
        Blueprint([Sysctl("net/ipv4/ip_forward", "0"), Sysctl("net/ipv4/ip_forward", "1")])


def test_of_keeps_insertion_order() -> None:
    """Objects of one class come back in the order in which they were put in."""
    one, two = Sysctl("net/b", "1"), Sysctl("net/a", "1")
    assert Blueprint([one, two]).of(Sysctl) == [one, two]


def test_prints_in_the_operators_words() -> None:
    """A printed blueprint reads like the output of ip(8), one object a line, sorted."""
    blueprint = Blueprint(
        [
            Route(IPv4Network("10.1.1.0/24"), "flannel.1", IPv4Address("10.1.1.0"), onlink=True),
            Address("cni0", IPv4Interface("10.1.0.1/24")),
            Neighbour("flannel.1", IPv4Address("10.1.1.0"), "02:00:00:00:00:01"),
        ]
    )
    assert str(blueprint).splitlines() == [
        "address 10.1.0.1/24 dev cni0",
        "neighbour 10.1.1.0 lladdr 02:00:00:00:00:01 dev flannel.1",
        "route 10.1.1.0/24 via 10.1.1.0 dev flannel.1 onlink",
    ]


def test_a_change_prints_as_a_diff() -> None:
    """A printed change shows what comes, what alters and what goes."""
    a0, a1, b, c = (
        Sysctl(*pair) for pair in (("net/a", "0"), ("net/a", "1"), ("net/b", "1"), ("net/c", "1"))
    )
    change = Blueprint([a1, b]).change_from(Blueprint([a0, c]))
    assert str(change).splitlines() == [
        "+ sysctl net/b = 1",
        "~ sysctl net/a = 0 -> sysctl net/a = 1",
        "- sysctl net/c = 1",
    ]


MAC = "02:00:00:00:00:02"
LINK = Link(
    "veth0", Veth("eth0", "02:00:00:00:00:01"), "pod a", 1450, "02:00:00:00:00:02", "cni0", BridgePort()
)
TUNNEL = Link("flannel.1", Vxlan(1, 8472, IPv4Address("172.31.0.1"), "uplink"), "vxlan", 1450)
ROUTE = Route(IPv4Network("10.1.1.0/24"), "eth0", IPv4Address("10.1.1.1"))
ADDRESS = Address("cni0", IPv4Interface("10.1.0.1/24"))


@pytest.mark.parametrize(
    ("item", "attribute", "values"),
    [
        (LINK, "mtu", (None, 1400)),
        (LINK, "mac", (None, "02:00:00:00:00:03")),
        (LINK, "master", (None, "cni1")),
        (LINK, "port", (None, BridgePort(hairpin=True), BridgePort(isolated=True), BridgePort(True, True))),
        (LINK, "up", (False,)),
        (LINK, "ipv6_autoconf", (False,)),
        (LINK, "purpose", ("pod b",)),
        (LINK, "detail", (Veth("eth0"), Veth("eth1"), Bridge(), Bridge(False), Ifb())),
        (TUNNEL, "detail", (replace(TUNNEL.detail, lower=None), replace(TUNNEL.detail, learning=True))),
        (ROUTE, "onlink", (True,)),
        (ROUTE, "scope", (Scope.LINK, Scope.HOST)),
        (ROUTE, "source", (IPv4Address("10.1.1.2"),)),
        (ROUTE, "mtu", (1400,)),
        (ROUTE, "metric", (7,)),
        (ROUTE, "kind", (RouteKind.THROW,)),
        (ADDRESS, "scope", (Scope.LINK,)),
        (ADDRESS, "prefix_route", (False,)),
    ],
    ids=str,
)
def test_what_differs_can_be_read(
    item: Link | Route | Address, attribute: str, values: tuple[Any, ...]
) -> None:
    """Two versions of one object never print the same, so a difference always says what it is."""
    texts = [str(item), *(str(replace(item, **{attribute: value})) for value in values)]
    assert len(set(texts)) == len(values) + 1, texts


@pytest.mark.parametrize("path", ["kernel/core_pattern", "net/../kernel/core_pattern", "/etc/passwd"])
def test_sysctls_stay_below_net(path: str) -> None:
    """No blueprint can name a file outside of /proc/sys/net."""
    with pytest.raises(ValueError, match="not below net/"):
        Sysctl(path, "1")
