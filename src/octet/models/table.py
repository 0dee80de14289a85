"""The table: every pod network that octet can be, one row each.

What lives here: the rows. A new model is a module with its ``build`` and one row.
What it must not know: anything that isn't in the rows.
"""

from octet.models import calico, canal, flannel, kopeio, kube_router
from octet.models.model import Model

MODELS: tuple[Model, ...] = (
    Model(
        name="flannel",
        summary="one subnet per node, VXLAN or plain routes between nodes; policy where it is switched on",
        attach="bridge cni0",
        ipam="node CIDR",
        transport="VXLAN 1/8472; host-gw; direct routing",
        policy="- (with flannel:policy as canal)",
        service="-",
        store="Kubernetes nodes",
        about=(
            "Every node has one subnet and a bridge in it. A packet for another node's subnet is routed "
            "to that node's VXLAN device, whose MAC and machine are permanent entries made from "
            "annotations of the Node, as flanneld writes them: both can share a cluster. With host-gw, "
            "and with direct routing for nodes on the same network, there is no tunnel. Unlike the "
            "original: the overhead over IPv6 is 70 bytes and not 50, MACs don't change, whatever is "
            "deleted comes back with all its entries. With policy, pods of a node reach each other through "
            "the node, which the original leaves to other programs."
        ),
        build=flannel.build,
        options=flannel.OPTIONS,
        variants={
            "host-gw": {"Backend": {"Type": "host-gw"}},
            "direct": {"Backend": {"Type": "vxlan", "DirectRouting": True}},
            "policy": {"policy": "ordered"},
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
        options=kopeio.OPTIONS,
    ),
    Model(
        name="canal",
        summary="flannel's subnets and VXLAN, a routed link for each pod, Calico's ordered policies",
        attach="routed /32",
        ipam="node CIDR",
        transport="flannel's VXLAN 1/8472",
        policy="ordered: tiers, Calico, ClusterNetworkPolicy, NetworkPolicy",
        service="-",
        store="Kubernetes",
        about=(
            "Pods are attached as Calico does: a link of their own, an address alone in its network, one "
            "route on the node. Addresses are of the node's subnet, packets to other nodes go through "
            "flannel's tunnel, and flannel's rule masquerades. Policies of all kinds are one list of rules "
            "for each pod and direction, looked up in sets; they are in force before the pod's first packet. "
            "Unlike the original: the MTU leaves room for the tunnel, connections that a new policy forbids "
            "are cut unless it says otherwise, a denied packet may be answered, and names can be allowed."
        ),
        build=canal.build,
        options=canal.OPTIONS,
    ),
    Model(
        name="calico",
        summary="blocks of addresses, told by BGP or tunnelled; a routed link for each pod, ordered policies",
        attach="routed /32",
        ipam="blocks out of pools",
        transport="BGP by BIRD: mesh, reflectors, routers; IPIP and VXLAN 4096/4789 as pools say",
        policy="ordered: tiers, Calico, ClusterNetworkPolicy, NetworkPolicy",
        service="- (advertises service addresses)",
        store="Kubernetes",
        about=(
            "Nodes claim blocks of an IPPool as they need them, and each tells its own by BGP, BIRD to "
            "BIRD: to every other node, or to route reflectors, or to the routers of its rack, as "
            "BGPConfiguration, BGPPeer, BGPFilter and annotations of nodes say; all of it may change "
            "while it runs. Pods are attached and policies enforced as with canal. A pool's ipipMode or "
            "vxlanMode puts packets into a tunnel, always or between networks only. FelixConfiguration is "
            "read where it says something about tunnels; fields that would promise what is not so are "
            "refused by name. Unlike the original: a pod has an address of each family that its cluster "
            "has, its first ADD waits for a block, a router is not told of pods that its packets would "
            "come back from, and wrapped routes are the agent's, as Debian's BIRD has no patch for them."
        ),
        build=calico.build,
        options=calico.OPTIONS,
        reads=calico.READS,
        variants={"vxlan": {"first_pools": {"vxlanMode": "Always"}}},
    ),
    Model(
        name="kube-router",
        summary="one subnet per node, told by BGP to nodes and routers; service addresses told; policy",
        attach="bridge kube-bridge",
        ipam="node CIDR",
        transport="BGP by BIRD; IPIP between subnets, or GUE, or neither",
        policy="ordered: tiers, Calico, ClusterNetworkPolicy, NetworkPolicy",
        service="- (answers at the addresses that it advertises)",
        store="Kubernetes nodes",
        about=(
            "Every node has one subnet and a bridge in it, and tells its subnet to other nodes, to "
            "reflectors, or to the routers of its rack, as flags and annotations of Nodes say. Service "
            "addresses are told to routers only, while an endpoint is ready, and are answered where they "
            "are told. Unlike the original: annotations are live, reflectors compare cluster ids, a bad "
            "value is refused by name and what was in force stays, ranges can be told instead of single "
            "addresses, routes outlive a restart, and the MTU leaves room for a tunnel."
        ),
        build=kube_router.build,
        options=kube_router.OPTIONS,
        reads=kube_router.READS,
        variants={"no-overlay": kube_router.BARE},
    ),
)
