"""What names mean, learned packet by packet: from whom, for whom, how long, and known again after a kill."""

import random
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any

import pytest

from agent_node import AgentNode
from dns_packets import ASKED, A, accepted, addressed, answer, question, record, stream, tcp, udp
from octet.agent import learning
from octet.agent.metrics import NAMES_OUTCOMES
from octet.blueprint.nft import Element
from octet.cluster.resolvers import Resolvers
from octet.kernel import headers
from octet.kernel.nflog import Logged
from octet.policy import compile as compiled
from octet.policy.judge import Packet
from octet.policy.lasting import Way

RESOLVER, LIAR = IPv4Address("192.0.2.53"), IPv4Address("192.0.2.66")
GOAL, OTHER = ip_address("203.0.113.7"), ip_address("203.0.113.8")
WWW = "www.example.com"


@pytest.fixture
async def here(tmp_path: Path) -> Any:
    """A canal node that believes RESOLVER, with two pods that may reach *.example.com by name."""
    node = AgentNode(tmp_path, model="canal")
    node.resolvers = Resolvers((RESOLVER,))
    await begin(node)
    node.one, node.two = attach(node, "one", "c1"), attach(node, "two", "c2")
    yield node
    node.close()


async def begin(node: AgentNode) -> None:
    """Start, with pods and policy known before the view is whole."""
    node.start()
    view = node.view
    for kind, item in (("NetworkPolicy", policy()), ("Pod", pod("one")), ("Pod", pod("two"))):
        view, _ = view.with_event(kind, ("ADDED", item))
    node.view = view
    node.network.view = view
    node.learning.recall(0.0)
    node.view = node.network.view
    await node.sync()


def pod(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": {"nodeName": "node1"}}


def policy(domains: str = "*.example.com") -> dict[str, Any]:
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"ports": [{"port": 53}]}]}
    notes = {"policy.octet.dev/domains": domains}
    return {"metadata": {"name": "by-name", "namespace": "shop", "annotations": notes}, "spec": spec}


def attach(here: AgentNode, name: str, container: str) -> IPv4Address:
    made = here.add(container, CNI_ARGS=f"K8S_POD_NAMESPACE=shop;K8S_POD_NAME={name}")
    assert "code" not in made, made
    return IPv4Address(made["ips"][0]["address"].split("/")[0])


def hear(here: AgentNode, *packets: bytes, now: float = 1.0) -> None:
    here.learning.take([Logged("octet names", each) for each in packets], now)
    here.learning.look(now + learning.PAUSE)


def exchange(
    pod: Any, name: str = WWW, goal: Any = GOAL, *, ttl: int = 60, resolver: Any = RESOLVER
) -> tuple[bytes, bytes]:
    """A pod's question, and the answer."""
    return (
        udp(pod, 4000, resolver, 53, question(name)),
        udp(resolver, 53, pod, 4000, addressed(name, goal, ttl=ttl)),
    )


def pairs(here: AgentNode, family: int = 4) -> set[tuple[str, str]]:
    """Which pod's address may reach which other by name, in the kernel."""
    held = here.kernel.read(here.desired.blueprint()).of(Element)
    return {(str(e.values[0]), str(e.values[1])) for e in held if e.of.endswith(f"-d{family}")}


def counted(here: AgentNode) -> dict[str, float]:
    """Outcomes that were counted."""
    family = next(iter(here.metrics.names.collect()))
    return {sample.labels["outcome"]: sample.value for sample in family.samples if sample.value}


async def test_an_answer_opens_its_addresses_to_who_asked(here: Any) -> None:
    """One pod asks and may go there; the other, under the same policy, may not."""
    hear(here, *exchange(here.one))
    assert pairs(here) == {(str(here.one), str(GOAL))}
    hear(here, *exchange(here.two, goal=OTHER), now=2.0)
    assert pairs(here) == {(str(here.one), str(GOAL)), (str(here.two), str(OTHER))}
    assert counted(here) == {"learned": 2}


async def test_names_of_no_policy_are_not_learned(here: Any) -> None:
    """A pod can make the book hold only what its own policies are about."""
    hear(here, *exchange(here.one, "www.example.org"))
    assert (pairs(here), here.journal.learned()) == (set(), {})


async def test_only_resolvers_that_the_node_knows_are_believed(here: Any) -> None:
    """Another machine, another pod, and a pod that calls itself an answer teach nothing."""
    hear(here, *exchange(here.one, resolver=LIAR), *exchange(here.one, resolver=here.two))
    hear(here, udp(here.one, 53, RESOLVER, 53, addressed(WWW, GOAL)))
    assert pairs(here) == set()
    assert counted(here) == {"not believed": 5}


@pytest.mark.parametrize(
    "packet",
    [
        lambda pod: udp(RESOLVER, 53, pod, 4000, addressed(WWW, GOAL, number=8)),
        lambda pod: udp(RESOLVER, 53, pod, 4001, addressed(WWW, GOAL)),
        lambda pod: udp(RESOLVER, 53, pod, 4000, addressed("b.example.com", GOAL)),
        lambda pod: udp(RESOLVER, 54, pod, 4000, addressed(WWW, GOAL)),
        lambda pod: udp(RESOLVER, 53, pod, 4000, answer(WWW, record(ASKED, A, 60, GOAL.packed), kind=28)),
    ],
    ids=["number", "port", "name", "resolver's port", "type"],
)
async def test_an_answer_must_be_the_questions(here: Any, packet: Any) -> None:
    """What agrees with no question of the pod, in one thing or another, teaches nothing."""
    asked, good = exchange(here.one)
    hear(here, asked, packet(here.one))
    assert (pairs(here), counted(here)) == (set(), {"not asked": 1})
    hear(here, good)
    assert pairs(here) == {(str(here.one), str(GOAL))}


async def test_an_answer_by_tcp_needs_a_question_by_tcp(here: Any) -> None:
    """What was asked by UDP is not answered by TCP."""
    asked, _ = exchange(here.one)
    back = (RESOLVER, 53, here.one, 4000)
    hear(here, asked, accepted(*back), tcp(*back, stream(addressed(WWW, GOAL))))
    assert (pairs(here), counted(here)) == (set(), {"not asked": 1})


async def test_an_answer_must_come_soon_and_once(here: Any) -> None:
    """A late answer teaches nothing, nor does a second one."""
    asked, good = exchange(here.one)
    hear(here, asked, now=1.0)
    hear(here, good, now=12.0)
    assert pairs(here) == set()
    hear(here, asked, good, udp(RESOLVER, 53, here.one, 4000, addressed(WWW, OTHER)), now=13.0)
    assert pairs(here) == {(str(here.one), str(GOAL))}


async def test_letters_case_is_no_difference(here: Any) -> None:
    """A question in mixed case is answered in mixed case (0x20), or in another."""
    hear(
        here,
        udp(here.one, 4000, RESOLVER, 53, question("wWw.eXample.com")),
        udp(RESOLVER, 53, here.one, 4000, addressed("WWW.example.COM", GOAL)),
    )
    assert pairs(here) == {(str(here.one), str(GOAL))}


async def test_answers_by_tcp_are_learned(here: Any) -> None:
    """A cut UDP answer teaches nothing and is counted; the one that follows by TCP does, also in pieces."""
    asked, _ = exchange(here.one)
    cut = answer(WWW, record(ASKED, A, 60, OTHER.packed), flags=0x8380)
    hear(here, asked, udp(RESOLVER, 53, here.one, 4000, cut))
    assert pairs(here) == set()
    there, back = (here.one, 4000, RESOLVER, 53), (RESOLVER, 53, here.one, 4000)
    whole = stream(addressed(WWW, GOAL))
    again = tcp(*there, stream(question(WWW)))
    hear(here, accepted(*back, at=7), again, tcp(*back, b"", 8), tcp(*back, whole[:9], 8))
    assert pairs(here) == set()
    hear(here, tcp(*back, whole[9:], 17))
    assert pairs(here) == {(str(here.one), str(GOAL))}
    assert counted(here) == {"truncated": 1, "learned": 1}


async def test_a_pod_cannot_cut_an_answer_so_that_it_says_something_else(here: Any) -> None:
    """Bytes inside an answer that look like another one, at the start of a segment, are none."""
    there, back = (here.one, 4000, RESOLVER, 53), (RESOLVER, 53, here.one, 4000)
    lie = stream(addressed(WWW, OTHER))
    long = stream(answer("txt.example.com", record(ASKED, 16, 60, lie), number=9, kind=16))
    asked = tcp(*there, stream(question("txt.example.com", number=9, kind=16), question(WWW)))
    begin = long.index(lie)
    segments = tcp(*back, long[:begin], 1), tcp(*back, long[begin:], 1 + begin)
    hear(here, accepted(*back), asked, *segments)
    hear(here, asked, segments[1], accepted(RESOLVER, 53, here.one, 4001), segments[1])
    assert pairs(here) == set()
    hear(here, tcp(*back, stream(addressed(WWW, GOAL)), 1 + len(long)))
    assert pairs(here) == {(str(here.one), str(GOAL))}


async def test_a_time_is_over_when_the_answer_says(here: Any) -> None:
    """After its time to live a name means nothing, while connections that it allowed go on."""
    hear(here, *exchange(here.one, ttl=30), now=1.0)
    here.learning.look(30.9)
    assert pairs(here) == {(str(here.one), str(GOAL))}
    here.learning.look(31.0)
    assert pairs(here) == set()
    assert here.policing.lasting().allows(Way(Packet(here.one, GOAL, 6, 40000, 443)))
    assert not here.policing.lasting().allows(Way(Packet(here.two, GOAL, 6, 40000, 443)))


async def test_one_pods_names_never_cost_anothers(here: Any) -> None:
    """A pod that asks for thousands of names keeps its own share, and the other what it has."""
    hear(here, *exchange(here.two, ttl=10), now=1.0)
    asked = (
        exchange(here.one, f"n{number}.example.com", ip_address((198 << 24) + number))
        for number in range(600)
    )
    hear(here, *(packet for each in asked for packet in each), now=1.0)
    mine = {far for own, far in pairs(here) if own == str(here.one)}
    assert len(mine) == 512
    assert (str(here.two), str(GOAL)) in pairs(here)
    assert len(here.journal.learned()) == 2
    assert sum(map(len, here.journal.learned().values())) == 513


async def test_a_restarted_agent_knows_what_names_mean(here: Any) -> None:
    """Killed and started again: the rules stay as they were, and so does what may go on."""
    hear(here, *exchange(here.one, ttl=60), *exchange(here.two, "a.example.com", OTHER, ttl=5), now=0.0)
    here.view = here.network.view
    await begin(here)
    assert {each.values[1] for each in changes(here)} == set()
    here.learning.look(10.0)
    assert pairs(here) == {(str(here.one), str(GOAL))}
    for own, far in ((here.one, GOAL), (here.two, OTHER)):
        assert here.policing.lasting().allows(Way(Packet(own, far, 6, 40000, 443)))
    assert not here.policing.lasting().allows(Way(Packet(here.one, OTHER, 6, 40000, 443)))


def changes(here: AgentNode) -> list[Element]:
    """What a comparison with the kernel would change of pairs."""
    wanted = here.desired.blueprint()
    held = here.kernel.read(wanted)
    return [each for each in (*(wanted - held), *(held - wanted)) if isinstance(each, Element)]


async def test_both_families_of_a_pod_are_who_asked(tmp_path: Path) -> None:
    """A pod that asks by IPv6 for both families reaches each by its own address of it."""
    node = AgentNode(tmp_path, families=(4, 6), model="canal")
    resolver, far = ip_address("2001:db8::53"), ip_address("2001:db8:9::7")
    node.resolvers = Resolvers((resolver,))
    await begin(node)
    made = node.add("c1", CNI_ARGS="K8S_POD_NAMESPACE=shop;K8S_POD_NAME=one")
    four, six = (ip_address(each["address"].split("/")[0]) for each in made["ips"])
    asked = udp(six, 4000, resolver, 53, question(WWW))
    hear(node, asked, udp(resolver, 53, six, 4000, addressed(WWW, GOAL, far)))
    assert pairs(node, 4) == {(str(four), str(GOAL))}
    assert pairs(node, 6) == {(str(six), str(far))}
    node.close()


@pytest.mark.parametrize("own", ["10.244.1.2", "fd00::2"])
def test_what_packets_carry(own: str) -> None:
    """Bodies of UDP and TCP, with TCP's place and flags, behind either IP header; cut ones have none."""
    here, there = ip_address(own), ip_address("192.0.2.53" if "." in own else "2001:db8::53")
    assert headers.body(udp(here, 4000, there, 53, b"x")) == b"x"
    segment = tcp(here, 4000, there, 53, b"xy", 77)
    assert (headers.body(segment), headers.segment(segment)) == (b"xy", (77, 0x18))
    assert headers.segment(accepted(there, 53, here, 4000, 5)) == (5, 0x12)
    for length in range(20 if "." in own else 40, len(segment) - 2):
        assert headers.body(segment[:length]) == b""
    assert headers.segment(udp(here, 4000, there, 53, b"x")) == (0, 0)


async def test_changes_come_to_what_a_fresh_start_comes_to(here: Any) -> None:
    """After policies, names and pods have changed at random, the rules are those of a start from nothing."""
    chance = random.Random(3)
    for step in range(70):
        now = float(step)
        own = chance.choice((here.one, here.two))
        name, goal = f"n{chance.randrange(6)}.example.com", ip_address((198 << 24) + chance.randrange(9))
        hear(here, *exchange(own, name, goal, ttl=chance.choice((5, 9, 60))), now=now)
        if step % 7 == 0:
            domains = chance.choice(("*.example.com", "n1.example.com, n2.example.com", "other.org"))
            tell(here, "NetworkPolicy", policy(domains))
        if step % 11 == 0:
            tell(here, "ClusterNetworkPolicy", by_port(chance.choice(("*.example.com", "n3.example.com"))))
        fresh = compiled(here.network.view, [each.endpoint for each in here.endpoints])
        held = {each for each in here.desired.objects.values() if "policy-" in str(each)}
        assert held == {each for each in fresh if "policy-" in str(each)}
    assert {each.of[-2] for each in fresh.of(Element)} >= set("def")


def by_port(domain: str) -> dict[str, Any]:
    """Ranges that overlap, for a name and for another that may mean the same, and single ports."""
    ranges = ((80, 90, domain), (85, 99, "n2.example.com"), (95, 99, domain))
    stated = [({"range": {"start": first, "end": last}}, name) for first, last, name in ranges]
    stated += [({"number": 443}, domain), ({"number": 443}, "n1.example.com")]
    rules = [
        {
            "action": "Accept",
            "to": [{"domainNames": [name]}],
            "protocols": [{"tcp": {"destinationPort": port}}],
        }
        for port, name in stated
    ]
    spec = {"tier": "Admin", "priority": 5, "subject": {"namespaces": {}}, "egress": rules}
    return {"metadata": {"name": "by-port"}, "spec": spec}


def tell(here: AgentNode, kind: str, item: dict[str, Any]) -> None:
    view, changes = here.network.view.with_event(kind, ("MODIFIED", item))
    here.network.see(view, changes)
    here.network.police()


async def test_a_pod_takes_its_names_with_it(here: Any) -> None:
    """Who gets the address of a pod that is gone has learned nothing, now and after a restart."""
    hear(here, *exchange(here.one))
    here.call("DEL", "c1")
    assert (pairs(here), here.journal.learned(), here.network.view.learned) == (set(), {}, {})
    here.learning.take([Logged("", each) for each in exchange(here.two)], learning.PAUSE / 2)
    here.call("DEL", "c2")  # what it was told a moment ago is not in the rules yet
    assert (pairs(here), here.journal.learned(), here.network.view.learned) == (set(), {}, {})


async def test_a_full_disk_forgets_nothing(here: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written is in force all the same, and is written once that works again."""
    write = here.journal.learn
    monkeypatch.setattr(here.journal, "learn", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    hear(here, *exchange(here.one))
    assert pairs(here) == {(str(here.one), str(GOAL))}
    monkeypatch.setattr(here.journal, "learn", write)
    here.learning.look(100.0)
    assert [set(held) for held in here.journal.learned().values()] == [{(WWW, GOAL)}]


async def test_that_nobody_is_believed_is_said(here: Any, caplog: pytest.LogCaptureFixture) -> None:
    """With policies about names and no resolver to believe, the agent's state and log say what is missing."""
    assert here.network.obstacles == []
    here.resolvers = Resolvers()
    here.learning.look(100.0)
    hear(here, *exchange(here.one), now=100.0)
    assert pairs(here) == set()
    assert [text for text in here.network.obstacles if "policy.resolvers" in text]
    assert [each for each in caplog.records if "policy.resolvers" in each.getMessage()]


async def test_the_clusters_dns_is_believed_as_its_service_says(here: Any) -> None:
    """The service's address and who is behind it are believed, in the rules too, and no other service."""
    metadata = {"name": "kube-dns", "namespace": "kube-system"}
    labels = {"kubernetes.io/service-name": "kube-dns"}
    behind = {"name": "kube-dns-1", "namespace": "kube-system", "labels": labels}
    service = {"metadata": metadata, "spec": {"clusterIP": "10.96.0.10", "ports": [{"port": 53}]}}
    part = {"metadata": behind, "addressType": "IPv4", "endpoints": [{"addresses": ["10.244.7.7"]}]}
    mine = {**service, "metadata": {"name": "kube-dns", "namespace": "shop"}}
    mine["spec"] = {"clusterIP": "10.96.0.66"}
    for kind, item in (("Service", service), ("EndpointSlice", part), ("Service", mine)):
        view, found = here.network.view.with_event(kind, ("ADDED", item))
        here.network.see(view, found)
    here.network.police()
    held = here.kernel.read(here.desired.blueprint()).of(Element)
    believed = {str(each.values[0]) for each in held if each.of == "policy-resolvers4"}
    assert believed == {str(RESOLVER), "10.96.0.10", "10.244.7.7"}
    view, found = here.network.view.with_event(
        "Pod", ("ADDED", {**pod("heir"), "status": {"podIP": "10.244.7.7"}})
    )
    here.network.see(view, found)
    here.network.police()
    assert ip_address("10.244.7.7") not in here.policing.naming.resolvers


@pytest.mark.parametrize("seed", range(3))
async def test_hostile_packets_teach_nothing(here: Any, seed: int) -> None:
    """Bytes of a packet changed at random, cut, or anything at all: who did not ask goes nowhere by name."""
    chance = random.Random(seed)
    asked, good = exchange(here.one)
    by_tcp = tcp(RESOLVER, 53, here.one, 4000, stream(addressed(WWW, GOAL)))
    for _ in range(200):
        base = bytearray(chance.choice((good, asked, by_tcp, chance.randbytes(chance.randrange(200)))))
        for _ in range(chance.randrange(1, 4)):
            if base:
                base[chance.randrange(len(base))] = chance.randrange(256)
        hear(here, asked, bytes(base[: chance.choice((len(base), chance.randrange(len(base) + 1)))]))
        assert {own for own, _ in pairs(here)} <= {str(here.one)}
    assert set(counted(here)) <= set(NAMES_OUTCOMES)
