"""Everything the policy APIs may ask about: the objects, and who is behind an address.

What lives here: pods that own addresses, labels as each dialect sees them, nodes, network sets, tiers.
What it must not know: what a policy says.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, TypeVar

from octet.oracle.flows import Address
from octet.oracle.refusal import refuse
from octet.oracle.selector import NAMESPACE

Item = Mapping[str, Any]
"""A Kubernetes-shaped object."""

Network = IPv4Network | IPv6Network
T = TypeVar("T")

NAME = "kubernetes.io/metadata.name"  # every namespace has it since Kubernetes 1.22
CALICO_NAME = "projectcalico.org/name"
SERVICE_ACCOUNT = "projectcalico.org/serviceaccount"
LONGEST_LABEL = 63
NAMESPACE_PREFIX, SERVICE_ACCOUNT_PREFIX = "pcns.", "pcsa."
"""What the labels of an endpoint's namespace and service account begin with among its own."""


@dataclass(frozen=True, slots=True)
class Port:
    """A port that has a name on some endpoint."""

    name: str
    number: int
    protocol: str = "TCP"


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """A pod or a host endpoint: what policies select, and what they find at an address.

    Attributes:
        what: kind, namespace and name.
        labels: its own ones.
        everything: its own, its namespace's and its service account's, as Calico's selectors see them.
        node: where it is.
        host: is it a node's interface?
        interface: of a host endpoint; ``*`` is all that are no pod's.
    """

    what: str
    labels: Mapping[str, str]
    everything: Mapping[str, str]
    namespace: str = ""
    node: str = ""
    ports: tuple[Port, ...] = ()
    addresses: frozenset[Address] = frozenset()
    host: bool = False
    interface: str = ""
    profiles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class NetworkSet:
    """Addresses that go by labels."""

    everything: Mapping[str, str]
    networks: tuple[Network, ...]


@dataclass(eq=False)
class World:
    """A cluster at one moment.

    Attributes:
        objects: of any kind; kinds that policies do not look at are welcome.
        names: what domain names mean to pods that have asked, by the pods' addresses; None where that is not
            known.
    """

    objects: Iterable[Item]
    names: Mapping[Address, Mapping[str, Iterable[Address]]] | None = None
    kept: dict[Any, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.objects = tuple(self.objects)
        self._kinds: dict[tuple[str, str], list[Item]] = {}
        for item in self.objects:
            group = str(item.get("apiVersion") or "").partition("/")[0]
            self._kinds.setdefault((group, item["kind"]), []).append(item)

    def of(self, group: str, kind: str) -> list[Item]:
        """Return the objects of a kind; where Calico's are stored, their group begins with ``crd.``."""
        found = self._kinds.get((group, kind), [])
        if group == "projectcalico.org":
            found = found + self._kinds.get(("crd.projectcalico.org", kind), [])
        return found

    def core(self, kind: str) -> list[Item]:
        """Return the objects of a kind of Kubernetes' core, whether their version is stated or not."""
        return self._kinds.get(("v1", kind), []) + self._kinds.get(("", kind), [])

    def remember(self, key: Any, make: Callable[[], T]) -> T:
        """Return what ``make`` gave the first time; a world does not change."""
        if key not in self.kept:
            self.kept[key] = make()
        found: T = self.kept[key]
        return found

    # who is there

    def namespace_labels(self, name: str) -> Mapping[str, str]:
        """Return a namespace's labels, its name among them."""
        return self.remember(("namespace", name), lambda: self._namespace_labels(name))

    def _namespace_labels(self, name: str) -> Mapping[str, str]:
        found = (item for item in self.core("Namespace") if _metadata(item)["name"] == name)
        stated = next((_labels(item) for item in found), {})
        return {**stated, NAME: name}

    def pods(self) -> tuple[Endpoint, ...]:
        """Return the pods that have addresses of their own: not on the host's network, not finished."""
        return self.remember("pods", lambda: tuple(self._pods()))

    def _pods(self) -> Iterator[Endpoint]:
        for item in self.core("Pod"):
            spec, status = item.get("spec") or {}, item.get("status") or {}
            addresses = _pod_addresses(status)
            finished = status.get("phase") in ("Succeeded", "Failed")
            if spec.get("hostNetwork") or finished or not addresses:
                continue
            namespace = _metadata(item).get("namespace") or "default"
            yield Endpoint(
                what=f"Pod {namespace}/{_metadata(item)['name']}",
                labels=_labels(item),
                everything={
                    **self._calico_labels(item, namespace, spec.get("serviceAccountName") or "default"),
                    "projectcalico.org/orchestrator": "k8s",
                },
                namespace=namespace,
                node=spec.get("nodeName") or "",
                ports=tuple(_container_ports(spec)),
                addresses=addresses,
            )

    def _calico_labels(self, item: Item, namespace: str, account: str = "") -> Mapping[str, str]:
        """Return own labels and the automatic ones (Calico's documentation, "Automatic labels")."""
        found = dict(_labels(item))
        if namespace:
            found |= {NAMESPACE: namespace}
            labels = {**self.namespace_labels(namespace), CALICO_NAME: namespace}
            found |= {NAMESPACE_PREFIX + key: value for key, value in labels.items()}
        if account:
            labels = {**self._account_labels(namespace, account), CALICO_NAME: account}
            found |= {SERVICE_ACCOUNT_PREFIX + key: value for key, value in labels.items()}
            if len(account) <= LONGEST_LABEL:
                found[SERVICE_ACCOUNT] = account
        return found

    def _account_labels(self, namespace: str, name: str) -> Mapping[str, str]:
        for item in self.core("ServiceAccount"):
            if (_metadata(item).get("namespace"), _metadata(item)["name"]) == (namespace, name):
                return _labels(item)
        return {}

    def pod_at(self, address: Address) -> Endpoint | None:
        """Return the pod whose own address it is, or None."""
        return self.remember("at", self._by_address).get(address)

    def _by_address(self) -> Mapping[Address, Endpoint]:
        return {address: pod for pod in self.pods() for address in pod.addresses}

    def nodes_at(self, address: Address) -> tuple[Item, ...]:
        """Return the nodes one of whose addresses it is."""
        return self.remember("nodes at", self._nodes_by_address).get(address, ())

    def _nodes_by_address(self) -> Mapping[Address, tuple[Item, ...]]:
        found: dict[Address, tuple[Item, ...]] = {}
        for item in self.core("Node"):
            for each in (item.get("status") or {}).get("addresses") or []:
                address = _address(each.get("address") or "")
                if address is not None:
                    found[address] = (*found.get(address, ()), item)
        return found

    def host_endpoints(self) -> tuple[Endpoint, ...]:
        """Return Calico's host endpoints."""
        return self.remember("host endpoints", lambda: tuple(self._host_endpoints()))

    def _host_endpoints(self) -> Iterator[Endpoint]:
        for item in self.of("projectcalico.org", "HostEndpoint"):
            spec = item["spec"]
            yield Endpoint(
                what=f"HostEndpoint {_metadata(item)['name']}",
                labels=_labels(item),
                everything=_labels(item),
                node=spec.get("node") or "",
                ports=tuple(Port(p["name"], p["port"], p["protocol"]) for p in spec.get("ports") or []),
                addresses=frozenset(ip_address(text) for text in spec.get("expectedIPs") or []),
                host=True,
                interface=spec.get("interfaceName") or "",
                profiles=tuple(spec.get("profiles") or ()),
            )

    def network_sets(self) -> tuple[NetworkSet, ...]:
        """Return Calico's network sets, of namespaces and global ones."""
        return self.remember("network sets", lambda: tuple(self._network_sets()))

    def _network_sets(self) -> Iterator[NetworkSet]:
        for kind in ("NetworkSet", "GlobalNetworkSet"):
            for item in self.of("projectcalico.org", kind):
                namespace = (_metadata(item).get("namespace") or "default") if kind == "NetworkSet" else ""
                networks = tuple(network(text) for text in (item.get("spec") or {}).get("nets") or [])
                yield NetworkSet(self._calico_labels(item, namespace), networks)

    def carriers(self, address: Address) -> Iterator[Mapping[str, str]]:
        """Yield the labels of everything that Calico's selectors can find at an address."""
        pod = self.pod_at(address)
        if pod is not None:
            yield pod.everything
        yield from (each.everything for each in self.host_endpoints() if address in each.addresses)
        for each in self.network_sets():
            if any(contains(held, address) for held in each.networks):
                yield each.everything

    def named(self, address: Address) -> Iterator[Port]:
        """Yield the named ports of whatever endpoints have an address."""
        pod = self.pod_at(address)
        yield from pod.ports if pod is not None else ()
        for each in self.host_endpoints():
            if address in each.addresses:
                yield from each.ports


def contains(held: Network, address: Address) -> bool:
    """Tell whether an address of either family lies in a network; families do not mix."""
    return held.version == address.version and address in held


@lru_cache(maxsize=4096)
def network(text: str) -> Network:
    """Return a CIDR or address as a network; host bits count for nothing. Refuses what is neither."""
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return refuse("policy", "cidr", text, "must be a CIDR")


def _metadata(item: Item) -> Mapping[str, Any]:
    found: Mapping[str, Any] = item["metadata"]
    return found


def _labels(item: Item) -> Mapping[str, str]:
    return _metadata(item).get("labels") or {}


@lru_cache(maxsize=4096)
def _address(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _pod_addresses(status: Item) -> frozenset[Address]:
    texts = [each["ip"] for each in status.get("podIPs") or []] or [status.get("podIP") or ""]
    return frozenset(address for address in map(_address, texts) if address is not None)


def _container_ports(spec: Item) -> Iterator[Port]:
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        for each in container.get("ports") or []:
            if each.get("name"):
                yield Port(each["name"], each["containerPort"], each.get("protocol") or "TCP")
