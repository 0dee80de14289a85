"""Where packets to addresses in blocks go: what each node holds, and what this node swallows.

What lives here: the answer for transports, BGP and ``routes why``, out of the View alone.
What it must not know: devices, tunnels, who is given an address.
Source: felix/calc (L3RouteResolver), design/cluster-route-programming: a block goes to its node, an address
in use on another node (borrowed, or of a block that is nobody's) to that one as /32 or /128.
"""

from dataclasses import dataclass
from ipaddress import ip_network

from octet.blueprint import Blueprint, Route, RouteKind
from octet.cluster.blocks import cidr_name
from octet.cluster.ownership import IPAMBlock
from octet.cluster.pools import IPPool, allocatable, pool_of
from octet.cluster.reading import Address, Network
from octet.cluster.view import View
from octet.ipam.blocks.candidates import cidr_of


@dataclass(frozen=True, slots=True)
class Holdings:
    """What of the pools is on one node.

    Attributes:
        blocks: its own.
        addresses: single ones outside of them.
    """

    blocks: tuple[Network, ...] = ()
    addresses: tuple[Address, ...] = ()

    @property
    def prefixes(self) -> tuple[Network, ...]:
        """What is to be routed to the node: blocks, and single addresses as networks of one."""
        return (*self.blocks, *(ip_network(address) for address in self.addresses))


def holdings(view: View, node: str) -> Holdings:
    """Return what a node holds. Of what lies outside of every pool nothing is routed to anybody."""
    pools = allocatable(view.pools.values())
    held = [each for each in view.blocks.of_node(node).values() if _inside(each, pools)]
    claimed = {each.cidr for each in view.affinities.of_node(node).values() if each.routed}
    own = sorted((each.cidr for each in held if each.host == node and each.cidr in claimed), key=_order)
    single = [address for each in held for address, where in each.elsewhere if where == node]
    return Holdings(tuple(own), tuple(sorted(single, key=_order_of_address)))


def blackholes(view: View) -> Blueprint:
    """Return a blackhole route for each own block: packets to its free addresses go round in circles else.

    A block of one address has none: its pod's own route would be the same.
    """
    own = holdings(view, view.me).blocks
    return Blueprint(
        Route(cidr, kind=RouteKind.BLACKHOLE) for cidr in own if cidr.prefixlen < cidr.max_prefixlen
    )


def block_of(view: View, address: Address) -> IPAMBlock | None:
    """Return the block that an address is in, whoever has it; None where there is none."""
    pool = pool_of(allocatable(view.pools.values()), address)
    if pool is not None:
        held = view.blocks.get(("", cidr_name(cidr_of(pool, address))))
        if held is not None:
            return held
    around = (each for each in view.blocks.values() if each.cidr.version == address.version)
    return next((each for each in around if address in each.cidr), None)


def node_of(view: View, address: Address) -> str:
    """Return the name of the node that packets to an address go to; empty where to none."""
    block = block_of(view, address)
    if block is None:
        return ""
    elsewhere = dict(block.elsewhere).get(address)
    return elsewhere or (block.host if block.cidr in holdings(view, block.host).blocks else "")


def _inside(block: IPAMBlock, pools: tuple[IPPool, ...]) -> bool:
    return pool_of(pools, block.cidr.network_address) is not None


def _order(cidr: Network) -> tuple[int, int, int]:
    return cidr.version, int(cidr.network_address), cidr.prefixlen


def _order_of_address(address: Address) -> tuple[int, int]:
    return address.version, int(address)
