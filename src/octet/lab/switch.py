"""The fabric ``l2``: one switch.

What lives here: its values. What it must not know: other fabrics, how a namespace is made or filled.
"""

from octet.blueprint import Address, Blueprint, Bridge, Link, Veth
from octet.lab.fabric import UPLINK, End, Fabric, Wire, host, uplink
from octet.lab.names import OUTSIDE, SWITCH, Plan


def l2(nodes: tuple[str, ...], plan: Plan) -> Fabric:
    """Return one switch with all nodes on it, and the host outside as their default gateway."""
    hosts = (*nodes, OUTSIDE)
    wires = tuple(Wire(End(SWITCH, each), End(each, UPLINK)) for each in hosts)
    spaces = {SWITCH: _switch(hosts)}
    interfaces = {node: plan.node_interfaces(node) for node in nodes}
    spaces |= {node: host(node, interfaces[node], plan.gateways) for node in nodes}
    spaces[OUTSIDE] = _outside(plan)
    ports = {wire.far.space: wire.near for wire in wires if wire.far.space in nodes}
    return Fabric("l2", spaces, wires, ports, interfaces)


def _switch(hosts: tuple[str, ...]) -> Blueprint:
    # Without snooping, neighbour discovery and BUM traffic do not depend on who queried when.
    bridge = Link(SWITCH, Bridge(multicast_snooping=False), "fabric", ipv6_autoconf=False)
    ports = (Link(each, Veth(UPLINK), f"to {each}", master=SWITCH, ipv6_autoconf=False) for each in hosts)
    return Blueprint([bridge, *ports])


def _outside(plan: Plan) -> Blueprint:
    near = [Address(UPLINK, interface) for interface in plan.gateway_interfaces]
    far = [Address("lo", interface) for interface in plan.beyond]
    return Blueprint([*uplink(OUTSIDE), *near, *far])
