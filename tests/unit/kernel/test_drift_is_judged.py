"""Drift is judged by content: what the kernel tells and what is wanted, nothing else."""

from ipaddress import ip_address, ip_interface, ip_network

import pytest

from octet.blueprint import Address, KernelObject, Key, Neighbour, Route, Shaper
from octet.kernel.drift import (
    Event,
    Gone,
    Overflow,
    Seen,
    ShapingLost,
    TableGone,
    TableTouched,
    UnderlayChanged,
    is_drift,
)

ADDRESS = Address("br0", ip_interface("10.0.0.1/24"))
NEIGHBOUR = Neighbour("br0", ip_address("10.0.0.2"), "02:00:00:00:00:01")
SHAPER = Shaper("ifb0", 8000, 8000, redirect_from="pod0")
ROUTE = Route(ip_network("10.1.0.0/16"), "eth0")
WANTED: dict[Key, KernelObject] = {item.key: item for item in (ADDRESS, NEIGHBOUR, SHAPER, ROUTE)}
OTHER = Neighbour("br0", NEIGHBOUR.address, "02:00:00:00:00:02")
FOREIGN = Address("br0", ip_interface("10.9.0.1/24"))


@pytest.mark.parametrize(
    "event",
    [
        Seen(OTHER),
        Gone(ADDRESS.key),
        Overflow(),
        TableTouched(),
        TableGone(),
        ShapingLost("ifb0"),
        ShapingLost("pod0"),
        UnderlayChanged("eth0", lost=True),
    ],
    ids=str,
)
def test_a_difference_from_what_is_wanted_is_drift(event: Event) -> None:
    """Another value, a missing object, lost news, a touched table and a fallen link are looked into."""
    assert is_drift(event, WANTED)


@pytest.mark.parametrize(
    "event",
    [
        Seen(ADDRESS),
        Seen(FOREIGN),
        Gone(FOREIGN.key),
        ShapingLost("eth7"),
        UnderlayChanged("eth0"),
        UnderlayChanged("eth7", lost=True),
    ],
    ids=str,
)
def test_news_that_agree_with_what_is_wanted_are_not(event: Event) -> None:
    """Our own additions and removals, and what concerns nothing of ours, cost no comparison."""
    assert not is_drift(event, WANTED)
