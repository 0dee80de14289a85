from dataclasses import replace

import pytest

from octet.attach.routed import RoutedAttach
from octet.blueprint import Blueprint, Shaper, Sysctl, nft
from octet.blueprint.base import union
from octet.cluster.endpoint import Bandwidth, HostPort
from octet.models import Running, example, find, names

EVERY = pytest.mark.parametrize("name", names())


def rules(blueprint: Blueprint, chain: str) -> list[str]:
    found = blueprint.get(("nft-chain", chain))
    return [str(rule) for rule in found.rules] if isinstance(found, nft.Chain) else []


def running(name: str = "flannel", **options: object) -> Running:
    return find(name).parse(options, source="test")


@EVERY
def test_only_what_leaves_the_cluster_is_masqueraded(name: str) -> None:
    """Every model keeps addresses inside the cluster, and leaves kube-proxy's packets to kube-proxy."""
    model = running(name)
    own = "10.244.1.0/24" if model.blocks is None else "10.244.0.0/16"  # of a pool any address may be here
    held = rules(model.node(example.view(model)), "masquerade-pods")
    spoken = [rule.partition(" return")[0] for rule in held if "no pod speaks for its node" in rule]
    mark, inside, *nodes, outside = (rule for rule in held if "no pod speaks for its node" not in rule)
    assert mark.startswith("meta mark & 0x00004000 == 0x00004000 return")
    assert inside.startswith(f"ip saddr {own} ip daddr {{ 10.244.0.0/16, 224.0.0.0/4 }} return")
    assert outside.startswith(f"ip saddr {own} masquerade fully-random")
    spared = [f"ip saddr {own} ip daddr @{model.spared}4 return"] if model.spared else []
    assert [rule.partition(" comment")[0] for rule in nodes] == spared
    speaks = ["meta l4proto tcp th dport 179", "meta l4proto udp th dport { 3784, 4784 }"]
    assert spoken == (speaks if name.partition(":")[0] in ("calico", "kube-router") else [])


def test_masquerade_can_be_somebody_elses() -> None:
    """With masquerade = false there is no such chain."""
    model = running(masquerade=False)
    assert rules(model.node(example.view(model)), "masquerade-pods") == []


def test_host_ports_of_a_pod_are_elements() -> None:
    """A pod with a host port adds elements to what every node has, and no chain."""
    model = running()
    view = example.view(model)
    pod = replace(
        example.endpoint(model.attach, model.network(view)), host_ports=(HostPort(8080, 80, "tcp"),)
    )
    elements = model.endpoint(model.network(view), pod).node.of(nft.Element)
    assert "element hostport-any4 { tcp . 8080 : 10.244.1.10 . 80 }" in map(str, elements)
    declared = {item.name for kind in (nft.Set, nft.Map) for item in model.node(view).of(kind)}
    assert {element.of for element in elements} <= declared


def test_neighbours_on_a_bridge_are_translated_for_host_ports() -> None:
    """Pods of one bridge answer each other directly, so their way through a host port is rewritten."""
    model = running()
    sources = rules(model.node(example.view(model)), "hostport-source")
    assert any("ip saddr 10.244.1.0/24" in rule for rule in sources)


def test_routed_pods_need_no_such_rule() -> None:
    """Where every packet passes the node, the client's address is kept; 127.0.0.1 leads through the pair."""
    model = replace(running(), attach=RoutedAttach())
    view = example.view(model)
    assert not any("ip saddr 10.244.1.0/24" in rule for rule in rules(model.node(view), "hostport-source"))
    pod = replace(example.endpoint(model.attach, model.network(view)), host_ports=(HostPort(8080, 80),))
    sysctls = {each.path for each in model.endpoint(model.network(view), pod).node.of(Sysctl)}
    assert f"net/ipv4/conf/{pod.host_link}/route_localnet" in sysctls


def test_limits_of_a_pod_are_part_of_its_plan() -> None:
    """A pod with limits has its shapers on the node, where it cannot remove them."""
    model = running()
    network = model.network(example.view(model))
    pod = replace(example.endpoint(model.attach, network), bandwidth=Bandwidth(10**6, 0, 10**6, 0))
    plan = model.endpoint(network, pod)
    assert (len(plan.node.of(Shaper)), len(plan.pod.of(Shaper))) == (2, 0)


@EVERY
@pytest.mark.parametrize("families", example.FAMILIES)
def test_many_pods_and_their_node_never_conflict(name: str, families: str) -> None:
    """What a hundred pods add goes together with what the node has."""
    model = running(name)
    view = example.view(model, example.FAMILIES[families])
    network = model.network(view)
    pods = {host: example.endpoint(model.attach, network, host) for host in range(10, 110)}
    parts = [
        model.endpoint(network, replace(pod, host_ports=(HostPort(8000 + host, 80),))).node
        for host, pod in pods.items()
    ]
    held = union([model.node(view), *parts])
    assert {item.key for item in held} == {item.key for part in [model.node(view), *parts] for item in part}
