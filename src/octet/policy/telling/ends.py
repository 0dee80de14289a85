"""Who is at an end of a flow: a pod, a node, or addresses outside of the cluster.

What lives here: from what a person types to an end, and the parts of a network that policies tell apart.
What it must not know: rules, what decides.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import pairwise

from octet.cluster.objects import Address, Network, Node, Pod
from octet.cluster.view import View
from octet.errors import BadConfigurationError, NotFoundError
from octet.policy.groups import Group, Networks
from octet.policy.rules import Rule, Side

POD, NODE, OUTSIDE = "pod", "node", "outside"
EVERYWHERE: tuple[Network, ...] = (ip_network("0.0.0.0/0"), ip_network("::/0"))


@dataclass(frozen=True, slots=True)
class End:
    """One end.

    Attributes:
        name: as people call it.
        kind: POD, NODE or OUTSIDE.
        addresses: at most one a family; of a network one that stands for all of them.
        pod: of a POD.
        node: where a pod runs; of a NODE, its name.
    """

    name: str
    kind: str
    addresses: tuple[Address, ...]
    pod: Pod | None = None
    node: str = ""

    def __str__(self) -> str:
        return self.name


def of_pod(pod: Pod) -> End:
    """Return a pod; on its node's network it is the node."""
    name = f"{pod.namespace}/{pod.name}"
    if pod.host_network:
        return End(f"{name} (on the network of {pod.node})", NODE, pod.ips, node=pod.node)
    return End(name, POD, pod.own_ips, pod, pod.node)


def of_node(node: Node) -> End:
    """Return a node's own programs."""
    return End(node.name, NODE, node.internal_ips, node=node.name)


def find(view: View, text: str, told: Iterable[Network]) -> tuple[End, ...]:
    """Return who a person means: several ends where a network has parts that policies tell apart.

    Args:
        view: who is there.
        text: ``namespace/pod``, a pod, a node, an address or a CIDR.
        told: the networks that policies name.

    Raises:
        NotFoundError: nobody is called so.
        BadConfigurationError: a pod without namespace, and several are called so.
    """
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return (_named(view, text),)
    if network.prefixlen == network.max_prefixlen:
        return (at(view, ip_address(text.partition("/")[0])),)
    return tuple(parts([view], [network], told, text))


def at(view: View, address: Address) -> End:
    """Return who has an address."""
    pod = view.pods.at(address)
    if pod is not None:
        return of_pod(pod)
    node = next((node for node in view.nodes.values() if address in node.internal_ips), None)
    return of_node(node) if node is not None else End(str(address), OUTSIDE, (address,))


def _named(view: View, text: str) -> End:
    namespace, _, name = text.rpartition("/")
    pods = [pod for pod in view.pods.values() if pod.name == name and namespace in ("", pod.namespace)]
    if not namespace and len(pods) > 1:
        pods = [pod for pod in pods if pod.namespace == "default"] or pods
    if len(pods) > 1:
        hint = f"one of {', '.join(sorted('/'.join(pod.key) for pod in pods))}"
        raise BadConfigurationError("policy", "pod", text, "is several pods", hint=hint)
    if pods:
        return of_pod(pods[0])
    if text in view.nodes:
        return of_node(view.nodes[text])
    known = sorted(["/".join(key) for key in view.pods] + list(view.nodes))
    raise NotFoundError(f"no pod and no node is called {text!r}", hint=f"there are {', '.join(known[:20])}")


def networks_of(view: View, rules: Iterable[Rule]) -> set[Network]:
    """Return the networks that rules name; a hole in a block is one, too."""
    groups = {group for rule in rules for side in (rule.far, rule.near) for group in _groups(side)}
    found: set[Network] = set()
    for group in groups:
        if isinstance(group, Networks):
            found |= {*group.cidrs, *group.exceptions}
        else:
            found |= set(group.networks(view))
    return found


def _groups(side: Side) -> Iterator[Group]:
    for union in side.all_of:
        yield from union
    yield from side.none_of


def parts(
    views: Sequence[View], wholes: Sequence[Network], told: Iterable[Network], text: str = ""
) -> Iterator[End]:
    """Yield ends outside of the cluster, one for each set of named networks that an address can be in."""
    held = list(told)
    taken = {address for view in views for address in _inside(view)}
    for whole in wholes:
        seen: dict[frozenset[Network], End] = {}
        here = [each for each in held if each.version == whole.version and each.overlaps(whole)]
        for first, last in _atoms(whole, here):
            address = next((each for each in _addresses(whole, first, last) if each not in taken), None)
            if address is not None:
                around = frozenset(each for each in here if address in each)
                seen.setdefault(around, End(_name(whole, around, text), OUTSIDE, (address,)))
        yield from seen.values() if len(seen) != 1 or not text else [_whole(seen, text)]


def _inside(view: View) -> Iterator[Address]:
    """Yield the addresses of a cluster's pods and nodes."""
    for pod in view.pods.values():
        yield from pod.own_ips
    for node in view.nodes.values():
        yield from node.internal_ips


def _whole(seen: dict[frozenset[Network], End], text: str) -> End:
    (end,) = seen.values()
    return End(text, OUTSIDE, end.addresses)


def _name(whole: Network, around: Iterable[Network], text: str) -> str:
    """Return the smallest named network that an address is in, or what is left of the whole."""
    inside = [each for each in around if each.prefixlen > whole.prefixlen]
    if inside:
        return str(max(inside, key=lambda each: each.prefixlen))
    if whole in EVERYWHERE:
        return f"elsewhere (IPv{whole.version})"
    return f"the rest of {text or whole}"


def _atoms(whole: Network, named: Iterable[Network]) -> Iterator[tuple[int, int]]:
    """Yield first and last of the ranges that no border of a named network runs through."""
    low, high = int(whole.network_address), int(whole.broadcast_address) + 1
    borders = {low, high}
    for each in named:
        borders |= {int(each.network_address), int(each.broadcast_address) + 1}
    yield from ((a, b - 1) for a, b in pairwise(sorted(each for each in borders if low <= each <= high)))


def _addresses(whole: Network, first: int, last: int) -> Iterator[Address]:
    kind = IPv4Address if whole.version == 4 else IPv6Address
    yield from (kind(number) for number in range(first, last + 1))
