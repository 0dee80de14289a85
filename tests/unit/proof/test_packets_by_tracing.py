"""What objects and flows cannot say: translation before policy, replies, strays, thousands of networks."""

import random
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

import policy_cases
import policy_world
from octet import policy
from octet.blueprint import Blueprint
from octet.blueprint.nft import DPORT, L4PROTO, Chain, Compare, Hook, Nat, NftObject, Rule, daddr
from octet.cluster.endpoint import HostPort
from octet.cluster.netpol import EGRESS, INGRESS
from octet.errors import BadConfigurationError
from octet.oracle import Flow, World, decide
from octet.policy.judge import Packet as JudgePacket
from octet.policy.judge import judge
from octet.service import hostport
from policy_tracing import UPLINK, Cluster, NodeTable, endpoint_of, node_table, packet_of, view_of
from policy_worlds import generate

ADDRESSES = {name: ip_address(text) for name, text in policy_world.ADDRESSES.items()}
XA, XB, XC, YB, ZA = (ADDRESSES[name] for name in ("x/a", "x/b", "x/c", "y/b", "z/a"))
OUTSIDE, SERVICE = ip_address("203.0.113.7"), ip_address("10.96.0.10")
WAYS = pytest.mark.parametrize("bridge", ["", "cni0"], ids=["routed", "bridge"])


def kube(namespace="x", **spec):
    return policy_cases.policy({"name": "p", "namespace": namespace, "spec": spec}, "NetworkPolicy")


def objects(*policies):
    return [*policy_world.objects().values(), *policies]


def node_1(items, bridge, more=(), change=lambda endpoint: endpoint) -> NodeTable:
    """Return node-1 with the policy of a cluster, and more rules beside it."""
    view = view_of(items, "node-1")
    pods = [pod for pod in view.pods.values() if pod.node == "node-1"]
    held = [change(endpoint_of(pod, bridged=bool(bridge))) for pod in pods]
    rules = [*policy.compile(view, held, bridge=bridge), *more]
    return node_table(view, held, rules)


def leaving(table: NodeTable, bridge: str, flow: Flow, **fields):
    """Send a pod's packet; return what became of it."""
    endpoint = table.endpoints[flow.source]
    packet = replace(packet_of(flow), iif=bridge or endpoint.host_link, source_mac=endpoint.mac, **fields)
    return table.tracer.trace(packet)


def arriving(table: NodeTable, flow: Flow, **fields):
    """Send a packet from another machine; return what became of it."""
    return table.tracer.trace(replace(packet_of(flow), iif=UPLINK, **fields))


def service(pod) -> list[NftObject]:
    """Return a service's translation as a proxy makes it: port 8000 of its address is port 80 of a pod."""
    hook = Hook("nat", "prerouting", -100)
    parts = (Compare(daddr(4), SERVICE), Compare(L4PROTO, "tcp"), Compare(DPORT, 8000), Nat("dnat", pod, 80))
    return [Chain("proxy", (Rule(*parts),), hook)]


@WAYS
def test_services_are_judged_after_translation(bridge):
    """Egress to a service is judged as egress to the pod and port behind it, never to the service's own."""
    to_pod = kube(
        podSelector={"matchLabels": {"pod": "a"}},
        policyTypes=[EGRESS],
        egress=[{"to": [{"podSelector": {"matchLabels": {"pod": "c"}}}], "ports": [{"port": 80}]}],
    )
    to_service = kube(
        podSelector={"matchLabels": {"pod": "a"}},
        policyTypes=[EGRESS],
        egress=[{"to": [{"ipBlock": {"cidr": f"{SERVICE}/32"}}], "ports": [{"port": 8000}]}],
    )
    flow = Flow(XA, SERVICE, "TCP", 8000)
    assert leaving(node_1(objects(to_pod), bridge, service(XC)), bridge, flow).accepted
    assert not leaving(node_1(objects(to_service), bridge, service(XC)), bridge, flow).accepted


@WAYS
def test_host_ports_are_judged_after_translation(bridge):
    """A host port leads to the pod's own port, and the pod's policy sees the client's address."""
    opened = kube(
        podSelector={}, ingress=[{"from": [{"ipBlock": {"cidr": f"{OUTSIDE}/32"}}], "ports": [{"port": 80}]}]
    )
    other = kube(
        podSelector={},
        ingress=[{"from": [{"ipBlock": {"cidr": f"{OUTSIDE}/32"}}], "ports": [{"port": 8080}]}],
    )
    ports = (HostPort(8080, 80),)
    flow = Flow(OUTSIDE, ip_address("192.168.0.1"), "TCP", 8080)
    for stated, passes in ((opened, True), (other, False)):
        view = view_of(objects(stated), "node-1")
        pod = replace(endpoint_of(view.pods["x", "a"], bridged=bool(bridge)), host_ports=ports)
        rules = [
            *hostport.base((ip_network("10.244.1.0/24"),), bridge),
            *hostport.elements(pod, own_link=not bridge),
        ]
        table = node_1(objects(stated), bridge, rules)
        trace = arriving(table, flow)
        assert trace.packet.destination == XA
        assert trace.accepted is passes


@WAYS
def test_replies_and_errors_pass(bridge):
    """What belongs to a connection, or is an error about one, passes where nothing new would."""
    closed = node_1(objects(kube(podSelector={}, policyTypes=[INGRESS, EGRESS])), bridge)
    for state in ("established", "related"):
        assert arriving(closed, Flow(OUTSIDE, XA, "TCP", 40000), state=state).accepted
        assert leaving(closed, bridge, Flow(XA, OUTSIDE, "TCP", 40000), state=state).accepted
    assert not arriving(closed, Flow(OUTSIDE, XA, "TCP", 40000)).accepted


@WAYS
def test_packets_of_no_connection_do_not_pass(bridge):
    """An invalid packet is dropped whatever is allowed, and one from the middle of a stream opens nothing."""
    opened = node_1(
        objects(kube(podSelector={}, policyTypes=[INGRESS, EGRESS], ingress=[{}], egress=[{}])), bridge
    )
    flow = Flow(OUTSIDE, XA, "TCP", 80)
    assert arriving(opened, flow).accepted
    assert not arriving(opened, flow, state="invalid").accepted
    assert not arriving(opened, flow, opens=False).accepted
    assert not leaving(opened, bridge, Flow(XA, OUTSIDE, "TCP", 80), opens=False).accepted


def some_address(dice: random.Random, *more: int) -> str:
    numbers = dice.choice((9, 10, 11, 203, *more)), *(dice.randrange(256) for _ in range(3))
    return ".".join(map(str, numbers))


def some_block(dice: random.Random) -> dict:
    whole = ip_network(f"{some_address(dice)}/{dice.choice((8, 12, 16, 20, 24, 28, 32))}", strict=False)
    if whole.prefixlen > 28 or dice.random() < 0.5:
        return {"cidr": str(whole)}
    hole = next(iter(whole.subnets(new_prefix=whole.prefixlen + 2)))
    return {"cidr": str(whole), "except": [str(hole)]}


@WAYS
def test_thousands_of_overlapping_networks(bridge):
    """2,000 random networks with holes, overlapping at will, let in whom the oracle lets in."""
    dice = random.Random(40)
    blocks = [{"ipBlock": some_block(dice)} for _ in range(2000)]
    items = objects(
        kube(
            podSelector={},
            ingress=[{"from": blocks[:1000]}, {"from": blocks[1000:], "ports": [{"port": 81}]}],
        )
    )
    world, table = World(items), node_1(items, bridge)
    answers = set()
    for _ in range(200):
        source = ip_address(some_address(dice, 8))
        flow = Flow(source, XA, "TCP", dice.choice((80, 81)))
        verdict = decide(world, flow).allowed
        answers.add(verdict)
        assert arriving(table, flow).accepted is verdict, flow
    assert answers == {True, False}


@WAYS
def test_other_interfaces_are_not_judged(bridge):
    """Packets between interfaces that are no pod's pass; a pod's link that no agent has told of does not."""
    table = node_1(objects(kube(podSelector={})), bridge)
    elsewhere = replace(packet_of(Flow(OUTSIDE, ip_address("198.51.100.1"), "TCP", 80)), iif="mgmt0")
    assert table.tracer.trace(elsewhere).accepted
    stranger = replace(
        packet_of(Flow(ip_address("10.244.1.99"), OUTSIDE, "TCP", 80)), iif=bridge or "califfffffffff0"
    )
    assert not table.tracer.trace(stranger).accepted


def test_an_invalid_update_changes_nothing():
    """An update that the API would refuse is refused by name and field, and the policy of before stands."""
    view = view_of(objects(kube(podSelector={}, ingress=[{"ports": [{"port": 80}]}])), "node-1")
    bad = kube(podSelector={}, ingress=[{"ports": [{"port": "web", "endPort": 90}]}])
    with pytest.raises(BadConfigurationError, match=r"NetworkPolicy x/p.*endPort"):
        view.with_event("NetworkPolicy", ("MODIFIED", bad))
    held = [endpoint_of(pod) for pod in view.pods.values() if pod.node == "node-1"]
    relisted = view.with_listing("NetworkPolicy", [bad])
    assert [str(error).partition(":")[0] for error in relisted.refused] == ["NetworkPolicy x/p"]
    before, after = (policy.compile(each, held) for each in (view, relisted.view))
    assert before == after != Blueprint()


@pytest.mark.slow
def test_what_explains_is_what_the_specification_says():
    """The rules in order, asked about a packet one by one, say what the oracle says, in 400 random worlds."""
    for seed in range(70_000, 70_400):
        random_world = generate(seed)
        world = World(random_world.objects, names=random_world.names)
        cluster = Cluster(random_world.objects, names=random_world.names)
        view = cluster.views["node-1"]
        for flow in random_world.flows:
            kinds = (flow.number, flow.source_port or 40000, flow.port or 0, flow.icmp)
            packet = JudgePacket(flow.source, flow.destination, *kinds)
            ends = ((view.pods.at(flow.source), EGRESS), (view.pods.at(flow.destination), INGRESS))
            said = [
                judge(policy.stages(view, pod, way), packet, way, view).allowed
                for pod, way in ends
                if pod is not None
            ]
            own = [
                pod for pod, way in ends if pod is not None and way == INGRESS and _own_node(view, flow, pod)
            ]
            assert all(said) is decide(world, flow).allowed or own, f"seed {seed}: {flow}"


def _own_node(view, flow, pod) -> bool:
    node = view.nodes.get(pod.node)
    return node is not None and flow.source in node.internal_ips
