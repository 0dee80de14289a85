"""Host ports: who reaches the pod by which address, and whose address the pod sees."""

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from octet.blueprint import Sysctl
from octet.blueprint.base import union
from octet.blueprint.nft import Chain, Element, Packet, validate
from octet.cluster.endpoint import Attachment, Endpoint, HostPort
from octet.kernel.fake_nft import Machine, Trace, Tracer
from octet.service import hostport

POD, POD6 = ip_address("10.244.1.2"), ip_address("fd00:10:0:1::2")
OTHER = ip_address("10.244.1.3")
HOST, HOST6, SECOND = ip_address("192.0.2.1"), ip_address("2001:db8::1"), ip_address("192.0.2.3")
GATEWAY = ip_address("10.244.1.1")
CLIENT, CLIENT6 = ip_address("198.51.100.7"), ip_address("2001:db8:7::7")
SEGMENTS = (ip_network("10.244.1.0/24"), ip_network("fd00:10:0:1::/64"))
MACHINE = Machine(
    {"eth0": (HOST, HOST6, SECOND), "cni0": (GATEWAY, ip_address("fd00:10:0:1::1"))},
    {ip_network("0.0.0.0/0"): "eth0", ip_network("::/0"): "eth0", SEGMENTS[0]: "cni0", SEGMENTS[1]: "cni0"},
)
ENDPOINT = Endpoint(
    Attachment("octet", "c1", "eth0"),
    host_link="veth1",
    mac="02:00:00:00:00:01",
    mtu=1450,
    v4=POD,
    v6=POD6,
    host_ports=(
        HostPort(8080, 80, "tcp"),
        HostPort(5353, 53, "udp"),
        HostPort(9899, 9899, "sctp"),
        HostPort(8081, 81, "tcp", HOST),
    ),
)
RIVAL = replace(
    ENDPOINT,
    attachment=Attachment("octet", "c2", "eth0"),
    v4=OTHER,
    v6=None,
    host_ports=(HostPort(8080, 88, "tcp", SECOND), HostPort(8081, 89, "tcp")),
)
NODE = union([hostport.base(SEGMENTS, "cni0"), hostport.elements(ENDPOINT), hostport.elements(RIVAL)])
TRACER = Tracer(NODE, MACHINE)


def ask(source: str, destination: str, port: int, *, protocol: str = "tcp", iif: str = "eth0") -> Trace:
    """Send the first packet of a connection."""
    packet = Packet(ip_address(source), ip_address(destination), protocol, 40000, port, iif=iif)
    return TRACER.trace(packet)


ARRIVALS = [
    ("198.51.100.7", "192.0.2.1", 8080, "tcp", "eth0", (POD, 80), CLIENT),
    ("198.51.100.7", "192.0.2.1", 5353, "udp", "eth0", (POD, 53), CLIENT),
    ("198.51.100.7", "192.0.2.1", 9899, "sctp", "eth0", (POD, 9899), CLIENT),
    ("2001:db8:7::7", "2001:db8::1", 8080, "tcp", "eth0", (POD6, 80), CLIENT6),
    ("10.244.1.2", "192.0.2.1", 8080, "tcp", "cni0", (POD, 80), GATEWAY),
    ("10.244.1.2", "10.244.1.1", 8080, "tcp", "cni0", (POD, 80), GATEWAY),
    ("10.244.1.3", "192.0.2.1", 8080, "tcp", "cni0", (POD, 80), GATEWAY),
    ("10.244.2.9", "192.0.2.1", 8080, "tcp", "eth0", (POD, 80), ip_address("10.244.2.9")),
    ("198.51.100.7", "192.0.2.3", 8080, "tcp", "eth0", (OTHER, 88), CLIENT),
    ("198.51.100.7", "192.0.2.1", 8081, "tcp", "eth0", (POD, 81), CLIENT),
    ("198.51.100.7", "192.0.2.3", 8081, "tcp", "eth0", (OTHER, 89), CLIENT),
]


@pytest.mark.parametrize(
    ("source", "destination", "port", "protocol", "iif", "goal", "seen"),
    ARRIVALS,
    ids=[str(n) for n in range(11)],
)
def test_who_arrives_where(
    source: str, destination: str, port: int, protocol: str, iif: str, goal: tuple[object, int], seen: object
) -> None:
    """Mappings of one address beat those of all; the client's address is kept where it can be."""
    result = ask(source, destination, port, protocol=protocol, iif=iif)
    assert result.accepted
    assert (result.packet.destination, result.packet.destination_port) == goal
    assert result.packet.source == seen


@pytest.mark.parametrize(
    ("destination", "port", "protocol"),
    [("192.0.2.1", 8080, "udp"), ("192.0.2.1", 80, "tcp"), ("198.51.100.99", 8080, "tcp")],
)
def test_nothing_else_is_translated(destination: str, port: int, protocol: str) -> None:
    """Other ports, other protocols and machines other than this one are left alone."""
    result = ask("198.51.100.7", destination, port, protocol=protocol)
    assert result.packet.destination == ip_address(destination)
    assert "dnat" not in result.packet.status


@pytest.mark.parametrize(
    ("own", "destination", "seen"),
    [
        ("127.0.0.1", "127.0.0.1", GATEWAY),
        ("192.0.2.1", "192.0.2.1", HOST),
        ("127.0.0.1", "127.8.8.8", GATEWAY),
    ],
)
def test_the_node_reaches_its_own_host_ports(own: str, destination: str, seen: object) -> None:
    """By 127.0.0.1, which leaves with the bridge's address, and by the node's own."""
    result = ask(own, destination, 8080, iif="")
    assert (result.packet.destination, result.packet.source) == (POD, seen)


def test_ipv6_loopback_is_left_alone() -> None:
    """::1 cannot leave the node, so it is not translated to something that never answers."""
    result = ask("::1", "::1", 8080, iif="")
    assert result.packet.destination == ip_address("::1")


@pytest.mark.parametrize(
    ("source", "destination"), [("198.51.100.7", "127.0.0.1"), ("127.0.0.1", "192.0.2.1")]
)
@pytest.mark.parametrize("iif", ["eth0", "cni0", "veth1"])
def test_route_localnet_opens_nothing(source: str, destination: str, iif: str) -> None:
    """Packets to or from 127.0.0.0/8 that did not come from the node itself are dropped (CVE-2020-8558)."""
    assert not ask(source, destination, 8080, iif=iif).accepted


def test_service_traffic_of_neighbours_keeps_its_source() -> None:
    """What somebody else translated to another port of a pod is not masqueraded by us."""
    packet = Packet(OTHER, POD, "tcp", 40000, 4444, iif="cni0", status=frozenset({"dnat"}))
    assert TRACER.trace(packet).packet.source == OTHER


def test_a_routed_pod_reaches_itself() -> None:
    """Without a shared segment only the pod itself is masqueraded, and its own link may carry 127.0.0.1."""
    blueprint = hostport.base() | hostport.elements(ENDPOINT, own_link=True)
    tracer = Tracer(blueprint, MACHINE)
    own = tracer.trace(Packet(POD, HOST, "tcp", 4000, 8080, iif="veth1"))
    neighbour = tracer.trace(Packet(OTHER, HOST, "tcp", 4000, 8080, iif="veth2"))
    assert (own.packet.source, neighbour.packet.source) == (GATEWAY, OTHER)
    assert Sysctl("net/ipv4/conf/veth1/route_localnet", "1") in list(blueprint)


def test_a_pod_adds_elements_only() -> None:
    """Whatever a pod maps, no chain changes; a pod without host ports adds nothing."""
    assert not hostport.elements(ENDPOINT).of(Chain)
    assert len(hostport.elements(ENDPOINT).of(Element)) == 2 * (1 + 4 + 4) - 2
    assert len(hostport.elements(replace(ENDPOINT, host_ports=()))) == 0


def test_an_unspecified_address_is_all_of_its_family() -> None:
    """``hostIP: 0.0.0.0`` maps every IPv4 address and no IPv6 one."""
    mapped = replace(ENDPOINT, host_ports=(HostPort(1, 2, "tcp", ip_address("0.0.0.0")),))
    assert {each.of for each in hostport.elements(mapped).of(Element)} == {
        "hostport-any4",
        "hostport-target4",
        "hostport-self4",
        "hostport-self6",
    }


def test_the_whole_is_sound() -> None:
    """The objects fit together, with and without segments."""
    validate(NODE)
    validate(hostport.base())


def test_two_pods_cannot_have_one_port() -> None:
    """The same host port for two pods is a conflict that the union refuses."""
    rival = replace(RIVAL, host_ports=ENDPOINT.host_ports)
    with pytest.raises(ValueError, match="hostport-any4"):
        hostport.elements(ENDPOINT) | hostport.elements(rival)
