"""The kinds of objects that a pod network reads, under one name each.

What lives here: the list of kinds. What it must not know: their fields (see ``workloads``, ``netpol``,
``services``), stores.
"""

from octet.cluster.netpol import IPBlock, NetworkPolicy, Peer, Port, Requirement, Rule, Selector
from octet.cluster.reading import Address, Network, Words
from octet.cluster.services import EndpointSlice, Service, ServicePort, SliceEndpoint, SlicePort
from octet.cluster.workloads import ContainerPort, Namespace, Node, Pod

KINDS = ("Node", "Namespace", "Pod", "NetworkPolicy", "Service", "EndpointSlice")
"""Kubernetes' singular kinds that a View is made of."""

__all__ = [
    "KINDS",
    "Address",
    "ContainerPort",
    "EndpointSlice",
    "IPBlock",
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
