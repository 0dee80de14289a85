from ipaddress import ip_address

import pytest

from octet.attach.names import PURPOSE_LIMIT, link_name, pod_mac, purpose
from octet.cluster.endpoint import Attachment
from octet.errors import BadConfigurationError

V4, V6 = ip_address("10.244.1.5"), ip_address("fd00:10:244:1::5")


def test_a_requested_mac_wins() -> None:
    """The CNI capability mac decides, in whatever case it is written."""
    assert pod_mac(V4, V6, "02:AA:bb:cc:dd:ee") == "02:aa:bb:cc:dd:ee"


def test_the_mac_follows_from_the_ipv4_address() -> None:
    """A pod has the MAC of its IPv4 address, also with an IPv6 one beside it."""
    assert pod_mac(V4, None) == pod_mac(V4, V6) == "0a:58:0a:f4:01:05"


def test_an_ipv6_pod_has_a_local_mac() -> None:
    """A pod without IPv4 has a locally administered MAC made of its address."""
    assert int(pod_mac(None, V6)[:2], 16) & 0b11 == 0b10


@pytest.mark.parametrize("requested", ["nonsense", "01:00:5e:00:00:01", "00:00:00:00:00:00"])
def test_impossible_macs_are_refused(requested: str) -> None:
    """A MAC that no station can have is refused by name and value."""
    with pytest.raises(BadConfigurationError, match=rf"mac = '{requested}'.*0a:58"):
        pod_mac(V4, None, requested)


def test_nothing_to_make_a_mac_of() -> None:
    """Without an address and without a wish there is no MAC, and the error says so."""
    with pytest.raises(BadConfigurationError, match="no address to make one of"):
        pod_mac(None, None)


def test_a_purpose_names_the_attachment() -> None:
    """From a link's purpose one reads whose it is."""
    assert purpose(Attachment("octet", "c1", "eth0")) == "pod octet/c1/eth0"


def test_a_long_attachment_still_fits_into_an_alias() -> None:
    """A container id may have any length; the kernel's alias may not."""
    attachment = Attachment("octet", "c" * 500, "eth0")
    assert purpose(attachment) == f"pod {attachment.digest()}"
    assert len(purpose(attachment)) <= PURPOSE_LIMIT


def test_names_use_all_that_the_kernel_gives() -> None:
    """A name is cut where the kernel would refuse it."""
    assert link_name("cali", "0123456789abcdef") == "cali0123456789a"
