"""What an operator says about BGP: BGPConfiguration and BGPPeer, and BGPFilter (projectcalico.org/v3).

What lives here: values, refused where Calico's API would refuse, and where a field has no meaning here.
What it must not know: sessions, who peers with whom.
Sources: api/pkg/apis/projectcalico/v3 (bgpconfig.go, bgppeer.go), libcalico-go/lib/validator/v3.
"""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Self

import msgspec

from octet.cluster.bgp_filter import BGPFilter, Community, community, interfaces
from octet.cluster.expression import Expression, expression
from octet.cluster.reading import Address, Fields, Network, read

AS_NUMBER, PORT = 64512, 179
AS_MAX = (1 << 32) - 1  # RFC 6793
LONGEST_RESTART = 4095  # seconds; RFC 4724, 3: twelve bits
LONGEST_KEEPALIVE = 65535 // 3  # seconds; a third of the hold time (RFC 4271, 4.4), which has sixteen bits

DEFAULT, OF_NODE = "default", "node."
"""The configuration of all nodes, and what begins the name of one node's."""

AUTO, SELF, KEEP = "Auto", "Self", "Keep"
LOG_LEVELS = ("Debug", "Info", "Warning", "Error", "Fatal", "None")
TELLING = ("nodeToNodeMeshEnabled", "asNumber", "nodeMeshPassword", "nodeMeshMaxRestartTime")
CONFIGURATION = (
    *TELLING,
    *("listenPort", "bindMode", "ignoredInterfaces", "communities", "prefixAdvertisements"),
    *("serviceClusterIPs", "serviceExternalIPs", "serviceLoadBalancerIPs", "serviceLoadBalancerAggregation"),
)
PEER = (
    *("node", "nodeSelector", "peerIP", "peerSelector", "asNumber", "localASNumber", "password"),
    *("sourceAddress", "nextHopMode", "keepOriginalNextHop", "ttlSecurity", "filters", "reachableBy"),
    *("numAllowedLocalASNumbers", "maxRestartTime", "keepaliveTime", "reversePeering"),
)
"""Fields that have a meaning here."""

_TAKEN = ("logSeverityScreen", "programClusterRoutes")
"""Of the configuration: one is about another program's log; of the other only what is so anyway."""

_UNITS = {"h": 3600, "m": 60, "s": 1}
_PORT = re.compile(r"\[(?P<v6>[^]]+)\]:(?P<port6>\d+)|(?P<v4>[\d.]+):(?P<port4>\d+)")
_BROADCAST = ip_address("255.255.255.255")


class SecretKey(msgspec.Struct, frozen=True, gc=False):
    """A key of a Kubernetes Secret: where something is said that nobody else may read."""

    name: str
    key: str


class Advertised(msgspec.Struct, frozen=True, gc=False):
    """Communities of what is announced within a prefix."""

    cidr: Network
    communities: tuple[Community, ...]


class BGPConfiguration(msgspec.Struct, frozen=True, gc=False):
    """How all nodes speak BGP (``default``), or one of them (``node.NAME``).

    Attributes:
        mesh: does every node peer with every other one?
        asn: of nodes that don't say otherwise.
        port: where nodes listen.
        password, restart_time: of sessions of the mesh; seconds.
        bound: listen on the node's own addresses only (``bindMode: NodeIP``).
        ignored: patterns of interfaces whose addresses mean nothing; None is the usual ones.
        advertised: communities by prefix.
        cluster_ips, external_ips, load_balancer_ips: of these networks service addresses are announced.
        aggregated: are load balancers' networks announced as a whole?
    """

    name: str
    mesh: bool = True
    asn: int = AS_NUMBER
    port: int = PORT
    password: SecretKey | None = None
    restart_time: int | None = None
    bound: bool = False
    ignored: tuple[str, ...] | None = None
    advertised: tuple[Advertised, ...] = ()
    cluster_ips: tuple[Network, ...] = ()
    external_ips: tuple[Network, ...] = ()
    load_balancer_ips: tuple[Network, ...] = ()
    aggregated: bool = True

    @classmethod
    def from_object(cls, item: Mapping[str, Any]) -> Self:
        """Read a BGPConfiguration; raises BadConfigurationError naming the field."""
        fields, metadata = read("BGPConfiguration", item)
        spec, name = fields.child("spec"), metadata.text("name")
        if name != DEFAULT and (not name.startswith(OF_NODE) or name == OF_NODE):
            raise metadata.refusal("name", f"must be {DEFAULT}, or {OF_NODE} and a node's name")
        spec.only((*CONFIGURATION, *_TAKEN))
        _refuse_for_one_node(spec, name)
        spec.choice("logSeverityScreen", LOG_LEVELS, "Info")
        spec.choice("programClusterRoutes", ("EnabledNoEncapOnly",), "EnabledNoEncapOnly")
        return cls(
            name=name,
            mesh=spec.flag("nodeToNodeMeshEnabled", default=True),
            asn=as_number(spec, "asNumber", AS_NUMBER),
            port=spec.number("listenPort", PORT, low=1, high=65535),
            password=_secret(spec, "nodeMeshPassword"),
            restart_time=_restart(spec, "nodeMeshMaxRestartTime"),
            bound=spec.choice("bindMode", ("None", "NodeIP"), "None") == "NodeIP",
            ignored=_ignored(spec),
            advertised=_advertised(spec),
            cluster_ips=_cidrs(spec, "serviceClusterIPs"),
            external_ips=_cidrs(spec, "serviceExternalIPs"),
            load_balancer_ips=_cidrs(spec, "serviceLoadBalancerIPs"),
            aggregated=spec.choice("serviceLoadBalancerAggregation", ("Enabled", "Disabled"), "Enabled")
            == "Enabled",
        )

    @property
    def key(self) -> tuple[str, str]:
        """("", name): configurations are in no namespace."""
        return "", self.name


class BGPPeer(msgspec.Struct, frozen=True, gc=False):
    """Whom some nodes peer with: a router by its address, or other nodes by their labels.

    Attributes:
        node, nodes: which nodes: of this name, or with such labels; neither is all of them.
        address, interface, port: the router's; the interface of a link-local address.
        peers: nodes with such labels, instead of a router.
        asn: the router's.
        local_asn: what the node claims to be towards it.
        next_hop: AUTO, SELF or KEEP.
        bound: do sessions begin at the node's own address?
        own_as: how often the node's own AS may be in a path.
        hops: TTL security over so many (RFC 5082); 0 is none.
        restart_time, keepalive: seconds.
        mutual: do the selected peers know of it by themselves (``reversePeering``)?
    """

    name: str
    node: str = ""
    nodes: Expression | None = None
    address: Address | None = None
    interface: str = ""
    port: int = 0
    peers: Expression | None = None
    asn: int = 0
    local_asn: int = 0
    next_hop: str = AUTO
    password: SecretKey | None = None
    bound: bool = True
    restart_time: int | None = None
    keepalive: int | None = None
    own_as: int = 0
    hops: int = 0
    reached_by: Address | None = None
    filters: tuple[str, ...] = ()
    mutual: bool = True

    @classmethod
    def from_object(cls, item: Mapping[str, Any]) -> Self:
        """Read a BGPPeer; raises BadConfigurationError naming the field."""
        fields, metadata = read("BGPPeer", item)
        spec = fields.child("spec")
        spec.only(PEER)
        _refuse_together(spec)
        address, interface, port = _where(spec)
        return cls(
            name=metadata.text("name"),
            node=spec.shared_text("node"),
            nodes=expression(spec, "nodeSelector") if spec.text("nodeSelector") else None,
            address=address,
            interface=interface,
            port=port,
            peers=expression(spec, "peerSelector") if spec.text("peerSelector") else None,
            asn=as_number(spec, "asNumber"),
            local_asn=as_number(spec, "localASNumber"),
            next_hop=_next_hop(spec),
            password=_secret(spec, "password"),
            bound=spec.choice("sourceAddress", ("UseNodeIP", "None"), "UseNodeIP") == "UseNodeIP",
            restart_time=_restart(spec, "maxRestartTime"),
            keepalive=_seconds(spec, "keepaliveTime", LONGEST_KEEPALIVE),
            own_as=spec.number("numAllowedLocalASNumbers", high=255),
            hops=spec.number("ttlSecurity", high=255),
            reached_by=_gateway(spec, address),
            filters=spec.texts("filters"),
            mutual=spec.choice("reversePeering", (AUTO, "Manual"), AUTO) == AUTO,
        )

    @property
    def key(self) -> tuple[str, str]:
        """("", name): peers are in no namespace."""
        return "", self.name


def as_number(fields: Fields, name: str, default: int = 0) -> int:
    """Return an AS number: a number, or a text such as ``1.10`` (RFC 5396). Raises BadConfigurationError."""
    held = fields.raw(name)
    if held is None:
        return default
    number = autonomous(held)
    if number is None:
        raise fields.refusal(name, f"must be an AS number from 1 to {AS_MAX}")
    return number


def autonomous(held: object) -> int | None:
    """Return the AS number that a number or text is; None where it is none."""
    high, _, low = str(held).partition(".")
    if isinstance(held, bool) or not high.isdecimal() or (low and not low.isdecimal()):
        return None
    if low and (int(high) > 65535 or int(low) > 65535):
        return None
    number = (int(high) << 16) + int(low) if low else int(high)
    return number if 1 <= number <= AS_MAX else None


def _refuse_for_one_node(spec: Fields, name: str) -> None:
    """Refuse what all nodes must agree on in the configuration of one."""
    for key in TELLING if name != DEFAULT else ():
        if key in spec:
            hint = "a node's own AS number is its annotation projectcalico.org/ASNumber"
            raise spec.refusal(key, f"is of all nodes: it belongs into {DEFAULT}", hint=hint)


def _refuse_together(spec: Fields) -> None:
    """Refuse what Calico's validator refuses of a peer's fields together."""
    for one, other in (("node", "nodeSelector"), ("peerIP", "peerSelector"), ("peerSelector", "asNumber")):
        if spec.raw(one) and spec.raw(other):
            raise spec.refusal(one, f"cannot stand beside {other}")
    if not spec.text("peerIP") and not spec.text("peerSelector"):
        raise spec.refusal("peerIP", "an address or a peerSelector must be stated")
    if spec.text("peerIP") and "asNumber" not in spec:
        raise spec.refusal("asNumber", "must be stated beside peerIP")
    if spec.flag("keepOriginalNextHop") and spec.text("nextHopMode") not in {"", KEEP}:
        raise spec.refusal("keepOriginalNextHop", "contradicts nextHopMode")
    if spec.text("reachableBy") and not spec.text("peerIP"):
        raise spec.refusal("reachableBy", "is for a peerIP")


def _where(spec: Fields) -> tuple[Address | None, str, int]:
    """Return a peer's address, interface and port: ``ADDRESS``, ``ADDRESS:PORT`` or ``[ADDRESS]:PORT``."""
    text = spec.text("peerIP")
    if not text:
        return None, "", 0
    found = _PORT.fullmatch(text)
    port = int(found["port4"] or found["port6"]) if found else 0
    host, _, interface = (found["v4"] or found["v6"] if found else text).partition("%")
    try:
        address = ip_address(host)
    except ValueError:
        raise spec.refusal("peerIP", "must be an IP address, or one with a port") from None
    if port > 65535:
        raise spec.refusal("peerIP", "has a port above 65535")
    if address.is_multicast or address.is_unspecified or address.is_loopback or address == _BROADCAST:
        raise spec.refusal("peerIP", "is no other machine's address")
    if address.version == 6 and address.is_link_local and not interface:
        hint = f"{host}%eth0, with the node's interface"
        raise spec.refusal("peerIP", "is link-local and names no interface", hint=hint)
    return address, interfaces(spec, "peerIP", interface) if interface else "", port


def _gateway(spec: Fields, address: Address | None) -> Address | None:
    """Return what a peer is reached by, of the peer's own family."""
    found = spec.address("reachableBy") if spec.text("reachableBy") else None
    if found is not None and address is not None and found.version != address.version:
        raise spec.refusal("reachableBy", "is not of the family of peerIP")
    return found


def _next_hop(spec: Fields) -> str:
    stated = spec.choice("nextHopMode", (AUTO, SELF, KEEP), AUTO)
    return KEEP if spec.flag("keepOriginalNextHop") else stated


def _secret(spec: Fields, key: str) -> SecretKey | None:
    if key not in spec:
        return None
    held = spec.child(key)
    held.only(("secretKeyRef",))
    reference = held.child("secretKeyRef")
    if reference.flag("optional"):
        raise reference.refusal("optional", "a session without its password would be open to anybody")
    for name in ("name", "key"):
        if not reference.text(name):
            raise reference.refusal(name, "must be stated")
    return SecretKey(reference.text("name"), reference.text("key"))


def _restart(spec: Fields, key: str) -> int | None:
    return _seconds(spec, key, LONGEST_RESTART)


def _seconds(spec: Fields, key: str, most: int) -> int | None:
    """Return a duration as Go writes it, in whole seconds: ``90s``, ``1m30s``."""
    if key not in spec:
        return None
    text = spec.text(key)
    parts = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text)
    seconds = sum(
        int(part or 0) * size
        for part, size in zip(parts.groups() if parts else (), _UNITS.values(), strict=False)
    )
    if not 1 <= seconds <= most:
        raise spec.refusal(key, f"must be 1 to {most} seconds", hint="such as 120s")
    return seconds


def _ignored(spec: Fields) -> tuple[str, ...] | None:
    if "ignoredInterfaces" not in spec:
        return None
    return tuple(interfaces(spec, "ignoredInterfaces", each) for each in spec.texts("ignoredInterfaces"))


def _cidrs(spec: Fields, key: str) -> tuple[Network, ...]:
    return tuple(each.network("cidr") for each in spec.children(key))


def _advertised(spec: Fields) -> tuple[Advertised, ...]:
    named: dict[str, Community] = {}
    for each in spec.children("communities"):
        if not each.text("name"):
            raise each.refusal("name", "must be stated")
        named[each.text("name")] = community(each, "value", each.text("value"))
    return tuple(
        Advertised(
            each.network("cidr"),
            tuple(
                named[text] if text in named else community(each, "communities", text)
                for text in each.texts("communities")
            ),
        )
        for each in spec.children("prefixAdvertisements")
    )


__all__ = [
    "AS_NUMBER",
    "AUTO",
    "DEFAULT",
    "KEEP",
    "SELF",
    "BGPConfiguration",
    "BGPFilter",
    "BGPPeer",
    "SecretKey",
]
