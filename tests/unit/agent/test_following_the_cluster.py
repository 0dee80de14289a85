from dataclasses import replace
from ipaddress import IPv4Interface, ip_network

import pytest

from agent_node import UNDERLAY, AgentNode, cluster, node
from octet.agent.network import BATCH
from octet.blueprint import Blueprint, FdbEntry, Link, Route, Vxlan
from octet.errors import BadConfigurationError
from octet.models import Running

ROUTE = ("route", 254, "10.244.2.0/24", 0)


def routes(here: AgentNode) -> int:
    return len([each for each in here.kernel.read(here.desired.blueprint()).of(Route) if each.via])


async def test_a_peer_comes_and_goes(here: AgentNode) -> None:
    """A node that joins is reached, and nothing of it stays when it leaves."""
    before = here.kernel.read(here.desired.blueprint())
    await here.see(cluster(node(1), node(2)))
    assert here.kernel.holds(ROUTE)
    await here.see(cluster(node(1)))
    assert here.kernel.read(here.desired.blueprint()) == before


async def test_a_peer_moves(here: AgentNode) -> None:
    """A peer that has another MAC is reached there, and the old entry is gone."""
    await here.see(cluster(node(1), node(2)))
    moved = node(2, annotations={**node(3).annotations})
    await here.see(cluster(node(1), moved))
    macs = {each.mac for each in here.kernel.read(here.desired.blueprint()).of(FdbEntry)}
    assert macs == {"02:00:00:00:00:03"}


async def test_many_peers_come_in_batches(here: AgentNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five hundred nodes at once are all reached, and no single step decides about more than a batch."""
    sizes: list[int] = []
    contribute = here.network._contribute
    step = here.network.step

    def counted() -> bool:
        sizes.append(0)
        return step()

    def one(name, peer):
        sizes[-1] += 1
        return contribute(name, peer)

    monkeypatch.setattr(here.network, "step", counted)
    monkeypatch.setattr(here.network, "_contribute", one)
    await here.see(cluster(*(node(number) for number in range(1, 250))))
    assert routes(here) == 248
    assert max(sizes) == BATCH


async def test_two_peers_that_claim_one_mac(here: AgentNode) -> None:
    """Of two nodes with one MAC one is reached and the other named; it is reached when the first has gone."""
    copied = node(3, annotations={**node(2).annotations, **_ip(3)})
    await here.see(cluster(node(1), node(2), copied))
    assert routes(here) == 1
    assert any("is left out" in each for each in here.network.failures)
    left = [each for each in (node(2), copied) if each.name not in str(here.network.failures)]
    survivors = [each for each in (node(2), copied) if each not in left]
    await here.see(cluster(node(1), *survivors))
    assert routes(here) == 1
    assert here.network.failures == []


async def test_a_peer_that_needs_what_the_kernel_lacks(here: AgentNode) -> None:
    """It is left out by name with the reason, others are reached; and so is it once the reason is gone."""

    def refuse(wanted: Blueprint) -> None:
        if any(isinstance(item, FdbEntry) and str(item.destination) == "192.0.2.3" for item in wanted):
            raise BadConfigurationError("this node", "to hold", "a tunnel", "the kernel has none")

    here.network.refuse = refuse
    await here.see(cluster(node(1), node(2), node(3)))
    assert routes(here) == 1
    (failure,) = here.network.failures
    assert "is left out: this node: to hold = 'a tunnel': the kernel has none" in failure
    here.network.refuse = lambda _wanted: None
    here.network.decide()
    await here.see(cluster(node(1), node(2), node(3)))
    assert routes(here) == 2
    assert here.network.failures == []


async def test_what_cannot_be_read_of_a_peer_changes_nothing(
    here: AgentNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A peer of which something bad is said is reached as before, and named with what is bad."""
    await here.see(cluster(node(1), node(2)))

    def refuse(*_: object) -> Blueprint:
        raise BadConfigurationError("Node node2", "metadata.annotations[x]", "y", "is no number")

    with monkeypatch.context() as bad:
        bad.setattr(Running, "peer", refuse)
        await here.see(cluster(node(1), node(2, labels={"new": ""})))
        assert here.kernel.holds(ROUTE)
        (failure,) = here.network.failures
        assert failure.startswith("node node2 stays as it was: Node node2: metadata.annotations[x] = 'y'")
    await here.see(cluster(node(1), node(2)))
    assert here.network.failures == []


async def test_what_this_node_cannot_hold_changes_nothing(here: AgentNode) -> None:
    """While the kernel lacks what the node's own part needs, peers stay as they are, and why is told."""
    await here.see(cluster(node(1), node(2)))

    def refuse(_wanted: Blueprint) -> None:
        raise BadConfigurationError("this node", "to hold", "a tunnel", "the kernel has none")

    here.network.refuse = refuse
    here.network.decide()
    await here.see(cluster(node(1), node(3)))
    assert here.kernel.holds(ROUTE)
    assert any("the kernel has none" in each for each in here.network.failures)
    here.network.refuse = lambda _wanted: None
    here.network.decide()
    await here.see(cluster(node(1), node(3)))
    assert not here.kernel.holds(ROUTE)
    assert here.network.failures == []


def _ip(number: int) -> dict[str, str]:
    return {"flannel.alpha.coreos.com/public-ip": f"192.0.2.{number}"}


async def test_a_shrinking_path_lowers_running_pods(here: AgentNode) -> None:
    """When the underlay takes less, running pods get the lower MTU; a larger one only new pods get."""
    namespace = here.world.create()
    here.add(namespace=namespace)
    await here.see(cluster(node(1), underlay=replace(UNDERLAY, mtu=1400)))
    assert _mtus(here, namespace) == {1350}
    await here.see(cluster(node(1), underlay=UNDERLAY))
    assert _mtus(here, namespace) == {1350}
    assert here.add("c2")["interfaces"][1]["mtu"] == 1450


def _mtus(here: AgentNode, namespace: int) -> set[int | None]:
    ends = [*here.world.namespace(namespace).devices.values()]
    ends += [each for name, each in here.world.namespace(here.number).devices.items() if name in here.links()]
    return {each.link.mtu for each in ends}


async def test_a_pod_that_cannot_be_lowered_is_named(here: AgentNode) -> None:
    """A pod whose namespace is out of reach keeps its MTU, and health says so until it is gone."""
    here.add()
    entry = next(iter(here.endpoints))
    here.kernel.delete(("link", entry.endpoint.host_link))
    here.world.destroy(entry.identity[1])
    await here.see(cluster(node(1), underlay=replace(UNDERLAY, mtu=1400)))
    assert any("keeps its MTU" in each or "lost its pair" in each for each in here.network.failures)
    here.call("DEL")
    await here.repair.turn(compare=True)
    assert here.network.failures == []


async def test_the_tunnel_follows_the_nodes_address(here: AgentNode) -> None:
    """When the node's own address changes, the tunnel starts there and every entry on it is back."""
    await here.see(cluster(node(1), node(2)))
    moved = replace(UNDERLAY, v4=IPv4Interface("192.0.2.100/24"))
    await here.see(cluster(node(1), node(2), underlay=moved))
    held = here.kernel.peek(("link", "flannel.1"))
    assert isinstance(held, Link)
    assert isinstance(held.detail, Vxlan)
    assert str(held.detail.local) == "192.0.2.100"
    assert here.kernel.holds(ROUTE)


async def test_a_node_without_a_cidr_waits(fresh: AgentNode) -> None:
    """Until the node has a pod CIDR nothing is made and the reason is told; then everything is."""
    fresh.view = cluster(node(1, pod_cidrs=()))
    await fresh.sync()
    assert "no pod CIDR" in fresh.network.problem
    assert not fresh.kernel.holds(("link", "cni0"))
    await fresh.see(cluster(node(1)))
    assert "code" not in fresh.add()
    fresh.close()


async def test_a_cidr_outside_of_the_cluster_is_refused(fresh: AgentNode) -> None:
    """A pod CIDR that the cluster's network does not hold is a named problem, not a network."""
    fresh.view = cluster(node(1, pod_cidrs=(ip_network("192.168.0.0/24"),)))
    await fresh.sync()
    assert "lies outside" in fresh.network.problem
    assert fresh.add()["code"] == 11
    fresh.close()


async def test_pods_of_an_old_cidr_keep_theirs(here: AgentNode) -> None:
    """After the node got another CIDR, a running pod keeps its address and a new one has a new one."""
    here.add("old")
    await here.see(cluster(node(1, pod_cidrs=(ip_network("10.244.9.0/24"),))))
    assert here.add("new")["ips"][0]["address"] == "10.244.9.2/24"
    assert {str(entry.endpoint.v4) for entry in here.endpoints} == {"10.244.1.2", "10.244.9.2"}
