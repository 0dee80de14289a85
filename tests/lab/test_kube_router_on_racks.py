"""Model kube-router on racks: mesh, reflectors, the racks' routers alone; service addresses from outside."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from answering import ASK, KEEP_ASKING, SERVE
from octet.lab import Lab
from octet.lab.names import OUTSIDE
from octet.lab.provider import Octet
from racks import end_agent, mark, quiet, restart_agents, streaming, wait_for, ways

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(400)]

NODES = ("node1", "node2", "node3", "node4")
TORS = {"node1": "172.31.1.254", "node2": "172.31.1.254", "node3": "172.31.2.254", "node4": "172.31.2.254"}
SWITCHED, WITHDRAWN = 1.0, 2.0
"""Seconds of a stream that a switch may cost; until an address that nobody answers is told no more."""

OPTIONS = {
    "enable-overlay": False,
    "nodes-full-mesh": False,
    "advertise-cluster-ip": True,
    "advertise-external-ip": True,
    "advertise-loadbalancer-ip": True,
    "service-external-ip-range": ["192.0.2.0/25", "2001:db8:1::/64"],
    "loadbalancer-ip-range": ["192.0.2.128/25"],
    "advertise-aggregates": ["192.0.2.128/25"],
}


@dataclass
class Racks:
    """A lab of two racks with a pod on each node; ``pods`` and ``pods6`` are their addresses by node."""

    lab: Lab
    pods: dict[str, str]
    pods6: dict[str, str]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Who streams to whom: between racks and within one."""
        ways_between = (("node1", "node3"), ("node4", "node2"), ("node1", "node2"))
        both = (self.pods, self.pods6)
        return [(f"on-{here}", pods[there]) for here, there in ways_between for pods in both]

    def bgp(self, node: str) -> dict:
        """What a node says of its speaker."""
        told: dict = json.loads(self.lab.ask_agent(node, "/bgp"))
        return told

    def settled(self, peers: Mapping[str, set[str]]) -> None:
        """Wait until nodes have these sessions and no other, all of them up."""
        for node, names in peers.items():
            up = dict.fromkeys(names, "Established")
            wait_for(lambda node=node, up=up: _states(self.bgp(node)) == up, 60)

    def say(self, node: str, **said: str) -> None:
        """Annotate a node; underscores stand for dots and dashes of the key, as ``rr_server``."""
        keys = {"asn": "node.asn", "server": "rr.server", "client": "rr.client"}
        mark(self.lab, node, annotations={f"kube-router.io/{keys[key]}": text for key, text in said.items()})

    def meshed(self) -> None:
        """Be a mesh with the racks' routers beside it."""
        for node in NODES:
            self.say(node, asn="64512", server="", client="")
        self.settled({node: {*NODES, TORS[node]} - {node} for node in NODES})

    def told(self, prefix: str) -> int:
        """How many ways the outside knows to a prefix."""
        return len(ways(self.lab, OUTSIDE, prefix))

    def ask(self, address: str, source: str = OUTSIDE) -> list[str]:
        """Return who answered at a service address, and whom it saw; nothing where nobody did."""
        return self.lab.exec(source, [sys.executable, "-c", ASK, address]).stdout.split()

    def answers(self, address: str, node: str) -> None:
        """Wait until a node's pod answers at a service address that the outside knows already."""
        wait_for(lambda: self.ask(address)[:1] == [node])


def _states(told: dict) -> dict[str, str]:
    return {each["peer"]: each["state"] for each in told["sessions"]}


@pytest.fixture(scope="module")
def racks() -> Iterator[Racks]:
    with Lab.up(Octet("kube-router", OPTIONS), nodes=4, fabric="routed", family="dual") as lab:
        for number, node in enumerate(NODES):
            said = f"- remoteip: {TORS[node]}\n  remoteasn: {65001 + number // 2}\n"
            mark(lab, node, annotations={"kube-router.io/peers": said})
        serving = {node: [sys.executable, "-c", SERVE.replace("NAME", node)] for node in NODES}
        pods = {node: lab.run(f"on-{node}", node, serving[node]) for node in NODES}
        first, second = ({node: pod.address(each) for node, pod in pods.items()} for each in (4, 6))
        made = Racks(lab, first, second)
        made.meshed()
        wait_for(lambda: all(made.ask(f"{address}:8080") for address in first.values()), 30)
        yield made


def test_from_a_mesh_to_reflectors_to_the_racks_routers_alone(racks: Racks) -> None:
    """By annotations alone, live: each switch costs a running stream less than a second."""
    reflected = {
        "node1": {"node2", "node3", TORS["node1"]},
        "node2": {"node1", "node3", "node4", TORS["node2"]},
        "node3": {"node1", "node2", "node4", TORS["node3"]},
        "node4": {"node2", "node3", TORS["node4"]},
    }
    with streaming(racks.lab, racks.pairs) as streams:
        for node in ("node2", "node3"):
            racks.say(node, server="1")
        for node in ("node1", "node4"):
            racks.say(node, client="1")
        racks.settled(reflected)
    assert streams.seconds() < SWITCHED, streams.lost
    with streaming(racks.lab, racks.pairs) as streams:
        for number, node in enumerate(NODES):
            racks.say(node, asn=str(64601 + number), server="", client="")
        racks.settled({node: {TORS[node]} for node in NODES})
        time.sleep(1)
    assert streams.seconds() < SWITCHED, streams.lost
    with streaming(racks.lab, racks.pairs) as streams:
        racks.meshed()
        time.sleep(1)
    assert streams.seconds() < SWITCHED, streams.lost


def test_a_client_finds_reflectors_of_its_cluster_only(racks: Racks) -> None:
    """The cluster id is compared: a reflector of another one has no session with the client."""
    racks.say("node2", server="1")
    racks.say("node3", server="10.0.0.9")
    racks.say("node1", client="1")
    racks.settled({"node1": {"node2", TORS["node1"]}})
    racks.meshed()


def test_a_bad_annotation_changes_nothing(racks: Racks) -> None:
    """It is named with node, key and value, and every session stays as it was."""
    before = {each["peer"]: each["since"] for each in racks.bgp("node1")["sessions"]}
    racks.say("node1", client="everybody")
    mark(racks.lab, "node1", annotations={"kube-router.io/path-prepend.as": "64512"})
    config = ["--config", "/run/octet/node1/agent.toml", "--json"]
    status = [sys.executable, "-m", "octet.cli.main", "agent", "status", *config]
    bad = "Node node1: metadata.annotations[kube-router.io/"
    wait_for(lambda: bad in racks.lab.exec("node1", status).stdout)
    assert {each["peer"]: each["since"] for each in racks.bgp("node1")["sessions"]} == before
    mark(racks.lab, "node1", annotations={"kube-router.io/path-prepend.as": ""})
    racks.meshed()
    assert {each["peer"]: each["since"] for each in racks.bgp("node1")["sessions"]} == before


def test_a_restart_of_agents_loses_nothing(racks: Racks) -> None:
    """Agents that are killed and come back are not noticed by any stream."""
    with streaming(racks.lab, racks.pairs) as streams:
        restart_agents(racks.lab, "node1", "node3")
    quiet(streams)


def test_agents_that_are_told_to_end_lose_nothing(racks: Racks) -> None:
    """SIGTERM ends agents and their BIRD with them; peers keep the routes until both are back (RFC 4724)."""
    with streaming(racks.lab, racks.pairs) as streams:
        for node in ("node1", "node3"):
            end_agent(racks.lab, node)
            time.sleep(1)
            racks.lab.start_agent(node)
            racks.settled({node: {*NODES, TORS[node]} - {node}})
        time.sleep(1)
    quiet(streams)


def test_a_killed_bird_loses_nothing(racks: Racks) -> None:
    """BIRD dies and is started again; peers keep its routes (RFC 4724), and so does its kernel."""
    node, place = "node1", "/run/octet/node1/daemons/bgp"
    before = racks.bgp(node)["starts"]
    which = f'[ "$(readlink /proc/$pid/cwd)" = {place} ] && kill -9 $pid && echo done'
    with streaming(racks.lab, racks.pairs) as streams:
        done = racks.lab.exec(node, ["sh", "-c", f"for pid in $(pgrep -x bird); do {which}; done"])
        assert done.stdout == "done\n", done
        wait_for(lambda: racks.bgp(node)["starts"] > before)
        racks.settled({node: {*NODES, TORS[node]} - {node}})
        time.sleep(1)
    quiet(streams)


def service(name: str, address: str, **spec: object) -> dict:
    """A service of TCP port 80 with one cluster address."""
    held = {"clusterIP": address, "clusterIPs": [address], "ports": [{"port": 80, "protocol": "TCP"}], **spec}
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": held}


def endpoints(racks: Racks, service_name: str, *nodes: str, ready: bool = True, version: int = 4) -> dict:
    """The pods of these nodes behind a service."""
    pods = racks.pods if version == 4 else racks.pods6
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service_name}-{1 if version == 4 else 6}",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": service_name},
        },
        "addressType": f"IPv{version}",
        "ports": [{"port": 8080, "protocol": "TCP"}],
        "endpoints": [
            {"addresses": [pods[node]], "nodeName": node, "conditions": {"ready": ready}} for node in nodes
        ],
    }


@pytest.fixture
def served(racks: Racks) -> Iterator[Racks]:
    """The same; no service is left after the test."""
    yield racks
    for kind in ("services", "endpointslices"):
        for item in racks.lab.get(kind):
            racks.lab.delete(kind, item["metadata"]["name"])
    wait_for(lambda: racks.told("10.96.1.1/32") == racks.told("192.0.2.10/32") == 0)


def test_a_client_behind_the_spine_is_answered(served: Racks) -> None:
    """Every node tells a Cluster address: racks share it out, and any node leads to a pod that is ready."""
    web = service("web", "10.96.1.1", externalIPs=["192.0.2.10"])
    served.lab.put([web, endpoints(served, "web", "node2", "node3")])
    for address in ("10.96.1.1", "192.0.2.10"):
        wait_for(lambda address=address: served.told(f"{address}/32") == 2)
        for tor in ("tor1", "tor2"):
            wait_for(lambda tor=tor, address=address: len(ways(served.lab, tor, f"{address}/32")) == 2)
        wait_for(lambda address=address: all(served.ask(address) for _ in range(8)))
        answers = [served.ask(address) for _ in range(16)]
        assert {answer[0] for answer in answers} == {"node2", "node3"}
        assert all(answer[1].startswith(("172.31.", "10.244.")) for answer in answers)
    assert served.ask("192.0.2.10", "on-node2")
    assert served.ask("192.0.2.10", "node4")
    assert not served.ask("192.0.2.10:81")
    assert "192.0.2.10" not in str(served.lab.routes("node1"))  # nodes are told no service address


def test_a_local_address_is_told_by_nodes_with_a_pod_that_is_ready(served: Racks) -> None:
    """The routers send to these nodes only, over ECMP where there are several, and pods see the client."""
    web = service("web", "10.96.1.1", externalIPs=["192.0.2.10"], externalTrafficPolicy="Local")
    served.lab.put([web, endpoints(served, "web", "node1", "node2", "node3")])
    wait_for(lambda: len(ways(served.lab, "tor1", "192.0.2.10/32")) == 2)
    wait_for(lambda: len(ways(served.lab, "tor2", "192.0.2.10/32")) == 1)
    wait_for(lambda: served.told("192.0.2.10/32") == 2 and all(served.ask("192.0.2.10") for _ in range(8)))
    answers = [served.ask("192.0.2.10") for _ in range(20)]
    assert {answer[0] for answer in answers} <= {"node1", "node2", "node3"}
    assert len({answer[0] for answer in answers}) > 1
    assert not [answer for answer in answers if answer[1].startswith(("172.31.", "10.244."))]
    served.lab.put([endpoints(served, "web", "node3")])
    wait_for(lambda: set(ways(served.lab, "tor1", "192.0.2.10/32")) == {"up1", "up2"})
    for spine, down in (("spine1", "tor2-up1"), ("spine2", "tor2-up2")):
        wait_for(lambda spine=spine, down=down: ways(served.lab, spine, "192.0.2.10/32") == [down])
    assert {served.ask("192.0.2.10")[0] for _ in range(6)} == {"node3"}


@pytest.mark.parametrize("policy", ["Cluster", "Local"])
def test_an_address_that_nobody_answers_is_withdrawn_in_time(served: Racks, policy: str) -> None:
    """When the last ready endpoint goes, or only stops being ready, no router knows the address 2 s later."""
    web = service("web", "10.96.1.1", externalIPs=["192.0.2.10"], externalTrafficPolicy=policy)

    def withdrawn(last: list[dict]) -> float:
        """Take the last endpoint away; return the seconds until the outside does not know the address."""
        served.lab.put([web, endpoints(served, "web", "node2")])
        wait_for(lambda: served.told("192.0.2.10/32") == 2)
        begun = time.monotonic()
        if last:
            served.lab.put(last)
        else:
            served.lab.delete("endpointslices", "web-1")
        wait_for(lambda: served.told("192.0.2.10/32") == 0)
        return time.monotonic() - begun

    for last in ([endpoints(served, "web", "node2", ready=False)], []):
        assert any(withdrawn(last) < WITHDRAWN for _ in range(3))
        assert not served.ask("192.0.2.10")


def test_a_service_without_a_slice_takes_nothing_from_others(served: Racks) -> None:
    """A Local service that has no EndpointSlice at all is not told, and every other one is."""
    alone = service("alone", "10.96.1.2", internalTrafficPolicy="Local")
    served.lab.put([alone, service("web", "10.96.1.1"), endpoints(served, "web", "node4")])
    wait_for(lambda: served.told("10.96.1.1/32") == 2)
    assert served.told("10.96.1.2/32") == 0
    served.answers("10.96.1.1", "node4")


def test_annotations_of_services_have_the_last_word(served: Racks) -> None:
    """A service says for itself what of it is told, and takes it back; outside of the ranges nothing is."""
    web = service("web", "10.96.1.1", externalIPs=["192.0.2.10", "203.0.113.1"])
    served.lab.put([web, endpoints(served, "web", "node2")])
    wait_for(lambda: served.told("192.0.2.10/32") == 2)
    assert served.told("203.0.113.1/32") == 0
    web["metadata"]["annotations"] = {"kube-router.io/service.advertise.externalip": "false"}
    served.lab.put([web])
    wait_for(lambda: served.told("192.0.2.10/32") == 0)
    wait_for(lambda: served.told("10.96.1.1/32") == 2)


def test_a_range_is_told_in_the_place_of_its_addresses(served: Racks) -> None:
    """Routers hold one prefix for what every node answers, and a packet for no service is refused."""
    balanced = {"loadBalancer": {"ingress": [{"ip": "192.0.2.200"}]}}
    web = service("web", "10.96.1.1", type="LoadBalancer") | {"status": balanced}
    served.lab.put([web, endpoints(served, "web", "node2")])
    wait_for(lambda: served.told("192.0.2.128/25") == 2)
    assert served.told("192.0.2.200/32") == 0
    served.answers("192.0.2.200", "node2")
    ping = ["ping", "-c1", "-W1", "192.0.2.201"]
    wait_for(lambda: "Packet filtered" in served.lab.exec(OUTSIDE, ping).stdout)


def test_a_load_balancers_address_answers_its_source_ranges_only(served: Racks) -> None:
    """Who is outside of loadBalancerSourceRanges is refused there, and not at the service's other addresses.

    The ranges change while it runs: then who was refused is answered, and the other way round.
    """
    lab, balanced = served.lab, {"loadBalancer": {"ingress": [{"ip": "192.0.2.200"}]}}

    def answered() -> tuple[set[str], set[str]]:
        """Who is answered at the load balancer's address, and who at the external one."""
        first, second = (
            {each for each in (OUTSIDE, "tor1") if served.ask(address, each)}
            for address in ("192.0.2.200", "192.0.2.10")
        )
        return first, second

    for inside, ranges in (
        (OUTSIDE, ["198.51.100.0/24", "172.30.200.0/24"]),
        ("tor1", ["172.31.1.0/24"]),
        ("", ["203.0.113.0/24"]),
    ):
        spec = {"externalIPs": ["192.0.2.10"], "loadBalancerSourceRanges": ranges, "type": "LoadBalancer"}
        lab.put([service("web", "10.96.1.1", **spec) | {"status": balanced}])
        lab.put([endpoints(served, "web", "node2", "node3")])
        wait_for(lambda: served.told("192.0.2.128/25") == served.told("192.0.2.10/32") == 2)
        wanted = ({inside} - {""}, {OUTSIDE, "tor1"})
        # of every node: another connection may come to another one
        wait_for(lambda wanted=wanted: all(answered() == wanted for _ in range(4)), 20)


def test_both_families_are_told_and_answered(served: Racks) -> None:
    """A dual-stack service is reached by IPv4 and IPv6, each by endpoints of its own family."""
    both = {"clusterIPs": ["10.96.1.1", "fd00:10:96::11"], "externalIPs": ["192.0.2.10", "2001:db8:1::10"]}
    slices = [endpoints(served, "web", "node2"), endpoints(served, "web", "node3", version=6)]
    served.lab.put([service("web", "10.96.1.1", **both), *slices])
    for prefix in ("192.0.2.10/32", "2001:db8:1::10/128", "fd00:10:96::11/128"):
        wait_for(lambda prefix=prefix: served.told(prefix) == 2)
    served.answers("192.0.2.10", "node2")
    for address in ("[2001:db8:1::10]", "[fd00:10:96::11]"):
        served.answers(address, "node3")
    served.lab.delete("endpointslices", "web-6")
    wait_for(lambda: served.told("2001:db8:1::10/128") == 0)
    assert served.told("192.0.2.10/32") == 2


def test_a_udp_client_follows_when_its_endpoint_goes(served: Racks) -> None:
    """A client that sends on from one port is answered by another endpoint within two seconds."""
    ports = [{"port": 53, "targetPort": 8080, "protocol": "UDP"}]
    dns = service("dns", "10.96.1.1", externalIPs=["192.0.2.10"], ports=ports)
    first, second = (endpoints(served, "dns", node) for node in ("node2", "node3"))
    for each in (first, second):
        each["ports"] = [{"port": 8080, "protocol": "UDP"}]
    served.lab.put([dns, first])
    wait_for(lambda: served.told("192.0.2.10/32") == 2)
    command = [sys.executable, "-c", KEEP_ASKING, "192.0.2.10", "8"]
    client = served.lab.popen(OUTSIDE, command, stdout=subprocess.PIPE, text=True)
    wait_for(lambda: client.stdout.readline() == "node2\n")
    served.lab.put([second])
    answers = client.communicate(timeout=20)[0].split()
    assert answers[-5:] == ["node3"] * 5, answers
    assert answers.count("-") < 7, answers


def policed(**ingress: object) -> dict:
    """A NetworkPolicy for all pods of the namespace; without ingress nobody gets in."""
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], **({"ingress": [ingress]} if ingress else {})}
    metadata = {"name": "gate", "namespace": "default"}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def test_policy_judges_the_client_and_not_the_service(served: Racks) -> None:
    """Who may not reach a pod does not by a service either; of a Local one the client is judged."""
    web = service("web", "10.96.1.1", externalIPs=["192.0.2.10"], externalTrafficPolicy="Local")
    served.lab.put([web, endpoints(served, "web", "node3")])
    wait_for(lambda: bool(served.ask("192.0.2.10")))
    try:
        served.lab.put([policed()])
        wait_for(lambda: not served.ask("192.0.2.10"))
        peers = [{"ipBlock": {"cidr": each}} for each in ("198.51.100.0/24", "172.30.200.0/24")]
        served.lab.put([policed(**{"from": peers})])
        wait_for(lambda: bool(served.ask("192.0.2.10")))
    finally:
        served.lab.delete("networkpolicies", "gate")
