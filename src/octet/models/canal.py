"""Canal: flannel's addresses and tunnels under Calico's way of attaching pods and its policies.

What lives here: the keys of canal's ConfigMap. What it must not know: how routes, tunnels and policies work.
Source: Calico, manifests/canal.yaml (ConfigMap canal-config).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from octet.attach.routed import RoutedAttach
from octet.blueprint import Blueprint
from octet.cluster.objects import Node
from octet.cluster.view import View
from octet.errors import BadConfigurationError
from octet.models.flannel import NET_CONF_OPTIONS, transport_option
from octet.models.model import Option, Options, Running
from octet.models.options import MASQUERADE, MASQUERADING, masquerade_option
from octet.transport import Transport

VETH_MTU, INTERFACE = "veth_mtu", "canal_iface"
TYPHA, CONFLIST = "typha_service_name", "cni_network_config"

OPTIONS = (
    MASQUERADING,
    Option(
        VETH_MTU, "0: bytes of a pod's packets; 0 is what the path takes, and never more", {VETH_MTU: 1400}
    ),
    Option(INTERFACE, "empty: the underlay's interface; as [underlay] interface", {INTERFACE: "eth0"}),
    Option(TYPHA, "taken as it is: Typha is not here", {TYPHA: "none"}),
    Option(CONFLIST, "taken as it is: octet cni install writes the configuration", {CONFLIST: "{}"}),
    *NET_CONF_OPTIONS,
)
"""Keys of canal's ConfigMap, then those of flannel's."""


def build(options: Options, source: str) -> Running:
    """Read canal's options: the keys of its ConfigMap, or those of net-conf.json directly.

    ``typha_service_name`` and ``cni_network_config`` are about programs that are not here; they are taken as
    they are, so that the ConfigMap can be given whole. ``veth_mtu`` may lower the pods' MTU, never raise it
    above what the tunnel passes: Calico's own detection forgets the tunnel's overhead.
    """
    rest = {name: _told(name, value, source) for name, value in options.items()}
    mtu = _number(rest.pop(VETH_MTU, 0), source)
    interface = str(rest.pop(INTERFACE, "") or "")
    for name in (TYPHA, CONFLIST):
        rest.pop(name, None)
    masquerade, rest = masquerade_option(rest, source)
    transport, networks = transport_option(rest, source)
    held = Limited(transport, mtu) if mtu else transport
    return Running(RoutedAttach(), held, networks, masquerade, policy=True, interface=interface)


def _told(name: str, value: object, source: str) -> object:
    """Return a value of the ConfigMap, whose values are all texts, as what it means."""
    if name != MASQUERADE or not isinstance(value, str):
        return value
    if value.lower() not in ("true", "false"):
        raise BadConfigurationError(source, name, value, "must be true or false")
    return value.lower() == "true"


def _number(value: object, source: str) -> int:
    text = str(value)
    if isinstance(value, bool) or not text.isdecimal() or not (int(text) == 0 or 576 <= int(text) <= 65535):
        hint = "0 is what the path takes"
        raise BadConfigurationError(source, VETH_MTU, value, "must be 0 or 576 to 65535 bytes", hint=hint)
    return int(text)


@dataclass(frozen=True, slots=True)
class Limited:
    """A transport whose pods are told a smaller MTU than it takes."""

    inner: Transport
    most: int

    @property
    def ports(self) -> tuple[int, ...]:
        """The transport's own."""
        return self.inner.ports

    def node(self, view: View) -> Blueprint:
        """Return what the transport holds."""
        return self.inner.node(view)

    def peer(self, view: View, peer: Node) -> Blueprint:
        """Return what one peer adds."""
        return self.inner.peer(view, peer)

    def obstacles(self, view: View, peer: Node) -> tuple[str, ...]:
        """Return why a peer can't be reached."""
        return self.inner.obstacles(view, peer)

    def annotations(self, view: View) -> Mapping[str, str]:
        """Return what this node tells its peers."""
        return self.inner.annotations(view)

    def mtu(self, view: View) -> int:
        """Return the smaller of the two."""
        return min(self.inner.mtu(view), self.most)
