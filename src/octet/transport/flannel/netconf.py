"""net-conf.json: what a flannel cluster is configured by, read once into values or refused.

What lives here: ``NetConf`` and its reader. What it must not know: where the text came from.
Source: flannel, Documentation/configuration.md and backends.md, pkg/subnet/config.go.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NoReturn

import msgspec

from octet.cluster.objects import Network
from octet.errors import BadConfigurationError

DEFAULT_VNI = 1
DEFAULT_PORT = 8472
"""The Linux kernel's own VXLAN port, from before IANA gave out 4789; flannel's ``Port: 0``."""

LARGEST_VNI = (1 << 24) - 1
LARGEST_VNI_IN_NAME = {4: 9_999_999, 6: 9_999}
"""What still fits behind ``flannel.`` and ``flannel-v6.`` in an interface name of 15 bytes."""

SMALLEST_MTU = 576
"""Every IPv4 host takes datagrams of this size (RFC 791, section 3.1)."""

IGNORED = ("subnetlen", "subnetmin", "subnetmax", "ipv6subnetlen", "ipv6subnetmin", "ipv6subnetmax")
"""Keys for subnets that flannel chooses in etcd mode; where Kubernetes gives pod CIDRs, it ignores them."""

NOT_RUN = ("alloc", "extension", "ipip", "ipsec", "tencent-vpc", "udp", "wireguard")
"""Backends of flannel that are not here."""


@dataclass(frozen=True, slots=True)
class VxlanBackend:
    """``Backend`` of type vxlan.

    Attributes:
        port: UDP, of the outer packets.
        mtu: bytes of an outer packet on the path; 0 is the underlay interface's own.
        direct_routing: no tunnel to peers on the same network.
    """

    vni: int = DEFAULT_VNI
    port: int = DEFAULT_PORT
    mtu: int = 0
    learning: bool = False
    direct_routing: bool = False


@dataclass(frozen=True, slots=True)
class HostGatewayBackend:
    """``Backend`` of type host-gw; it has no settings."""


Backend = VxlanBackend | HostGatewayBackend


@dataclass(frozen=True, slots=True)
class NetConf:
    """A whole net-conf.json.

    Attributes:
        networks: the cluster's pod networks, at most one per enabled family; none: the cluster's own count.
    """

    networks: tuple[Network, ...] = ()
    backend: Backend = VxlanBackend()


def decode(text: str, *, source: str) -> dict[str, object]:
    """Return the keys of a net-conf.json.

    Raises:
        BadConfigurationError: it is no JSON object.
    """
    try:
        return msgspec.json.decode(text, type=dict[str, object])
    except (msgspec.DecodeError, RecursionError) as error:
        problem = f"is no JSON object: {error}"
        raise BadConfigurationError(source, "net-conf.json", text[:40], problem) from None


def parse_stated(values: Mapping[str, object], *, source: str) -> NetConf:
    """Read a whole net-conf.json, where the networks must be stated, as in flannel.

    Raises:
        BadConfigurationError: naming the field.
    """
    conf = parse(values, source=source)
    if not conf.networks:
        problem = "is missing; flannel must know the cluster's pod network"
        raise BadConfigurationError(source, "Network", None, problem, hint='such as "10.244.0.0/16"')
    return conf


def parse(values: Mapping[str, object], *, source: str) -> NetConf:
    """Read the keys of net-conf.json, in any case; all of them may be absent.

    Raises:
        BadConfigurationError: naming the field.
    """
    fields = _Fields(source, values)
    networks = tuple(each for each in (_network4(fields), _network6(fields)) if each is not None)
    fields.flag("EnableNFTables", default=False)
    inner = fields.child("Backend")
    fields.finish(IGNORED)
    backend = _backend(inner)
    inner.finish()
    six = any(each.version == 6 for each in networks) or not networks
    if isinstance(backend, VxlanBackend) and backend.vni > LARGEST_VNI_IN_NAME[6 if six else 4]:
        limit = LARGEST_VNI_IN_NAME[6 if six else 4]
        raise inner.refusal("VNI", f"at most {limit} fits into the name of flannel's device")
    return NetConf(networks, backend)


def _network4(fields: "_Fields") -> IPv4Network | None:
    enabled, network = fields.flag("EnableIPv4", default=True), fields.network("Network")
    if isinstance(network, IPv6Network):
        raise fields.refusal("Network", "must be an IPv4 network; an IPv6 one is IPv6Network")
    return network if enabled else None


def _network6(fields: "_Fields") -> IPv6Network | None:
    enabled, network = fields.flag("EnableIPv6", default=False), fields.network("IPv6Network")
    if isinstance(network, IPv4Network):
        raise fields.refusal("IPv6Network", "must be an IPv6 network")
    if enabled and network is None and fields.given("Network"):
        raise fields.refusal("EnableIPv6", "needs IPv6Network as well")
    if network is not None and not enabled:
        raise fields.refusal("IPv6Network", "needs EnableIPv6 = true as well; flannel would ignore it")
    return network


def _backend(fields: "_Fields") -> Backend:
    """Return the backend; without a type it is vxlan as flannel documents it, never udp as its code chose."""
    kind = fields.text("Type", "vxlan").lower()
    if kind == "host-gw":
        return HostGatewayBackend()
    if kind != "vxlan":
        known = "is a backend of flannel that octet does not run" if kind in NOT_RUN else "is no backend"
        raise fields.refusal("Type", known, hint="vxlan or host-gw would do")
    if fields.flag("GBP", default=False):
        raise fields.refusal("GBP", "group based policy is not made", hint="leave it out")
    mtu = fields.number("MTU", 0, 65535)
    if 0 < mtu < SMALLEST_MTU:
        raise fields.refusal("MTU", f"must be 0 (the interface's own) or at least {SMALLEST_MTU}")
    return VxlanBackend(
        vni=fields.number("VNI", DEFAULT_VNI, LARGEST_VNI, low=1),
        port=fields.number("Port", 0, 65535) or DEFAULT_PORT,
        mtu=mtu,
        learning=fields.flag("Learning", default=False),
        direct_routing=fields.flag("DirectRouting", default=False),
    )


class _Fields:
    """Keys of one JSON object in any case, each taken once; what is left over is refused."""

    def __init__(self, source: str, values: Mapping[str, object], at: str = "") -> None:
        self._source, self._at = source, at
        self._names: dict[str, str] = {}
        self._known: list[str] = []
        for name in values:
            if name.lower() in self._names:
                raise BadConfigurationError(source, at + name, values[name], "is given twice")
            self._names[name.lower()] = name
        self._values = values

    def given(self, name: str) -> bool:
        """Tell whether a key is there at all."""
        return name.lower() in self._names

    def refusal(self, name: str, problem: str, *, hint: str = "") -> BadConfigurationError:
        """Return the error about one key; the caller raises it."""
        value = self._values.get(self._names.get(name.lower(), name))
        return BadConfigurationError(self._source, self._at + name, value, problem, hint=hint)

    def flag(self, name: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self._take(name, default)
        return value if isinstance(value, bool) else self._mistyped(name, "true or false")

    def text(self, name: str, default: str) -> str:
        """Return a string."""
        value = self._take(name, default)
        return value if isinstance(value, str) else self._mistyped(name, "a string")

    def number(self, name: str, default: int, high: int, *, low: int = 0) -> int:
        """Return an integer between two bounds, both included."""
        value = self._take(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self._mistyped(name, f"an integer from {low} to {high}")
        return value

    def network(self, name: str) -> Network | None:
        """Return a CIDR, or None where it is absent or empty. Host bits are cleared, as flannel does."""
        text = self.text(name, "")
        try:
            return ip_network(text, strict=False) if text else None
        except ValueError as error:
            raise self.refusal(name, f"is no network: {error}", hint="such as 10.244.0.0/16") from None

    def child(self, name: str) -> "_Fields":
        """Return the keys of an object inside this one."""
        value = self._take(name, {})
        if not isinstance(value, Mapping):
            self._mistyped(name, "an object")
        return _Fields(self._source, value, f"{self._at}{name}.")

    def finish(self, ignored: tuple[str, ...] = ()) -> None:
        """Refuse what nobody took."""
        known = {name.lower() for name in self._known} | set(ignored)
        for name, spelled in self._names.items():
            if name not in known:
                would_do = f"known here: {', '.join(self._known) or 'nothing'}"
                raise self.refusal(spelled, "is unknown", hint=would_do)

    def _take(self, name: str, default: object) -> object:
        self._known.append(name)
        value = self._values.get(self._names.get(name.lower(), name))
        return default if value is None else value

    def _mistyped(self, name: str, wanted: str) -> NoReturn:
        raise self.refusal(name, f"must be {wanted}")
