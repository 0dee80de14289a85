"""How a pod's interface joins its node: bridge or routed. Pure: endpoint in, blueprints out.

What lives here: the contract and one module per way. What it must not know: transports, CNI, the kernel.
"""

from dataclasses import dataclass
from typing import Protocol

from octet.blueprint import Blueprint
from octet.cluster.endpoint import Attachment, Endpoint, NodeNetwork


@dataclass(frozen=True, slots=True)
class EndpointPlan:
    """What one pod adds: to its own namespace and to its node's. The pair is created from the pod's side."""

    pod: Blueprint
    node: Blueprint


class Attach(Protocol):
    """One way to join pods to a node."""

    @property
    def shared_link(self) -> str:
        """The link that all pods of a node are behind, a bridge; empty where each has one of its own."""
        ...

    def host_link(self, attachment: Attachment, namespace: str = "", pod: str = "") -> str:
        """Return the name of the node's end: at most 15 bytes, the same every time, reversible by alias.

        Namespace and name of the Kubernetes pod are for names that come from them; empty is unknown.
        """
        ...

    def node(self, network: NodeNetwork) -> Blueprint:
        """Return what the node holds before any pod: a bridge with its gateway addresses, or settings."""
        ...

    def endpoint(self, network: NodeNetwork, endpoint: Endpoint) -> EndpointPlan:
        """Return what this pod adds."""
        ...

    def gateways(self, network: NodeNetwork, endpoint: Endpoint) -> tuple[str | None, str | None]:
        """Return the gateways (v4, v6) to name in the CNI result; None where the pod lacks the family."""
        ...


__all__ = ["Attach", "EndpointPlan"]
