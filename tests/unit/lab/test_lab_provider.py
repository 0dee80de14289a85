"""Providers as values: conflists per node, static routes."""

import json
from ipaddress import ip_network

import pytest

from octet.lab.provider import Octet, Place, fill, reference

PLACE = Place("node2", "/run/x/node2", (ip_network("10.244.1.0/24"), ip_network("fd00:10:244:1::/64")))


def test_our_conflist_names_the_nodes_own_socket() -> None:
    """Each node's plugin talks to that node's agent."""
    plugin = Octet(model="flannel").conflist(PLACE)["plugins"][0]
    assert (plugin["type"], plugin["socket"]) == ("octet-cni", "/run/x/node2/cni.sock")
    assert plugin["capabilities"]["portMappings"] is True


@pytest.mark.parametrize("kind", ["bridge", "ptp"])
def test_a_reference_plugin_gets_the_nodes_ranges(kind: str) -> None:
    """host-local has one range set per family, a default route each, and a directory of this node alone."""
    plugin = reference(kind).conflist(PLACE)["plugins"][0]
    assert plugin["type"] == kind
    assert plugin["ipam"] == {
        "type": "host-local",
        "dataDir": "/run/x/node2/networks",
        "ranges": [[{"subnet": "10.244.1.0/24"}], [{"subnet": "fd00:10:244:1::/64"}]],
        "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
    }


def test_masquerade_is_part_of_a_references_name() -> None:
    """Two references that differ in masquerade are told apart."""
    plain, masked = reference("bridge"), reference("bridge", masquerade=True)
    assert plain.name != masked.name
    assert masked.conflist(PLACE)["plugins"][0]["ipMasq"] is True


def test_a_template_keeps_what_it_does_not_know() -> None:
    """Only known words are filled, in keys' values at any depth, and the template itself stays."""
    template = {"a": ["{node}-x", {"b": "{other}"}, 3, "{ranges}"]}
    before = json.dumps(template)
    assert fill(template, {"node": "n", "ranges": [1]}) == {"a": ["n-x", {"b": "{other}"}, 3, [1]]}
    assert json.dumps(template) == before
