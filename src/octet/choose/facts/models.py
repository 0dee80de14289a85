"""What is true of Octet's own models: asked of their table, never typed in.

What lives here: facts about each row, worked out from its text and from what its nodes would hold.
What it must not know: files, the originals' facts, how a kernel feature is probed (answers are handed in).
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from octet import models
from octet.choose import packet
from octet.choose.facts.catalogue import ENCRYPTIONS, TRANSPORTS
from octet.choose.facts.values import Certainty, Fact, Truth, Value
from octet.errors import BadConfigurationError, NotReadyError
from octet.models import example
from octet.models.model import Model
from octet.models.needs import needs

EIGHT = ("kubenet", "calico", "canal", "flannel", "kopeio-vxlan", "kube-router", "romana", "weave")
"""The providers whose network models Octet sets out to be, in the order of its design."""

FAMILIES = {"IPv4": (4,), "IPv6": (6,), "both": (4, 6)}

_WAYS = {
    "cloud route": "cloud-routes",
    "host-gw": "host-gateway",
    "host gateway": "host-gateway",
    "direct routing": "host-gateway",
    "aggregate route": "aggregate-routes",
    "bgp": "bgp",
    "sleeve": "sleeve",
}
"""Words of a row's transport that name a way without an outer header of its own."""

_STORES = {"kubernetes": "kubernetes", "etcd": "etcd", "gossip": "gossip", "cloud": "cloud-api"}


@dataclass(frozen=True, slots=True)
class Need:
    """A kernel feature that a model needs, and whether this machine has it.

    Attributes:
        why: what the kernel said, for no and unknown.
    """

    feature: str
    here: Truth = Truth.UNKNOWN
    why: str = "not tried"


@dataclass(frozen=True, slots=True)
class OurModel:
    """Our model of a provider, which is not that provider.

    Attributes:
        name: of its row in ``octet.models``.
        runs: is there such a row yet?
        variants: its other names, as ``flannel:host-gw``.
        facts: by key of the catalogue; empty while there is no row.
        needs: from the kernel, in alphabetical order.
    """

    name: str
    runs: bool
    variants: tuple[str, ...] = ()
    facts: Mapping[str, Fact] | None = None
    needs: tuple[Need, ...] = ()

    @property
    def title(self) -> str:
        """What every screen calls it."""
        return f"our model of {self.name} (octet {self.name})" if self.runs else f"{self.name}: no row yet"

    @property
    def here(self) -> Truth:
        """Would it run on this machine? No row runs nowhere; a feature that wasn't tried is unknown."""
        answers = {need.here for need in self.needs}
        if not self.runs or Truth.NO in answers:
            return Truth.NO
        return Truth.UNKNOWN if Truth.UNKNOWN in answers else Truth.YES


def ours(today: dt.date, here: Mapping[str, tuple[Truth, str]] | None = None) -> tuple[OurModel, ...]:
    """Return our models: the eight, and whatever else is in the table.

    Args:
        today: the day on which this is worked out.
        here: by kernel feature, whether this machine has it and what it said; None was not tried.
    """
    rows = {model.name: model for model in models.MODELS}
    names = (*EIGHT, *(name for name in rows if name not in EIGHT))
    return tuple(_our(name, rows.get(name), today, here or {}) for name in names)


def of(name: str, today: dt.date, here: Mapping[str, tuple[Truth, str]] | None = None) -> OurModel | None:
    """Return our model of one provider, or None where we don't set out to have one."""
    rows = {model.name: model for model in models.MODELS}
    known = name in rows or name in EIGHT
    return _our(name, rows.get(name), today, here or {}) if known else None


def _our(name: str, row: Model | None, today: dt.date, here: Mapping[str, tuple[Truth, str]]) -> OurModel:
    if row is None:
        return OurModel(name, runs=False)
    features, worked_out = _worked_out(name)
    found = {key: _fact(key, value, name, note, today) for key, value, note in worked_out}
    wanted = tuple(
        Need(feature, *here[feature]) if feature in here else Need(feature) for feature in features
    )
    variants = tuple(f"{name}:{variant}" for variant in row.variants)
    return OurModel(name, runs=True, variants=variants, facts=found, needs=wanted)


@cache
def _worked_out(name: str) -> tuple[tuple[str, ...], tuple[tuple[str, Value | None, str], ...]]:
    """Return what a row needs of the kernel and what is true of it: the same on every day."""
    row = models.find(name)
    features = needs(row.parse({}, source=name))
    return features, tuple(_facts(row, features))


def _fact(key: str, value: Value | None, name: str, note: str, today: dt.date) -> Fact:
    return Fact(key, value, today, f"octet.models, row {name}", Certainty.COMPUTED, note)


def _facts(row: Model, features: tuple[str, ...]) -> Iterator[tuple[str, Value | None, str]]:
    yield from _path(row, tuple(_walks(row)))
    yield "bgp", "bgp" in _named(row.transport, _WAYS), row.transport
    yield "stores", _named(row.store, _STORES) or None, row.store
    policed = _policed(row)
    for key in ("policy-ingress", "policy-egress"):
        yield key, bool(policed), f"as {', '.join(policed)}" if policed else "none"
    yield "ipv6-only", _works(row, FAMILIES["IPv6"]), "two nodes with IPv6 alone"
    yield "dual-stack", _works(row, FAMILIES["both"]), "two nodes with both families"
    left = row.service.startswith("-")
    yield "replaces-kube-proxy", not left, "kube-proxy's job" if left else row.service
    yield "kernel-needs", ", ".join(features), "what its nodes would hold"


def _path(row: Model, walks: tuple[packet.Walk, ...]) -> Iterator[tuple[str, Value | None, str]]:
    """Yield what the packets' ways show; with none that leads anywhere, that is unknown."""
    outer = {protocol for walk in walks if walk.tunnelled for protocol in _outer(walk)}
    tunnels = {walk.tunnelled for walk in walks}
    seen = f"packets of {', '.join(dict.fromkeys(walk.model for walk in walks)) or 'no way that was found'}"
    found = {"overlay": True in tunnels, "native": False in tunnels, "udp-only": "udp" in outer}
    for key, answer in found.items():
        yield key, answer if walks else None, seen
    yield "transports", _ways(row, outer) or None, row.transport
    known = outer | {*_named(row.transport, {cipher: cipher for cipher in ENCRYPTIONS})}
    ciphers = tuple(cipher for cipher in ENCRYPTIONS if cipher in known)
    yield "encryption", bool(ciphers), row.transport
    yield "encryptions", ciphers, row.transport
    yield from _overhead([walk for walk in walks if walk.tunnelled])


def _ways(row: Model, outer: set[str]) -> tuple[str, ...]:
    """Return the transports that a row names or its packets wear; a UDP header alone is none."""
    known = (outer - {"udp"}) | {*_named(row.transport, _WAYS)}
    return tuple(way for way in TRANSPORTS if way in known)


def _overhead(walks: list[packet.Walk]) -> Iterator[tuple[str, Value | None, str]]:
    if walks:
        sizes = sorted({f"IPv{walk.family}: {walk.overhead}" for walk in walks})
        yield "limit-overhead", max(walk.overhead for walk in walks), "; ".join(sizes)


def _outer(walk: packet.Walk) -> tuple[str, ...]:
    """Return the protocols of a packet between nodes, outermost first, in lower case."""
    return tuple(header.protocol.lower() for header in walk.wire)


def _walks(row: Model) -> Iterator[packet.Walk]:
    """Yield the ways of a row and its variants, in both families, where they lead somewhere."""
    for name in (row.name, *(f"{row.name}:{variant}" for variant in row.variants)):
        for family in (4, 6):
            with suppress(ValueError, BadConfigurationError, NotReadyError):
                yield packet.walk(name, family)


def _policed(row: Model) -> list[str]:
    """Return under which of its names a row has policies in force."""
    options = {row.name: row.preset, **{f"{row.name}:{each}": given for each, given in row.variants.items()}}
    return [name for name, given in options.items() if row.parse(given, source=name).gate is not None]


def _named(text: str, words: Mapping[str, str]) -> tuple[str, ...]:
    lowered = text.lower()
    return tuple(dict.fromkeys(meant for word, meant in words.items() if word in lowered))


def _works(row: Model, families: Iterable[int]) -> bool:
    """Would a node hold something, and reach its peer, in these families?"""
    running = row.parse({}, source=row.name)
    try:
        view = example.view(running, tuple(families))
        network = running.network(view)
    except (BadConfigurationError, NotReadyError):
        return False
    own = {4: network.v4, 6: network.v6}
    reached = not running.obstacles(view, view.peers[0])
    return reached and all(own[family] is not None for family in families)
