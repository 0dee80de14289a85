"""Service addresses as ranges: what a router's table of forwarding entries is spared.

What lives here: one decision. What it must not know: why an address may be announced from here.
"""

from collections.abc import Iterable

from octet.cluster.backends import alone
from octet.cluster.objects import Address, Network


def aggregated(
    everywhere: Iterable[Address], here_only: Iterable[Address], ranges: Iterable[Network]
) -> tuple[Network, ...]:
    """Return what to announce: ranges in the place of the addresses in them that every node announces.

    An address that is announced from some nodes only (traffic policy Local) keeps its own ``/32`` or ``/128``
    beside the range: the longer prefix wins, so its packets go to those nodes (Calico's BGPConfiguration,
    serviceLoadBalancerAggregation). A range none of whose addresses is announced is not announced.

    Args:
        everywhere: addresses that every node announces.
        here_only: addresses that this node announces and others may not.
        ranges: what may be announced as a whole; none where only single addresses are wanted.
    """
    known = sorted(set(ranges), key=lambda each: (each.version, each.prefixlen, each))
    found: set[Network] = {alone(each) for each in here_only}
    for address in everywhere:
        found.add(next((each for each in known if address in each), alone(address)))
    return tuple(sorted(found, key=_place))


def _place(network: Network) -> tuple[int, int, int]:
    """Return what sorts as networks do, without comparing them one by one."""
    return network.version, int(network.network_address), network.prefixlen
