"""kube-router: a bridge per node, node CIDRs told by BGP to nodes and routers, NetworkPolicy.

What lives here: kube-router's flags, as options by their own names without the dashes before them.
What it must not know: how its transport, its bridge and policies work.
Source: cloudnativelabs/kube-router, pkg/options/options.go; docs/user-guide.md.
"""

import re
from functools import partial
from ipaddress import IPv4Address

from octet.attach.bridge import BridgeAttach
from octet.blueprint import Blueprint
from octet.cluster.endpoint import NodeNetwork
from octet.cluster.objects import Network
from octet.cluster.view import View
from octet.errors import BadConfigurationError
from octet.models.model import Option, Options, Running
from octet.service.vips import Surround, alone, answered, frontends
from octet.transport.kube_router import Advertised, Flags, KubeRouter, Overlay, Router
from octet.transport.kube_router.advertising import SERVICE_KEYS, offers
from octet.transport.kube_router.annotations import NODE_KEYS, POD_CIDRS
from octet.transport.kube_router.flags import AS_NUMBER
from octet.transport.kube_router.overlay import PORT
from octet.transport.kube_router.routers import Lists
from octet.transport.kube_router.words import PRIVATE, Said
from octet.transport.reach import PodNetworks
from octet.transport.tunnelling import NODES, Mode

BRIDGE = "kube-bridge"

BARE = {"enable-overlay": False}

_PEER = {"peer-router-ips": ["10.0.0.254"], "peer-router-asns": [65001]}
_FOU = {"overlay-encap": "fou"}
_SECRET = "secret:kube-system/bgp/tor"  # noqa: S105 - names one

OPTIONS = (
    Option("cluster-asn", "64512: AS number of nodes that say no other", {"cluster-asn": 64513}),
    Option(
        "nodes-full-mesh",
        "true; false: nodes peer within their kube-router.io/node.asn",
        {"nodes-full-mesh": False},
    ),
    Option("enable-ibgp", "true: sessions between nodes", {"enable-ibgp": False}),
    Option("enable-overlay", "true: tunnels between subnets, 20 or 40 bytes", {"enable-overlay": False}),
    Option("overlay-type", '"subnet"; or "full", to every node', {"overlay-type": "full"}),
    Option("overlay-encap", '"ipip"; or "fou", in UDP', _FOU),
    Option("overlay-encap-port", "5555: of fou", {**_FOU, "overlay-encap-port": 5556}),
    Option("advertise-pod-cidr", "true: routers are told of pods", {"advertise-pod-cidr": False}),
    Option(
        "advertise-cluster-ip", "false: routers are told cluster addresses", {"advertise-cluster-ip": True}
    ),
    Option("advertise-external-ip", "false: routers are told externalIPs", {"advertise-external-ip": True}),
    Option(
        "advertise-loadbalancer-ip", "false: as status.loadBalancer says", {"advertise-loadbalancer-ip": True}
    ),
    Option(
        "advertise-aggregates",
        "none: ranges told instead of addresses in them",
        {"advertise-aggregates": ["10.96.0.0/16"]},
    ),
    Option(
        "service-cluster-ip-range",
        "[cluster] service_cidrs: never believed from peers",
        {"service-cluster-ip-range": ["10.96.0.0/12"]},
    ),
    Option(
        "service-external-ip-range",
        "none: where externalIPs must lie",
        {"service-external-ip-range": ["192.0.2.0/25"]},
    ),
    Option(
        "loadbalancer-ip-range",
        "none: where load balancers' addresses must lie",
        {"loadbalancer-ip-range": ["192.0.2.128/25"]},
    ),
    Option(
        "strict-external-ip-validation",
        "true: addresses outside of these ranges are left out",
        {"strict-external-ip-validation": False},
    ),
    Option("peer-router-ips", "none: routers of every node", _PEER),
    Option("peer-router-asns", "their AS numbers", _PEER),
    Option("peer-router-ports", "179 each", {**_PEER, "peer-router-ports": [1790]}),
    Option(
        "peer-router-passwords",
        "none: base64, or secret:NAMESPACE/NAME/KEY",
        {**_PEER, "peer-router-passwords": [_SECRET]},
    ),
    Option("peer-router-multihop-ttl", "1: hops to routers", {**_PEER, "peer-router-multihop-ttl": 2}),
    Option("override-nexthop", "false: next hops are addresses of sessions", {"override-nexthop": True}),
    Option(
        "bgp-graceful-restart",
        "true: routes outlive a restart (the original: false)",
        {"bgp-graceful-restart": False},
    ),
    Option("bgp-graceful-restart-time", '"90s"', {"bgp-graceful-restart-time": "2m"}),
    Option("bgp-holdtime", '"90s"', {"bgp-holdtime": "9s"}),
    Option("bgp-port", "179", {"bgp-port": 1790}),
    Option("router-id", "the node's IPv4 address, or a hash of its name", {"router-id": "10.0.0.1"}),
    Option(
        "injected-routes-sync-period",
        '"10s": between looks at the kernel\'s routes',
        {"injected-routes-sync-period": "1m"},
    ),
    Option("enable-pod-egress", "true: masquerade what leaves the cluster", {"enable-pod-egress": False}),
    Option("run-firewall", "true: NetworkPolicy is enforced", {"run-firewall": False}),
    Option("run-router", "true; false is refused", {"run-router": True}),
    Option("enable-cni", "true; false is refused", {"enable-cni": True}),
    Option("auto-mtu", "true; false is refused", {"auto-mtu": True}),
    Option("hairpin-mode", "either: a pod always reaches itself by a service", {"hairpin-mode": True}),
    Option("run-service-proxy", "false: true is refused", {"run-service-proxy": False}),
)
"""Flags of kube-router that mean something here, and one of ours: ``advertise-aggregates``."""

READS = {
    "Node": "annotations kube-router.io/" + ", ".join(NODE_KEYS),
    "Service": "annotations kube-router.io/"
    + ", ".join(SERVICE_KEYS)
    + "; traffic policies, addresses, ports",
    "EndpointSlice": "endpoints, and whether they are ready",
}
"""What an operator says in the cluster beside the flags."""

_FIXED = {
    "run-router": (True, "this model is the router"),
    "enable-cni": (True, "pods are attached by octet-cni"),
    "auto-mtu": (True, "pods always have the MTU that the path takes"),
    "run-service-proxy": (False, "leave it to kube-proxy; advertised addresses are answered all the same"),
}
"""Flags with one value that is possible, and why the other one is not."""

_ELSEWHERE = {
    "cluster-cidr": "[cluster] pod_cidrs",
    "health-port": "[health] port",
    "hostname-override": "[node] name",
    "kubeconfig": "[store]",
    "master": "[store]",
    "metrics-port": "/metrics on health.sock",
    "metrics-path": "/metrics on health.sock",
    "cleanup-config": "octet agent uninstall",
    "peer-router-passwords-file": "peer-router-passwords with secret:NAMESPACE/NAME/KEY",
    "netpol-default-deny": "nothing: a pod that is not known yet gets no packet through",
    "use-nftables-for-netpol": "nothing: rules are always nftables",
    "bgp-graceful-restart-deferral-time": "nothing: nobody waits longer than 30 s for peers",
    "masquerade-all": "nothing: the service proxy is kube-proxy's",
    "nodeport-bindon-all-ip": "nothing: the service proxy is kube-proxy's",
    "service-node-port-range": "nothing: the service proxy is kube-proxy's",
    "excluded-cidrs": "nothing: there is no IPVS",
    "run-loadbalancer": "nothing: addresses are another program's to give",
    "disable-source-dest-check": "nothing: it is set at the cloud",
    "cache-sync-timeout": "nothing: a watch is never given up",
    "iptables-sync-period": "nothing: changes are made as they come, differences when they are noticed",
    "ipvs-sync-period": "nothing: there is no IPVS",
    "ipvs-graceful-period": "nothing: there is no IPVS",
    "ipvs-graceful-termination": "nothing: there is no IPVS",
    "ipvs-permit-all": "nothing: there is no IPVS",
    "routes-sync-period": "nothing: changes are told as they come",
    "enable-pprof": "nothing",
    "v": "nothing",
}
"""Flags of kube-router without a meaning here, and what to use in their place."""

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


class _Flags:
    """The options, each read once by its kind; every refusal names it."""

    def __init__(self, options: Options, source: str) -> None:
        self._options = options
        self.source = source

    def said(self, name: str) -> Said | None:
        """Return a flag as text; a list is joined as on a command line. Raises BadConfigurationError."""
        value = self._options.get(name)
        if value is None:
            return None
        listed = value if isinstance(value, list | tuple) else [value]
        if not all(isinstance(each, str | int) for each in listed):
            problem = "must be a text or number, or a list of them"
            raise BadConfigurationError(self.source, name, _shown(name, value), problem)
        texts = [str(each).lower() if isinstance(each, bool) else str(each) for each in listed]
        return Said(self.source, name, ",".join(texts))

    def flag(self, name: str, default: bool) -> bool:
        """Return true or false."""
        said = self.said(name)
        return default if said is None else said.flag()

    def number(self, name: str, default: int, low: int, high: int) -> int:
        """Return a number in bounds."""
        said = self.said(name)
        return default if said is None else said.number(low, high)

    def choice(self, name: str, words: tuple[str, ...]) -> str:
        """Return one of a few words; the first is the default."""
        said = self.said(name)
        if said is not None and said.text not in words:
            raise said.refusal(f"must be one of {', '.join(words)}")
        return said.text if said is not None else words[0]

    def networks(self, name: str) -> tuple[Network, ...]:
        """Return prefixes."""
        said = self.said(name)
        return () if said is None else tuple(each.network() for each in said.parts())

    def seconds(self, name: str, default: int, low: int, high: int) -> int:
        """Return a duration as Go writes it, ``1m30s``, in seconds."""
        said = self.said(name)
        if said is None:
            return default
        found = _DURATION.fullmatch(said.text)
        hours, minutes, rest = (int(each or 0) for each in found.groups()) if found else (0, 0, 0)
        seconds = hours * 3600 + minutes * 60 + rest
        if not low <= seconds <= high:
            raise said.refusal("is no duration in bounds", f"{low}s to {high}s, such as 90s or 1m30s")
        return seconds


def build(options: Options, source: str) -> Running:
    """Read kube-router's flags. Raises BadConfigurationError for one without a meaning here, by name."""
    _refuse_others(options, source)
    read = _Flags(options, source)
    for name, (only, why) in _FIXED.items():
        if read.flag(name, only) is not only:
            raise BadConfigurationError(source, name, options[name], why, hint=str(only).lower())
    read.flag("hairpin-mode", True)
    policy = read.flag("run-firewall", True)
    overlay = _overlay(read)
    transport = KubeRouter(_flags(read), overlay, overlay.networks)
    attach = BridgeAttach(BRIDGE, isolated=policy)
    egress = read.flag("enable-pod-egress", True)
    spared = NODES if overlay.mode is not Mode.NEVER else ""
    return Running(
        attach,
        transport,
        transport.networks,
        egress,
        policy=policy,
        spared=spared,
        served=partial(_served, flags=transport.flags.advertised, isolated=policy),
        remarks=transport.remarks,
        unsure=transport.unsure,
        advertises=lambda _view: True,
        speaking=transport.speaking,
    )


def _served(view: View, network: NodeNetwork, *, flags: Advertised, isolated: bool) -> Blueprint:
    """Return what answers at the service addresses that this node tells routers."""
    vips = offers(view, flags).vips
    told = (*alone(vips), *(each for each in flags.aggregates if vips))
    own = tuple(each for each in (network.v4, network.v6) if each is not None)
    around = Surround(network.cluster, () if isolated else own, BRIDGE)
    return answered(frontends(view, vips), told, around)


def _refuse_others(options: Options, source: str) -> None:
    known = [option.name for option in OPTIONS]
    for name, value in options.items():
        if name in _ELSEWHERE:
            problem, hint = "has no meaning here", f"in its place: {_ELSEWHERE[name]}"
            raise BadConfigurationError(source, name, _shown(name, value), problem, hint=hint)
        if name not in known:
            hint = f"known here: {', '.join(known)}"
            problem = "is no option of kube-router"
            raise BadConfigurationError(source, name, _shown(name, value), problem, hint=hint)


def _shown(name: str, value: object) -> object:
    """Return what a refusal may say of a value: nothing where the name is a password's, misspelled or not."""
    return "(not shown)" if "password" in name.lower() else value


def _flags(read: _Flags) -> Flags:
    asn, identity = read.said("cluster-asn"), read.said("router-id")
    restart = read.seconds("bgp-graceful-restart-time", 90, 1, 4095)
    return Flags(
        asn=asn.asn(PRIVATE) if asn is not None and asn.text != "0" else AS_NUMBER,
        full_mesh=read.flag("nodes-full-mesh", True),
        internal=read.flag("enable-ibgp", True),
        routers=_routers(read),
        hops=max(read.number("peer-router-multihop-ttl", 1, 0, 255), 1),
        port=read.number("bgp-port", 179, 1, 65535),
        tell_pods=read.flag("advertise-pod-cidr", True),
        override_next_hop=read.flag("override-nexthop", False),
        restart_time=restart if read.flag("bgp-graceful-restart", True) else None,
        hold=read.seconds("bgp-holdtime", 90, 3, 65535),
        scan_time=read.seconds("injected-routes-sync-period", 10, 1, 3600),
        router_id=_identity(identity) if identity is not None else None,
        service_ranges=read.networks("service-cluster-ip-range"),
        advertised=_advertised(read),
    )


def _overlay(read: _Flags) -> Overlay:
    """Return the overlay. Raises BadConfigurationError, also for a port of an encapsulation without one."""
    wanted, kind = read.flag("enable-overlay", True), read.choice("overlay-type", ("subnet", "full"))
    in_udp = read.choice("overlay-encap", ("ipip", "fou")) == "fou"
    port = read.said("overlay-encap-port")
    if port is not None and not in_udp:
        raise port.refusal("is a port of fou, and overlay-encap is ipip", 'overlay-encap = "fou"')
    mode = Mode.ALWAYS if kind == "full" else Mode.CROSS_SUBNET
    return Overlay(
        PodNetworks(annotations=POD_CIDRS),
        mode if wanted else Mode.NEVER,
        read.number("overlay-encap-port", PORT, 1, 65535) if in_udp else None,
    )


def _advertised(read: _Flags) -> Advertised:
    return Advertised(
        cluster=read.flag("advertise-cluster-ip", False),
        external=read.flag("advertise-external-ip", False),
        load_balancer=read.flag("advertise-loadbalancer-ip", False),
        strict=read.flag("strict-external-ip-validation", True),
        external_ranges=read.networks("service-external-ip-range"),
        load_balancer_ranges=read.networks("loadbalancer-ip-range"),
        aggregates=read.networks("advertise-aggregates"),
    )


def _routers(read: _Flags) -> tuple[Router, ...]:
    ips, asns = read.said("peer-router-ips"), read.said("peer-router-asns")
    if ips is None:
        if asns is not None:
            raise asns.refusal("is there without the routers' addresses", "peer-router-ips")
        return ()
    if asns is None:
        raise ips.refusal("is there without AS numbers", "peer-router-asns")
    return Lists(ips, asns, read.said("peer-router-ports"), read.said("peer-router-passwords")).routers()


def _identity(said: Said) -> IPv4Address | None:
    """Return a router id; ``generate`` leaves it to the node's name."""
    if said.text == "generate":
        return None
    try:
        found = IPv4Address(said.text)
    except ValueError:
        found = IPv4Address(0)
    if found.is_unspecified:
        raise said.refusal("identifies nobody (RFC 6286)", "10.0.0.1, or generate")
    return found
