import asyncio
from ipaddress import ip_address

import pytest

from octet.agent import tunnels
from octet.agent.tunnels import Tunnels
from octet.cluster.objects import Address
from octet.errors import NotReadyError
from octet.transport.calico.nodes import IPIP, VXLAN
from tunnelled import cluster


class Pools:
    """Addresses by handle; one that is not there yet cannot be had."""

    def __init__(self, **held: str) -> None:
        self.held = held
        self.asked: list[tuple[str, int, str]] = []

    async def take(self, handle: str, family: int, kind: str) -> Address | None:
        """Return the address of a handle."""
        self.asked.append((handle, family, kind))
        if not self.held:
            raise NotReadyError("the cluster's pools are not known yet")
        text = self.held.get(kind)
        return ip_address(text) if text else None


async def test_a_tunnels_address_is_told_by_annotation() -> None:
    """It is taken under Calico's handle for this node, and told under Calico's name."""
    pools = Pools(ipipTunnelAddress="10.244.1.7")
    said = await Tunnels(pools.take, lambda: None).told(cluster(ipip="Always"))
    assert said == {IPIP.annotation: "10.244.1.7"}
    assert pools.asked == [("ipip-tunnel-addr-node1", 4, "ipipTunnelAddress")]


async def test_both_families_of_vxlan() -> None:
    """Each device has an address of its own."""
    pools = Pools(vxlanTunnelAddress="10.244.1.8", vxlanV6TunnelAddress="fd00:10:244:1::8")
    said = await Tunnels(pools.take, lambda: None).told(cluster("dual", vxlan="CrossSubnet"))
    assert said == {VXLAN[4].annotation: "10.244.1.8", VXLAN[6].annotation: "fd00:10:244:1::8"}


async def test_without_tunnels_nothing_is_taken() -> None:
    """A cluster whose packets go as they are loses no address to it."""
    pools = Pools(ipipTunnelAddress="10.244.1.7")
    assert await Tunnels(pools.take, lambda: None).told(cluster()) == {}
    assert pools.asked == []


@pytest.mark.parametrize("held", [{}, {"other": "10.244.1.9"}])
async def test_an_address_that_cannot_be_had_is_asked_for_again(
    held: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Node is written without it, and once more after a while."""
    monkeypatch.setattr(tunnels, "PAUSE", 0.0)
    again = asyncio.Event()
    assert await Tunnels(Pools(**held).take, again.set).told(cluster(ipip="Always")) == {}
    async with asyncio.timeout(5):
        await again.wait()
