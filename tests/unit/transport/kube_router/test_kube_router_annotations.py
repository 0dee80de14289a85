"""What annotations of Nodes mean, key by key, and how a bad one is refused."""

import base64
from ipaddress import IPv4Address, ip_address, ip_network

import pytest

from kube_nodes import node
from octet.blueprint import Inline, Secret
from octet.errors import BadConfigurationError
from octet.transport.bgp import Bfd, Prepend
from octet.transport.kube_router import Router
from octet.transport.kube_router.annotations import Own, Role, own, rejected, role

SECRET = base64.b64encode(b"hush").decode()


def test_a_node_that_says_nothing() -> None:
    """Without annotations a node is nobody in particular, and wants nothing."""
    assert role(node(1)) == Role()
    assert own(node(1)) == Own()


def test_the_role_of_a_node() -> None:
    """AS number; cluster ids as numbers or as addresses are the same ids."""
    assert role(node(1, node_asn="64600", rr_server="1", rr_client="0.0.0.2")) == Role(
        64600, IPv4Address("0.0.0.1"), IPv4Address("0.0.0.2")
    )


def test_what_concerns_the_node_alone() -> None:
    """Prepended path, communities of every spelling, prefixes that are never believed, own addresses."""
    held = node(
        1,
        prepend_as="64512",
        prepend_n="3",
        communities="65000:1, 65000:1:2,no-export,4259840001",
        reject="10.0.0.0/8, 2001:db8::/32",
        listen="192.0.2.1,2001:db8::1",
    )
    said = own(held)
    assert said.prepend == Prepend(64512, 3)
    assert said.communities == ((65000, 1), (65000, 1, 2), (65535, 65281), (65000, 1))
    assert rejected(held) == (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))
    assert said.listen == (ip_address("192.0.2.1"), ip_address("2001:db8::1"))


def test_routers_of_the_newer_annotation() -> None:
    """YAML or JSON; what is not said has its default, BFD's microseconds are milliseconds here."""
    text = f"""
- remoteip: 192.0.2.254
  remoteasn: 65001
  password: {SECRET}
  localip: 192.0.2.1
  port: 1790
  bfd: {{enabled: true, desired_min_tx_interval: 200000, detection_multiplier: 5}}
- {{"remoteip": "192.0.2.253", "remoteasn": 65001, "bfd": {{"enabled": false}}}}
"""
    first, second = own(node(1, peers=text, peer_ips="10.9.9.9", peer_asns="65009")).routers
    assert (first.address, first.asn, first.port) == (ip_address("192.0.2.254"), 65001, 1790)
    assert first.source == ip_address("192.0.2.1")
    assert first.bfd == Bfd(300, 200, 5)
    assert isinstance(first.password, Inline)
    assert first.password.value == "hush"
    assert second == Router(ip_address("192.0.2.253"), 65001)


def test_routers_of_the_older_annotations() -> None:
    """One place in each list is one router; an empty place is a default."""
    first, second = own(
        node(
            1,
            peer_ips="192.0.2.254,192.0.2.253",
            peer_asns="65001, 65002",
            peer_ports=",1790",
            peer_passwords=f"secret:kube-system/bgp/tor,{SECRET}",
            peer_localips="192.0.2.1,",
        )
    ).routers
    assert first == Router(
        ip_address("192.0.2.254"),
        65001,
        source=ip_address("192.0.2.1"),
        password=Secret("kube-system", "bgp", "tor"),
    )
    assert (second.port, second.source) == (1790, None)


ROUTER = "remoteip: 192.0.2.254, remoteasn: 65001"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"node_asn": "many"}, r"node\.asn\] = 'many': is no number"),
        ({"node_asn": "23456"}, r"node\.asn\] = '23456'.*cannot be used"),
        ({"rr_server": "-1"}, r"rr\.server\] = '-1': is no cluster id"),
        ({"rr_client": "2001:db8::1"}, r"rr\.client\] = '2001:db8::1': is no cluster id"),
        ({"rr_server": "0"}, r"rr\.server\] = '0'"),
        (
            {"prepend_as": "64512"},
            r"path-prepend\.as\].*says nothing without kube-router\.io/path-prepend\.repeat",
        ),
        (
            {"prepend_n": "2"},
            r"path-prepend\.repeat-n\].*says nothing without kube-router\.io/path-prepend\.as",
        ),
        ({"prepend_as": "64512", "prepend_n": "26"}, r"repeat-n\] = '26'.*1 to 25"),
        ({"communities": "65000:1,blue"}, r"communities\]\[1\] = 'blue': is no community"),
        ({"communities": "65536:1"}, r"communities\]\[0\] = '65536:1'"),
        ({"reject": "10.0.0.1/8"}, r"customimportreject\]\[0\] = '10\.0\.0\.1/8'.*host bits"),
        ({"listen": "here"}, r"bgp-local-addresses\]\[0\] = 'here': is no IP address"),
        ({"peer_ips": "192.0.2.254"}, r"peer\.ips\].*without AS numbers"),
        ({"peer_asns": "65001"}, r"peer\.asns\].*without the routers' addresses"),
        ({"peer_ips": "192.0.2.254", "peer_asns": "1,2"}, r"peer\.asns\].*names 2 AS numbers for 1 routers"),
        ({"peer_ips": "a", "peer_asns": "1"}, r"peer\.ips\]\[0\] = 'a': is no IP address"),
        ({"peer_ips": "192.0.2.1,192.0.2.1", "peer_asns": "1,1"}, r"names 192\.0\.2\.1 twice"),
        ({"peer_ips": "192.0.2.1", "peer_asns": "1", "peer_ports": "1,2"}, r"peer\.ports\].*2 values for 1"),
        ({"peers": "{"}, r"peers\] = '\(not shown\)': is no YAML"),
        ({"peers": "remoteip: 1"}, r"peers\].*must be a list of routers"),
        ({"peers": "- {remoteip: 192.0.2.254}"}, r"peers\]\[0\]\.remoteasn = None: is missing"),
        ({"peers": f"- {{{ROUTER}, colour: red}}"}, r"peers\]\[0\] = 'colour': is not known"),
        ({"peers": f"- {{{ROUTER}, bfd: {{enabled: true, port: 1}}}}"}, r"bfd\.port = '1'.*3784"),
        ({"peers": f"- {{{ROUTER}, bfd: {{enabled: perhaps}}}}"}, r"bfd\.enabled = 'perhaps'"),
    ],
)
def test_a_bad_annotation_is_refused_by_name(said: dict[str, str], message: str) -> None:
    """Node, key, place in the list and value are in the refusal."""
    bad = node(1, **said)
    with pytest.raises(BadConfigurationError, match=rf"^Node node1: metadata\.annotations\[.*{message}"):
        role(bad), own(bad), rejected(bad)


@pytest.mark.parametrize("text", ["hush hush!", "secret:only/two", "aGVsbG8"])
@pytest.mark.parametrize("newer", [True, False])
def test_no_refusal_shows_a_password(text: str, newer: bool) -> None:
    """What is no password in base64 may be one all the same, and is not repeated; a wrong reference is."""
    said = (
        {"peers": f"- {{{ROUTER}, password: '{text}'}}"}
        if newer
        else {"peer_ips": "192.0.2.254", "peer_asns": "65001", "peer_passwords": text}
    )
    with pytest.raises(BadConfigurationError, match="password") as refused:
        own(node(1, **said))  # type: ignore[arg-type]
    assert text.startswith("secret:") == (text in str(refused.value))
