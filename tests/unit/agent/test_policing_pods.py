"""The agent and policies: in force with the pod, shut without a word of it, kept when a change is refused."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agent_node import AgentNode
from octet.agent.acquaintance import Acquaintance
from octet.blueprint.nft import DROP, Element, NftObject
from octet.cluster.view import View
from octet.kernel.port import Failure, Outcome
from octet.policy.judge import Packet
from octet.policy.lasting import Way


@pytest.fixture
async def here(tmp_path: Path) -> Any:
    """A node that runs canal, and knows its cluster."""
    node = AgentNode(tmp_path, model="canal")
    await node.sync()
    yield node
    node.close()


def pod(name: str, ip: str = "", **labels: str) -> dict[str, Any]:
    status = {"podIPs": [{"ip": ip}]} if ip else {}
    metadata = {"name": name, "namespace": "shop", "labels": labels}
    return {"metadata": metadata, "spec": {"nodeName": "node1"}, "status": status}


def only(peer: str, **annotations: str) -> dict[str, Any]:
    noted = {f"policy.octet.dev/{key}": value for key, value in annotations.items()}
    spec = {
        "podSelector": {"matchLabels": {"app": "web"}},
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": peer}}}]}],
    }
    return {"metadata": {"name": "only", "namespace": "shop", "annotations": noted}, "spec": spec}


def tell(here: AgentNode, kind: str, verb: str, item: dict[str, Any]) -> None:
    view, changes = here.network.view.with_event(kind, (verb, item))
    here.network.see(view, changes)
    here.network.police()


def attach(here: AgentNode, name: str, container: str) -> str:
    answer = here.add(container, CNI_ARGS=f"K8S_POD_NAMESPACE=shop;K8S_POD_NAME={name}")
    assert "code" not in answer, answer
    return str(answer["ips"][0]["address"].split("/")[0])


def entries(here: AgentNode) -> dict[str, str]:
    """What the dispatch map of receiving pods says in the kernel, by link."""
    held = here.kernel.read(here.desired.blueprint()).of(Element)
    return {str(each.values[0]): str(each.target) for each in held if each.of == "policy-to-link"}


async def test_policies_are_in_the_kernel_when_the_add_answers(here: AgentNode) -> None:
    """A pod whose policy is older than itself is under it when its ADD returns."""
    tell(here, "Pod", "ADDED", pod("web", app="web"))
    tell(here, "NetworkPolicy", "ADDED", only("shop"))
    attach(here, "web", "c1")
    assert [each.split("-")[0:2] for each in entries(here).values()] == [["goto policy", "to"]]


async def test_a_pod_nobody_told_of_is_shut_until_somebody_does(here: AgentNode) -> None:
    """Without the cluster's word a pod is attached and shut; with it, it is as its policies say."""
    attach(here, "web", "c1")
    assert list(entries(here).values()) == [str(DROP)]
    tell(here, "Pod", "ADDED", pod("web", app="web"))
    assert list(entries(here).values()) == ["return"]


async def test_an_add_waits_a_moment_for_the_word(here: AgentNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait ends with the pod's event, and without one after a while."""
    meeting = Acquaintance(here.network)
    waiting = asyncio.ensure_future(meeting.made("shop", "web"))
    await asyncio.sleep(0)
    assert not waiting.done()
    tell(here, "Pod", "ADDED", pod("web", app="web"))
    meeting.notice()
    await asyncio.wait_for(waiting, 1)
    monkeypatch.setattr("octet.agent.acquaintance.PATIENCE", 0.01)
    await asyncio.wait_for(meeting.made("shop", "never"), 1)


async def test_nothing_is_left_of_a_detached_pods_policy(here: AgentNode) -> None:
    """When the last pod under a policy goes, so do its chains, sets and elements."""
    before = here.desired.blueprint()
    tell(here, "NetworkPolicy", "ADDED", only("shop"))
    tell(here, "Pod", "ADDED", pod("web", app="web"))
    attach(here, "web", "c1")
    assert here.desired.blueprint() != before
    here.call("DEL", "c1")
    assert here.desired.blueprint() == before
    assert entries(here) == {}


async def test_a_refused_change_leaves_the_rules_that_were(
    here: AgentNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the kernel refuses a transaction the old rules stand; the new ones come with the repair."""
    tell(here, "Pod", "ADDED", pod("web", app="web"))
    attach(here, "web", "c1")
    before = entries(here)

    def refuse(change: Any) -> Outcome:
        return Outcome((), tuple(Failure(item, 12, "no memory") for item in change.add))

    with monkeypatch.context() as patch:
        patch.setattr(here.kernel, "apply", refuse)
        tell(here, "NetworkPolicy", "ADDED", only("shop"))
    assert entries(here) == before
    assert here.applier.failed
    await here.repair.turn(compare=True)
    assert entries(here) != before
    assert not here.applier.failed


async def test_a_restart_has_what_changed_meanwhile(here: AgentNode) -> None:
    """Policies that changed while no agent ran are in force after the first comparison, and only then."""
    tell(here, "Pod", "ADDED", pod("web", app="web"))
    attach(here, "web", "c1")
    before = entries(here)
    view: View = here.network.view.with_event("NetworkPolicy", ("ADDED", only("shop")))[0]
    here.view = view
    here.start()
    assert entries(here) == before
    await here.sync()
    assert entries(here) != before
    assert here.policing.affected()


@pytest.mark.parametrize(("established", "goes_on"), [("cut", False), ("keep", True)])
async def test_running_connections_are_judged_by_the_new_policy(
    here: AgentNode, established: str, goes_on: bool
) -> None:
    """A connection that a policy forbids may go on only where the policy keeps them; others always may."""
    tell(here, "Pod", "ADDED", pod("web", app="web"))
    mine = attach(here, "web", "c1")
    tell(here, "Pod", "ADDED", pod("friend", "10.244.2.9", app="friend"))
    here.policing.affected()
    tell(here, "NetworkPolicy", "ADDED", only("friend", established=established))
    address = next(iter(here.policing.affected().addresses))
    assert str(address) == mine
    allowed, forbidden = (
        Packet(type(address)(source), address, 6, 1234, 80) for source in ("10.244.2.9", "10.244.2.10")
    )
    assert here.policing.lasting().allows(Way(allowed))
    assert here.policing.lasting().allows(Way(forbidden)) is goes_on


async def test_a_label_that_opens_or_shuts_is_noticed(here: AgentNode) -> None:
    """Endpoints are affected when a peer's label changes what their sets hold, and by nothing else."""
    tell(here, "Pod", "ADDED", pod("web", app="web"))
    attach(here, "web", "c1")
    tell(here, "NetworkPolicy", "ADDED", only("friend"))
    tell(here, "Pod", "ADDED", pod("friend", "10.244.2.9", app="friend"))
    assert here.policing.affected()
    tell(here, "Pod", "ADDED", pod("other", "10.244.2.10", app="other"))
    assert not here.policing.affected()
    tell(here, "Pod", "MODIFIED", pod("friend", "10.244.2.9", app="foe"))
    assert here.policing.affected()


async def test_a_table_that_was_taken_away_is_back_at_once(here: AgentNode) -> None:
    """The rules are in the kernel before anything is compared, and what began meanwhile is looked at."""
    tell(here, "Pod", "ADDED", pod("web", app="web"))
    mine = attach(here, "web", "c1")
    tell(here, "NetworkPolicy", "ADDED", only("friend"))
    before = here.kernel.read(here.desired.blueprint())
    here.policing.affected()
    for each in [item for item in before if isinstance(item, NftObject)]:
        here.kernel.delete(each.key)
    here.repair.table(gone=True)
    assert here.kernel.read(here.desired.blueprint()) == before
    assert mine in map(str, here.policing.affected().addresses)
