"""Which blocks go through which tunnel, by what their pools say (``ipipMode``, ``vxlanMode``).

What lives here: ``PoolShare``, a tunnel's share of the blocks; what BGP leaves to tunnels; which addresses
the node's tunnels need. What it must not know: devices, routes, how an address is taken out of a pool.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from octet.cluster.pools import IPPool, allocatable, pool_of
from octet.cluster.view import View
from octet.ipam.blocks.holdings import holdings
from octet.transport.bgp import Left
from octet.transport.calico.nodes import IPIP, VXLAN, TunnelAddress
from octet.transport.reach import FAMILIES
from octet.transport.tunnelling import Carried, Mode


@dataclass(frozen=True, slots=True)
class PoolShare:
    """What lies in pools that want one kind of tunnel.

    Attributes:
        vxlan: by ``vxlanMode``; else by ``ipipMode``.
    """

    vxlan: bool

    def used(self, view: View, family: int) -> bool:
        """Does any pool of the family want it? Disabled ones count: their pods stay."""
        return any(pool.cidr.version == family for pool in self._pools(view))

    def of(self, view: View, node: str) -> Iterator[Carried]:
        """Yield what a node holds in such pools: blocks, and single addresses outside of its own."""
        pools = tuple(self._pools(view))
        for prefix in holdings(view, node).prefixes:
            pool = pool_of(pools, prefix.network_address)
            if pool is not None:
                yield Carried(prefix, self._mode(pool))

    def _pools(self, view: View) -> Iterator[IPPool]:
        for pool in allocatable(view.pools.values()):
            if self._mode(pool) is not Mode.NEVER:
                yield pool

    def _mode(self, pool: IPPool) -> Mode:
        return Mode(pool.vxlan_mode if self.vxlan else pool.ipip_mode)


IN_IPIP, IN_VXLAN = PoolShare(vxlan=False), PoolShare(vxlan=True)


def left(view: View) -> tuple[Left, ...]:
    """Return what BGP does not install, because the tunnels' transports do: what is wrapped."""
    found = []
    for pool in allocatable(view.pools.values()):
        modes = {Mode(pool.ipip_mode), Mode(pool.vxlan_mode)} - {Mode.NEVER}
        found += [Left(pool.cidr, unless_near=mode is Mode.CROSS_SUBNET) for mode in modes]
    return tuple(found)


def addresses(view: View) -> tuple[TunnelAddress, ...]:
    """Return which addresses this node's tunnels need: one for each device."""
    found = [IPIP] if IN_IPIP.used(view, 4) else []
    return (*found, *(VXLAN[family] for family in FAMILIES if IN_VXLAN.used(view, family)))
