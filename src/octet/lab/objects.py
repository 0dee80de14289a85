"""Objects of a lab's cluster: which kinds there are, what people call them, manifests, and pods as objects.

What lives here: the table of kinds, reading JSON and YAML manifests, Pod and Namespace objects.
What it must not know: the store, processes.
"""

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from octet.cluster import objects
from octet.errors import BadConfigurationError
from octet.lab.names import check_labels
from octet.lab.spelling import refuse_unknown

Object = dict[str, Any]


CALICO = "projectcalico.org/v3"
RENAMED = {(CALICO, "NetworkPolicy"): "CalicoNetworkPolicy"}
"""What a kind is called in the store, where another group of the API has one of the same name."""


SPEC = ("containers", "initContainers", "serviceAccountName")
"""What a started pod keeps of its manifest's spec: ports with names, and who it runs as."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object that the store knows.

    Attributes:
        words: what people write after ``get``: plural first, then the shorter ones.
    """

    name: str
    version: str
    words: tuple[str, ...]
    namespaced: bool = True


KINDS = (
    Kind("Node", "v1", ("nodes", "node", "no"), namespaced=False),
    Kind("Pod", "v1", ("pods", "pod", "po")),
    Kind("Namespace", "v1", ("namespaces", "namespace", "ns"), namespaced=False),
    Kind("NetworkPolicy", "networking.k8s.io/v1", ("networkpolicies", "networkpolicy", "netpol")),
    Kind("Service", "v1", ("services", "service", "svc")),
    Kind("EndpointSlice", "discovery.k8s.io/v1", ("endpointslices", "endpointslice")),
    Kind("ServiceAccount", "v1", ("serviceaccounts", "serviceaccount", "sa")),
    Kind(
        "ClusterNetworkPolicy",
        "policy.networking.k8s.io/v1alpha2",
        ("clusternetworkpolicies", "clusternetworkpolicy", "cnp"),
        namespaced=False,
    ),
    *(
        Kind(name, CALICO, (f"{name.lower().removesuffix('y')}{ending}", name.lower()), namespaced)
        for name, ending, namespaced in (
            ("CalicoNetworkPolicy", "ies", True),
            ("GlobalNetworkPolicy", "ies", False),
            ("StagedNetworkPolicy", "ies", True),
            ("StagedGlobalNetworkPolicy", "ies", False),
            ("StagedKubernetesNetworkPolicy", "ies", True),
            ("Tier", "s", False),
            ("NetworkSet", "s", True),
            ("GlobalNetworkSet", "s", False),
            ("HostEndpoint", "s", False),
        )
    ),
    Kind("IPPool", "projectcalico.org/v3", ("ippools", "ippool"), namespaced=False),
    Kind("IPReservation", "projectcalico.org/v3", ("ipreservations", "ipreservation"), namespaced=False),
    Kind(
        "IPAMConfiguration",
        "projectcalico.org/v3",
        ("ipamconfigurations", "ipamconfiguration", "ipamconfig"),
        namespaced=False,
    ),
    *(
        Kind(name, CALICO, (f"{name.lower()}s", name.lower()), namespaced=False)
        for name in ("BGPConfiguration", "BGPPeer", "BGPFilter", "FelixConfiguration")
    ),
    Kind("IPAMBlock", "crd.projectcalico.org/v1", ("ipamblocks", "ipamblock"), namespaced=False),
    Kind("BlockAffinity", "crd.projectcalico.org/v1", ("blockaffinities", "blockaffinity"), namespaced=False),
    Kind("IPAMHandle", "crd.projectcalico.org/v1", ("ipamhandles", "ipamhandle"), namespaced=False),
)
"""Every kind a lab takes; the words are kubectl's."""


def kind_of(word: str) -> Kind:
    """Return the kind that a word means, in any case. Raises BadConfigurationError."""
    lower = word.lower()
    for kind in KINDS:
        if lower in kind.words:
            return kind
    hint = f"one of {', '.join(kind.words[0] for kind in KINDS)}"
    raise BadConfigurationError("lab", "kind", word, "no such kind", hint=hint)


def read_manifest(text: str, source: str) -> tuple[Object, ...]:
    """Return the objects of a manifest: JSON, or YAML with one or several documents; lists are opened.

    Raises:
        BadConfigurationError: naming the source, the object and the field.
    """
    items = list(raw_objects(text, source))
    if not items:
        raise BadConfigurationError(source, "objects", 0, "nothing to apply")
    return tuple(checked(item, f"{source}, object {number}") for number, item in enumerate(items, 1))


def raw_objects(text: str, source: str) -> Iterator[Any]:
    """Yield the objects of a manifest as they are. Raises BadConfigurationError for what is no manifest."""
    for document in _documents(text, source):
        if document is not None:
            yield from _opened(document, source)


def _documents(text: str, source: str) -> list[Any]:
    try:
        return [json.loads(text)]
    except ValueError:
        pass
    import yaml

    try:
        return list(yaml.safe_load_all(text))
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise BadConfigurationError(source, "text", text[:40], f"neither JSON nor YAML: {problem}") from error


def _opened(document: Any, source: str) -> Iterator[Any]:
    if isinstance(document, Mapping) and str(document.get("kind", "")).endswith("List"):
        items = document.get("items")
        if not isinstance(items, Sequence):
            raise BadConfigurationError(source, "items", items, "a list's items are missing")
        yield from items
    elif isinstance(document, list):
        yield from document
    else:
        yield document


def checked(item: Any, source: str) -> Object:
    """Return an object with its metadata filled in. Raises BadConfigurationError for what the API refuses."""
    if not isinstance(item, Mapping):
        raise BadConfigurationError(source, "object", item, "not a mapping")
    version, said = item.get("apiVersion"), item.get("kind")
    item = {**item, "kind": RENAMED.get((str(version), str(said)), said)}
    kind = next((kind for kind in KINDS if kind.name == item["kind"]), None)
    if kind is None:
        hint = f"a lab knows {', '.join(kind.name for kind in KINDS)}"
        raise BadConfigurationError(source, "kind", said, "not known", hint=hint)
    if version != kind.version:
        problem = "wrong for this kind"
        raise BadConfigurationError(source, "apiVersion", version, problem, hint=f"use {kind.version}")
    whole = {**item, "metadata": _metadata(item.get("metadata"), kind, source)}
    getattr(objects, kind.name).from_object(whole)  # refuses what the API would refuse
    refuse_unknown(kind.name, whole)
    return whole


def _metadata(held: Any, kind: Kind, source: str) -> Object:
    if not isinstance(held, Mapping) or not isinstance(held.get("name"), str) or not held["name"]:
        raise BadConfigurationError(source, "metadata.name", held, "missing")
    metadata = dict(held)
    labels = metadata.get("labels") or {}
    if not isinstance(labels, Mapping):
        raise BadConfigurationError(source, "metadata.labels", labels, "not a mapping")
    check_labels(labels, source)
    if kind.namespaced:
        metadata["namespace"] = metadata.get("namespace") or "default"
    return metadata


def namespace_object(name: str) -> Object:
    """Return a Namespace as the API server makes it."""
    return labelled({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


def labelled(namespace: Mapping[str, Any]) -> Object:
    """Return a Namespace with the label that selectors by name use, as the API server adds it."""
    metadata = namespace["metadata"]
    labels = {**(metadata.get("labels") or {}), "kubernetes.io/metadata.name": metadata["name"]}
    return {**namespace, "metadata": {**metadata, "labels": labels}}


def node_object(name: str, addresses: Sequence[object], *, ready: bool) -> Object:
    """Return a Node as it joins; one that is not ready waits for its own agent to say so."""
    internal = [{"type": "InternalIP", "address": str(address)} for address in addresses]
    condition = {"type": "Ready", "status": "True" if ready else "False", "reason": "OctetLab"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": {},
        "status": {"addresses": internal, "conditions": [condition]},
    }


def pod_object(
    name: str, namespace: str, node: str, labels: Mapping[str, str], command: Sequence[str]
) -> Object:
    """Return a Pod bound to a node that has no address yet."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": str(uuid.uuid4()),
            "labels": dict(labels),
            "creationTimestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
        "spec": {"nodeName": node, "containers": [{"name": "main", "command": list(command)}]},
        "status": {"phase": "Pending"},
    }


def command_of(pod: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a manifest's first container would run; empty where it leaves that to an image."""
    containers = pod.get("spec", {}).get("containers") or [{}]
    first = containers[0]
    return tuple(str(word) for word in [*first.get("command", []), *first.get("args", [])])


def spec_of(pod: Mapping[str, Any]) -> Object:
    """Return what of a manifest's spec is kept: that which policies ask about."""
    return {key: value for key, value in pod.get("spec", {}).items() if key in SPEC and value}
