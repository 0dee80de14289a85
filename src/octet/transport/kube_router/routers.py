"""Routers that are no nodes of the cluster, as flags and annotations name them.

What lives here: ``Router``; lists of addresses, AS numbers, ports that belong together; the YAML of
``kube-router.io/peers``. What it must not know: this node, sessions' rendering.
Source: cloudnativelabs/kube-router, pkg/bgp/peer_config.go, pkg/bgp/bfd.go.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from octet.blueprint import Inline, Secret
from octet.cluster.objects import Address
from octet.errors import BadConfigurationError
from octet.transport.bgp.sessions import Bfd
from octet.transport.bgp.speaker import BGP_PORT
from octet.transport.kube_router.words import Said

KEYS = ("remoteip", "remoteasn", "localip", "password", "port", "bfd")
BFD_KEYS = (
    "enabled",
    "port",
    "desired_min_tx_interval",
    "detection_multiplier",
    "required_min_rx_interval",
)
BFD_PORT = 3784  # RFC 5881, 4


@dataclass(frozen=True, slots=True)
class Router:
    """One router to peer with.

    Attributes:
        source: the address of ours that the session is from; None is the node's.
    """

    address: Address
    asn: int
    port: int = BGP_PORT
    source: Address | None = None
    password: Secret | Inline | None = None
    bfd: Bfd | None = None


@dataclass(frozen=True, slots=True)
class Lists:
    """What the split annotations and the flags say: lists in which one place is one router.

    An empty place of a list beside the first two is its default, as in ``secret,,secret``.
    """

    ips: Said
    asns: Said
    ports: Said | None = None
    passwords: Said | None = None
    sources: Said | None = None

    def routers(self) -> tuple[Router, ...]:
        """Return the routers. Raises BadConfigurationError naming the field, or a list of another length."""
        addresses, asns = [*self.ips.parts()], [*self.asns.parts()]
        if len(asns) != len(addresses):
            problem = f"names {len(asns)} AS numbers for {len(addresses)} routers"
            raise self.asns.refusal(problem, f"as many as in {self.ips.field}")
        ports, passwords, sources = (
            self._beside(each, len(addresses)) for each in (self.ports, self.passwords, self.sources)
        )
        found = tuple(
            Router(
                address.address(),
                asn.asn(),
                port.number(1, 65535) if port is not None else BGP_PORT,
                source.address() if source is not None else None,
                password.password() if password is not None else None,
            )
            for address, asn, port, password, source in zip(
                addresses, asns, ports, passwords, sources, strict=True
            )
        )
        return _each_once(found, self.ips)

    def _beside(self, said: Said | None, count: int) -> list[Said | None]:
        held = [*said.parts()] if said is not None else []
        if said is None or not held:
            return [None] * count
        if len(held) != count:
            secret = Said(said.source, said.field, said.text, said is self.passwords)
            hint = "as many as routers, empty where it is the default: a,,b"
            raise secret.refusal(f"has {len(held)} values for {count} routers", hint)
        return [each if each.text else None for each in held]


def of_yaml(said: Said) -> tuple[Router, ...]:
    """Return the routers of ``kube-router.io/peers``: a list of objects, as YAML or JSON.

    Raises:
        BadConfigurationError: naming the entry and its field; a password is in no error.
    """
    import yaml  # noqa: PLC0415 - only who uses this annotation pays for it

    hidden = Said(said.source, said.field, said.text, secret=True)
    try:
        entries = yaml.safe_load(said.text)
    except yaml.YAMLError:
        raise hidden.refusal("is no YAML") from None
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        raise hidden.refusal("must be a list of routers", "- remoteip: 10.0.0.254\n  remoteasn: 65001")
    held = [_Entry(said, f"{said.field}[{number}]", each) for number, each in enumerate(entries)]
    return _each_once(tuple(_router(each) for each in held), hidden)


def _each_once(found: tuple[Router, ...], said: Said) -> tuple[Router, ...]:
    addresses = [each.address for each in found]
    for each in addresses:
        if addresses.count(each) > 1:
            raise said.refusal(f"names {each} twice")
    return found


@dataclass(frozen=True, slots=True)
class _Entry:
    """One object of the list, and where it stands."""

    said: Said
    at: str
    held: Mapping[str, Any]

    def __getitem__(self, key: str) -> Said | None:
        value = self.held.get(key)
        if value is None:
            return None
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return Said(self.said.source, f"{self.at}.{key}", text)

    def refuse_others(self, known: tuple[str, ...]) -> None:
        """Refuse a key that is not known. Raises BadConfigurationError."""
        for key in self.held:
            if key not in known:
                hint = f"one of {', '.join(known)}"
                raise BadConfigurationError(self.said.source, self.at, key, "is not known", hint=hint)

    def needed(self, key: str) -> Said:
        """Return what must be there. Raises BadConfigurationError."""
        found = self[key]
        if found is None:
            raise BadConfigurationError(self.said.source, f"{self.at}.{key}", None, "is missing")
        return found


def _router(entry: _Entry) -> Router:
    entry.refuse_others(KEYS)
    port, source, password = entry["port"], entry["localip"], entry["password"]
    return Router(
        entry.needed("remoteip").address(),
        entry.needed("remoteasn").asn(),
        port.number(1, 65535) if port is not None and port.text != "0" else BGP_PORT,
        source.address() if source is not None and source.text else None,
        password.password() if password is not None else None,
        _bfd(entry),
    )


def _bfd(entry: _Entry) -> Bfd | None:
    held = entry.held.get("bfd")
    if held is None:
        return None
    if not isinstance(held, dict):
        raise BadConfigurationError(entry.said.source, f"{entry.at}.bfd", held, "must be an object")
    inner = _Entry(entry.said, f"{entry.at}.bfd", held)
    inner.refuse_others(BFD_KEYS)
    enabled, port, times = inner["enabled"], inner["port"], inner["detection_multiplier"]
    if port is not None and port.number(1, 65535) != BFD_PORT:
        raise port.refusal("is another port than BFD's own", str(BFD_PORT))
    if enabled is None or not enabled.flag():
        return None
    default = Bfd()
    return Bfd(
        _milliseconds(inner["required_min_rx_interval"], default.receive),
        _milliseconds(inner["desired_min_tx_interval"], default.transmit),
        times.number(1, 255) if times is not None else default.multiplier,
    )


def _milliseconds(said: Said | None, default: int) -> int:
    """Return an interval that is given in microseconds (RFC 5880, 4.1)."""
    return default if said is None else max(said.number(10_000, 60_000_000) // 1000, 10)


def bare(said: Said) -> Iterator[Address]:
    """Yield a list of addresses. Raises BadConfigurationError."""
    for each in said.parts():
        yield each.address()
