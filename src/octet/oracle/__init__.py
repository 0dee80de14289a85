"""What the policy APIs say about one flow: a plain, slow evaluator, the judge of what Octet compiles.

What lives here: the meaning of NetworkPolicy, ClusterNetworkPolicy and Calico's policies, written from their
API texts a second time, over Kubernetes-shaped objects as they are. ``octet policy verify`` and the tests
compare the kernel's answer with it. What it must not know: ``octet.policy`` and how anything is compiled,
``octet.cluster`` and how anything is read: a shared misreading could not be seen.

    world = World(objects)
    verdict = decide(world, Flow(ip_address("10.244.1.2"), ip_address("10.244.1.3"), "TCP", 80))
    verdict.allowed, str(verdict)
"""

from octet.oracle.decision import decide
from octet.oracle.flows import EGRESS, INGRESS, Flow, Reason, Verdict
from octet.oracle.world import World

__all__ = ["EGRESS", "INGRESS", "Flow", "Reason", "Verdict", "World", "decide"]
