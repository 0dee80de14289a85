"""kopeio-vxlan: a bridge per node, and VXLAN whose peers are computed from Node objects.

What lives here: its options. What it must not know: how its transport and its bridge work.
"""

from octet.attach.bridge import BridgeAttach
from octet.errors import BadConfigurationError
from octet.models.model import Options, Running
from octet.models.options import MASQUERADE, MASQUERADING, masquerade_option
from octet.transport.kopeio import kopeio_vxlan
from octet.transport.reach import PodNetworks

BRIDGE = "kopeio"
"""As in the conf file that the original writes (``cniConfigPath``)."""

OPTIONS = (MASQUERADING,)


def build(options: Options, source: str) -> Running:
    """Read kopeio-vxlan's options: ``masquerade`` only, as device, number and port are the model itself."""
    masquerade, rest = masquerade_option(options, source)
    for name, value in rest.items():
        raise BadConfigurationError(source, name, value, "is unknown", hint=f"known here: {MASQUERADE}")
    networks = PodNetworks()
    return Running(BridgeAttach(BRIDGE), kopeio_vxlan(networks), networks, masquerade)
