from ipaddress import ip_interface, ip_network

import pytest

from octet.errors import BadConfigurationError
from octet.transport.flannel.subnet_env import SubnetEnv, parse

IPV4 = """FLANNEL_NETWORK=10.244.0.0/16
FLANNEL_SUBNET=10.244.1.1/24
FLANNEL_MTU=1450
FLANNEL_IPMASQ=true
"""

DUAL = """FLANNEL_NETWORK=10.244.0.0/16
FLANNEL_SUBNET=10.244.1.1/24
FLANNEL_IPV6_NETWORK=fd00:10:244::/48
FLANNEL_IPV6_SUBNET=fd00:10:244:1::1/64
FLANNEL_MTU=1430
FLANNEL_IPMASQ=false
"""

VALUES = {
    IPV4: SubnetEnv((ip_network("10.244.0.0/16"),), (ip_interface("10.244.1.1/24"),), 1450, True),
    DUAL: SubnetEnv(
        (ip_network("10.244.0.0/16"), ip_network("fd00:10:244::/48")),
        (ip_interface("10.244.1.1/24"), ip_interface("fd00:10:244:1::1/64")),
        1430,
        False,
    ),
}


@pytest.mark.parametrize("text", VALUES)
def test_flannelds_file_both_ways(text: str) -> None:
    """A file as flanneld writes it is read, and written it is the same file."""
    assert parse(text, source="subnet.env") == VALUES[text]
    assert VALUES[text].text() == text


def test_quotes_comments_and_strangers() -> None:
    """What a person added does no harm."""
    text = '# by hand\nOTHER=1\nFLANNEL_MTU="1400"\n\nFLANNEL_SUBNET= 10.244.1.1/24\n'
    assert parse(text, source="x") == SubnetEnv((), (ip_interface("10.244.1.1/24"),), 1400, False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "FLANNEL_MTU = None: must be a number of bytes"),
        ("FLANNEL_MTU=big", "FLANNEL_MTU = 'big'"),
        ("FLANNEL_MTU=1450\nFLANNEL_SUBNET=10.244", "FLANNEL_SUBNET = '10.244': is no CIDR"),
    ],
)
def test_broken_files_are_refused(text: str, message: str) -> None:
    """A broken file is refused by the name of the variable."""
    with pytest.raises(BadConfigurationError, match=f"^subnet.env: {message}"):
        parse(text, source="subnet.env")
