"""What an operator says about nodes: FelixConfiguration (projectcalico.org/v3), what has a meaning here.

What lives here: a value; fields that would promise what is not so are refused by name.
What it must not know: tunnels, policies, what a field does.
Source: api/pkg/apis/projectcalico/v3/felixconfig.go, felix/config/config_params.go (defaults).
"""

from collections.abc import Mapping
from typing import Any, Self

import msgspec

from octet.cluster.reading import Fields, read

DEFAULT, OF_NODE = "default", "node."
"""The configuration of all nodes, and what begins the name of one node's."""

SMALLEST_MTU = 576  # RFC 791, 3.1

_SAID = {
    "interfacePrefix": ("cali",),
    "defaultEndpointToHostAction": ("Accept", "Return"),
    "deviceRouteProtocol": (0x6F,),
    "removeExternalRoutes": (True, False),
    "ipv6Support": (True,),
    "floatingIPs": ("Disabled",),
    "workloadSourceSpoofing": ("Disabled",),
    "natOutgoingExclusions": ("IPPoolsOnly",),
    "programClusterRoutes": ("EnabledIPIPOnly",),
    "allowVXLANPacketsFromWorkloads": (False,),
    "allowIPIPPacketsFromWorkloads": (False,),
    "nftablesMode": ("Enabled", "Auto", "Disabled"),
    "nftablesFlowTableOffload": ("Disabled",),
    "nftablesFilterDenyAction": ("Drop",),
    "iptablesFilterDenyAction": ("Drop",),
    "wireguardEnabled": (False,),
    "wireguardEnabledV6": (False,),
    "bpfEnabled": (False,),
    "vxlanPort": (4789,),
    "awsSrcDstCheck": ("DoNothing",),
    "usageReportingEnabled": (False,),
}
"""Fields about what is the same for everybody here, and the values that say how it is.

Where Calico writes its defaults out, they are taken: ``removeExternalRoutes`` is about pods' devices, on
which nobody else's routes last here either; ``nftablesMode`` about which of two programs writes the rules.
"""

_TAKEN = ("logSeverity", "reporting", "health", "prometheus", "bpf", "debug")
"""Beginnings of fields about a program that is not here: what it logs and measures, and its BPF data plane,
which is off. They come with every installation of Calico, and are taken as they are."""

MEANT = ("vxlanVNI", "vxlanMTU", "vxlanMTUV6", "ipipMTU", "serviceLoopPrevention")

LOOPS = ("", "Drop", "Reject", "Disabled")
"""What may become of packets for announced services that nobody answers; the first is unstated."""


class FelixConfiguration(msgspec.Struct, frozen=True, gc=False):
    """Settings of all nodes (``default``), or of one (``node.NAME``), which count before those of all.

    Attributes:
        vni: of VXLAN, in the configuration of all nodes; 0 is unstated.
        vxlan_mtu, vxlan_mtu_v6, ipip_mtu: bytes of a pod's packets while there is such a tunnel, where it is
            less than what the path takes; 0 is unstated.
        loops: what becomes of a packet for an announced service range that nobody answers, one of ``LOOPS``.
    """

    name: str
    vni: int = 0
    vxlan_mtu: int = 0
    vxlan_mtu_v6: int = 0
    ipip_mtu: int = 0
    loops: str = ""

    @classmethod
    def from_object(cls, item: Mapping[str, Any]) -> Self:
        """Read a FelixConfiguration; raises BadConfigurationError naming the field."""
        fields, metadata = read("FelixConfiguration", item)
        spec, name = fields.child("spec"), metadata.text("name")
        if name != DEFAULT and (not name.startswith(OF_NODE) or name == OF_NODE):
            raise metadata.refusal("name", f"must be {DEFAULT}, or {OF_NODE} and a node's name")
        _refuse(spec)
        return cls(
            name=name,
            vni=spec.number("vxlanVNI", high=(1 << 24) - 1),
            vxlan_mtu=_mtu(spec, "vxlanMTU"),
            vxlan_mtu_v6=_mtu(spec, "vxlanMTUV6"),
            ipip_mtu=_mtu(spec, "ipipMTU"),
            loops=spec.choice("serviceLoopPrevention", LOOPS, ""),
        )

    @property
    def key(self) -> tuple[str, str]:
        """("", name): configurations are in no namespace."""
        return "", self.name


def _refuse(spec: Fields) -> None:
    """Refuse fields without a meaning here, and values that are not how it is."""
    for name, values in _SAID.items():
        if name in spec and spec.raw(name) not in values:
            raise spec.refusal(name, "is not what this agent does", hint=f"{values[0]!r} would be taken")
    unknown = [
        name for name in spec if not name.startswith(_TAKEN) and name not in _SAID and name not in MEANT
    ]
    spec.only([name for name in spec if name not in unknown])


def _mtu(spec: Fields, key: str) -> int:
    mtu = spec.number(key, high=65535)
    if 0 < mtu < SMALLEST_MTU:
        raise spec.refusal(key, f"must be 0 or {SMALLEST_MTU} to 65535 bytes")
    return mtu
