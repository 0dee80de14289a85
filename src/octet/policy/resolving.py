"""Names of a pod's own ports as the numbers that it gave them.

What lives here: ``resolved``. What it must not know: names of other pods' ports, which are sets.
"""

from dataclasses import replace

from octet.cluster.netpol import INGRESS
from octet.cluster.objects import Pod
from octet.policy.holders import named
from octet.policy.rules import Ports, Rule, Stage


def resolved(stage: Stage, pod: Pod, direction: str) -> Stage:
    """Return a tier in which names of the pod's own ports are numbers."""
    if not stage.named:
        return stage
    return replace(stage, rules=tuple(_resolve(rule, pod, direction) for rule in stage.rules))


def _resolve(rule: Rule, pod: Pod, direction: str) -> Rule:
    if not rule.named:
        return rule
    near = replace(
        rule.near, ports=_numbers(rule.near.ports, pod), no_ports=_numbers(rule.near.no_ports, pod)
    )
    return replace(rule, near=near, ports=_numbers(rule.ports, pod) if direction == INGRESS else rule.ports)


def _numbers(stated: tuple[Ports, ...], pod: Pod) -> tuple[Ports, ...]:
    """Return ports without names; a name that the pod has not is a port that no packet has."""
    found: list[Ports] = []
    for each in stated:
        if not each.names:
            found.append(each)
            continue
        found.append(Ports(each.protocol, each.spans))
        found += [Ports(protocol, (span,)) for protocol, span in named(each, pod)]
    return tuple(found)


__all__ = ["resolved"]
