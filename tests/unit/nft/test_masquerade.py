"""What leaves the cluster is masqueraded; what stays inside, multicast and kube-proxy's packets are not."""

from ipaddress import ip_address, ip_network

import pytest

from octet.blueprint.nft import Packet, validate
from octet.kernel.fake_nft import Machine, trace
from octet.transport.masquerade import masquerade

CLUSTER = (ip_network("10.244.0.0/16"), ip_network("fd00:10::/48"))
OWN = (ip_network("10.244.1.0/24"), ip_network("fd00:10:0:1::/64"))
HOST, HOST6 = ip_address("192.0.2.1"), ip_address("2001:db8::1")
MACHINE = Machine(
    {"eth0": (HOST, HOST6), "cni0": (ip_address("10.244.1.1"), ip_address("fd00:10:0:1::1"))},
    {
        ip_network("0.0.0.0/0"): "eth0",
        ip_network("::/0"): "eth0",
        OWN[0]: "cni0",
        OWN[1]: "cni0",
        ip_network("10.244.2.0/24"): "flannel.1",
    },
)

CASES = [
    ("10.244.1.2", "198.51.100.1", 0, True),
    ("10.244.1.2", "192.0.2.2", 0, True),
    ("10.244.1.2", "10.244.2.2", 0, False),
    ("10.244.1.2", "10.244.1.3", 0, False),
    ("10.244.1.2", "224.0.0.251", 0, False),
    ("10.244.1.2", "239.255.255.250", 0, False),
    ("198.51.100.1", "10.244.1.2", 0, False),
    ("192.0.2.2", "198.51.100.1", 0, False),
    ("10.244.1.2", "198.51.100.1", 0x4000, False),
    ("10.244.1.2", "198.51.100.1", 0x14000, False),
    ("10.244.1.2", "198.51.100.1", 0x8000, True),
    ("fd00:10:0:1::2", "2001:db8:1::1", 0, True),
    ("fd00:10:0:1::2", "fd00:10:0:2::2", 0, False),
    ("fd00:10:0:1::2", "ff02::fb", 0, False),
    ("2001:db8:1::1", "fd00:10:0:1::2", 0, False),
]


@pytest.mark.parametrize(("source", "destination", "mark", "rewritten"), CASES)
@pytest.mark.parametrize("sources", [None, OWN])
def test_who_is_masqueraded(
    source: str, destination: str, mark: int, rewritten: bool, sources: tuple[object, ...] | None
) -> None:
    """Only pods' packets to outside the cluster leave with the node's address."""
    packet = Packet(ip_address(source), ip_address(destination), iif="cni0", mark=mark)
    result = trace(masquerade(CLUSTER, sources), packet, MACHINE)
    expected = (HOST if packet.family == 4 else HOST6) if rewritten else packet.source
    assert result.packet.source == expected


def test_other_nodes_pods_are_not_ours() -> None:
    """With own sources given, a packet of another node's pod is left as it is."""
    packet = Packet(ip_address("10.244.2.2"), ip_address("198.51.100.1"), iif="flannel.1")
    assert trace(masquerade(CLUSTER, OWN), packet, MACHINE).packet.source == packet.source
    assert trace(masquerade(CLUSTER), packet, MACHINE).packet.source == HOST


@pytest.mark.parametrize(
    ("protocol", "port", "rewritten"),
    [
        ("tcp", 179, False),
        ("tcp", 1790, False),
        ("udp", 3784, False),
        ("udp", 4784, False),
        ("udp", 179, True),
        ("tcp", 3784, True),
        ("tcp", 80, True),
    ],
)
@pytest.mark.parametrize("destination", ["192.0.2.2", "2001:db8:1::1"])
def test_no_pod_speaks_bgp_with_its_nodes_address(
    protocol: str, port: int, rewritten: bool, destination: str
) -> None:
    """What a pod sends to BGP and BFD bears its own address where the node speaks BGP, else the node's."""
    source = "10.244.1.2" if "." in destination else "fd00:10:0:1::2"
    packet = Packet(ip_address(source), ip_address(destination), protocol, 40000, port, iif="cni0")
    own, node = packet.source, HOST if packet.family == 4 else HOST6
    there = trace(masquerade(CLUSTER, OWN, speaking=(1790, 179, 179)), packet, MACHINE)
    assert there.packet.source == (node if rewritten else own)
    assert trace(masquerade(CLUSTER, OWN), packet, MACHINE).packet.source == node


def test_the_chain_reads_well() -> None:
    """An operator sees what the rules are for; source ports are fully random."""
    (chain,) = masquerade(CLUSTER[:1], OWN[:1])
    inside, why = "{ 10.244.0.0/16, 224.0.0.0/4 }", 'comment "inside the cluster, and multicast"'
    assert str(chain).splitlines() == [
        "chain masquerade-pods {",
        "\ttype nat hook postrouting priority 100; policy accept;",
        '\tmeta mark & 0x00004000 == 0x00004000 return comment "kube-proxy masquerades this itself"',
        f"\tip saddr 10.244.1.0/24 ip daddr {inside} return {why}",
        '\tip saddr 10.244.1.0/24 masquerade fully-random comment "pods to outside the cluster"',
        "}",
    ]


def test_no_pods_no_chain() -> None:
    """Without pod networks there is nothing to hold."""
    assert len(masquerade(())) == 0


def test_overlapping_networks_make_one_set() -> None:
    """A cluster network inside another one is no conflict."""
    blueprint = masquerade((*CLUSTER, *OWN, ip_network("224.0.0.0/8")))
    validate(blueprint)
    assert "{ 10.244.0.0/16, 224.0.0.0/4 }" in str(blueprint)
