"""A policy with a field that there is not is refused: without that field it would be wider."""

from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from octet.errors import BadConfigurationError
from octet.lab.objects import checked

KUBERNETES = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "p", "namespace": "shop"},
    "spec": {
        "podSelector": {"matchLabels": {"app": "db"}},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [
            {
                "from": [{"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}],
                "ports": [{"port": 80, "protocol": "TCP", "endPort": 81}],
            }
        ],
        "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}],
    },
}
CLUSTER = {
    "apiVersion": "policy.networking.k8s.io/v1alpha2",
    "kind": "ClusterNetworkPolicy",
    "metadata": {"name": "p"},
    "spec": {
        "tier": "Admin",
        "priority": 1,
        "subject": {"pods": {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "db"}}}},
        "ingress": [
            {
                "name": "web",
                "action": "Accept",
                "from": [{"namespaces": {"matchLabels": {"team": "web"}}}],
                "protocols": [{"tcp": {"destinationPort": {"range": {"start": 1, "end": 2}}}}],
            }
        ],
        "egress": [{"action": "Deny", "to": [{"networks": ["10.0.0.0/8"]}]}],
    },
}
CALICO = {
    "apiVersion": "projectcalico.org/v3",
    "kind": "GlobalNetworkPolicy",
    "metadata": {"name": "p"},
    "spec": {
        "order": 1,
        "selector": "app == 'db'",
        "types": ["Ingress"],
        "ingress": [
            {
                "action": "Allow",
                "protocol": "TCP",
                "source": {"nets": ["10.0.0.0/8"], "serviceAccounts": {"names": ["web"]}},
                "destination": {"ports": [5432]},
            }
        ],
    },
}
WHOLE = pytest.mark.parametrize("item", [KUBERNETES, CLUSTER, CALICO], ids=lambda item: item["kind"])


def misspelled(item: dict, place: tuple) -> dict:
    """A copy whose field at a place has a letter more."""
    copy = deepcopy(item)
    held = copy
    for step in place[:-1]:
        held = held[step]
    held[f"{place[-1]}x"] = held.pop(place[-1])
    return copy


def places(item: object, at: tuple = ()) -> list[tuple]:
    """Every field of an object but labels and what says which object it is."""
    if isinstance(item, list):
        return [found for index, each in enumerate(item) for found in places(each, (*at, index))]
    if not isinstance(item, dict) or at[-1:] == ("matchLabels",):
        return []
    inner = [found for key, each in item.items() for found in places(each, (*at, key))]
    return [*((*at, key) for key in item), *inner]


def is_peer(place: tuple) -> bool:
    """Does a place say which kind of peer one is?"""
    return place[-3:-2] in {("from",), ("to",)}


@WHOLE
def test_every_field_of_a_policy_counts(item: dict) -> None:
    """Spelled as the API has them they are taken; with a letter more, none is lost in silence."""
    checked(item, "f")
    newer = item is CLUSTER  # of peers there may be kinds that we don't know
    found = [place for place in places(item) if place[0] == "spec" and not (newer and is_peer(place))]
    assert len(found) > 10
    for place in found:
        with pytest.raises(BadConfigurationError):
            checked(misspelled(item, place), "f")


def test_newer_peers_of_cluster_policies_are_taken() -> None:
    """The API says what a peer of an unknown kind means: no mistake; within a known kind a field is one."""
    newer = deepcopy(CLUSTER)
    newer["spec"]["ingress"][0]["from"] = [{"somethingNewer": {}}]
    checked(newer, "f")
    newer["spec"]["ingress"][0]["from"] = [{"namespaces": {"matchLabel": {}}}]
    with pytest.raises(BadConfigurationError, match=r"from\[0\].namespaces.matchLabel = .*has no meaning"):
        checked(newer, "f")


@pytest.mark.parametrize(
    ("item", "place", "said"),
    [
        (KUBERNETES, ("spec", "ingress", 0, "from"), r"spec.ingress\[0\].fromx = .*known are from, ports"),
        (KUBERNETES, ("spec", "egress"), "NetworkPolicy shop/p: spec.egressx"),
        (KUBERNETES, ("spec",), "specx"),
        (CALICO, ("spec", "ingress", 0, "source"), r"spec.ingress\[0\].sourcex"),
        (CLUSTER, ("spec", "ingress", 0, "protocols"), r"spec.ingress\[0\].protocolsx"),
    ],
)
def test_what_would_be_wider_is_named(item: dict, place: tuple, said: str) -> None:
    """A rule that would lose its peers or ports, a policy its direction: object, field, and what there is."""
    with pytest.raises(BadConfigurationError, match=said):
        checked(misspelled(item, place), "f")


def test_our_own_annotations_are_three() -> None:
    """One that we don't know under our prefix is refused, anybody else's is theirs."""
    metadata = {"name": "p", "annotations": {"example.org/established": "?"}}
    checked({**KUBERNETES, "metadata": metadata}, "f")
    metadata["annotations"]["policy.octet.dev/establishd"] = "keep"
    with pytest.raises(BadConfigurationError, match=r"policy.octet.dev/establishd = 'keep': has no meaning"):
        checked({**KUBERNETES, "metadata": metadata}, "f")


@pytest.mark.parametrize("folder", ["policy", "calico"])
def test_the_examples_are_spelled_well(folder: str) -> None:
    """All manifests that we show are taken."""
    assert list(Path("examples", folder).iterdir())
    for file in Path("examples", folder).iterdir():
        for item in yaml.safe_load_all(file.read_text()):
            checked(item, str(file))
