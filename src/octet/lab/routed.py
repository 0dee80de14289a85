"""The fabric ``routed`` as values: what every namespace holds, the wires, and what each router is.

What lives here: building a Fabric from a Shape. What it must not know: how names and addresses are computed
(``racks``), how a router's software is told (``routers``).
"""

from collections.abc import Iterator

from octet.blueprint import Address, Blueprint, Bridge, KernelObject, Link, Sysctl, Veth
from octet.lab import racks
from octet.lab.fabric import UPLINK, End, Fabric, Wire, host
from octet.lab.names import OUTSIDE, Interface, Network, Plan
from octet.lab.racks import BRIDGE, Shape, spine, tor
from octet.lab.routers import Neighbour, Router

_FORWARDS = {
    "net/ipv4/conf/all/forwarding": "1",
    "net/ipv6/conf/all/forwarding": "1",
    "net/ipv4/fib_multipath_hash_policy": "1",  # by ports too (ip-sysctl): streams of one pair are shared out
    "net/ipv6/fib_multipath_hash_policy": "1",
    "net/ipv4/conf/all/ignore_routes_with_linkdown": "1",
    "net/ipv6/conf/all/ignore_routes_with_linkdown": "1",
    "net/ipv6/conf/all/keep_addr_on_down": "1",  # a cable that is plugged in again finds all as it was
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv4/conf/all/send_redirects": "0",
    "net/ipv4/conf/default/send_redirects": "0",
}
"""A router's settings (ip-sysctl, kernel documentation)."""

Named = tuple[str, Interface, Interface]


def routed(nodes: tuple[str, ...], plan: Plan, shape: Shape) -> Fabric:
    """Return racks with a router each, spines over them, and the outside over those."""
    place = {node: shape.rack(node, len(nodes)) for node in nodes}
    wires = (*_node_wires(place), *_uplink_wires(shape), *_outside_wires(shape))
    interfaces = {
        node: tuple(racks.node_interface(node, rack, version) for version in plan.versions)
        for node, rack in place.items()
    }
    spaces = {OUTSIDE: _outside(shape, plan)}
    spaces |= {spine(number): _spine(number, shape, plan) for number in _numbers(shape.spines)}
    spaces |= {tor(rack): _tor(rack, place, shape, plan) for rack in _numbers(shape.racks)}
    spaces |= {
        node: host(node, interfaces[node], tuple(each.ip for each in _gateways(rack, plan)))
        for node, rack in place.items()
    }
    ports = {wire.far.space: wire.near for wire in wires if wire.far.space in place}
    announced = (*(each.network for rack in _numbers(shape.racks) for each in _gateways(rack, plan)),)
    beyond = tuple(each.network for each in plan.beyond)
    routers = {each.name: each for each in _routers(shape, plan)}
    return Fabric("routed", spaces, wires, ports, interfaces, routers, (*announced, *beyond))


def _numbers(count: int) -> range:
    return range(1, count + 1)


def _gateways(rack: int, plan: Plan) -> tuple[Interface, ...]:
    return tuple(racks.gateway_interface(rack, version) for version in plan.versions)


def _node_wires(place: dict[str, int]) -> Iterator[Wire]:
    for node, rack in place.items():
        yield Wire(End(tor(rack), node), End(node, UPLINK))


def _uplink_wires(shape: Shape) -> Iterator[Wire]:
    for rack, uplink, above in shape.links():
        yield Wire(End(spine(above), _down(rack, uplink)), End(tor(rack), _up(uplink)))


def _outside_wires(shape: Shape) -> Iterator[Wire]:
    for number in _numbers(shape.spines):
        yield Wire(End(OUTSIDE, _eth(number)), End(spine(number), OUTSIDE))


def _up(uplink: int) -> str:
    return f"up{uplink}"


def _down(rack: int, uplink: int) -> str:
    return f"{tor(rack)}-{_up(uplink)}"


def _eth(number: int) -> str:
    return f"eth{number - 1}"


def _forwarding() -> list[KernelObject]:
    return [Sysctl(path, value) for path, value in _FORWARDS.items()]


def _device(link: str, peer: str, interfaces: list[Interface]) -> list[KernelObject]:
    return [Link(link, Veth(peer), f"to {peer}"), *(Address(link, interface) for interface in interfaces)]


def _tor(rack: int, place: dict[str, int], shape: Shape, plan: Plan) -> Blueprint:
    bridge = Link(BRIDGE, Bridge(multicast_snooping=False), "the rack")
    ports = [
        Link(node, Veth(UPLINK), f"to {node}", master=BRIDGE, ipv6_autoconf=False)
        for node, its in place.items()
        if its == rack
    ]
    gateways = [Address(BRIDGE, interface) for interface in _gateways(rack, plan)]
    ups: list[KernelObject] = []
    for uplink in _numbers(shape.uplinks):
        mine = [racks.uplink_interfaces(rack, uplink, version)[1] for version in plan.versions]
        ups += _device(_up(uplink), _down(rack, uplink), mine)
    return Blueprint([*_forwarding(), bridge, *ports, *gateways, *ups])


def _spine(number: int, shape: Shape, plan: Plan) -> Blueprint:
    downs: list[KernelObject] = []
    for rack, uplink, above in shape.links():
        if above == number:
            mine = [racks.uplink_interfaces(rack, uplink, version)[0] for version in plan.versions]
            downs += _device(_down(rack, uplink), _up(uplink), mine)
    up = [racks.outside_interfaces(number, version)[0] for version in plan.versions]
    return Blueprint([*_forwarding(), *downs, *_device(OUTSIDE, _eth(number), up)])


def _outside(shape: Shape, plan: Plan) -> Blueprint:
    downs: list[KernelObject] = []
    for number in _numbers(shape.spines):
        mine = [racks.outside_interfaces(number, version)[1] for version in plan.versions]
        downs += _device(_eth(number), OUTSIDE, mine)
    return Blueprint([*_forwarding(), *downs, *(Address("lo", interface) for interface in plan.beyond)])


def _routers(shape: Shape, plan: Plan) -> Iterator[Router]:
    for rack in _numbers(shape.racks):
        yield _tor_router(rack, shape, plan)
    for number in _numbers(shape.spines):
        yield _spine_router(number, shape, plan)
    neighbours = [
        _neighbour(spine(number), _eth(number), _ends(number, version)[::-1], racks.SPINE_AS)
        for number in _numbers(shape.spines)
        for version in plan.versions
    ]
    identity = racks.router_id(253, 1)
    yield Router(
        OUTSIDE, racks.SOFTWARE[0], racks.OUTSIDE_AS, identity, plan.versions, (*neighbours,),
        defaults=plan.versions,
    )  # fmt: skip


def _ends(number: int, version: int) -> tuple[Interface, Interface]:
    return racks.outside_interfaces(number, version)


def _neighbour(name: str, link: str, ends: tuple[Interface, ...], asn: int) -> Neighbour:
    local, address = (each.ip for each in ends)
    return Neighbour(f"{name.replace('-', '_')}_{local.version}", link, local, address, asn)


def _tor_router(rack: int, shape: Shape, plan: Plan) -> Router:
    neighbours = [
        _neighbour(
            f"{_up(uplink)}_{spine(above)}",
            _up(uplink),
            racks.uplink_interfaces(rack, uplink, version)[::-1],
            racks.SPINE_AS,
        )
        for its, uplink, above in shape.links()
        if its == rack
        for version in plan.versions
    ]
    subnets: tuple[Network, ...] = tuple(each.network for each in _gateways(rack, plan))
    kept = tuple(network for version in plan.versions for network in racks.FABRIC_NETWORKS[version])
    identity = racks.router_id(255, rack)
    asn, software = racks.TOR_AS + rack, shape.software(rack)
    return Router(tor(rack), software, asn, identity, plan.versions, (*neighbours,), subnets, kept)


def _spine_router(number: int, shape: Shape, plan: Plan) -> Router:
    below = [
        _neighbour(
            _down(rack, uplink),
            _down(rack, uplink),
            racks.uplink_interfaces(rack, uplink, version),
            racks.TOR_AS + rack,
        )
        for rack, uplink, above in shape.links()
        if above == number
        for version in plan.versions
    ]
    above = [
        _neighbour(OUTSIDE, OUTSIDE, _ends(number, version), racks.OUTSIDE_AS) for version in plan.versions
    ]
    identity = racks.router_id(254, number)
    neighbours = (*below, *above)
    return Router(spine(number), racks.SOFTWARE[0], racks.SPINE_AS, identity, plan.versions, neighbours)
