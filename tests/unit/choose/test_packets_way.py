from dataclasses import replace

import pytest

from octet import models
from octet.attach.routed import RoutedAttach
from octet.blueprint import Blueprint, FdbEntry, Link
from octet.choose import packet
from octet.choose.packet import Header, Hop, Walk
from octet.models.model import Running

EVERY = pytest.mark.parametrize("name", models.names())
FAMILY = pytest.mark.parametrize("family", [4, 6])


def protocols(headers: tuple[Header, ...]) -> str:
    return " ".join(header.protocol for header in headers)


def hop(walk: Walk, machine: str, kind: str) -> Hop:
    return next(each for each in walk.hops if (each.machine, each.kind) == (machine, kind))


@EVERY
@FAMILY
def test_every_model_leads_from_pod_to_pod(name: str, family: int) -> None:
    """The way begins in one pod and ends in the other, over both nodes, in both families."""
    walk = packet.walk(name, family)
    machines = list(dict.fromkeys(each.machine for each in walk.hops))
    assert machines == ["pod web-10", "node1", "node2", "pod web-20"]
    ends = [walk.hops[0].headers[1], walk.hops[-1].headers[1]]
    assert [each.protocol for each in ends] == [f"IPv{family}"] * 2
    assert (ends[0].source, ends[0].destination) == (ends[1].source, ends[1].destination)


@EVERY
@FAMILY
def test_two_routers_are_passed(name: str, family: int) -> None:
    """Each node is one router, so the pod's TTL of 64 arrives as 62, through a tunnel or not."""
    walk = packet.walk(name, family)
    assert [each.headers[1].notes for each in (walk.hops[0], walk.hops[-1])] == [("TTL 64",), ("TTL 62",)]


@EVERY
@FAMILY
def test_the_largest_packet_fits_the_wire(name: str, family: int) -> None:
    """What a pod may send at most and what is put around it are together no more than the underlay takes."""
    walk = packet.walk(name, family)
    assert walk.pod_mtu + walk.overhead <= walk.underlay_mtu
    assert all(each.size <= walk.underlay_mtu + packet.ETHERNET for each in walk.hops)


@FAMILY
@pytest.mark.parametrize(("name", "port"), [("flannel", "8472"), ("kopeio-vxlan", "4789")])
def test_vxlan_wears_four_more_headers(name: str, port: str, family: int) -> None:
    """Between nodes a tunnelled packet is Ethernet, IP, UDP, VXLAN, and the pod's own frame."""
    walk = packet.walk(name, family)
    ip = f"IPv{family}"
    assert protocols(walk.wire) == f"Ethernet {ip} UDP VXLAN Ethernet {ip} data"
    assert (walk.overhead, walk.wire[2].destination, walk.wire[3].notes) == (
        {4: 50, 6: 70}[family],
        port,
        ("VNI 1",),
    )
    assert walk.tunnelled


@pytest.mark.parametrize("name", ["flannel:host-gw", "flannel:direct"])
def test_a_plain_route_adds_nothing(name: str) -> None:
    """Without a tunnel the underlay sees the pods' own addresses and not one byte more."""
    walk = packet.walk(name)
    assert (protocols(walk.wire), walk.overhead, walk.tunnelled) == ("Ethernet IPv4 data", 0, False)
    assert (walk.wire[1].source, walk.wire[1].destination) == ("10.244.1.10", "10.244.2.20")


def test_each_turn_names_the_object_that_took_it() -> None:
    """The tunnel hop shows route, neighbour and forwarding entry as the model's nodes hold them."""
    because = hop(packet.walk("flannel"), "node1", "vxlan").because
    assert [text.split()[0] for text in because] == ["route", "neighbour", "fdb"]
    assert "dst 192.0.2.2" in because[2]


def test_the_inner_frame_is_for_the_far_device() -> None:
    """The MAC in the inner frame is the one that kopeio computes from the peer's CIDR."""
    wire = packet.walk("kopeio-vxlan").wire
    assert (wire[4].source, wire[4].destination) == ("00:53:0a:f4:01:00", "00:53:0a:f4:02:00")


def test_a_way_that_ends_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model whose peers lack a forwarding entry has no way, and the text says where it ended."""
    whole = Running.peer

    def forgetful(self: Running, *args: object) -> Blueprint:
        return Blueprint(each for each in whole(self, *args) if not isinstance(each, FdbEntry))  # type: ignore[arg-type]

    monkeypatch.setattr(Running, "peer", forgetful)
    with pytest.raises(ValueError, match=r"node1: flannel\.1 does not know where 10\.244\.2\.0 is"):
        packet.walk("flannel")


def test_a_frame_for_another_device_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the far device has another MAC than the sender believes, the packet ends there."""
    whole = Running.node

    def changed(self: Running, view: object) -> Blueprint:
        items = whole(self, view)  # type: ignore[arg-type]
        return Blueprint(
            replace(each, mac="02:00:00:00:00:01")
            if isinstance(each, Link) and each.name == "vxlan1"
            else each
            for each in items
        )

    monkeypatch.setattr(Running, "node", changed)
    with pytest.raises(ValueError, match="no device takes what"):
        packet.walk("kopeio-vxlan")


@FAMILY
def test_routed_pods_need_no_bridge(monkeypatch: pytest.MonkeyPatch, family: int) -> None:
    """Where pods are routed, the pair's end on the node is the next router, known by permanent entries."""
    bridged = models.find("flannel:host-gw")

    def build(options: models.Options, source: str) -> Running:
        return replace(bridged.build(options, source), attach=RoutedAttach())

    monkeypatch.setattr(models, "find", lambda _name: replace(bridged, build=build))
    walk = packet.walk("routed", family)
    assert [each.kind for each in walk.hops] == ["veth", "veth", "nic", "nic", "veth", "veth"]
    assert walk.hops[0].headers[0].destination == "ee:ee:ee:ee:ee:ee"
    assert [len(walk.hops[0].because), len(walk.hops[4].because)] == [2, 2]


def test_every_way_in_the_tables_order() -> None:
    """All models and variants that run have a way, in the order that the table names them."""
    assert tuple(each.model for each in packet.every()) == models.names()
