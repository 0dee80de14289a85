"""A cluster's objects as a View: of a lab that is up, or of files that nobody has applied yet.

What lives here: listing, and what an API server adds (namespaces, addresses) where there is none.
What it must not know: what is asked of the View.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from ipaddress import ip_address, ip_network
from itertools import islice
from pathlib import Path
from typing import Any

from octet.cluster.changes import Underlay
from octet.cluster.objects import KINDS, Address
from octet.cluster.view import View
from octet.errors import OctetError
from octet.lab.api import Lab
from octet.lab.manifests import read_cluster
from octet.lab.objects import CALICO, RENAMED, Object, labelled, namespace_object
from octet.policy.gates import TUNNELS

STAGED = {
    "StagedNetworkPolicy": (CALICO, "CalicoNetworkPolicy"),
    "StagedGlobalNetworkPolicy": (CALICO, "GlobalNetworkPolicy"),
    "StagedKubernetesNetworkPolicy": ("networking.k8s.io/v1", "NetworkPolicy"),
}
"""What staged policies are once they are enforced: version, and kind as the store has it."""

SPARE = ip_network("198.18.0.0/15")
"""Addresses for pods that have none yet: set aside for tests between networks (RFC 2544), named by nobody."""


def objects_of(lab: Lab) -> list[Object]:
    """Return everything that decides who may talk to whom. Raises OctetError."""
    return [item for kind in KINDS for item in lab.get(kind)]


def names_of(lab: Lab, node: str) -> dict[Address, dict[str, frozenset[Address]]]:
    """Return what names mean to a node's pods, by address, as its agent says; nothing where it is silent."""
    try:
        told = json.loads(lab.ask_agent(node, "/state"))
    except OctetError:
        return {}
    return {
        ip_address(asker): {name: frozenset(map(ip_address, held)) for name, held in names.items()}
        for asker, names in told["names"].items()
    }


def refused_of(lab: Lab, nodes: Iterable[str]) -> dict[str, str]:
    """Return the policies that agents refuse, and why; of an agent that is silent nothing is known."""
    found: dict[str, str] = {}
    for node in nodes:
        with suppress(OctetError):
            found |= json.loads(lab.ask_agent(node, "/state"))["refused"]
    return found


def closed_of(lab: Lab) -> tuple[int, ...]:
    """Return the UDP ports that no pod of a lab may send to, as its first agent that answers tells."""
    for node in lab.info()["nodes"]:
        try:
            told = json.loads(lab.ask_agent(node, "/state"))
        except OctetError:
            continue
        return tuple(int(port) for port in told["closed"])
    return TUNNELS


def files_of(path: Path) -> tuple[list[Object], tuple[str, ...]]:
    """Return the objects of a file or directory, and the kinds that were left out.

    Raises:
        BadConfigurationError: naming the file, the object and the field.
        OSError: a file cannot be read.
    """
    found = read_cluster(path)
    return list(found.objects), found.others


def over(below: Iterable[Object], above: Iterable[Object]) -> list[Object]:
    """Return what there is after objects have been applied over others; a status stays with what has it."""
    found = {(item["kind"], *_key(item)): item for item in below}
    for item in above:
        key = (item["kind"], *_key(item))
        held: Object = found.get(key, {})
        parts = ("status", "spec") if item["kind"] == "Pod" else ()
        found[key] = item | {part: held[part] for part in parts if part in held}
    return list(found.values())


def enforced(objects: Iterable[Object]) -> list[Object]:
    """Return what there would be if staged policies were enforced: set, or deleted where they say so."""
    found = {(item["kind"], *_key(item)): item for item in objects}
    for item in [each for each in found.values() if each["kind"] in STAGED]:
        version, kind = STAGED[item["kind"]]
        key = (kind, *_key(item))
        spec = dict(item["spec"])
        if spec.pop("stagedAction", "Set") == "Delete":
            found.pop(key, None)
        else:
            found[key] = {**item, "apiVersion": version, "kind": kind, "spec": spec}
        del found[item["kind"], *_key(item)]
    return list(found.values())


def as_api(item: Mapping[str, Any]) -> Object:
    """Return an object with the kind that the API calls it by."""
    names = {(version, ours): theirs for (version, theirs), ours in RENAMED.items()}
    kind = str(item["kind"])
    return {**item, "kind": names.get((str(item.get("apiVersion")), kind), kind)}


def view_of(objects: Iterable[Mapping[str, Any]], uplink: str = "") -> View:
    """Return objects as an agent sees them; what an agent refuses is left out.

    Args:
        objects: with the kinds of the store.
        uplink: the interface by which nodes reach each other; empty where nobody knows.
    """
    held: dict[str, list[Mapping[str, Any]]] = {kind: [] for kind in KINDS}
    for item in objects:
        held[str(item["kind"])].append(item)
    view = View("", Underlay(uplink, 0))
    for kind, items in held.items():
        view = view.with_listing(kind, items).view
    return view


def completed(*clusters: Sequence[Object]) -> list[list[Object]]:
    """Return clusters with what an API server would add: missing namespaces, and addresses for pods.

    A pod that is in several of them without an address gets the same one in all.
    """
    names = {_key(item): item for objects in clusters for item in objects if item["kind"] == "Pod"}
    taken = {each["ip"] for item in names.values() for each in _addresses(item)}
    spare = (str(address) for address in SPARE.hosts() if str(address) not in taken)
    bare = sorted(key for key, item in names.items() if not _addresses(item))
    given = dict(zip(bare, islice(spare, len(bare)), strict=True))
    return [[*_namespaces(objects), *(_filled(item, given) for item in objects)] for objects in clusters]


def _key(item: Object) -> tuple[str, str]:
    return str(item["metadata"].get("namespace")), str(item["metadata"]["name"])


def _addresses(pod: Object) -> list[dict[str, str]]:
    status = pod.get("status") or {}
    found = [each for each in status.get("podIPs") or [] if each.get("ip")]
    return found or ([{"ip": str(ip_address(status["podIP"]))}] if status.get("podIP") else [])


def _filled(item: Object, given: Mapping[tuple[str, str], str]) -> Object:
    if item["kind"] == "Namespace":
        return labelled(item)
    if item["kind"] != "Pod" or _key(item) not in given:
        return item
    address = given[_key(item)]
    return {**item, "status": {**(item.get("status") or {}), "podIP": address, "podIPs": [{"ip": address}]}}


def _namespaces(objects: Sequence[Object]) -> list[Object]:
    known = {item["metadata"]["name"] for item in objects if item["kind"] == "Namespace"}
    used = {item["metadata"].get("namespace") for item in objects} - {None, ""}
    return [namespace_object(name) for name in sorted(map(str, used - known))]
