"""Whose answers about names are believed: what the node's configuration says of the cluster's resolvers.

What lives here: ``Resolvers``. What it must not know: who reads the configuration, what is done with answers.
"""

import msgspec

from octet.cluster.reading import Address

CLUSTER_DNS = ("kube-system", "kube-dns")
"""Namespace and name of the cluster's DNS service: CoreDNS goes by kube-dns', too (kubeadm, kops, k3s)."""


class Resolvers(msgspec.Struct, frozen=True, gc=False):
    """Resolvers that pods are given.

    Attributes:
        addresses: stated ones, and those that the node itself uses.
        services: (namespace, name) of services whose addresses and endpoints are resolvers.
    """

    addresses: tuple[Address, ...] = ()
    services: tuple[tuple[str, str], ...] = (CLUSTER_DNS,)
