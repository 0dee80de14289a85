"""The published policy cases of tests/cases/policy, as steps and tables: whoever judges, judges the same.

What lives here: reading, the cases that are given by their parts, what a line of a table means.
What it must not know: who judges (the oracle, the tracer over compiled rules, real packets).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from ipaddress import ip_address, ip_network
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1] / "cases/policy"
PORTS = (80, 81)
PROTOCOLS = ("TCP", "UDP", "SCTP")
VERSIONS = {
    "NetworkPolicy": "networking.k8s.io/v1",
    "ClusterNetworkPolicy": "policy.networking.k8s.io/v1alpha2",
    "CalicoNetworkPolicy": "projectcalico.org/v3",
}
CORE = "v1"
CORE_KINDS = ("ServiceAccount",)

Objects = dict[str, dict[str, Any]]
"""Objects by ``Kind namespace/name``."""

Addresses = Mapping[str, str]
"""Pods' addresses by ``namespace/name``."""


@dataclass(frozen=True)
class Step:
    """What is done, and what is so afterwards."""

    apply: tuple[Mapping[str, Any], ...] = ()
    delete: tuple[str, ...] = ()
    label: tuple[tuple[str, Mapping[str, str]], ...] = ()
    create: tuple[tuple[str, Mapping[str, str]], ...] = ()
    remove: tuple[str, ...] = ()
    table: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """One published case."""

    suite: str
    name: str
    kind: str
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return f"{self.suite}: {self.name}"

    @property
    def changes_pods(self) -> bool:
        """Do pods come or go in it?"""
        return any(step.create or step.remove for step in self.steps)


@cache
def cases(file: str) -> tuple[Case, ...]:
    """Return the cases of a file, in its order."""
    data = yaml.safe_load((ROOT / f"{file}.yaml").read_text())
    found = [
        *_varied(data),
        *(
            Case(data["suite"], name, data["kind"], tuple(_step(step) for step in steps))
            for stated in data["cases"]
            for name, steps in _each(stated)
        ),
    ]
    for other, names in (data.get("also") or {}).items():
        held = {case.name: case for case in cases(other)}
        found.extend(replace(held[name], suite=data["suite"]) for name in names)
    return tuple(found)


def _each(stated: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield a case once for each value of its words."""
    words = stated.get("each") or {}
    for index in range(max((len(values) for values in words.values()), default=1)):
        chosen = {word: values[index] for word, values in words.items()}
        name = stated["name"]
        for word, value in chosen.items():
            name = re.sub(rf"\b{word}\b", value, name)
        yield name, _filled(stated["steps"], {f"${word}": value for word, value in chosen.items()})


def _filled(value: Any, words: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {_filled(key, words): _filled(item, words) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, words) for item in value]
    if isinstance(value, str):
        for word, text in words.items():
            value = value.replace(word, text)
    return value


def _step(stated: Mapping[str, Any]) -> Step:
    return Step(
        apply=tuple(stated.get("apply") or ()),
        delete=tuple(stated.get("delete") or ()),
        label=tuple((stated.get("label") or {}).items()),
        create=tuple((stated.get("create") or {}).items()),
        remove=tuple(stated.get("remove") or ()),
        table=tuple(stated["table"]),
    )


def _varied(data: Mapping[str, Any]) -> Iterator[Case]:
    """Yield the cases that put other peers or other ports into one rule of the base policy."""
    if "base" not in data:
        return
    peers, ports = data["peers"], data["ports"]
    for direction in ("ingress", "egress"):
        for size in range(3):
            for chosen in combinations(peers, size):
                name = f"{direction} peers: {', '.join(each['name'] for each in chosen) or 'anybody'}"
                yield _case(data, name, direction, {"peers": _list(chosen)})
        yield _case(data, f"{direction} ports: any", direction, {"ports": ([], ["*/*"])})
        for each in ports:
            yield _case(data, f"{direction} ports: {each['name']}", direction, {"ports": _list([each])})
        for each in data["port-lists"]:
            means = (each["entries"], each["means"])
            yield _case(data, f"{direction} ports: {each['name']}", direction, {"ports": means})


def _list(chosen: Iterable[Mapping[str, Any]]) -> tuple[list[Any], list[str]]:
    found = list(chosen)
    means = [each for entry in found for each in entry["means"]]
    return [entry["entry"] for entry in found], means if found else ["*"]


def _case(
    data: Mapping[str, Any], name: str, direction: str, parts: Mapping[str, tuple[list[Any], list[str]]]
) -> Case:
    base, means = data["base"]["policy"], data["base"]["means"]
    key = "from" if direction == "ingress" else "to"
    rule = dict(base["spec"][direction][0])
    peers, ports = {**means["peers"]}, dict.fromkeys(("ingress", "egress"), means["ports"])
    if "peers" in parts:
        rule[key], peers[direction] = parts["peers"]
    if "ports" in parts:
        rule["ports"], ports[direction] = parts["ports"]
    spec = {**base["spec"], direction: [rule, *base["spec"][direction][1:]]}
    table = ["deny * -> x/a", "deny x/a -> *"]
    for way in ("ingress", "egress"):
        for peer in peers[way]:
            ends = f"{peer} -> x/a" if way == "ingress" else f"x/a -> {peer}"
            table.extend(f"allow {ends} {port}" for port in ports[way])
    return Case(
        data["suite"], name, data["kind"], (Step(apply=({**base, "spec": spec},), table=tuple(table)),)
    )


# steps


def after(objects: Objects, step: Step, kind: str, addresses: Addresses) -> Objects:
    """Return the objects after a step; pods that it creates have addresses already."""
    found = dict(objects)
    for what, labels in step.create:
        found[what] = _made(what, labels, addresses)
    for what, labels in step.label:
        held = found[what]
        found[what] = {**held, "metadata": {**held["metadata"], "labels": dict(labels)}}
    for stated in step.apply:
        made = policy(_addressed(stated, addresses), kind)
        found[named(made)] = made
    for what in (*step.delete, *step.remove):
        del found[what]
    return found


def policy(stated: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return a policy in Kubernetes' shape: from a case's short form, or as it is."""
    if "metadata" in stated:
        return dict(stated)
    kind = stated.get("kind") or kind
    metadata = {key: stated[key] for key in ("name", "namespace", "annotations") if key in stated}
    plain = kind.removeprefix("Calico")
    version = CORE if kind in CORE_KINDS else VERSIONS.get(kind, VERSIONS["CalicoNetworkPolicy"])
    rest = {key: stated[key] for key in ("spec",) if key in stated}
    return {"apiVersion": version, "kind": plain, "metadata": {**metadata, **_labels(stated)}, **rest}


def _labels(stated: Mapping[str, Any]) -> dict[str, Any]:
    return {"labels": stated["labels"]} if "labels" in stated else {}


def named(item: Mapping[str, Any]) -> str:
    """Return an object's key."""
    metadata = item["metadata"]
    name = f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else metadata["name"]
    calico = "projectcalico.org" in (item.get("apiVersion") or "") and item["kind"] == "NetworkPolicy"
    return f"{'Calico' if calico else ''}{item['kind']} {name}"


def _made(what: str, labels: Mapping[str, str], addresses: Addresses) -> dict[str, Any]:
    kind, name = what.split(" ")
    return (
        namespace(name, labels)
        if kind == "Namespace"
        else pod(name, labels, addresses[name], where(addresses[name]))
    )


def where(address: str) -> str:
    """Return the node that a pod's address lies on."""
    return f"node-{address.split('.')[2]}"


def namespace(name: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """Return a namespace; the API server adds its name to its labels."""
    metadata = {"name": name, "labels": {**labels, "kubernetes.io/metadata.name": name}}
    return {"apiVersion": CORE, "kind": "Namespace", "metadata": metadata}


def pod(
    key: str, labels: Mapping[str, str], address: str, node: str = "node-1", more: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return a pod that serves both ports over all protocols, under names."""
    space, name = key.split("/")
    ports = [
        {"name": f"serve-{port}-{protocol.lower()}", "containerPort": port, "protocol": protocol}
        for port in PORTS
        for protocol in PROTOCOLS
    ]
    return {
        "apiVersion": CORE,
        "kind": "Pod",
        "metadata": {"name": name, "namespace": space, "uid": f"{key}-1", "labels": dict(labels)},
        "spec": {
            "nodeName": node,
            "serviceAccountName": f"sa-{name}",
            "containers": [{"name": "c", "ports": ports}],
        },
        "status": {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": each} for each in (address, *more)],
        },
    }


def _addressed(value: Any, addresses: Addresses) -> Any:
    return _filled(value, {f"{{{name}}}": address for name, address in addresses.items()})


# tables


@dataclass(frozen=True)
class Probe:
    """One question: may this pod reach that one there?"""

    source: str
    destination: str
    port: int
    protocol: str

    def __str__(self) -> str:
        return f"{self.source} -> {self.destination} {self.port}/{self.protocol}"


def probes(pods: Iterable[str], protocols: Iterable[str] = PROTOCOLS) -> Iterator[Probe]:
    """Yield a question for all pods to all pods, both ports, and protocols."""
    held, asked = sorted(pods), list(protocols)
    for source in held:
        for destination in held:
            for protocol in asked:
                yield from (Probe(source, destination, port, protocol) for port in PORTS)


def expected(table: Iterable[str], asked: Iterable[Probe], addresses: Addresses) -> dict[Probe, bool]:
    """Return what a table says: everything is allowed, then line by line, and a pod reaches itself."""
    lines = [_line(text, addresses) for text in table]
    found = {}
    for probe in asked:
        allowed = True
        for line in lines:
            if line.means(probe):
                allowed = line.allows
        found[probe] = allowed or probe.source == probe.destination
    return found


@dataclass(frozen=True)
class _Line:
    allows: bool
    sources: frozenset[str]
    destinations: frozenset[str]
    port: str
    protocol: str

    def means(self, probe: Probe) -> bool:
        ends = probe.source in self.sources and probe.destination in self.destinations
        return ends and self.port in ("*", str(probe.port)) and self.protocol in ("*", probe.protocol)


def _line(text: str, addresses: Addresses) -> _Line:
    word, _, rest = text.partition(" ")
    left, _, right = rest.partition(" -> ")
    found = re.fullmatch(r"(.*?)(?: (\d+|\*)/(\w+|\*))?", right)
    assert word in ("allow", "deny"), text
    assert found is not None, text
    to, port, protocol = found.groups()
    ends = frozenset(_pods(left, addresses)), frozenset(_pods(to, addresses))
    return _Line(word == "allow", *ends, port or "*", protocol or "*")


def _pods(pattern: str, addresses: Addresses) -> Iterator[str]:
    """Yield the pods that a pattern means: ``*``, ``x/*``, ``{y,z}/b``, or ``net: CIDR - CIDR``."""
    if pattern.startswith("net: "):
        inside, _, outside = _addressed(pattern.removeprefix("net: "), addresses).partition(" - ")
        for name, address in addresses.items():
            if _inside(address, inside) and not (outside and _inside(address, outside)):
                yield name
        return
    whole = re.escape(pattern if "/" in pattern else f"{pattern}/*")
    whole = whole.replace(r"\*", "[^/]+").replace(r"\{", "(?:").replace(r"\}", ")").replace(",", "|")
    found = [name for name in addresses if re.fullmatch(whole, name)]
    assert found, f"{pattern} means no pod"
    yield from found


def _inside(address: str, cidr: str) -> bool:
    return ip_address(address) in ip_network(cidr, strict=False)
