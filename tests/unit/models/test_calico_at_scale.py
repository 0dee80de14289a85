"""Calico's BGP configuration for 500 nodes: decided, rendered, and read by BIRD itself."""

import shutil
import subprocess
import time
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from octet.blueprint import Blueprint, ConfigFile
from octet.blueprint.base import union
from octet.cluster.bgp import BGPConfiguration, BGPFilter, BGPPeer
from octet.cluster.blocks import cidr_name
from octet.cluster.indexes import ByNode, Named, Nodes
from octet.cluster.objects import Node
from octet.cluster.ownership import BlockAffinity, IPAMBlock
from octet.cluster.view import View
from octet.models import example, find

COUNT = 500
LIMIT = 2.0
"""Seconds from the View to BIRD's word."""


def cluster() -> View:
    """A view of node1 among 500 nodes in two families, with a block each, routers, filters, communities."""
    running = find("calico").parse({}, source="test")
    view = example.view(running, (4, 6))
    nodes, blocks, claims = [], [], []
    for index in range(1, COUNT + 1):
        name = f"node{index}"
        here = (
            (f"192.0.2.{index}", f"2001:db8::{index}")
            if index < 200
            else (f"198.18.{index % 250}.{index // 250}",)
        )
        nodes.append(
            Node(name, internal_ips=tuple(map(ip_address, (*here, f"2001:db8::{index}")[:2])), ready=True)
        )
        cidr = ip_network((int(ip_network("10.244.0.0/16").network_address) + 64 * index, 26))
        blocks.append(IPAMBlock(cidr_name(cidr), cidr, name))
        claims.append(BlockAffinity(f"{name}-{cidr_name(cidr)}", name, cidr, routed=True))
    rule = {"action": "Reject", "cidr": "10.0.0.0/8", "matchOperator": "In", "prefixLength": {"min": 27}}
    spec = {"prefixAdvertisements": [{"cidr": "10.244.0.0/16", "communities": ["64512:100"]}]}
    peers = [
        {
            "metadata": {"name": f"tor{number}"},
            "spec": {"peerIP": f"192.0.2.{number}", "asNumber": 65001, "filters": ["f"]},
        }
        for number in (250, 251)
    ]
    return replace(
        view,
        nodes=Nodes.of(nodes),
        blocks=ByNode.of(blocks),
        affinities=ByNode.of(claims),
        bgp_config=Named.of([BGPConfiguration.from_object({"metadata": {"name": "default"}, "spec": spec})]),
        bgp_peers=Named.of([BGPPeer.from_object(item) for item in peers]),
        bgp_filters=Named.of(
            [BGPFilter.from_object({"metadata": {"name": "f"}, "spec": {"importV4": [rule]}})]
        ),
    )


def files(view: View) -> dict[str, str]:
    """All of node1's files by name."""
    running = find("calico").parse({}, source="test")
    transport = running.transport
    held: Blueprint = union([transport.node(view), *(transport.peer(view, peer) for peer in view.peers)])
    return {each.name: each.text for each in held.of(ConfigFile)}


@pytest.mark.slow
def test_500_nodes_from_the_view_to_birds_word(tmp_path: Path) -> None:
    """Deciding, rendering and BIRD's own reading of a mesh of 500 nodes take less than two seconds."""
    if shutil.which("bird") is None:
        pytest.skip("program missing: bird")
    view = cluster()
    begun = time.monotonic()
    for name, text in files(view).items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(["bird", "-p", "-c", "bird.conf"], cwd=tmp_path, capture_output=True, check=False)
    took = time.monotonic() - begun
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("node.*.conf"))) == COUNT - 1
    assert len(list(tmp_path.glob("peer.*.conf"))) == 2
    assert took < LIMIT


@pytest.mark.slow
def test_one_nodes_change_is_one_file() -> None:
    """Another AS number of one node of 500 is another text of one file; so is a router's filter."""
    view = cluster()
    before = files(view)
    node = {"metadata": {"name": "node7", "annotations": {"projectcalico.org/ASNumber": "65007"}}}
    node["status"] = {"addresses": [{"type": "InternalIP", "address": "192.0.2.7"}]}
    after = files(view.with_event("Node", ("MODIFIED", node))[0])
    assert {name for name in after if after[name] != before[name]} == {"node.node7.conf"}
    router = {"metadata": {"name": "tor250"}, "spec": {"peerIP": "192.0.2.250", "asNumber": 65001}}
    after = files(view.with_event("BGPPeer", ("MODIFIED", router))[0])
    assert {name for name in after if after[name] != before[name]} == {"peer.tor250.conf"}
