"""The table: every pod network that octet can be, one row each.

What lives here: the rows. A new model is a module with its ``build`` and one row.
What it must not know: anything that isn't in the rows.
"""

from octet.models import flannel, kopeio
from octet.models.model import Model

MODELS: tuple[Model, ...] = (
    Model(
        name="flannel",
        summary="one subnet per node, VXLAN or plain routes between nodes; no policy",
        attach="bridge cni0",
        ipam="node CIDR",
        transport="VXLAN 1/8472; host-gw; direct routing",
        policy="-",
        service="-",
        store="Kubernetes nodes",
        build=flannel.build,
        variants={
            "host-gw": {"Backend": {"Type": "host-gw"}},
            "direct": {"Backend": {"Type": "vxlan", "DirectRouting": True}},
        },
    ),
    Model(
        name="kopeio-vxlan",
        summary="one subnet per node, VXLAN whose MACs are computed from the subnets; no policy",
        attach="bridge kopeio",
        ipam="node CIDR",
        transport="VXLAN 1/4789, MAC computed from the CIDR",
        policy="-",
        service="-",
        store="Kubernetes nodes only",
        build=kopeio.build,
    ),
)
