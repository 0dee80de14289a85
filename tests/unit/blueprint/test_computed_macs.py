from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octet.blueprint import mac


def test_an_ipv4_address_makes_the_mac_of_the_cni_plugins() -> None:
    """0a:58 and the address in hexadecimal, as the reference plugins always did."""
    assert mac.of_address(ip_address("10.244.1.5")) == "0a:58:0a:f4:01:05"


@given(st.text())
def test_macs_of_texts_are_local_unicast_and_the_same_every_time(text: str) -> None:
    """Whatever the text, no vendor and no group owns its MAC, and it does not change."""
    made = mac.of_text(text)
    assert int(made[:2], 16) & 0b11 == 0b10
    assert mac.unicast(made) == made == mac.of_text(text)


@given(st.ip_addresses(v=6), st.ip_addresses(v=6))
def test_ipv6_addresses_have_macs_of_their_own(one: object, other: object) -> None:
    """Two IPv6 addresses that differ anywhere have different MACs."""
    assert (mac.of_address(one) == mac.of_address(other)) == (one == other)


def test_link_local_address_of_the_fixed_host_mac() -> None:
    """The address that every node's end of a routed pair has is the one Calico's data path documents."""
    assert mac.link_local("ee:ee:ee:ee:ee:ee") == ip_address("fe80::ecee:eeff:feee:eeee")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0a:58",
        "0a:58:0a:f4:01:0g",
        "00:00:00:00:00:00",
        "01:00:5e:00:00:01",
        "ff:ff:ff:ff:ff:ff",
        "x" * 99,
    ],
)
def test_what_is_no_station_is_refused(text: str) -> None:
    """Group addresses, zero and anything that is not six octets are no one's MAC."""
    assert mac.unicast(text) is None


def test_macs_are_kept_in_lower_case() -> None:
    """However a MAC is written, one form of it is compared."""
    assert mac.unicast("0A:58:0A:F4:01:FF") == "0a:58:0a:f4:01:ff"
