"""A large policy of which the kernel refuses a slice: nothing is switched to before all members are in."""

from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from agent_node import AgentNode
from octet.agent import pieces, repair
from octet.blueprint import Blueprint
from octet.blueprint.nft import NftObject, Packet
from octet.cluster.resolvers import Resolvers
from octet.cni.spec.failures import Code
from octet.kernel.fake import FakeKernel
from octet.kernel.fake_nft import Tracer
from octet.policy import turns

CROWD = [IPv4Address("10.244.2.2") + number for number in range(60)]
OTHER = IPv4Address("10.244.3.3")
VICTIM = CROWD[17]
ENOMEM, ALWAYS = 12, 1000


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every policy here be made in many slices, and every comparison in many pieces."""
    monkeypatch.setattr(turns, "SLICE", 8)
    monkeypatch.setattr(repair, "pieces", partial(pieces.pieces, size=8))


@pytest.fixture
async def here(tmp_path: Path) -> Any:
    """A node with a pod that lets nobody in, and a crowd elsewhere."""
    node = AgentNode(tmp_path, model="canal")
    view = node.view
    items = [pod("web", "web"), pod("next", "web"), pod("free", "free"), pod("other", "other", OTHER)]
    items += [pod(f"crowd{number}", "crowd", address) for number, address in enumerate(CROWD)]
    view = view.with_listing("Pod", items).view
    node.view = view.with_listing("CalicoNetworkPolicy", [denying({"action": "Deny"})]).view
    await node.sync()
    node.web = attach(node, "web", "c1")
    yield node
    node.close()


def pod(name: str, app: str, address: IPv4Address | None = None) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": app}},
        "spec": {"nodeName": "node2" if address else "node1"},
        "status": {"podIPs": [{"ip": str(address)}]} if address else {},
    }


def denying(*rules: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "projectcalico.org/v3",
        "kind": "NetworkPolicy",
        "metadata": {"name": "c", "namespace": "shop"},
        "spec": {"selector": "app == 'web'", "types": ["Ingress"], "ingress": rules},
    }


CROWD_OUT = denying({"action": "Deny", "source": {"selector": "app == 'crowd'"}}, {"action": "Allow"})


def attach(here: AgentNode, name: str, container: str) -> IPv4Address:
    made = add(here, name, container)
    assert "code" not in made, made
    return IPv4Address(made["ips"][0]["address"].split("/")[0])


def add(here: AgentNode, name: str, container: str) -> Any:
    return here.add(container, CNI_ARGS=f"K8S_POD_NAMESPACE=shop;K8S_POD_NAME={name}")


def tell(here: AgentNode, item: dict[str, Any]) -> None:
    view, changes = here.network.view.with_event("CalicoNetworkPolicy", ("MODIFIED", item))
    here.network.see(view, changes)


def let_in(here: Any) -> set[IPv4Address]:
    """Who of the crowd and the others reaches the pod by what the kernel holds."""
    tracer = Tracer(here.kernel.read(here.desired.blueprint()))
    link = next(each.endpoint.host_link for each in here.endpoints if each.endpoint.v4 == here.web)
    packets = {
        source: Packet(source, here.web, source_port=9, destination_port=80, iif="up0", oif=link)
        for source in (*CROWD, OTHER)
    }
    return {source for source, packet in packets.items() if tracer.trace(packet).accepted}


def begin(here: AgentNode, times: int, kind: str = "nft-element") -> None:
    """Tell of the new policy, have its sets decided about, and a set or a member of it refused."""
    tell(here, CROWD_OUT)
    here.network.police()
    (holder,) = [key for key in here.desired.objects if key[0] == "nft-set" and "-0-h4" in str(key[1])]
    refused = holder if kind == "nft-set" else (kind, holder[1], str(VICTIM))
    here.kernel.refuse(refused, ENOMEM, times)


def police(here: AgentNode) -> None:
    """Make slice after slice so; nobody gets in who was out and whom the new policy keeps out."""
    while here.policing.waits:
        here.network.police()
        assert not let_in(here) & {*CROWD}


async def test_a_refused_slice_holds_the_switch_back(here: Any) -> None:
    """The kernel refuses one slice of a denied crowd once: the old rules stand until all was compared."""
    assert let_in(here) == set()
    begin(here, 1)
    police(here)
    assert let_in(here) == set()
    assert not here.network.is_settled()
    assert here.repair._work.is_set()
    await here.repair.turn()
    assert let_in(here) == {OTHER}
    assert here.network.is_settled()
    assert here.network.failures == []


@pytest.mark.parametrize("kind", ["nft-set", "nft-element"])
async def test_a_comparison_that_is_refused_switches_to_nothing(here: Any, kind: str) -> None:
    """A comparison fills sets in pieces; while one is refused the rules wait, and are said to."""
    here.network.doubt()
    begin(here, ALWAYS, kind)
    police(here)
    for _ in range(2):
        await here.repair.turn(compare=True)
        assert let_in(here) == set()
        assert not here.network.is_settled()
    assert any(f"{VICTIM} }}" in each for each in here.network.failures)
    waits = any("waits for what the kernel refused" in each for each in here.network.failures)
    assert waits is (kind == "nft-set")
    assert not any("the kernel accepted it" in each for each in here.network.failures)
    here.world.namespace(here.number).refusals.clear()
    await here.repair.turn(compare=True)
    assert let_in(here) == {OTHER}
    assert here.network.failures == []


async def test_what_was_refused_and_is_wanted_no_more_is_in_nobodys_way(here: Any) -> None:
    """The policy whose member the kernel never takes is changed: the next comparison is whole."""
    begin(here, ALWAYS)
    police(here)
    await here.repair.turn(compare=True)
    tell(here, denying({"action": "Allow"}))
    while here.policing.waits:
        here.network.police()
    await here.repair.turn()
    assert let_in(here) == {*CROWD, OTHER}
    assert here.network.is_settled()


async def test_a_pod_under_a_policy_comes_when_its_rules_are_whole(here: Any) -> None:
    """After a refused slice an ADD under policies is told to come again; one that has none is made."""
    begin(here, 1)
    for _ in range(len(CROWD) // 8):
        here.network.police()
    assert here.policing.waits
    before = here.desired.blueprint()
    assert add(here, "next", "c2")["code"] == Code.TRY_AGAIN_LATER
    assert here.desired.blueprint() == before
    assert let_in(here) == set()
    attach(here, "free", "c3")
    police(here)
    await here.repair.turn()
    attach(here, "next", "c2")
    assert let_in(here) == {OTHER}


async def test_a_refused_add_has_everything_compared(here: Any) -> None:
    """An ADD takes along what waits about its policies; where that is refused nothing is switched to."""
    begin(here, 1)
    assert here.policing.waits
    assert "code" in add(here, "next", "c2")
    assert not here.network.is_settled()
    police(here)
    assert let_in(here) == set()
    await here.repair.turn()
    assert let_in(here) == {OTHER}


async def test_a_refused_del_has_everything_compared(here: Any) -> None:
    """Rules of a pod that is gone, which the kernel would not let go, are gone after the next turn."""
    link = next(each.endpoint.host_link for each in here.endpoints)
    here.kernel.refuse(("nft-element", "policy-to-link", link), ENOMEM)
    assert here.call("DEL", "c1") == {}
    assert here.kernel.holds(("nft-element", "policy-to-link", link))
    assert not here.network.is_settled()
    await here.repair.turn()
    assert not here.kernel.holds(("nft-element", "policy-to-link", link))
    assert here.network.is_settled()


async def test_a_table_that_is_refused_is_nothing_to_build_on(here: Any) -> None:
    """Our table is gone and the kernel will not have it back yet: what changes meanwhile waits for that."""
    before = here.kernel.read(here.desired.blueprint())
    rules = [item for item in before if isinstance(item, NftObject)]
    for each in rules:
        here.kernel.delete(each.key)
    here.kernel.refuse(rules[0].key, ENOMEM)
    here.repair.table(gone=True)
    assert not here.network.is_settled()
    await here.repair.turn()
    assert here.kernel.read(here.desired.blueprint()) == before
    assert here.network.is_settled()


async def test_nothing_that_is_decided_amid_a_comparison_is_lost(here: Any) -> None:
    """Policies and names that come while an unsettled kernel is read are in force after, without another."""
    far = IPv4Address("198.51.100.9")
    named = denying({"action": "Allow"})
    by_name = {
        "metadata": {
            "name": "n",
            "namespace": "shop",
            "annotations": {"policy.octet.dev/domains": "a.example"},
        },
        "spec": {"podSelector": {}, "policyTypes": ["Egress"]},
    }
    view, changes = here.network.view.with_event("NetworkPolicy", ("ADDED", by_name))
    here.network.see(view, changes)
    police(here)
    reads = 0

    def slow(wanted: Blueprint) -> Blueprint:
        nonlocal reads
        found = FakeKernel(here.world, here.number).read(wanted)
        reads += 1
        if reads == 1:
            tell(here, named)
            here.network.police()
            learned = {here.web: {"a.example": frozenset({far})}}
            here.network.learn(learned, learned, Resolvers())
        return found

    here.repair._reader.read = slow
    here.network.doubt()
    asked: list[None] = []
    here.policing.on_news = lambda: asked.append(None)
    await here.repair.turn()
    assert asked
    while here.policing.waits:
        here.network.police()
    assert let_in(here) == {*CROWD, OTHER}
    assert not here.desired.blueprint().change_from(here.kernel.read(here.desired.blueprint()))
    assert any(far in getattr(each, "values", ()) for each in here.desired.objects.values())
