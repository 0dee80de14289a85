"""Nodes that speak BGP with each other: mesh, reflectors, changes and restarts under traffic."""

import os
import re
import signal
import stat
import subprocess
from collections.abc import Iterator
from ipaddress import IPv4Address, ip_network
from pathlib import Path

import pytest

from octet.agent.uninstall import uninstall
from octet.blueprint import Blueprint, Secret
from octet.kernel import namespaces
from octet.kernel.daemons import hosted
from octet.kernel.host import HostKernel
from octet.kernel.reconcile import make_so, prune
from octet.transport.bgp import Mesh, between, daemon, session
from speakers import PASSWORD, QUICK, Lan, Node, lan, mesh

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

PLAN = Mesh(password=Secret("kube-system", "bgp", "password"), timers=QUICK)


@pytest.fixture
def switch(tmp_path: Path) -> Iterator[Lan]:
    with lan(tmp_path) as made:
        yield made


@pytest.fixture
def nodes(switch: Lan) -> list[Node]:
    """Three nodes in a full mesh, with every route in place."""
    made = [switch.node(number) for number in (1, 2, 3)]
    for node in made:
        outcome = node.hold(mesh(node, made, PLAN))
        assert outcome.ok, outcome.failed
    switch.watch(lambda: all(knows_all(node, made) for node in made))
    return made


def knows_all(node: Node, nodes: list[Node]) -> bool:
    """Is every other node's pod network of both families routed to that node, marked as ours?"""
    four, six = node.routes(4), node.routes(6)
    return all(
        f"10.244.{each.number}.0/24 via 10.0.0.{each.number} dev eth0 metric 111" in four
        and f"fd01:{each.number}::/64 via fd00::{each.number} dev eth0 metric 111" in six
        for each in nodes
        if each is not node
    )


def lost(said: str) -> int:
    """Return how many pings were not answered."""
    sent, received = re.search(r"(\d+) packets transmitted, (\d+) received", said).groups()
    return int(sent) - int(received)


def test_a_mesh_carries_both_families_in_one_session(nodes: list[Node]) -> None:
    """Each pair has one session, under a password, that tells one prefix of each family each way."""
    for node in nodes:
        found = node.sessions()
        assert len(found) == 2
        for each in found.values():
            assert each.up
            assert [(held.family, held.imported, held.exported) for held in each.channels] == [
                (4, 1, 1),
                (6, 1, 1),
            ]


def test_files_and_sockets_are_the_agents_alone(nodes: list[Node], switch: Lan) -> None:
    """Configuration and control socket are readable for nobody else, and no process shows the password."""
    root = switch.root / "1" / "bgp"
    for path in (root, root / "config"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for path in ((root / "config").iterdir(), [root / "control.sock"]):
        assert {stat.S_IMODE(each.stat().st_mode) for each in path} == {0o600}
    assert PASSWORD in (root / "config" / "node.node2.conf").read_text()
    assert PASSWORD not in (root / "bird.log").read_text()
    assert PASSWORD not in str(nodes[0].wanted)
    assert PASSWORD not in repr(list(nodes[0].kernel.read(nodes[0].wanted)))
    shown = subprocess.run(["ps", "axwwe"], check=True, capture_output=True, text=True).stdout
    assert PASSWORD not in shown


def test_nothing_differs_when_all_is_well(nodes: list[Node]) -> None:
    """Comparing again finds no difference, so that a restarted agent changes nothing."""
    assert not nodes[0].wanted.change_from(nodes[0].kernel.read(nodes[0].wanted))


def test_a_file_changed_by_hand_is_put_back(nodes: list[Node], switch: Lan) -> None:
    """What somebody writes into a session's file or deletes is a difference, and is repaired."""
    path = switch.root / "1" / "bgp" / "config" / "node.node2.conf"
    path.write_text("protocol static nonsense { ipv4; }\n")
    outcome = make_so(nodes[0].kernel, nodes[0].wanted)
    assert [str(each).split()[1] for each in outcome.done] == ["node.node2.conf"]
    assert "node:node2" in path.read_text()


def test_a_killed_speaker_loses_no_packet(nodes: list[Node], switch: Lan) -> None:
    """BIRD dies on both ends of a stream, one after the other, is back by itself, and no ping is lost."""
    stream = nodes[0].pings("10.244.1.1", "10.244.2.1", 9)
    for node, starts in ((nodes[1], 2), (nodes[0], 2)):
        os.kill(node.pid, signal.SIGKILL)
        switch.watch(lambda node=node, starts=starts: node.daemons.running["bgp"].starts == starts)
        assert knows_all(node, nodes), "the kernel keeps what BIRD has left"
        switch.watch(lambda node=node: node.daemons.running["bgp"].running and told_all(node))
        assert all(knows_all(each, nodes) for each in nodes)
    assert lost(switch.look_after(stream)) == 0


def told_all(node: Node) -> bool:
    """Does every session believe and tell one prefix of each family?"""
    channels = [held for each in node.sessions().values() for held in each.channels]
    return len(channels) == 4 and all((held.imported, held.exported) == (1, 1) for held in channels)


def up(node: Node) -> bool:
    """Are all its sessions established?"""
    return all(each.up for each in node.sessions().values())


def test_an_agent_that_ends_and_starts_loses_no_packet(nodes: list[Node], switch: Lan) -> None:
    """An agent told to stop leaves pods' routes here and at every peer; the next agent takes them over."""
    node = nodes[1]
    stream = nodes[0].pings("10.244.1.1", "10.244.2.1", 8)
    node.daemons.leave()
    assert knows_all(node, nodes)
    assert not (switch.root / "2" / "bgp" / "control.sock").exists()
    assert nodes[0].sessions()["node2"].kept
    assert knows_all(nodes[0], nodes)
    assert make_so(node.kernel, node.wanted).ok
    switch.watch(lambda: told_all(node) and not nodes[0].sessions()["node2"].kept)
    assert all(knows_all(each, nodes) for each in nodes)
    assert lost(switch.look_after(stream)) == 0


def test_a_killed_agents_speaker_is_found_again(nodes: list[Node], switch: Lan) -> None:
    """BIRD outlives an agent that is killed; the next agent finds it, and no session has noticed."""
    node, since = nodes[2], nodes[0].sessions()["node3"].since
    again = switch.resources.enter_context(
        hosted(switch.root / "3", node.namespace, lambda _secret: PASSWORD)
    )
    kernel = switch.resources.enter_context(HostKernel(node.namespace, daemons=again))
    pid = node.pid
    assert make_so(kernel, node.wanted).ok
    assert again.running["bgp"].pid == pid
    assert nodes[0].sessions()["node3"].since == since
    assert prune(kernel, Blueprint()).ok, "also what an earlier agent started is taken away"
    assert node.routes() == ""


def test_uninstalling_after_a_killed_agent_takes_the_speaker_along(switch: Lan) -> None:
    """`octet agent uninstall` ends a BIRD that nobody looks after, and leaves neither routes nor files."""
    pair = [switch.node(number) for number in (1, 2)]
    assert pair[0].hold(mesh(pair[0], pair, PLAN)).ok
    place = switch.root / "run"
    place.mkdir()
    node = switch.machine(3)
    foreign = "192.0.2.0/25 via 10.0.0.1 dev eth0 proto bird metric 32"
    node.run(f"ip route add {foreign}")
    with hosted(place / "daemons", node.namespace, lambda _secret: PASSWORD) as daemons:
        kernel = switch.resources.enter_context(HostKernel(node.namespace, daemons=daemons))
        third = Node(3, node.namespace, daemons, kernel)
        assert third.hold(mesh(third, [*pair, third], PLAN)).ok
        assert pair[0].hold(mesh(pair[0], [*pair, third], PLAN)).ok
        switch.watch(lambda: "10.244.1.0/24" in third.routes() and "10.244.3.0/24" in pair[0].routes())
        pid = third.pid
    with namespaces.inside(node.namespace):
        outcome = uninstall(place)
    assert outcome.ok, outcome.failed
    assert third.routes().split() == ["192.0.2.0/25", "via", "10.0.0.1", "dev", "eth0", "metric", "32"]
    assert third.routes(6) == ""
    assert not place.exists()
    assert os.waitpid(pid, os.WNOHANG)[0] == pid, "it has ended, and only its parent has not asked yet"
    switch.watch(lambda: "10.244.3.0/24" not in pair[0].routes())


def test_other_daemons_routes_are_nobodys_business(nodes: list[Node]) -> None:
    """Routes of another BIRD, and others with our metric, outlive comparison and uninstalling."""
    foreign = ("192.0.2.0/25 via 10.0.0.2 proto bird metric 32", "192.0.2.128/25 via 10.0.0.2 metric 111")
    for each in foreign:
        nodes[0].run(f"ip route add {each}")
    nodes[0].daemons.ask("bgp", "configure")
    assert prune(nodes[0].kernel, Blueprint()).ok
    left = nodes[0].run("ip route show root 192.0.2.0/24")
    assert ("192.0.2.0/25" in left, "192.0.2.128/25" in left) == (True, True)
    for each in foreign:
        nodes[0].run(f"ip route del {each}")


def reflected(node: Node) -> bool:
    """Has a node heard of all pods' networks from the reflector?"""
    if node.number == 3:
        return True
    return all(held.imported == 2 for held in node.sessions()["node3"].channels)


def test_reflectors_take_over_from_the_mesh_under_traffic(nodes: list[Node], switch: Lan) -> None:
    """Node3 becomes everybody's reflector, then the mesh goes, and no packet is lost."""
    cluster = IPv4Address("10.0.0.3")
    members = {
        "node1": nodes[0].member(client_of=cluster),
        "node2": nodes[1].member(client_of=cluster),
        "node3": nodes[2].member(cluster_id=cluster),
    }
    stream = nodes[0].pings("10.244.1.1", "10.244.2.1", 9)
    assert nodes[2].hold(mesh(nodes[2], nodes, PLAN, **members)).ok
    switch.watch(lambda: all(up(node) and reflected(node) for node in nodes))
    for node in nodes[:2]:
        assert node.hold(mesh(node, nodes, PLAN, **members)).ok
    switch.watch(lambda: all(knows_all(node, nodes) for node in nodes))
    assert set(nodes[0].sessions()) == {"node3"}
    assert lost(switch.look_after(stream)) == 0


def test_a_node_that_is_gone_takes_its_routes_along(nodes: list[Node], switch: Lan) -> None:
    """When a node's session is taken out, its routes go, and no other session notices."""
    since = nodes[0].sessions()["node3"].since
    assert nodes[0].hold(mesh(nodes[0], [nodes[2]], PLAN)).ok
    switch.watch(lambda: "10.244.2.0/24" not in nodes[0].routes())
    assert nodes[0].sessions()["node3"].since == since


def test_nodes_without_ipv4_are_a_mesh_too(switch: Lan) -> None:
    """IPv6 nodes need a router id that is no address of theirs, and nothing else."""
    pair = [switch.node(number) for number in (1, 2)]
    members = {each.name: each.member(v4=None) for each in pair}
    for each in pair:
        speaker = each.speaker(v4=None)
        (other,) = (member for name, member in members.items() if name != each.name)
        sessions = [session(speaker, one) for one in between(speaker, members[each.name], other, PLAN)]
        assert each.hold(daemon(speaker), *sessions).ok
    switch.watch(lambda: all(f"fd01:{3 - each.number}::/64" in each.routes(6) for each in pair))
    assert [each.routes(4) for each in pair] == ["", ""]


def test_every_node_may_have_an_as_of_its_own(switch: Lan) -> None:
    """Nodes of three AS are a mesh of eBGP: every route is direct, and nobody passes on what others told."""
    made = [switch.node(number) for number in (1, 2, 3)]
    members = {each.name: each.member(asn=64600 + each.number) for each in made}
    for each in made:
        speaker = each.speaker(asn=64600 + each.number)
        found = [
            one for other in members.values() for one in between(speaker, members[each.name], other, PLAN)
        ]
        assert each.hold(daemon(speaker), *(session(speaker, one) for one in found)).ok
    switch.watch(lambda: all(knows_all(each, made) for each in made))
    assert {one.asn for one in made[0].sessions().values()} == {64602, 64603}
    assert [held.imported for one in made[0].sessions().values() for held in one.channels] == [1, 1, 1, 1]


def test_several_paths_pass_a_reflector(switch: Lan) -> None:
    """An address that two nodes have is two next hops on a third, though all it hears is one reflector."""
    made = [switch.node(number) for number in (1, 2, 3, 4)]
    cluster, shared = IPv4Address("10.0.0.4"), ip_network("10.244.77.7/32")
    members = {each.name: each.member(client_of=cluster) for each in made[:3]}
    members["node4"] = made[3].member(cluster_id=cluster)
    for each in made:
        owned = (*each.speaker().owned, *([shared] if each.number in {2, 3} else []))
        speaker = each.speaker(owned=owned)
        found = [
            one for other in members.values() for one in between(speaker, members[each.name], other, PLAN)
        ]
        assert each.hold(daemon(speaker), *(session(speaker, one) for one in found)).ok
    switch.watch(lambda: made[0].routes().count("nexthop") == 2)
    shown = made[0].run("ip route show 10.244.77.7")
    assert ("via 10.0.0.2" in shown, "via 10.0.0.3" in shown) == (True, True)
    assert set(made[0].sessions()) == {"node4"}
