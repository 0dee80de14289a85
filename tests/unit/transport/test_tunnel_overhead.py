from collections.abc import Callable
from dataclasses import replace

import pytest

from octet.blueprint import Link
from octet.cluster.view import View
from octet.errors import NotReadyError
from octet.transport.flannel.netconf import VxlanBackend
from octet.transport.flannel.vxlan import flannel_vxlan
from octet.transport.kopeio import kopeio_vxlan
from octet.transport.reach import PodNetworks
from octet.transport.vxlan import OVERHEAD, VxlanTransport

ViewOf = Callable[..., View]


def flannel_with(mtu: int = 0) -> VxlanTransport:
    return flannel_vxlan(VxlanBackend(mtu=mtu), PodNetworks())


def test_the_headers_add_up() -> None:
    """Inner Ethernet, VXLAN, UDP and the outer IP header of each family."""
    assert OVERHEAD == {4: 14 + 8 + 8 + 20, 6: 14 + 8 + 8 + 40}


@pytest.mark.parametrize(
    ("families", "underlay", "stated", "pods"),
    [
        ("v4", 1500, 0, 1450),
        ("v6", 1500, 0, 1430),
        ("dual", 1500, 0, 1430),
        ("v4", 9001, 0, 8951),
        ("dual", 9001, 0, 8931),
        ("v4", 1400, 0, 1350),
        ("v4", 1500, 1400, 1350),
        ("v6", 1500, 1400, 1330),
        ("v4", 1500, 9000, 1450),
    ],
)
def test_what_pods_may_send(flannel: ViewOf, families: str, underlay: int, stated: int, pods: int) -> None:
    """The path's MTU, or the stated one below it, without the overhead of the widest outer header."""
    view = flannel(families)
    view = replace(view, underlay=replace(view.underlay, mtu=underlay))
    assert flannel_with(stated).mtu(view) == pods


@pytest.mark.parametrize("stated", [0, 1400, 9000])
def test_each_device_has_what_fits_through_it(flannel: ViewOf, stated: int) -> None:
    """No device takes a packet that its underlay would have to cut."""
    view = flannel("dual")
    outer = min(stated or 1500, 1500)
    links = flannel_with(stated).node(view).of(Link)
    assert [link.mtu for link in links] == [outer - 50, outer - 70]


def test_kopeio_has_the_same_overhead(flannel: ViewOf) -> None:
    """The original's 100 bytes are not what the headers take."""
    transport = kopeio_vxlan(PodNetworks())
    assert transport.mtu(flannel("v4", "kopeio-vxlan")) == 1450
    assert transport.mtu(flannel("dual", "kopeio-vxlan")) == 1430


def test_before_there_is_a_pod_cidr(flannel: ViewOf) -> None:
    """A node that has no pods yet cannot say what they may send."""
    with pytest.raises(NotReadyError, match="nobody has no pod CIDR yet"):
        flannel_with().mtu(replace(flannel(), me="nobody"))
