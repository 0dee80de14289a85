"""Manifests on disk, and clusters that nobody has applied yet."""

from pathlib import Path

import pytest

from octet.errors import BadConfigurationError
from octet.lab.manifests import files, read_cluster, read_path
from octet.lab.objects import spec_of
from octet.lab.reading import SPARE, as_api, completed, enforced, over, view_of
from policy_manifests import pod, policy

POD = "{apiVersion: v1, kind: Pod, metadata: {name: %s, namespace: shop}}"


def test_a_directory_is_read_by_name(tmp_path: Path) -> None:
    """Files come in the order of their names, those of other kinds and below are left alone."""
    for name in ("20-b.yaml", "10-a.yml", "30-c.json", "README.md", "notes.txt"):
        (tmp_path / name).write_text(POD % name[3])
    (tmp_path / "more.yaml").mkdir()
    assert [item["metadata"]["name"] for item in read_path(tmp_path)] == ["a", "b", "c"]


def test_one_wrong_file_refuses_all(tmp_path: Path) -> None:
    """Nothing is half applied: every file is read before anything is done, and the wrong one is named."""
    (tmp_path / "a.yaml").write_text(POD % "a")
    (tmp_path / "b.yaml").write_text("{kind: Pod, apiVersion: v2}")
    with pytest.raises(BadConfigurationError, match=r"b\.yaml"):
        read_path(tmp_path)


def test_a_directory_without_manifests_is_refused(tmp_path: Path) -> None:
    """The error says what manifests are called."""
    with pytest.raises(BadConfigurationError, match=r"names end in \.yaml"):
        files(tmp_path)


def test_kinds_that_say_nothing_about_policy_are_named(tmp_path: Path) -> None:
    """What a cluster's files also hold is left out and said, so that nobody takes it for judged."""
    (tmp_path / "a.yaml").write_text(
        f"{POD % 'a'}\n---\n{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: d}}}}"
    )
    found = read_cluster(tmp_path)
    assert [item["kind"] for item in found.objects] == ["Pod"]
    assert found.others == ("Deployment (apps/v1)",)


def test_an_object_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    """Which of the two would be meant is not guessed."""
    (tmp_path / "a.yaml").write_text(POD % "a")
    (tmp_path / "b.yaml").write_text(POD % "a")
    with pytest.raises(BadConfigurationError, match="is there already"):
        read_cluster(tmp_path)


def test_pods_without_addresses_get_the_same_on_both_sides() -> None:
    """Two versions of a cluster can be compared before it runs anywhere; addresses that are there stay."""
    first, second = completed([pod("a"), pod("b", address="10.0.0.9")], [pod("c"), pod("a")])
    old, new = view_of(first), view_of(second)
    assert old.pods["shop", "a"].ips == new.pods["shop", "a"].ips
    assert old.pods["shop", "a"].ips[0] in SPARE
    assert str(old.pods["shop", "b"].ips[0]) == "10.0.0.9"
    assert new.pods["shop", "c"].ips != new.pods["shop", "a"].ips


def test_namespaces_are_as_the_api_server_makes_them() -> None:
    """A namespace that is only mentioned is there, and each has the label of its name."""
    shop = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"team": "a"}}}
    (objects,) = completed([shop, pod("a"), pod("b", "other")])
    view = view_of(objects)
    assert view.namespaces["shop"].labels == {"team": "a", "kubernetes.io/metadata.name": "shop"}
    assert view.namespaces["other"].labels == {"kubernetes.io/metadata.name": "other"}


def test_applying_over_replaces_and_keeps_what_runs() -> None:
    """What is applied wins but for a pod's status and spec, which are not its manifest's to say."""
    running = {**pod("a", address="10.0.0.9"), "spec": {"nodeName": "node1"}}
    found = over([running, policy("p")], [pod("a", app="new"), policy("p", policyTypes=["Egress"])])
    assert len(found) == 2
    assert found[0]["metadata"]["labels"] == {"app": "new"}
    assert (found[0]["status"], found[0]["spec"]) == ({"podIP": "10.0.0.9"}, {"nodeName": "node1"})
    assert found[1]["spec"]["policyTypes"] == ["Egress"]


def staged(kind: str, name: str, **spec: object) -> dict:
    return {
        "apiVersion": "projectcalico.org/v3",
        "kind": kind,
        "metadata": {"name": name, "namespace": "shop"},
        "spec": spec,
    }


def test_staged_policies_can_be_taken_as_enforced() -> None:
    """A staged policy is set or deletes its namesake; others stay, and nothing staged is left."""
    objects = [
        policy("kept"),
        policy("gone"),
        staged("StagedKubernetesNetworkPolicy", "gone", stagedAction="Delete"),
        staged("StagedNetworkPolicy", "new", stagedAction="Set", selector="all()"),
        staged("StagedGlobalNetworkPolicy", "all"),
    ]
    found = {(item["kind"], item["metadata"]["name"]): item for item in enforced(objects)}
    assert set(found) == {
        ("NetworkPolicy", "kept"),
        ("CalicoNetworkPolicy", "new"),
        ("GlobalNetworkPolicy", "all"),
    }
    assert found["CalicoNetworkPolicy", "new"]["spec"] == {"selector": "all()"}


def test_the_api_calls_calicos_policies_networkpolicy() -> None:
    """The store's own name for them is given back; other kinds stay as they are."""
    calico = {"apiVersion": "projectcalico.org/v3", "kind": "CalicoNetworkPolicy"}
    assert as_api(calico)["kind"] == "NetworkPolicy"
    assert as_api(pod("a"))["kind"] == "Pod"


def test_a_started_pod_keeps_what_policies_ask_about() -> None:
    """Ports with names and the service account stay, what a lab cannot be does not."""
    containers = [{"name": "c", "ports": [{"name": "http", "containerPort": 80}]}]
    spec = {"containers": containers, "serviceAccountName": "a", "hostNetwork": True, "volumes": []}
    assert spec_of({"spec": spec}) == {"containers": containers, "serviceAccountName": "a"}
