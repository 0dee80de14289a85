"""Packets for advertised service addresses, traced through the rules that answer them."""

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from octet.blueprint import Blueprint
from octet.blueprint.nft import Chain, Packet
from octet.kernel.fake_nft import Machine, Tracer
from octet.kernel.nft.flows import outdated
from octet.service.vips import Frontend, Surround, answered

VIP, CLIENT, NODE = ip_address("192.0.2.10"), ip_address("198.51.100.1"), ip_address("172.31.1.1")
HERE, THERE = ip_address("10.244.1.5"), ip_address("10.244.2.5")
AROUND = Surround((ip_network("10.244.0.0/16"),), (), "kube-bridge")
MACHINE = Machine(
    addresses={"eth0": (NODE,), "kube-bridge": (ip_address("10.244.1.1"),)},
    routes={ip_network("0.0.0.0/0"): "eth0", ip_network("10.244.1.0/24"): "kube-bridge"},
)


def front(*targets: object, masqueraded: bool = True, protocol: str = "tcp") -> Frontend:
    ends = tuple((each, 8080) for each in targets or (HERE,))
    return Frontend(VIP, protocol, 80, ends, masqueraded)  # type: ignore[arg-type]


def held(*fronts: Frontend, networks: str = "192.0.2.10/32", around: Surround = AROUND) -> Blueprint:
    return answered(fronts, [ip_network(networks)], around)


def packet(source: object = CLIENT, port: int = 80, source_port: int = 40000, **more: object) -> Packet:
    more = {"protocol": "tcp", "iif": "eth0", "destination": VIP, **more}
    return Packet(source, source_port=source_port, destination_port=port, **more)  # type: ignore[arg-type]


def after(rules: Blueprint, sent: Packet) -> Packet | None:
    """Return the packet as it leaves the node; None where it is dropped."""
    trace = Tracer(rules, MACHINE).trace(sent)
    return trace.packet if trace.accepted else None


def test_a_client_reaches_a_pod_and_the_pod_sees_the_node() -> None:
    """Address and port are translated; the answer must come back here, so the client is masqueraded."""
    out = after(held(front(THERE)), packet())
    assert out is not None
    assert (out.destination, out.destination_port, out.source) == (THERE, 8080, NODE)


def test_a_local_service_keeps_the_clients_address() -> None:
    """With traffic policy Local the pod sees who asks."""
    out = after(held(front(HERE, masqueraded=False)), packet())
    assert out is not None
    assert (out.destination, out.source) == (HERE, CLIENT)


def test_endpoints_share_new_connections() -> None:
    """Each endpoint gets its part, whoever asks."""
    rules = held(front(HERE, THERE))
    seen = [after(rules, packet(source_port=each)) for each in range(40000, 40010)]
    assert [each.destination for each in seen if each].count(HERE) == 5
    assert [each.destination for each in seen if each].count(THERE) == 5


def test_pods_keep_their_addresses_but_towards_themselves() -> None:
    """A pod that asks is no client from outside; one that is its own endpoint needs another address."""
    rules = held(front(HERE, THERE))
    other = packet(ip_address("10.244.1.9"), iif="kube-bridge", source_port=40001)
    itself = packet(HERE, iif="kube-bridge", source_port=40000)
    out, back = after(rules, other), after(rules, itself)
    assert out is not None
    assert (out.destination, out.source) == (THERE, ip_address("10.244.1.9"))
    assert back is not None
    assert (back.destination, back.source) == (HERE, ip_address("10.244.1.1"))


def test_neighbours_on_a_bridge_answer_through_the_node() -> None:
    """Where ports of the bridge reach each other, the answer would go past the node otherwise."""
    around = Surround(AROUND.cluster, (ip_network("10.244.1.0/24"),), "kube-bridge")
    out = after(held(front(HERE), around=around), packet(ip_address("10.244.1.9"), iif="kube-bridge"))
    assert out is not None
    assert out.source == ip_address("10.244.1.1")


@pytest.mark.parametrize(
    ("allowed", "passes"),
    [
        ((), False),
        (("198.51.100.0/24",), True),
        (("10.0.0.0/8", "203.0.113.0/24"), False),
        (("fd00::/8",), False),
    ],
)
def test_only_who_may_come_is_led_to_a_pod(allowed: tuple[str, ...], passes: bool) -> None:
    """Where a service says from where it may be asked, others are refused, also of another family."""
    limited = replace(front(), sources=tuple(ip_network(each) for each in allowed))
    assert (after(held(limited), packet()) is not None) is passes
    assert after(held(front()), packet()) is not None


@pytest.mark.parametrize(
    "more", [{"port": 81}, {"protocol": "udp"}, {"destination": ip_address("192.0.2.11")}]
)
def test_what_nobody_answers_is_refused(more: dict[str, object]) -> None:
    """Forwarded, it would come back by the router that sent it; what is no service address passes."""
    assert after(held(front(), networks="192.0.2.0/24"), packet(**more)) is None  # type: ignore[arg-type]
    elsewhere = packet(destination=ip_address("203.0.113.9"))
    assert after(held(front(), networks="192.0.2.0/24"), elsewhere) is not None


def test_pods_may_send_to_an_address_that_other_nodes_answer() -> None:
    """A Local address without a pod here is the routers' affair: what pods send to it is forwarded."""
    rules = answered((), [ip_network("192.0.2.10/32")], AROUND)
    assert after(rules, packet(HERE, iif="kube-bridge")) is not None
    assert after(rules, packet()) is None


def test_udp_clients_of_an_endpoint_that_goes_are_forgotten() -> None:
    """Their next packet finds another endpoint; who has another one keeps it, whoever comes or goes."""
    both, one = held(front(HERE, THERE, protocol="udp")), held(front(HERE, protocol="udp"))
    gone = [*outdated(one.change_from(both))]
    assert [(each.port, each.destination, each.answered_by) for each in gone] == [(80, VIP, THERE)]
    assert [*outdated(both.change_from(one))] == []


def test_without_an_address_there_is_no_rule() -> None:
    """A node that advertises nothing holds nothing for it."""
    assert len(answered((), (), AROUND)) == 0


def test_two_services_with_one_endpoint_share_its_chain() -> None:
    """What leads to an endpoint is there once, however many ports lead to it."""
    other = Frontend(ip_address("192.0.2.11"), "tcp", 443, ((HERE, 8080),), masqueraded=True)
    rules = answered((front(), other), [ip_network("192.0.2.10/31")], AROUND)
    assert len([each for each in rules.of(Chain) if each.name.startswith("service-end-")]) == 1
