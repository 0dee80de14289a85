from ipaddress import ip_address

import pytest

from octet.agent.claims import Claims
from octet.agent.records import Entry, State
from octet.cluster.endpoint import Attachment, Endpoint, HostPort
from octet.cni.spec.failures import CniError

ANY = HostPort(80, 8080)
ONE = HostPort(80, 8080, address=ip_address("192.0.2.1"))
OTHER = HostPort(80, 8080, address=ip_address("192.0.2.2"))


def entry(container: str, *ports: HostPort, default: bool = True) -> Entry:
    key = Attachment("octet", container, "eth0")
    endpoint = Endpoint(
        key, f"veth{container}", "02:00:00:00:00:01", 1450, host_ports=ports, default_route=default
    )
    return Entry(endpoint, State.READY, identity=(0, hash(container), 0))


@pytest.mark.parametrize(
    ("held", "wanted", "refused"),
    [
        (ANY, ANY, True),
        (ONE, ONE, True),
        (ANY, ONE, True),
        (ONE, ANY, True),
        (ONE, OTHER, False),
        (ANY, HostPort(80, 8080, "udp"), False),
        (ANY, HostPort(81, 8080), False),
    ],
)
def test_who_has_a_host_port(held: HostPort, wanted: HostPort, refused: bool) -> None:
    """A port of all addresses meets any of its number and protocol; two addresses of the node don't meet."""
    claims = Claims()
    claims.take(entry("one", held))
    try:
        claims.refuse_ports((wanted,))
        met = False
    except CniError as error:
        met = "octet/one/eth0" in str(error)
    assert met is refused


def test_what_is_given_back_is_free() -> None:
    """After an endpoint has gone, everything that it held can be had."""
    claims, held = Claims(), entry("one", ANY)
    claims.take(held)
    assert claims.has_link("vethone")
    assert claims.has_default_route("one")
    claims.give_back(held)
    claims.refuse_ports((ANY,))
    claims.refuse_place(held.identity, "eth0")
    assert not claims.has_link("vethone")
    assert not claims.has_default_route("one")


def test_a_namespaces_number_is_used_again() -> None:
    """A new namespace with the inode of one that is gone is another place: its interface can be had."""
    claims, held = Claims(), entry("one")
    claims.take(held)
    device, inode, cookie = held.identity
    claims.refuse_place((device, inode, cookie + 1), "eth0")
    with pytest.raises(CniError, match="belongs to octet/one/eth0"):
        claims.refuse_place(held.identity, "eth0")


def test_an_endpoint_without_a_default_route_claims_none() -> None:
    """A second interface does not stand for the container's default route."""
    claims = Claims()
    claims.take(entry("one", default=False))
    assert not claims.has_default_route("one")
