"""Random clusters and policies of every dialect, valid ones, from a seed.

What lives here: the dice, and only values that the APIs accept. What it must not know: what a policy means.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import policy_world
from octet.oracle import Flow

Item = dict[str, Any]
Names = dict[IPv4Address | IPv6Address, dict[str, frozenset[IPv4Address | IPv6Address]]]

LABELS: Mapping[str, Sequence[str]] = {"app": ("a", "b", "c"), "tier": ("web", "db")}
NAMESPACES = ("x", "y", "z")
PORTS = (80, 81, 8080)
PORT_NAMES = ("web", "api")
PROTOCOLS = ("TCP", "UDP", "SCTP")
OUTSIDE = ("203.0.113.7", "203.0.113.200", "198.51.100.9", "2001:db8::7", "10.244.2.0")
BLOCKS = (
    "0.0.0.0/0",
    "10.244.0.0/16",
    "10.244.1.0/24",
    "203.0.113.0/24",
    "192.168.0.0/24",
    "::/0",
    "fd00:244::/32",
)
DOMAINS = ("www.example.org", "example.org", "a.b.example.org", "api.example.com")
UPLINK = "eth0"
FLOWS = 16


@dataclass(frozen=True)
class RandomWorld:
    """Objects and what is asked about them.

    Attributes:
        names: what domain names mean to each pod that has asked, by each of its addresses.
    """

    objects: tuple[Item, ...]
    flows: tuple[Flow, ...]
    names: Names = field(default_factory=dict)


def generate(seed: int, flows: int = FLOWS, *, dual: bool = True, hosts: bool = False) -> RandomWorld:
    """Return the world of a seed, the same on every machine; with ``hosts``, nodes have host endpoints."""
    dice = Dice(random.Random(seed), dual=dual, hosts=hosts)
    objects = tuple(dice.cluster())
    policies = tuple(dice.policies(objects))
    return RandomWorld((*objects, *policies), tuple(dice.flows(objects, flows)), dict(dice.names(objects)))


class Dice:
    """One sequence of choices."""

    def __init__(self, chance: random.Random, *, dual: bool, hosts: bool = False) -> None:
        self.chance = chance
        self._dual = dual
        self._hosts = hosts
        self._number = 0

    def pick(self, choices: Sequence[Any]) -> Any:
        return choices[int(self.chance.random() * len(choices))]

    def often(self, share: float) -> bool:
        return self.chance.random() < share

    def some(self, choices: Sequence[Any], most: int) -> list[Any]:
        return [self.pick(choices) for _ in range(1 + int(self.chance.random() * most))]

    def name(self, stem: str) -> str:
        self._number += 1
        return f"{stem}{self._number}"

    # the cluster

    def cluster(self) -> Iterator[Item]:
        for name, address in policy_world.NODES.items():
            node = policy_world.node(name, address)
            node["metadata"]["labels"] |= {"zone": name}
            yield node
        for name in NAMESPACES[: 1 + int(self.chance.random() * 3)]:
            labels = {**self.labels(), "kubernetes.io/metadata.name": name}
            yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
            if self.often(0.3):
                metadata = {"name": "robot", "namespace": name, "labels": self.labels()}
                yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
            for _ in range(1 + int(self.chance.random() * 2.5)):
                yield self.pod(name)

    def labels(self) -> dict[str, str]:
        return {key: self.pick(values) for key, values in LABELS.items() if self.often(0.6)}

    def pod(self, namespace: str) -> Item:
        self._number += 1
        number, name = self._number, f"p{self._number}"
        node = self.pick((1, 2))
        v4, v6 = f"10.244.{node}.{number + 1}", f"fd00:244:{node}::{number + 1:x}"
        ips = self.pick(([v4], [v4], [v4], [v4, v6], [v4, v6], [v6])) if self._dual else [v4]
        status: Item = {"phase": "Running", "podIP": ips[0], "podIPs": [{"ip": each} for each in ips]}
        spec: Item = {
            "nodeName": f"node-{node}",
            "containers": [{"name": "c", "ports": self.container_ports()}],
        }
        if self.often(0.3):
            spec["serviceAccountName"] = "robot"
        metadata: Item = {"name": name, "namespace": namespace, "uid": name, "labels": self.labels()}
        state = self.chance.random()
        if state < 0.04:
            status["phase"] = self.pick(("Succeeded", "Failed"))
        elif state < 0.08:
            spec["hostNetwork"] = True
            address = policy_world.NODES[f"node-{node}"]
            status |= {"podIP": address, "podIPs": [{"ip": address}]}
        elif state < 0.12:
            status = {"phase": "Pending"}
        elif state < 0.16:
            metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}

    def container_ports(self) -> list[Item]:
        return [
            {"name": name, "containerPort": self.pick(PORTS), "protocol": self.pick(PROTOCOLS)}
            for name in PORT_NAMES
            if self.often(0.6)
        ]

    # policies

    def policies(self, objects: Sequence[Item]) -> Iterator[Item]:
        from policy_dialects import Calico, Cluster, Kubernetes  # noqa: PLC0415 - they import the dice

        addresses = [text for item in objects if item["kind"] == "Pod" for text in pod_addresses(item)]
        blocks = [*BLOCKS, *(f"{text}/{32 if '.' in text else 128}" for text in addresses)]
        kinds: list[Callable[[], Iterator[Item]]] = [
            Kubernetes(self, blocks).some_policies,
            Cluster(self, blocks).some_policies,
            Calico(self, blocks).some_policies,
        ]
        chosen = [each for each in kinds if self.often(0.55)] or [kinds[0]]
        for each in chosen:
            yield from each()
        if self._hosts:
            yield from Calico(self, blocks).hosts()

    def selector(self) -> Item:
        """Return a Kubernetes label selector."""
        found: Item = {}
        if self.often(0.45):
            key = self.pick(tuple(LABELS))
            found["matchLabels"] = {key: self.pick(LABELS[key])}
        if self.often(0.3):
            found["matchExpressions"] = [self.expression()]
        return found

    def expression(self) -> Item:
        key = self.pick(tuple(LABELS))
        operator = self.pick(("In", "NotIn", "Exists", "DoesNotExist"))
        values = {"values": sorted(set(self.some(LABELS[key], 2)))} if operator.endswith("In") else {}
        return {"key": key, "operator": operator, **values}

    def domain(self) -> str:
        """Return a domain name, or a whole family of them."""
        return str(self.pick((*DOMAINS, "*.example.org", "*.example.com", "WWW.Example.Org.")))

    # questions

    def names(self, objects: Sequence[Item]) -> Iterator[tuple[Any, dict[str, frozenset[Any]]]]:
        """Yield what some domain names mean to some pods: places outside, sometimes a pod."""
        pods = [item for item in objects if item["kind"] == "Pod"]
        inside = [text for item in pods for text in pod_addresses(item)]
        for pod in (item for item in pods if not item["spec"].get("hostNetwork")):
            names = [name for name in DOMAINS if self.often(0.4)]
            places = (*OUTSIDE, *inside[:1])
            held = {name: frozenset(ip_address(text) for text in self.some(places, 2)) for name in names}
            yield from ((ip_address(text), held) for text in pod_addresses(pod))

    def flows(self, objects: Sequence[Item], count: int) -> Iterator[Flow]:
        pods = [item for item in objects if item["kind"] == "Pod"]
        inside = [text for item in pods for text in pod_addresses(item)] or ["10.244.1.2"]
        others = [*OUTSIDE, *policy_world.NODES.values()]
        asked = 0
        while asked < count:
            ends = [self.pick(inside) if self.often(0.8) else self.pick(others) for _ in range(2)]
            source, destination = map(ip_address, ends)
            if source.version != destination.version or source == destination:
                continue
            if not self._hosts and not set(ends) & set(inside):
                continue
            asked += 1
            held = [item for item in pods if ends[1] in pod_addresses(item)]
            named = [port for item in held for each in item["spec"]["containers"] for port in each["ports"]]
            made = self.flow(source, destination, named)
            yield replace(made, interface=UPLINK) if self._hosts else made

    def flow(self, source: Any, destination: Any, named: Sequence[Item] = ()) -> Flow:
        if named and self.often(0.3):
            port = self.pick(named)
            return Flow(source, destination, port["protocol"], port["containerPort"], self.pick((None, 2000)))
        state = self.chance.random()
        if state < 0.08:
            protocol = "ICMP" if source.version == 4 else "ICMPv6"
            kinds = (8, 0, 3) if source.version == 4 else (128, 129, 1)
            return Flow(source, destination, protocol, icmp=(self.pick(kinds), self.pick((0, 0, 1))))
        if state < 0.11:
            return Flow(source, destination, self.pick(("47", "50")))
        protocol, port = self.pick(PROTOCOLS), self.pick((*PORTS, 53, 65535))
        if self._hosts and self.often(0.3):
            port = self.pick((22, 53, 67, 68, 179, 6443))
        return Flow(source, destination, protocol, port, self.pick((None, 1024, 2000)))


def pod_addresses(item: Mapping[str, Any]) -> list[str]:
    """Return the addresses in a pod's status, whoever has them."""
    return [each["ip"] for each in (item.get("status") or {}).get("podIPs") or []]


def smaller(dice: Dice, block: str) -> str | None:
    """Return a part of a block, or None where it is one address."""
    whole = ip_network(block, strict=False)
    most = 32 if whole.version == 4 else 128
    length = min(most, whole.prefixlen + dice.pick((1, 8, 16)))
    if length == whole.prefixlen:
        return None
    inside = [
        text for text in ("10.244.1.2", "10.244.2.3", "203.0.113.7", "fd00:244:1::2") if _in(text, whole)
    ]
    base = dice.pick(inside) if inside else str(whole.network_address)
    return str(ip_network(f"{base}/{length}", strict=False))


def _in(text: str, whole: Any) -> bool:
    address = ip_address(text)
    return address.version == whole.version and address in whole
