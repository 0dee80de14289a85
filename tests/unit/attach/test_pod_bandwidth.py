from dataclasses import replace

from octet.attach.bandwidth import default_burst, shaping
from octet.cluster.endpoint import Bandwidth, Endpoint


def test_no_limits_no_shapers(pod: Endpoint) -> None:
    """A pod without limits costs nothing."""
    assert len(shaping(pod)) == 0


def test_both_directions(pod: Endpoint) -> None:
    """What a pod receives is shaped at the node's end, what it sends leaves through a device of its own."""
    limited = replace(pod, bandwidth=Bandwidth(1_000_000, 200_000, 2_000_000, 400_000))
    assert str(shaping(limited)).splitlines() == [
        "link bwpe9f4b4c6c0cd ifb (egress of pod octet/c1/eth0) mtu 1430",
        "shaper dev bwpe9f4b4c6c0cd rate 2000000 bit/s burst 400000 bit for what enters veth0",
        "shaper dev veth0 rate 1000000 bit/s burst 200000 bit",
    ]


def test_one_direction_only(pod: Endpoint) -> None:
    """A limit on what a pod receives needs no second device."""
    limited = replace(pod, bandwidth=Bandwidth(ingress_rate=1_000_000, ingress_burst=200_000))
    assert [str(each) for each in shaping(limited)] == [
        "shaper dev veth0 rate 1000000 bit/s burst 200000 bit"
    ]


def test_a_burst_that_nobody_stated(pod: Endpoint) -> None:
    """Without a burst it is 50 ms at full rate, and never less than ten packets of full size."""
    assert default_burst(1_000_000_000, 1500) == 50_000_000
    assert default_burst(8_000, 1500) == 10 * 1500 * 8
    limited = replace(pod, bandwidth=Bandwidth(ingress_rate=1_000_000_000))
    assert "burst 50000000 bit" in str(shaping(limited))
