"""NetworkPolicy (networking.k8s.io/v1): a selected pod may do what any of its policies allows.

What lives here: which policies select a pod, and their rules. What it must not know: Calico, nftables.
Source: Kubernetes API reference, NetworkPolicySpec.
"""

from collections.abc import Iterator

from octet.cluster.calico_rules import NUMBERS
from octet.cluster.netpol import EGRESS, INGRESS, NetworkPolicy, Peer, Port
from octet.cluster.netpol import Rule as Allowed
from octet.cluster.objects import Pod
from octet.cluster.view import View
from octet.policy.groups import DomainAddresses, Group, KubernetesPods, Networks
from octet.policy.rules import EVERY_PORT, Action, Origin, Ports, Rule, Side, gathered


def selecting(view: View, pod: Pod, direction: str) -> Iterator[NetworkPolicy]:
    """Yield the policies that isolate a pod in a direction, in any order."""
    for policy in view.policies.inside(pod.namespace).values():
        if direction in policy.types and policy.pods.matches(pod.labels):
            yield policy


def rules(policy: NetworkPolicy, direction: str) -> Iterator[Rule]:
    """Yield what a policy allows."""
    allowed = policy.ingress if direction == INGRESS else policy.egress
    for index, each in enumerate(allowed):
        yield _rule(each, Origin("NetworkPolicy", policy.namespace, policy.name, index))
    if direction == EGRESS and policy.conduct.domains:
        named = Side(((DomainAddresses(policy.conduct.domains),),))
        yield Rule(Action.ALLOW, Origin("NetworkPolicy", policy.namespace, policy.name), named)


def _rule(allowed: Allowed, origin: Origin) -> Rule:
    peers = tuple(group(peer, origin.namespace) for peer in allowed.peers)
    far = Side((peers,)) if peers else Side()
    return Rule(Action.ALLOW, origin, far, ports=gathered(ports(port) for port in allowed.ports))


def group(peer: Peer, namespace: str) -> Group:
    """Return who a peer of a policy of this namespace is."""
    if peer.block is not None:
        return Networks((peer.block.cidr,), peer.block.exceptions)
    if peer.namespaces is None:
        return KubernetesPods(namespace, None, peer.pods)
    return KubernetesPods("", peer.namespaces, peer.pods)


def ports(port: Port) -> Ports:
    """Return the ports that one item of ``ports`` means; an empty protocol is whatever the name says."""
    protocol = NUMBERS[port.protocol] if port.protocol else None
    if isinstance(port.port, str):
        return Ports(protocol, names=(port.port,))
    if port.port is None:
        return Ports(protocol, (EVERY_PORT,))
    return Ports(protocol, ((port.port, port.end or port.port),))
