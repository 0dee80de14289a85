"""Limits of one pod's bandwidth: what it receives at the node's end, what it sends beside it.

What lives here: shapers and the device, and which limits cannot be. What it must not know: CNI's JSON, tc
handles.
"""

from collections.abc import Iterator

from octet.attach.names import link_name, purpose
from octet.blueprint import Blueprint, Ifb, KernelObject, Link, Shaper
from octet.cluster.endpoint import Bandwidth, Endpoint
from octet.errors import BadConfigurationError

PREFIX = "bwp"
"""Begins the device's name, as in the reference ``bandwidth`` plugin."""

BURST_SECONDS = 0.05
"""A burst that nobody stated lasts this long at the full rate, many times what a timer of 250 Hz needs."""

SMALLEST_BURST_PACKETS = 10
"""And it has room for so many packets of full size: with less, TCP never gets going."""

ETHERNET = 14
"""Bytes of header that a token bucket counts with each packet (IEEE 802.3; linux/if_ether.h, ETH_HLEN)."""

BITS = 8


def shaping(endpoint: Endpoint) -> Blueprint:
    """Return the shapers of an endpoint; none where it has no limits.

    Linux shapes what leaves a device, so what a pod sends is led through one of its own (tc-mirred(8)).
    """
    return Blueprint([*_received(endpoint), *_sent(endpoint)])


def _received(endpoint: Endpoint) -> Iterator[KernelObject]:
    limits = endpoint.bandwidth
    if limits.ingress_rate:
        burst = limits.ingress_burst or default_burst(limits.ingress_rate, endpoint.mtu)
        yield Shaper(endpoint.host_link, limits.ingress_rate, burst)


def _sent(endpoint: Endpoint) -> Iterator[KernelObject]:
    limits, name = endpoint.bandwidth, link_name(PREFIX, endpoint.attachment.digest())
    if limits.egress_rate:
        burst = limits.egress_burst or default_burst(limits.egress_rate, endpoint.mtu)
        why = f"egress of {purpose(endpoint.attachment)}"
        yield Link(name, Ifb(), why, mtu=endpoint.mtu, ipv6_autoconf=False)
        yield Shaper(name, limits.egress_rate, burst, redirect_from=endpoint.host_link)


def smallest_burst(mtu: int) -> int:
    """Return the burst, bits, that lets one packet of full size through: a token bucket drops what is larger.

    tc-tbf(8): "the bucket must be larger than the MTU".
    """
    return (mtu + ETHERNET) * BITS


def refuse_small_bursts(limits: Bandwidth, mtu: int) -> None:
    """Refuse a burst through which packets of full size never pass. Raises BadConfigurationError."""
    least = smallest_burst(mtu)
    bursts = (
        ("ingressBurst", limits.ingress_rate, limits.ingress_burst),
        ("egressBurst", limits.egress_rate, limits.egress_burst),
    )
    for name, rate, burst in bursts:
        if rate and 0 < burst < least:
            problem = f"no packet of the pod's MTU, {mtu} bytes, would ever pass"
            hint = f"at least {least} bits, or leave it out"
            raise BadConfigurationError("runtimeConfig", f"bandwidth.{name}", burst, problem, hint=hint)


def default_burst(rate: int, mtu: int) -> int:
    """Return a burst in bits for a rate in bit/s and packets of at most ``mtu`` bytes."""
    return max(int(rate * BURST_SECONDS), SMALLEST_BURST_PACKETS * mtu * BITS)
