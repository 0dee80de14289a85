"""Manifests: JSON and YAML, one object or many, and what is refused."""

import json

import pytest

from octet.errors import BadConfigurationError
from octet.lab.objects import KINDS, command_of, kind_of, namespace_object, pod_object, read_manifest

NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
POLICY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny}
spec: {podSelector: {}}
---
# nothing here
---
apiVersion: v1
kind: Namespace
metadata:
  name: shop
"""


def test_yaml_documents_are_objects() -> None:
    """Several documents of one file are read in order; empty ones are none; a namespace is filled in."""
    policy, namespace = read_manifest(POLICY, "x.yaml")
    assert policy["metadata"] == {"name": "deny", "namespace": "default"}
    assert namespace == NAMESPACE


@pytest.mark.parametrize(
    "document", [NAMESPACE, [NAMESPACE], {"kind": "List", "apiVersion": "v1", "items": [NAMESPACE]}]
)
def test_json_is_one_object_or_a_list(document: object) -> None:
    """JSON may be an object, an array, or what kubectl get -o json prints."""
    assert read_manifest(json.dumps(document), "x.json") == (NAMESPACE,)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "nothing to apply"),
        ("{", "neither JSON nor YAML"),
        ("[1]", "not a mapping"),
        ("{kind: Deployment}", "a lab knows Node, Pod"),
        ("{kind: Pod, apiVersion: v2}", "use v1"),
        ("{kind: Pod, apiVersion: v1}", "metadata.name"),
        ("{kind: Pod, apiVersion: v1, metadata: {name: ''}}", "metadata.name"),
        ("{kind: PodList, apiVersion: v1}", "items"),
        ("!!python/object:os.system {}", "neither JSON nor YAML"),
    ],
)
def test_a_wrong_manifest_is_refused_with_its_place(text: str, said: str) -> None:
    """The error names the file and what would do; YAML can make no objects of Python's."""
    with pytest.raises(BadConfigurationError, match=said) as caught:
        read_manifest(text, "x.yaml")
    assert caught.value.source.startswith("x.yaml")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_word_for_a_kind_means_it(kind: object) -> None:
    """Plural, singular and short forms mean one kind, in any case."""
    assert {kind_of(word.upper()) for word in kind.words} == {kind}


def test_an_unknown_kind_is_refused_with_those_there_are() -> None:
    """The error lists the words that would do."""
    with pytest.raises(BadConfigurationError, match="nodes, pods, namespaces"):
        kind_of("deployments")


def test_a_pods_command_is_its_first_containers() -> None:
    """Command and arguments make the program; without any there is none."""
    pod = pod_object("a", "b", "node1", {}, ("sleep", "1"))
    assert command_of(pod) == ("sleep", "1")
    assert command_of({"spec": {"containers": [{"command": ["a"], "args": ["b"]}, {"command": ["c"]}]}}) == (
        "a",
        "b",
    )
    assert command_of({"spec": {"containers": [{"image": "x"}]}}) == command_of({}) == ()


def test_a_namespace_has_the_label_that_policies_select_by() -> None:
    """The API server labels each namespace with its name; so do we."""
    assert namespace_object("shop")["metadata"]["labels"] == {"kubernetes.io/metadata.name": "shop"}
