"""The kinds of objects that a pod network reads, under one name each.

What lives here: the list of kinds. What it must not know: their fields (see ``workloads``, ``netpol``,
``services``), stores.
"""

from octet.cluster.netpol import IPBlock, NetworkPolicy, Peer, Port, Requirement, Rule, Selector
from octet.cluster.ownership import BlockAffinity, IPAMBlock
from octet.cluster.pools import IPAMConfiguration, IPPool, IPReservation
from octet.cluster.reading import Address, Network, Words
from octet.cluster.services import EndpointSlice, Service, ServicePort, SliceEndpoint, SlicePort
from octet.cluster.workloads import ContainerPort, Namespace, Node, Pod

IPAM_KINDS = ("IPPool", "IPReservation", "IPAMConfiguration", "IPAMBlock", "BlockAffinity")
"""Calico's kinds that addresses in blocks are made of."""

KINDS = ("Node", "Namespace", "Pod", "NetworkPolicy", "Service", "EndpointSlice", *IPAM_KINDS)
"""Kubernetes' singular kinds that a View is made of."""

CLUSTER_KINDS = frozenset({"Node", "Namespace", *IPAM_KINDS})
"""Kinds whose objects are in no namespace."""

__all__ = [
    "CLUSTER_KINDS",
    "IPAM_KINDS",
    "KINDS",
    "Address",
    "BlockAffinity",
    "ContainerPort",
    "EndpointSlice",
    "IPAMBlock",
    "IPAMConfiguration",
    "IPBlock",
    "IPPool",
    "IPReservation",
    "Namespace",
    "Network",
    "NetworkPolicy",
    "Node",
    "Peer",
    "Pod",
    "Port",
    "Requirement",
    "Rule",
    "Selector",
    "Service",
    "ServicePort",
    "SliceEndpoint",
    "SlicePort",
    "Words",
]
