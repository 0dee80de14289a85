"""flannel: a bridge per node, and VXLAN or plain routes between nodes that Node objects describe.

What lives here: flannel's options. What it must not know: how its transports and its bridge work.
"""

from collections.abc import Mapping
from functools import partial
from ipaddress import ip_interface

from octet.attach.bridge import BridgeAttach
from octet.cluster.endpoint import NodeNetwork
from octet.errors import BadConfigurationError
from octet.models.model import Option, Options, Running, merged
from octet.models.options import MASQUERADING, POLICING, masquerade_option, policy_option
from octet.transport import Transport
from octet.transport.flannel import netconf
from octet.transport.flannel.subnet_env import SubnetEnv
from octet.transport.flannel.vxlan import flannel_host_gateway, flannel_vxlan
from octet.transport.reach import PodNetworks

BRIDGE = "cni0"
"""The bridge plugin's default name, which flannel's conflist leaves as it is."""

NET_CONF = "net-conf.json"
"""An option with the text of that key of flannel's ConfigMap; its keys may be given directly as well."""

_V4 = {"Network": "10.244.0.0/16"}

NET_CONF_OPTIONS = (
    Option(
        NET_CONF,
        "the whole text of that key; or its keys, in any case, as they follow",
        {NET_CONF: '{"Network": "10.244.0.0/16"}'},
    ),
    Option("Network", "the cluster's IPv4 pod network; the cluster's own without it", _V4),
    Option("EnableIPv4", "true", {**_V4, "EnableIPv4": True}),
    Option("IPv6Network", "the IPv6 pod network", {"EnableIPv6": True, "IPv6Network": "fd00:10:244::/56"}),
    Option(
        "EnableIPv6",
        "false: without it IPv6Network is refused",
        {"EnableIPv6": True, "IPv6Network": "fd00:10:244::/56"},
    ),
    Option("EnableNFTables", "either: rules are always nftables here", {"EnableNFTables": True}),
    Option(
        "Backend.Type", '"vxlan": or "host-gw", a plain route to each node', {"Backend": {"Type": "host-gw"}}
    ),
    Option("Backend.VNI", "1: the VXLAN network identifier", {"Backend": {"VNI": 7}}),
    Option("Backend.Port", "8472: UDP port of packets between nodes", {"Backend": {"Port": 4789}}),
    Option(
        "Backend.MTU",
        "0: bytes of a packet between nodes; 0 follows the interface",
        {"Backend": {"MTU": 1400}},
    ),
    Option(
        "Backend.DirectRouting",
        "false: no tunnel between nodes of one subnet",
        {"Backend": {"DirectRouting": True}},
    ),
    Option("Backend.Learning", "false: learn MACs on the tunnel's device", {"Backend": {"Learning": True}}),
    Option("Backend.GBP", "false: true is refused", {"Backend": {"GBP": False}}),
)
"""Keys of flannel's net-conf.json (flannel, Documentation/configuration.md, backends.md)."""

OPTIONS = (MASQUERADING, POLICING, *NET_CONF_OPTIONS)


def build(options: Options, source: str) -> Running:
    """Read flannel's options: net-conf.json's keys or text, ``masquerade`` (``--ip-masq``), ``policy``."""
    masquerade, rest = masquerade_option(options, source)
    policy, rest = policy_option(rest, source)
    transport, networks = transport_option(rest, source)
    attach = BridgeAttach(BRIDGE, isolated=policy)
    files = partial(_files, masquerade=masquerade)
    return Running(attach, transport, networks, masquerade, files, policy)


def transport_option(rest: dict[str, object], source: str) -> tuple[Transport, PodNetworks]:
    """Return flannel's transport and the cluster's networks, from the keys of net-conf.json or its text.

    Raises:
        BadConfigurationError: naming the field.
    """
    text = rest.pop(NET_CONF, None)
    if text is None:
        conf = netconf.parse(rest, source=source)
    elif isinstance(text, str):
        inner = netconf.decode(text, source=source)
        conf = netconf.parse_stated(merged(rest, inner, source), source=source)
    else:
        raise BadConfigurationError(source, NET_CONF, text, "must be the text of a net-conf.json")
    networks = PodNetworks(conf.networks)
    if isinstance(conf.backend, netconf.VxlanBackend):
        return flannel_vxlan(conf.backend, networks), networks
    return flannel_host_gateway(networks), networks


def _files(network: NodeNetwork, *, masquerade: bool) -> Mapping[str, str]:
    """Return what flanneld tells flannel's own CNI plugin, so that it could be used on this node too."""
    pairs = ((network.gateway_v4, network.v4), (network.gateway_v6, network.v6))
    gateways = tuple(
        ip_interface(f"{gateway}/{cidr.prefixlen}")
        for gateway, cidr in pairs
        if gateway is not None and cidr is not None
    )
    return {"subnet.env": SubnetEnv(network.cluster, gateways, network.mtu, masquerade).text()}
