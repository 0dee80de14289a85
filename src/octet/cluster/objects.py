"""The kinds of objects that a pod network reads, under one name each.

What lives here: the list of kinds. What it must not know: their fields (see ``workloads``, ``netpol``,
``services``), stores.
"""

from octet.cluster.bgp import BGPConfiguration, BGPFilter, BGPPeer
from octet.cluster.calico import (
    CalicoNetworkPolicy,
    GlobalNetworkPolicy,
    GlobalNetworkSet,
    HostEndpoint,
    NetworkSet,
    ServiceAccount,
    StagedGlobalNetworkPolicy,
    StagedNetworkPolicy,
    Tier,
)
from octet.cluster.clusterpolicy import ClusterNetworkPolicy
from octet.cluster.felix import FelixConfiguration
from octet.cluster.netpol import (
    IPBlock,
    NetworkPolicy,
    Peer,
    Port,
    Requirement,
    Rule,
    Selector,
    StagedKubernetesNetworkPolicy,
)
from octet.cluster.ownership import BlockAffinity, IPAMBlock
from octet.cluster.pools import IPAMConfiguration, IPPool, IPReservation
from octet.cluster.reading import Address, Network, Words
from octet.cluster.services import EndpointSlice, Service, ServicePort, SliceEndpoint, SlicePort
from octet.cluster.workloads import ContainerPort, Namespace, Node, Pod

IPAM_KINDS = ("IPPool", "IPReservation", "IPAMConfiguration", "IPAMBlock", "BlockAffinity")
"""Calico's kinds that addresses in blocks are made of."""

SETTING_KINDS = ("BGPConfiguration", "BGPPeer", "BGPFilter", "FelixConfiguration")
"""Calico's kinds by which an operator says how nodes route, and what else they do."""

KINDS = (
    "Node",
    "Namespace",
    "Pod",
    "NetworkPolicy",
    "Service",
    "EndpointSlice",
    "ServiceAccount",
    "ClusterNetworkPolicy",
    "Tier",
    "CalicoNetworkPolicy",
    "GlobalNetworkPolicy",
    "StagedNetworkPolicy",
    "StagedGlobalNetworkPolicy",
    "StagedKubernetesNetworkPolicy",
    "NetworkSet",
    "GlobalNetworkSet",
    "HostEndpoint",
    *IPAM_KINDS,
    *SETTING_KINDS,
)
"""Singular kinds that a View is made of, Kubernetes' own names but for one: two groups of its API have a kind
NetworkPolicy, and the one of projectcalico.org/v3 is CalicoNetworkPolicy here."""

CLUSTER_KINDS = frozenset(
    {
        "Node",
        "Namespace",
        "ClusterNetworkPolicy",
        "Tier",
        "GlobalNetworkPolicy",
        "StagedGlobalNetworkPolicy",
        "GlobalNetworkSet",
        "HostEndpoint",
        *IPAM_KINDS,
        *SETTING_KINDS,
    }
)
"""Kinds whose objects are in no namespace."""

__all__ = [
    "CLUSTER_KINDS",
    "IPAM_KINDS",
    "KINDS",
    "SETTING_KINDS",
    "Address",
    "BGPConfiguration",
    "BGPFilter",
    "BGPPeer",
    "BlockAffinity",
    "CalicoNetworkPolicy",
    "ClusterNetworkPolicy",
    "ContainerPort",
    "EndpointSlice",
    "FelixConfiguration",
    "GlobalNetworkPolicy",
    "GlobalNetworkSet",
    "HostEndpoint",
    "IPAMBlock",
    "IPAMConfiguration",
    "IPBlock",
    "IPPool",
    "IPReservation",
    "Namespace",
    "Network",
    "NetworkPolicy",
    "NetworkSet",
    "Node",
    "Peer",
    "Pod",
    "Port",
    "Requirement",
    "Rule",
    "Selector",
    "Service",
    "ServiceAccount",
    "ServicePort",
    "SliceEndpoint",
    "SlicePort",
    "StagedGlobalNetworkPolicy",
    "StagedKubernetesNetworkPolicy",
    "StagedNetworkPolicy",
    "Tier",
    "Words",
]
