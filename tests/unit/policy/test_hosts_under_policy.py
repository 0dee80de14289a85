"""Host endpoints: a node's own interfaces under Calico's policies, as the tracer sees the compiled rules."""

from ipaddress import IPv4Interface, ip_address, ip_network
from typing import Any

import pytest

from octet import policy
from octet.blueprint import Blueprint
from octet.blueprint.nft import Packet, validate
from octet.cluster.endpoint import Attachment, Endpoint
from octet.cluster.view import Underlay, View
from octet.kernel.fake_nft import Machine, Tracer

ME = ip_address("192.0.2.1")
WORLD = ip_address("198.51.100.9")
POD = ip_address("10.244.1.2")
MACHINE = Machine(
    {"eth0": (ME,), "eth1": (ip_address("192.0.2.65"),)},
    {ip_network("0.0.0.0/0"): "eth0", ip_network("10.244.1.2/32"): "calia"},
)
TCP, ANY = {"action": "Allow", "protocol": "TCP"}, {"action": "Allow"}
WEB = {**TCP, "destination": {"ports": [8080]}}


def host(interface: str = "*", **spec: Any) -> dict[str, Any]:
    named = {"interfaceName": interface} if interface else {}
    return {
        "metadata": {"name": f"h{interface.strip('*')}", "labels": {"role": "node"}},
        "spec": {"node": "node1", **named, **spec},
    }


def compiled(*hosts: dict[str, Any], **policies: dict[str, Any]) -> Blueprint:
    view = View("node1", Underlay("eth0", 1500, IPv4Interface("192.0.2.1/24")))
    pod = {
        "metadata": {"name": "a", "namespace": "x"},
        "spec": {"nodeName": "node1", "containers": [{"ports": [{"name": "web", "containerPort": 7070}]}]},
        "status": {"podIP": str(POD)},
    }
    view = view.with_listing("Pod", [pod]).view.with_listing("HostEndpoint", hosts).view
    items = [
        {"metadata": {"name": name}, "spec": {"selector": "role == 'node'", **spec}}
        for name, spec in policies.items()
    ]
    made = Endpoint(Attachment("octet", "a", "eth0"), "calia", "02:00:00:00:00:01", 1500, POD, None, "x", "a")
    found = policy.compile(view.with_listing("GlobalNetworkPolicy", items).view, [made])
    validate(found)
    return found


def enters(
    blueprint: Blueprint, port: int, *, to: Any = ME, link: str = "eth0", protocol: str = "tcp"
) -> bool:
    packet = Packet(WORLD, to, protocol, 1234, port, iif=link)
    return Tracer(blueprint, MACHINE).trace(packet).accepted


def leaves(blueprint: Blueprint, port: int, to: Any = WORLD) -> bool:
    return Tracer(blueprint, MACHINE).trace(Packet(ME, to, "tcp", 1234, port)).accepted


def test_without_host_endpoints_nodes_are_left_alone() -> None:
    """A global policy that would select nodes does nothing where no host endpoint makes one of them."""
    nothing = compiled(deny={"types": ["Ingress", "Egress"]})
    assert nothing == compiled()
    assert enters(nothing, 8080)


def test_a_host_endpoint_is_shut_but_for_failsafe_ports() -> None:
    """An interface with a host endpoint and no policy passes its failsafe ports both ways, nothing else."""
    shut = compiled(host())
    assert [enters(shut, port) for port in (22, 6443, 8080)] == [True, True, False]
    assert [leaves(shut, port) for port in (6443, 2379, 443)] == [True, True, False]
    assert enters(shut, 68, protocol="udp")


def test_the_profile_opens_what_no_policy_is_about() -> None:
    """With projectcalico-default-allow an interface is open unless a policy selects it."""
    profile = host(profiles=["projectcalico-default-allow"])
    assert enters(compiled(profile), 8080)
    assert not enters(compiled(profile, web={"ingress": [{**TCP, "destination": {"ports": [80]}}]}), 8080)


def test_policies_open_ports_by_number_and_by_the_endpoints_names() -> None:
    """A rule's port may be a name that the host endpoint gave it."""
    named = host(ports=[{"name": "web", "protocol": "TCP", "port": 8080}])
    open_web = compiled(named, web={"ingress": [{**TCP, "destination": {"ports": ["web"]}}]})
    assert [enters(open_web, port) for port in (8080, 8081)] == [True, False]


def test_an_interface_of_its_own_is_not_one_of_all() -> None:
    """What an interface's own endpoint says counts there, and the endpoint of all interfaces elsewhere."""
    both = compiled(host(), host("eth1", profiles=["projectcalico-default-allow"]))
    assert not enters(both, 8080)
    assert enters(both, 8080, link="eth1")


def test_an_endpoint_may_be_known_by_its_address() -> None:
    """Without a name it is the interface that has one of the expected addresses."""
    by_address = compiled(host("", expectedIPs=["192.0.2.1"]))
    assert not enters(by_address, 8080)
    assert enters(by_address, 8080, link="eth1")


def test_nodes_reach_their_pods_whatever_host_policies_say() -> None:
    """Between a node and its own pods stands no host endpoint."""
    assert leaves(compiled(host()), 8080, POD)


@pytest.mark.parametrize(("forwarded", "passes"), [(False, True), (True, False)])
def test_what_is_passed_on_is_judged_where_the_policy_says_so(forwarded: bool, passes: bool) -> None:
    """Forwarded packets meet host policies with applyOnForward only."""
    ruled = compiled(host(), web={"ingress": [WEB], "applyOnForward": forwarded})
    assert enters(ruled, 9999, to=POD) is passes
    assert enters(ruled, 8080, to=POD)


def test_names_of_ports_in_forwarded_packets_are_the_pods() -> None:
    """What is passed on is for a pod: a named port is the pod's, not the host endpoint's."""
    rule = {**TCP, "destination": {"ports": ["web"]}}
    named = host(ports=[{"name": "web", "protocol": "TCP", "port": 8080}])
    ruled = compiled(named, web={"ingress": [rule], "applyOnForward": True})
    assert [enters(ruled, port, to=POD) for port in (7070, 8080)] == [True, False]
    assert [enters(ruled, port) for port in (7070, 8080)] == [False, True]


def test_untracked_policies_come_first_and_settle_it() -> None:
    """What an untracked policy allows or denies no other policy is asked about; the rest goes on to them."""
    raw = {
        "doNotTrack": True,
        "applyOnForward": True,
        "ingress": [
            {"action": "Deny", "source": {"nets": ["203.0.113.0/24"]}},
            {"action": "Allow", "protocol": "UDP", "destination": {"ports": [53]}},
        ],
    }
    ruled = compiled(host(), raw=raw, web={"ingress": [WEB]})
    assert enters(ruled, 53, protocol="udp")
    assert [enters(ruled, port) for port in (8080, 8081)] == [True, False]
    hostile = Packet(ip_address("203.0.113.5"), ME, "tcp", 1234, 8080, iif="eth0")
    assert not Tracer(ruled, MACHINE).trace(hostile).accepted


def test_policies_before_translation_settle_it_too() -> None:
    """A preDNAT policy's Allow is final; what it says nothing of goes on to ordinary policies."""
    early = {"preDNAT": True, "applyOnForward": True, "ingress": [{**TCP, "destination": {"ports": [30000]}}]}
    ruled = compiled(host(), early=early)
    assert [enters(ruled, port) for port in (30000, 30001)] == [True, False]


def test_routers_and_neighbours_are_heard() -> None:
    """A shut interface still takes part in IPv6's neighbour discovery."""
    shut = compiled(host())
    six = Machine({"eth0": (ip_address("fe80::1"),)}, {ip_network("::/0"): "eth0"})
    said = Packet(
        ip_address("fe80::2"), ip_address("fe80::1"), "icmpv6", iif="eth0", icmp_type="nd-router-advert"
    )
    assert Tracer(shut, six).trace(said).accepted
