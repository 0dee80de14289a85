"""Our node and routers that we did not write: what is told, what is believed, passwords, BFD, ECMP."""

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path

import pytest

from octet.blueprint import Secret
from octet.transport.bgp import (
    Action,
    Bfd,
    Filter,
    Left,
    Operator,
    Prepend,
    Rule,
    Speaker,
    Tagged,
    daemon,
    filters,
    session,
)
from speakers import PASSWORD, Lan, Node, Router, external, lan

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

SERVICES = ip_network("10.96.0.0/16")
KEY = Secret("kube-system", "bgp", "password")

ROUTER = """
router id 10.0.0.{number};
protocol device {{ }}
protocol bfd {{ interface "*" {{ min rx interval 100 ms; min tx interval 100 ms; }}; }}
protocol static {{ ipv4; {routes} }}
protocol static {{ ipv6; {routes6} }}
protocol bgp node1 {{
  local 10.0.0.{number} as 6500{number};
  neighbor 10.0.0.1 as 64512;
  connect delay time 1; connect retry time 1; error wait time 1, 2;
  {options}
  ipv4 {{ import all; export all; }};
  ipv6 {{ import all; export all; next hop address fd00::{number}; }};
}}
"""


def config(number: int, routes: str = "", routes6: str = "", options: str = "") -> str:
    """Return a router's configuration, by hand; it announces routes, each ended by a semicolon."""
    return ROUTER.format(number=number, routes=routes, routes6=routes6, options=options)


@pytest.fixture
def switch(tmp_path: Path) -> Iterator[Lan]:
    with lan(tmp_path) as made:
        yield made


@pytest.fixture
def node(switch: Lan) -> Node:
    return switch.node(1)


def speaker(node: Node) -> Speaker:
    """Return a speaker with a service network, a borrowed address and a tag."""
    made = node.speaker(services=(SERVICES,), refused=(SERVICES,))
    tag = Tagged(ip_network("10.244.0.0/16"), ((64512, 100), (64512, 1, 2)))
    return replace(made, owned=(*made.owned, ip_network("10.244.77.5/32")), tagged=(tag,))


def test_a_router_is_told_what_the_node_has_and_nothing_else(switch: Lan, node: Node) -> None:
    """Blocks, borrowed addresses, services: tagged, lengthened, from us; not what others told us."""
    one = switch.router(8, config(8))
    switch.router(9, config(9, routes="route 198.51.100.0/24 unreachable;"))
    told = speaker(node)
    peers = [external(8, prepend=Prepend(64512, 2), communities=((64512, 7),)), external(9)]
    outcome = node.hold(daemon(told), *(session(told, each) for each in peers))
    assert outcome.ok, outcome.failed
    switch.watch(lambda: "198.51.100.0/24" in node.routes() and len(one.knows()) == 3 and bool(one.knows(6)))
    known = one.knows()
    assert set(known) == {"10.244.1.0/24", "10.244.77.5/32", "10.96.0.0/16"}
    block = known["10.244.1.0/24"]
    assert "BGP.as_path: 64512 64512 64512\n" in block
    assert "BGP.next_hop: 10.0.0.1\n" in block
    assert "BGP.community: (64512,7) (64512,100)\n" in block
    assert "BGP.large_community: (64512, 1, 2)\n" in block
    assert "(64512,100)" not in known["10.96.0.0/16"]
    assert set(one.knows(6)) == {"fd01:1::/64"}
    assert "BGP.next_hop: fd00::1" in one.knows(6)["fd01:1::/64"]


BAD = ("0.0.0.0/0", "10.96.0.10/32", "10.96.0.0/16", "127.0.0.0/8", "169.254.7.0/24")


def test_default_routes_and_our_own_services_are_not_believed(switch: Lan, node: Node) -> None:
    """Whatever a router says about these, the kernel hears nothing of it; the rest is installed."""
    routes = " ".join(f"route {each} unreachable;" for each in (*BAD, "198.51.100.0/24", "10.97.0.0/16"))
    switch.router(8, config(8, routes=routes, routes6="route ::/0 unreachable; route fd77::/48 unreachable;"))
    told = speaker(node)
    assert node.hold(daemon(told), session(told, external(8))).ok
    switch.watch(lambda: "fd77::/48" in node.routes(6))
    switch.watch(lambda: {"198.51.100.0/24", "10.97.0.0/16"} <= set(node.routes().split()))
    assert {line.split()[0] for line in node.routes().splitlines()} == {"198.51.100.0/24", "10.97.0.0/16"}
    assert {line.split()[0] for line in node.routes(6).splitlines()} == {"fd77::/48"}
    channel = node.sessions()["router8"].channels[0]
    assert channel.imported == 2
    assert channel.rejected >= len(BAD) - 1, "BIRD itself does not take what is on loopback"


def test_a_wrong_password_keeps_the_session_down_and_the_right_one_brings_it_up(
    switch: Lan, node: Node
) -> None:
    """A router with another password is never heard; once ours is the same, the session comes up."""
    router = switch.router(8, config(8, options='password "something else";'))
    told = speaker(node)
    assert node.hold(daemon(told), session(told, external(8, password=KEY))).ok
    with pytest.raises(AssertionError, match="in vain"):
        switch.watch(lambda: node.sessions()["router8"].up, seconds=4)
    router.stop()
    router.start(config(8, options=f'password "{PASSWORD}";'))
    switch.watch(lambda: node.sessions()["router8"].up)


def test_an_unknown_secret_leaves_out_its_session_only(switch: Lan, node: Node) -> None:
    """A session whose password is not known is not made without one; the others are."""
    switch.router(9, config(9))
    told = speaker(node)
    closed = external(8, password=Secret("kube-system", "bgp", "absent"))
    outcome = node.hold(daemon(told), session(told, closed), session(told, external(9)))
    assert [each.item.key for each in outcome.failed] == [("config", "bgp", "peer.router8.conf")]
    assert "secret kube-system/bgp[absent] is not known" in outcome.failed[0].reason
    switch.watch(lambda: node.sessions()["router9"].up)
    assert set(node.sessions()) == {"router9"}


def test_filters_decide_about_routes_in_both_directions(switch: Lan, node: Node) -> None:
    """Prefix lengths, communities and AS paths select routes; accepted ones may be changed on the way."""
    routes = "route 198.51.100.0/24 unreachable; route 198.51.100.64/26 unreachable; "
    routes += "route 203.0.113.0/24 unreachable { bgp_community.add((65008, 13)); };"
    router = switch.router(8, config(8, routes=routes))
    held = Filter(
        "racks",
        import_v4=(
            Rule(Action.REJECT, ip_network("198.51.100.0/24"), Operator.IN, (25, 32)),
            Rule(Action.REJECT, communities=((65008, 13),), path_prefix=(65008,), learned=True),
        ),
        export_v4=(
            Rule(
                Action.ACCEPT,
                ip_network("10.244.0.0/16"),
                add_communities=((64512, 9),),
                prepend=(64777,),
                of_own_as=False,
            ),
            Rule(Action.REJECT),
        ),
    )
    told = node.speaker(services=(SERVICES,))
    peer = external(8, imports=("racks",), exports=("racks",))
    outcome = node.hold(daemon(told), filters([held]), session(told, peer))
    assert outcome.ok, outcome.failed
    switch.watch(lambda: "198.51.100.0/24" in node.routes() and bool(router.knows()))
    assert {line.split()[0] for line in node.routes().splitlines()} == {"198.51.100.0/24"}
    assert set(router.knows()) == {"10.244.1.0/24"}
    assert "BGP.as_path: 64512 64777\n" in router.knows()["10.244.1.0/24"]
    assert "(64512,9)" in router.knows()["10.244.1.0/24"]


def test_a_filter_that_is_not_there_leaves_out_its_session_only(switch: Lan, node: Node) -> None:
    """A session that names an unknown filter is refused by BIRD itself, by name; the others go on."""
    switch.router(9, config(9))
    told = speaker(node)
    lost = external(8, imports=("nowhere",))
    outcome = node.hold(daemon(told), session(told, lost), session(told, external(9)))
    assert len(outcome.failed) == 1
    assert "peer.router8.conf" in outcome.failed[0].reason
    switch.watch(lambda: node.sessions()["router9"].up)


def test_two_routers_are_two_next_hops_in_the_kernel(switch: Lan, node: Node) -> None:
    """One prefix from two routers of one AS is one route with two next hops; it stays when one is gone."""
    routers = [
        switch.router(
            n, config(n, routes="route 198.51.100.0/24 unreachable;").replace(f"as 6500{n}", "as 65000")
        )
        for n in (8, 9)
    ]
    told = speaker(node)
    peers = [replace(external(number), asn=65000) for number in (8, 9)]
    assert node.hold(daemon(told), *(session(told, each) for each in peers)).ok
    switch.watch(lambda: node.routes().count("nexthop") == 2)
    routers[1].stop()
    switch.watch(lambda: "via 10.0.0.8" in node.routes() and "nexthop" not in node.routes())


def test_bfd_notices_a_dead_router_long_before_the_hold_timer(switch: Lan, node: Node) -> None:
    """A router whose cable is cut is given up within a second; without BFD it would take 90."""
    options = "bfd on; direct;"
    switch.router(8, config(8, routes="route 198.51.100.0/24 unreachable;", options=options))
    told = speaker(node)
    peer = external(8, bfd=Bfd(100, 100, 3))
    assert node.hold(daemon(told), session(told, peer)).ok
    switch.watch(lambda: "198.51.100.0/24" in node.routes() and _bfd_up(node))
    node_of_switch = Router(0, switch.switch, switch.root)
    node_of_switch.run("ip link set p8 nomaster")
    assert switch.watch(lambda: "198.51.100.0/24" not in node.routes(), seconds=10) < 2
    assert "BFD" in node.sessions()["router8"].error


def _bfd_up(node: Node) -> bool:
    return " Up " in node.daemons.ask("bgp", "show bfd sessions").text


def test_ttl_security_takes_neighbours_only(switch: Lan, node: Node) -> None:
    """With TTL security on both ends the session comes up; a router that does not do it is not heard."""
    switch.router(8, config(8, options="ttl security on; direct;"))
    switch.router(9, config(9))
    told = speaker(node)
    peers = [external(number, ttl_security=True) for number in (8, 9)]
    assert node.hold(daemon(told), *(session(told, each) for each in peers)).ok
    switch.watch(lambda: node.sessions()["router8"].up)
    assert not node.sessions()["router9"].up


def test_sessions_change_live_and_alone(switch: Lan, node: Node) -> None:
    """Another community for one router reaches it in the same session, and the other hears nothing of it."""
    routers = [switch.router(number, config(number)) for number in (8, 9)]
    told = speaker(node)
    assert node.hold(daemon(told), *(session(told, external(number)) for number in (8, 9))).ok
    switch.watch(lambda: all(router.knows() for router in routers))
    since = {name: each.since for name, each in node.sessions().items()}
    changed = external(8, communities=((64512, 55),))
    outcome = node.hold(daemon(told), session(told, changed), session(told, external(9)))
    assert [each.key for each in outcome.done] == [("config", "bgp", "peer.router8.conf")]
    switch.watch(lambda: "(64512,55)" in routers[0].knows()["10.244.1.0/24"])
    assert {name: each.since for name, each in node.sessions().items()} == since
    assert "(64512,55)" not in routers[1].knows()["10.244.1.0/24"]


def test_a_session_in_another_as_of_ours(switch: Lan, node: Node) -> None:
    """A node may claim another AS number towards one router (localASNumber)."""
    text = config(8).replace("as 64512", "as 64999")
    router = switch.router(8, text)
    told = speaker(node)
    assert node.hold(daemon(told), session(told, external(8, local_asn=64999))).ok
    switch.watch(lambda: bool(router.knows()))
    assert "BGP.as_path: 64999\n" in router.knows()["10.244.1.0/24"]
    assert node.sessions()["router8"].local_asn == 64999
    assert node.sessions()["router8"].address == str(IPv4Address("10.0.0.8"))


def test_what_is_left_to_a_tunnel_is_not_installed(switch: Lan, node: Node) -> None:
    """Routes of an encapsulated pool stay out of the kernel, but for next hops on the node's own subnet."""
    far = "route 10.245.1.0/24 unreachable; route 10.246.1.0/24 unreachable; route 10.246.2.0/24 unreachable;"
    router = config(8, routes=far).replace(
        "export all; };",
        "export filter { if net = 10.246.2.0/24 then bgp_next_hop = 10.9.9.9; accept; }; };",
        1,
    )
    switch.router(8, router)
    node.run("ip route add 10.9.9.9/32 via 10.0.0.8")
    left = (Left(ip_network("10.245.0.0/16")), Left(ip_network("10.246.0.0/16"), unless_near=True))
    told = node.speaker(left=left)
    assert node.hold(daemon(told), session(told, external(8, hops=4))).ok
    switch.watch(lambda: node.sessions()["router8"].channels[0].imported == 3)
    switch.watch(lambda: "10.246.1.0/24" in node.routes())
    assert {line.split()[0] for line in node.routes().splitlines()} == {"10.246.1.0/24"}
    node.run("ip route del 10.9.9.9/32 via 10.0.0.8")


def test_a_route_that_somebody_deletes_is_back(switch: Lan, node: Node) -> None:
    """BIRD compares its routes with the kernel's: one that is deleted by hand is there again."""
    switch.router(8, config(8, routes="route 198.51.100.0/24 unreachable;"))
    told = speaker(node)
    assert node.hold(daemon(told), session(told, external(8))).ok
    switch.watch(lambda: "198.51.100.0/24" in node.routes())
    node.run("ip route del 198.51.100.0/24 metric 111")
    switch.watch(lambda: "198.51.100.0/24" in node.routes(), seconds=2 * told.scan_time)


def test_a_router_behind_a_gateway_is_reached(switch: Lan, node: Node) -> None:
    """A peer's own address may be beyond a gateway that we are told of (reachableBy)."""
    router = switch.router(8, config(8))
    router.run("ip addr add 192.0.2.8/32 dev lo")
    told = speaker(node)
    peer = replace(
        external(8),
        address=IPv4Address("192.0.2.8"),
        reached_by=IPv4Address("10.0.0.8"),
        hops=4,
        families=(4,),
    )
    router.stop()
    router.start(
        config(8)
        .replace("local 10.0.0.8 as", "multihop 4; local 192.0.2.8 as")
        .replace("ipv6 { import all; export all; next hop address fd00::8; };", "")
    )
    assert node.hold(daemon(told), session(told, peer)).ok
    switch.watch(lambda: bool(router.knows()))
    assert "192.0.2.8 via 10.0.0.8" in node.routes()


def test_ipv4_goes_through_ipv6_next_hops_where_both_can(switch: Lan, node: Node) -> None:
    """A session over IPv6 alone carries IPv4 routes with IPv6 next hops (RFC 8950)."""
    text = config(8, routes="route 198.51.100.0/24 unreachable;")
    text = text.replace("local 10.0.0.8", "local fd00::8").replace("neighbor 10.0.0.1", "neighbor fd00::1")
    text = text.replace(
        "ipv4 { import all; export all; };", "ipv4 { import all; export all; extended next hop; };"
    )
    switch.router(8, text)
    told = speaker(node)
    peer = replace(external(8, extended_next_hop=True), address=IPv6Address("fd00::8"))
    assert node.hold(daemon(told), session(told, peer)).ok
    switch.watch(lambda: "198.51.100.0/24 via inet6 fd00::8" in node.routes())
