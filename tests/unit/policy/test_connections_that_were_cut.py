"""Connections that were cut, errors about others' as the tracer sees the rules, and what is cut at hosts."""

from dataclasses import replace
from ipaddress import IPv4Interface, IPv6Interface, ip_address
from typing import Any

import pytest

from octet import policy
from octet.blueprint.nft import Packet
from octet.cluster.endpoint import Attachment, Endpoint
from octet.cluster.objects import Address
from octet.cluster.view import Underlay, View
from octet.kernel.fake_nft import Machine, Tracer
from octet.policy.engine import Engine
from octet.policy.gates import CUT, Gate
from octet.policy.judge import Packet as First
from octet.policy.lasting import Way

ME, WORLD = ip_address("192.0.2.1"), ip_address("198.51.100.9")
PODS = {"a": ("10.244.1.2", "fd00::2"), "b": ("10.244.1.3", "fd00::3")}
FAR = {4: ip_address("10.244.2.9"), 6: ip_address("fd01::9")}
FAILURE = {4: ("icmp", "destination-unreachable"), 6: ("icmpv6", "packet-too-big")}
WAYS = pytest.mark.parametrize("bridge", ["", "cni0"], ids=["routed", "bridge"])
FAMILIES = pytest.mark.parametrize("family", [4, 6])


def endpoint(name: str) -> Endpoint:
    four, six = map(ip_address, PODS[name])
    mac = f"02:00:00:00:00:0{name}"
    return Endpoint(Attachment("octet", name, "eth0"), f"cali{name}", mac, 1500, four, six, "x", name)


def view(**listings: list[dict[str, Any]]) -> View:
    held = View("node1", Underlay("eth0", 1500, IPv4Interface("192.0.2.1/24"), IPv6Interface("fd09::1/64")))
    pods = [
        {
            "metadata": {"name": name, "namespace": "x", "labels": {"app": name}},
            "spec": {"nodeName": "node1"},
            "status": {"podIPs": [{"ip": each} for each in addresses]},
        }
        for name, addresses in PODS.items()
    ]
    for kind, items in {"Pod": pods, **listings}.items():
        held = held.with_listing(kind, items).view
    return held


def rules(bridge: str, **listings: list[dict[str, Any]]) -> Tracer:
    found = policy.compile(view(**listings), [endpoint(name) for name in PODS], bridge=bridge)
    return Tracer(found, Machine({"eth0": (ME,)}))


def sent(bridge: str, name: str, to: Address, **fields: Any) -> Packet:
    """A pod's packet to another one, or to the world."""
    here = endpoint(name)
    source = here.v4 if to.version == 4 else here.v6
    assert source is not None
    packet = Packet(source, to, "udp", 9001, 9000, iif=bridge or here.host_link, source_mac=here.mac)
    return replace(packet, oif="eth0", **fields)


@WAYS
def test_nothing_of_a_cut_connection_passes(bridge: str) -> None:
    """With the mark neither direction passes nor what is related to it; without it all of it does."""
    table = rules(bridge)
    going = sent(bridge, "a", FAR[4], state="established")
    coming = Packet(FAR[4], going.source, "udp", 9000, 9001, "eth0", "calia", direction="reply")
    for packet in (going, replace(coming, state="established"), replace(going, state="related")):
        assert table.trace(packet).accepted
        assert not table.trace(replace(packet, connection_mark=CUT)).accepted
        assert table.trace(replace(packet, connection_mark=0x80)).accepted
    assert not table.trace(replace(going, state="new", connection_mark=CUT | 0x80)).accepted


@WAYS
def test_nodes_neither_send_nor_hear_of_a_cut_connection(bridge: str) -> None:
    """The mark counts for a node's own programs, too; only what says that it was cut may still be sent."""
    table = rules(bridge)
    out = Packet(ME, WORLD, "udp", 9000, 9001, state="established", direction="reply")
    into = Packet(WORLD, ME, "udp", 9001, 9000, "eth0", state="established")
    for packet in (out, into):
        assert table.trace(packet).accepted
        assert not table.trace(replace(packet, connection_mark=CUT)).accepted
    assert table.trace(replace(out, state="related", connection_mark=CUT)).accepted


@WAYS
def test_who_began_a_cut_connection_is_told_by_the_policy(bridge: str) -> None:
    """Packets of who began it are denied by the policy that forbids it, so that they are counted and told."""
    nothing = {
        "metadata": {"name": "shut", "namespace": "x"},
        "spec": {"podSelector": {"matchLabels": {"app": "a"}}, "policyTypes": ["Egress"]},
    }
    table = rules(bridge, NetworkPolicy=[nothing])
    path = table.trace(sent(bridge, "a", FAR[4], state="established", connection_mark=CUT)).path
    assert any("goto policy-deny-" in line for line in path), path


@WAYS
@FAMILIES
@pytest.mark.parametrize("state", ["related", "invalid"])
def test_an_error_about_anothers_connection_is_no_way_in(bridge: str, family: int, state: str) -> None:
    """A pod's ICMP error passes only where the pod is an end of the connection that it is about."""
    table = rules(bridge)
    protocol, kind = FAILURE[family]
    victim = endpoint("a").v4 if family == 4 else endpoint("a").v6
    liar = endpoint("b").v4 if family == 4 else endpoint("b").v6
    assert victim is not None
    assert liar is not None
    error = sent(bridge, "b", victim, protocol=protocol, icmp_type=kind, state=state, direction="reply")
    error = replace(error, oif="calia")
    assert not table.trace(replace(error, ends=(victim, FAR[family]))).accepted
    for ends in ((victim, liar), (liar, victim)):
        assert table.trace(replace(error, ends=ends)).accepted is (state == "related")
    routers = replace(error, source=WORLD if family == 4 else FAR[6], iif="eth0", source_mac="")
    assert table.trace(replace(routers, ends=(victim, FAR[family]), state="related")).accepted


def host(**spec: Any) -> dict[str, Any]:
    profiles = ["projectcalico-default-allow"]
    stated = {"node": "node1", "interfaceName": "eth0", "profiles": profiles, **spec}
    return {"metadata": {"name": "h", "labels": {"role": "node"}}, "spec": stated}


def shut(name: str, port: int, **spec: Any) -> dict[str, Any]:
    denied = [{"action": "Deny", "protocol": "TCP", "destination": {"ports": [port]}}, {"action": "Allow"}]
    stated = {"selector": "role == 'node'", "types": ["Ingress"], "ingress": denied, **spec}
    return {"metadata": {"name": name}, "spec": stated}


def may(policies: list[dict[str, Any]], way: Way, **spec: Any) -> bool:
    held = view(HostEndpoint=[host(**spec)], GlobalNetworkPolicy=policies)
    engine = Engine(held, Gate())
    engine.attach(endpoint("a"))
    return engine.lasting().allows(way)


def incoming(port: int, **fields: Any) -> Way:
    return Way(First(WORLD, ME, 6, 40000, port), came="eth0", left="", **fields)


def test_a_hosts_policies_judge_what_runs_to_and_from_the_node() -> None:
    """A node's connections go on as its host endpoint's policies say, by the way that they take."""
    assert not may([shut("p", 8080)], incoming(8080))
    assert may([shut("p", 8080)], incoming(8081))
    assert may([shut("p", 8080)], replace(incoming(8080), came="eth1"))
    out = Way(First(ME, WORLD, 6, 40000, 8080), came="", left="eth0")
    assert may([shut("p", 8080)], out)
    egress = shut("p", 8080, types=["Egress"])
    egress["spec"]["egress"] = egress["spec"].pop("ingress")
    assert not may([egress], out)
    assert may([egress], incoming(8080))


def test_failsafe_ports_go_on_whatever_a_policy_says() -> None:
    """What a host endpoint never shuts is not cut either, where it is for the node itself."""
    assert may([shut("p", 22)], incoming(22))
    passed = Way(First(WORLD, ip_address(PODS["a"][0]), 6, 40000, 22), came="eth0", left="calia")
    assert not may([shut("p", 22, applyOnForward=True)], passed)
    assert may([shut("p", 22)], passed)


def test_policies_before_translation_judge_what_was_asked_for() -> None:
    """A preDNAT policy sees the address and port of before; what it allows no later one forbids."""
    early = shut("early", 30000, preDNAT=True, applyOnForward=True, order=1)
    pod = First(WORLD, ip_address(PODS["a"][0]), 6, 40000, 80)
    way = Way(pod, (ME, 30000), came="eth0", left="calia")
    assert not may([early], way)
    assert may([early], replace(way, asked=(ME, 30001)))
    late = shut("late", 80, applyOnForward=True)
    assert not may([late], way)
    early["spec"]["ingress"][0]["action"] = "Allow"
    assert may([early, late], way)


def test_names_of_ports_are_the_host_endpoints() -> None:
    """A named port is the host endpoint's for its own connections."""
    named = shut("p", 0)
    named["spec"]["ingress"][0]["destination"]["ports"] = ["web"]
    ports = [{"name": "web", "protocol": "TCP", "port": 8080}]
    assert [may([named], incoming(port), ports=ports) for port in (8080, 8081)] == [False, True]


def test_a_policy_of_hosts_may_keep_what_runs() -> None:
    """The annotation counts for host endpoints as for pods."""
    kept = shut("p", 8080)
    kept["metadata"]["annotations"] = {"policy.octet.dev/established": "keep"}
    assert may([kept], incoming(8080))


def test_a_pod_nobody_told_of_has_no_running_connections() -> None:
    """What runs at the address of a pod that is not known yet is not the new pod's."""
    engine = Engine(view(), Gate())
    strange = replace(endpoint("a"), pod="new", v4=ip_address("10.244.1.9"), v6=None)
    engine.attach(strange)
    assert not engine.lasting().allows(Way(First(WORLD, ip_address("10.244.1.9"), 17, 9, 9)))
