"""kube-router's transport: node CIDRs told by BGP, peers and roles by flags and annotations of Nodes.

What lives here: annotations and flags as values, from the View to sessions, which service addresses are told.
What it must not know: BIRD, pods, who answers at a service address.

Unlike the original every annotation is live, reflectors compare cluster ids, and a bad value is refused by
name with nothing of it in force (cloudnativelabs/kube-router, pkg/controllers/routing).
"""

from octet.transport.kube_router.fabric import KubeRouter
from octet.transport.kube_router.flags import Advertised, Flags
from octet.transport.kube_router.overlay import PORT, TABLE, Overlay, device
from octet.transport.kube_router.routers import Router

__all__ = ["PORT", "TABLE", "Advertised", "Flags", "KubeRouter", "Overlay", "Router", "device"]
