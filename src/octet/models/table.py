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
        about=(
            "Every node has one subnet and a bridge in it. A packet for another node's subnet is routed "
            "to that node's VXLAN device, whose MAC and machine are permanent entries made from "
            "annotations of the Node, as flanneld writes them: both can share a cluster. With host-gw, "
            "and with direct routing for nodes on the same network, there is no tunnel. Unlike the "
            "original: the overhead over IPv6 is 70 bytes and not 50, MACs don't change, whatever is "
            "deleted comes back with all its entries."
        ),
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
        about=(
            "Every node has one subnet and a bridge in it. A packet for another node's subnet is routed "
            "to that node's VXLAN device, whose MAC is computed from the subnet, so Node objects say all "
            "there is to know. Unlike the original: pods get the MTU that fits, reach themselves through "
            "a service, and have IPv6 (over a second device, with MACs made of a hash); entries of nodes "
            "that left are removed."
        ),
        build=kopeio.build,
    ),
)
