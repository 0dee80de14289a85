"""Where would a packet go? Walks blueprint values as the kernel walks its chains, without a kernel.

What lives here: hooks in order of priority, policies, jumps and returns, lookups, what translation does to
the rest of the way. What it must not know: what single matches and statements mean; they know it themselves.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, IPv6Network, ip_network

from octet.blueprint import KernelObject
from octet.blueprint.nft import (
    ACCEPT,
    DROP,
    Chain,
    Element,
    Hook,
    Map,
    NetworkAddress,
    Packet,
    Rule,
    Set,
    Value,
    Verdict,
    validate,
)
from octet.blueprint.nft.values import holds, is_span

TRACKING = frozenset({"ct", "snat", "dnat", "masquerade"})
"""Words of nft expressions whose set-up calls nf_ct_netns_get()."""

LOOPBACKS = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


@dataclass(frozen=True, slots=True)
class Machine:
    """The node around the rules: what its routing table and its addresses answer.

    Attributes:
        addresses: its own, by interface.
        routes: interface by destination; the longest prefix wins.
    """

    addresses: Mapping[str, tuple[NetworkAddress, ...]] = field(default_factory=dict)
    routes: Mapping[IPv4Network | IPv6Network, str] = field(default_factory=dict)

    def kind_of(self, address: NetworkAddress) -> str:
        """Return the routing type of an address."""
        if address.is_multicast:
            return "multicast"
        own = any(address in held for held in self.addresses.values())
        return "local" if own or any(address in net for net in LOOPBACKS) else "unicast"

    def way_to(self, address: NetworkAddress) -> str:
        """Return the interface towards an address, empty where there is no route."""
        if self.kind_of(address) == "local":
            return "lo"
        fitting = [network for network in self.routes if address in network]
        return self.routes[max(fitting, key=lambda net: net.prefixlen)] if fitting else ""

    def address_on(self, link: str, family: int) -> NetworkAddress | None:
        """Return an interface's first address of a family."""
        return next((each for each in self.addresses.get(link, ()) if each.version == family), None)


@dataclass(frozen=True, slots=True)
class Trace:
    """What became of a packet.

    Attributes:
        accepted: did it get through every hook on its way?
        packet: as it left or was dropped, with its addresses, ports and mark.
        path: one line per chain entered, rule that matched and policy that decided.
        hooks: the hooks it passed.
    """

    accepted: bool
    packet: Packet
    path: tuple[str, ...]
    hooks: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([*self.path, "accepted" if self.accepted else "dropped"])


class Tracer:
    """A ruleset to ask questions.

    Attributes:
        tracks: does some rule make the kernel track connections? Without one no nat chain is asked at all:
            nf_nat_inet_fn() lets pass what has no conntrack entry. (Tables of others may do it, too.)

    Raises:
        ValueError: the objects do not fit together (``nft.validate``).
    """

    def __init__(self, objects: Iterable[KernelObject], machine: Machine | None = None) -> None:
        held = list(objects)
        validate(held)
        self._machine = machine or Machine()
        self._chains = {item.name: item for item in held if isinstance(item, Chain)}
        self._bases = _by_hook(self._chains.values())
        self.tracks = any(_tracks(chain) for chain in self._chains.values())
        self._holders = {item.name: _Holder() for item in held if isinstance(item, Set | Map)}
        for element in (item for item in held if isinstance(item, Element)):
            self._holders[element.of].add(element)

    def find(self, name: str, key: tuple[Value, ...]) -> tuple[Value, ...] | Verdict | None:
        """Look a key up in a set or map."""
        return self._holders[name].find(key)

    def kind_of(self, address: NetworkAddress) -> str:
        """Return the routing type of an address."""
        return self._machine.kind_of(address)

    def way_to(self, address: NetworkAddress) -> str:
        """Return the interface towards an address."""
        return self._machine.way_to(address)

    def address_on(self, link: str, family: int) -> NetworkAddress | None:
        """Return the address that masquerading on a link uses."""
        return self._machine.address_on(link, family)

    def trace(self, packet: Packet) -> Trace:
        """Send a packet through: from its interface, or from the node itself where it has none.

        Routing happens where the kernel does it: after prerouting, and again after translation in output.
        A packet that leaves through ``lo`` comes in there again, as one whose translation is settled. A
        machine without any routes keeps the interface that the packet names.
        """
        walk = _Walk(self, packet)
        if packet.iif:
            self._arrive(walk)
            return walk.end()
        walk.route()
        walk.hook("output")
        walk.route()
        walk.hook("postrouting")
        if walk.packet.oif == "lo":
            walk.loop_back()
            self._arrive(walk)
        return walk.end()

    def _arrive(self, walk: "_Walk") -> None:
        walk.hook("prerouting")
        if self.kind_of(walk.packet.destination) == "local":
            walk.hook("input")
            return
        walk.route()
        walk.hook("forward")
        walk.hook("postrouting")

    def leave(self, packet: Packet) -> Packet | None:
        """Return a packet with its outgoing interface; None where there is no route."""
        if not self._machine.routes:
            return packet
        way = self.way_to(packet.destination)
        return replace(packet, oif=way) if way else None

    def base_chains(self, at: str) -> list[tuple[Hook, Chain]]:
        """Return the base chains of a hook in the order in which packets meet them."""
        return self._bases.get(at, [])

    def chain(self, name: str) -> Chain:
        """Return a chain by name."""
        return self._chains[name]


def _tracks(chain: Chain) -> bool:
    """Tell whether a chain has an expression for which the kernel begins to track connections."""
    parts = (part for rule in chain.rules if isinstance(rule, Rule) for part in rule.parts)
    return any(not TRACKING.isdisjoint(str(part).split()) for part in parts)


def _by_hook(chains: Iterable[Chain]) -> dict[str, list[tuple[Hook, Chain]]]:
    """Return the base chains of every hook by priority, in the order of the objects where it is the same."""
    found: dict[str, list[tuple[Hook, Chain]]] = {}
    for chain in chains:
        if isinstance(chain.hook, Hook):
            found.setdefault(chain.hook.at, []).append((chain.hook, chain))
    for pairs in found.values():
        pairs.sort(key=lambda pair: pair[0].priority)
    return found


class _Holder:
    """The elements of one set or map: exact ones by key, ranges one after the other."""

    def __init__(self) -> None:
        self._exact: dict[tuple[Value, ...], Element] = {}
        self._spans: list[Element] = []

    def add(self, element: Element) -> None:
        if any(is_span(value) for value in element.values):
            self._spans.append(element)
        else:
            self._exact[element.values] = element

    def find(self, key: tuple[Value, ...]) -> tuple[Value, ...] | Verdict | None:
        found = self._exact.get(key) or next((each for each in self._spans if _holds(each, key)), None)
        if found is None:
            return None
        return found.target if found.target is not None else ()


def _holds(element: Element, key: tuple[Value, ...]) -> bool:
    return all(holds(held, value) for held, value in zip(element.values, key, strict=True))


class _Walk:
    """One packet on its way."""

    def __init__(self, tracer: Tracer, packet: Packet) -> None:
        self.packet = packet
        self._tracer = tracer
        self._path: list[str] = []
        self._hooks: list[str] = []
        self._alive = True
        self._translating = tracer.tracks and packet.state == "new"
        self._settled = False

    def end(self) -> Trace:
        return Trace(self._alive, self.packet, tuple(self._path), tuple(self._hooks))

    def route(self) -> None:
        """Choose the outgoing interface."""
        routed = self._tracer.leave(self.packet)
        if routed is None:
            self._path.append(f"no route to {self.packet.destination}")
            self._alive = False
            return
        self.packet = routed

    def loop_back(self) -> None:
        """Come in again through the loopback interface; translation has had its turn."""
        self.packet = replace(self.packet, iif="lo", oif="")
        self._translating = False

    def hook(self, at: str) -> None:
        """Go through the base chains of one hook, until one drops the packet."""
        if not self._alive:
            return
        self._hooks.append(at)
        self._settled = False
        for hook, chain in self._tracer.base_chains(at):
            if hook.kind == "nat" and (self._settled or not self._translating):
                continue  # translation is decided once, for the first packet of a connection
            self._path.append(f"{at}: chain {chain.name}")
            verdict = self._chain(chain) or self._policy(hook, chain)
            if verdict == DROP:
                self._alive = False
                return

    def _policy(self, hook: Hook, chain: Chain) -> Verdict:
        self._path.append(f"{chain.name}: policy {'drop' if hook.drops else 'accept'}")
        return DROP if hook.drops else ACCEPT

    def _chain(self, chain: Chain) -> Verdict | None:
        """Return accept or drop, or None when the chain ends without either."""
        for rule in chain.rules:
            verdict = self._rule(rule) if isinstance(rule, Rule) else None
            if verdict is None or verdict.kind == "continue":
                continue
            self._path.append(f"{chain.name}: {rule}")
            if verdict.kind == "return":
                return None
            if verdict.kind == "goto":
                return self._chain(self._tracer.chain(verdict.chain))
            final = self._chain(self._tracer.chain(verdict.chain)) if verdict.kind == "jump" else verdict
            if final is not None:
                return final
        return None

    def _rule(self, rule: Rule) -> Verdict | None:
        """Evaluate the parts from left to right; None when one does not match or none decides."""
        for part in rule.parts:
            step = part.evaluate(self.packet, self._tracer)
            if step is None:
                return None
            if isinstance(step, Packet):
                self.packet = step
                continue
            self.packet = step.packet
            self._settled |= step.translates
            return step.verdict
        return None


def trace(objects: Iterable[KernelObject], packet: Packet, machine: Machine | None = None) -> Trace:
    """Return what a ruleset does to a packet on a machine; for many packets keep a ``Tracer``."""
    return Tracer(objects, machine).trace(packet)
