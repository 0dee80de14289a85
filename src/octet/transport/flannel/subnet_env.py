"""subnet.env: what flanneld tells flannel's own CNI plugin about this node.

What lives here: the file's text, both ways. What it must not know: where the file is, who writes it.
Source: flannel, pkg/subnet/subnet.go (WriteSubnetFile); FLANNEL_SUBNET is the gateway, with the prefix.
"""

from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, ip_interface, ip_network

from octet.cluster.objects import Network
from octet.errors import BadConfigurationError

Interface = IPv4Interface | IPv6Interface


@dataclass(frozen=True, slots=True)
class SubnetEnv:
    """The values of a subnet.env.

    Attributes:
        networks: of the cluster, at most one per family, v4 first.
        gateways: this node's pod CIDRs with the first address of each, in the same order.
        mtu: bytes that pods may send in one piece.
        masquerade: does the daemon masquerade, so that the plugin shall not?
    """

    networks: tuple[Network, ...]
    gateways: tuple[Interface, ...]
    mtu: int
    masquerade: bool

    def text(self) -> str:
        """Return the file as flanneld writes it."""
        lines = []
        for family, infix in ((4, ""), (6, "IPV6_")):
            lines += [f"FLANNEL_{infix}NETWORK={each}" for each in self.networks if each.version == family]
            lines += [f"FLANNEL_{infix}SUBNET={each}" for each in self.gateways if each.version == family]
        lines += [f"FLANNEL_MTU={self.mtu}", f"FLANNEL_IPMASQ={str(self.masquerade).lower()}"]
        return "\n".join(lines) + "\n"


def parse(text: str, *, source: str) -> SubnetEnv:
    """Read a subnet.env; variables that are not flannel's are left alone.

    Raises:
        BadConfigurationError: naming the variable.
    """
    values: dict[str, str] = {}
    for line in text.splitlines():
        name, separator, value = line.strip().partition("=")
        if separator and not name.startswith("#"):
            values[name] = value.strip().strip("\"'")
    if not values.get("FLANNEL_MTU", "").isdecimal():
        raise BadConfigurationError(
            source, "FLANNEL_MTU", values.get("FLANNEL_MTU"), "must be a number of bytes"
        )
    return SubnetEnv(
        networks=tuple(ip_network(each, strict=False) for each in _pair(values, "NETWORK", source)),
        gateways=_pair(values, "SUBNET", source),
        mtu=int(values["FLANNEL_MTU"]),
        masquerade=values.get("FLANNEL_IPMASQ", "false") == "true",
    )


def _pair(values: dict[str, str], name: str, source: str) -> tuple[Interface, ...]:
    """Return the v4 and v6 variable of a name as an address with prefix each."""
    found = []
    for variable in (f"FLANNEL_{name}", f"FLANNEL_IPV6_{name}"):
        try:
            found += [ip_interface(values[variable])] if values.get(variable) else []
        except ValueError as error:
            raise BadConfigurationError(source, variable, values[variable], f"is no CIDR: {error}") from None
    return tuple(found)
