"""flannel with DirectRouting where a router stands between some nodes: routes within, VXLAN beyond."""

from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import ip_address, ip_network
from itertools import permutations

import pytest
from msgspec import structs

from crossing import PINGS, UNDERLAY, Site
from octet.cluster.indexes import Nodes
from octet.cluster.objects import Node
from octet.cluster.view import Underlay, View
from octet.models import example, find

pytestmark = pytest.mark.kernel

RUNNING = find("flannel:direct").parse({}, source="test")
TUNNEL = {4: "flannel.1", 6: "flannel-v6.1"}


def view(me: int, families: tuple[int, ...], nodes: tuple[Node, ...]) -> View:
    v4, v6 = UNDERLAY[me]
    underlay = Underlay("eth0", 1500, v4 if 4 in families else None, v6 if 6 in families else None)
    cluster = tuple(ip_network(example.CLUSTER[family]) for family in families)
    return View(f"node{me}", underlay, Nodes.of(nodes), pod_cidrs=cluster)


def nodes(families: tuple[int, ...]) -> tuple[Node, ...]:
    """The three nodes, as each other's agents have annotated them."""
    cidrs = {4: "10.244.{0}.0/24", 6: "fd00:10:244:{0}::/64"}
    silent = tuple(
        Node(
            name=f"node{number}",
            pod_cidrs=tuple(ip_network(cidrs[family].format(number)) for family in families),
            internal_ips=tuple(ip_address(each.ip) for each in UNDERLAY[number] if each.version in families),
        )
        for number in UNDERLAY
    )
    return tuple(
        structs.replace(node, annotations=dict(RUNNING.annotations(view(number, families, silent))))
        for number, node in enumerate(silent, start=1)
    )


@pytest.fixture(params=example.FAMILIES)
def site(request: pytest.FixtureRequest) -> Iterator[tuple[Site, tuple[int, ...]]]:
    with ExitStack() as ends:
        families = example.FAMILIES[request.param]
        known = nodes(families)
        yield Site(ends, RUNNING, lambda me: view(me, families, known)).build(), families


def test_within_a_subnet_direct_and_beyond_it_vxlan(site: tuple[Site, tuple[int, ...]]) -> None:
    """Every pod reaches every other; only what crosses the router is tunnelled, and all of that."""
    made, families = site
    for one, other in permutations(UNDERLAY, 2):
        for family in families:
            mtu = made.endpoints[one].mtu
            before = made.sent(one, TUNNEL[family])
            assert made.ping(one, other, family, mtu), (one, other, family)
            sent = made.sent(one, TUNNEL[family]) - before
            assert sent == (PINGS if 3 in {one, other} else 0), (one, other, family)


def test_the_mtu_is_that_of_the_longest_way(site: tuple[Site, tuple[int, ...]]) -> None:
    """A pod's MTU leaves room for VXLAN, as some peers are beyond the router; one byte more is refused."""
    made, families = site
    overhead = max({4: 50, 6: 70}[family] for family in families)
    assert {endpoint.mtu for endpoint in made.endpoints.values()} == {1500 - overhead}
    for family in families:
        assert not made.ping(1, 3, family, 1500 - overhead + 1, count=1)


def test_the_router_knows_no_pod(site: tuple[Site, tuple[int, ...]]) -> None:
    """What passes the router is VXLAN between nodes: no packet of a pod itself is forwarded there."""
    made, families = site
    pods = {4: "ip saddr 10.244.0.0/16", 6: "ip6 saddr fd00:10:244::/48"}
    for family in families:
        counts = made.passing(pods[family], "udp dport 8472")
        assert made.ping(1, 3, family, 100)
        assert counts() == [0, 2 * PINGS]
