"""Rules and groups in words.

What lives here: sentences about the ordered form that every dialect becomes. What it must not know: which
packet is asked about, who decides.
"""

from collections.abc import Iterable

from octet.cluster.netpol import INGRESS, Requirement, Selector
from octet.policy.groups import (
    CalicoEndpoints,
    DomainAddresses,
    Group,
    KubernetesPods,
    Networks,
    NodeAddresses,
    ServiceEndpoints,
)
from octet.policy.rules import EVERY_PORT, Action, Ports, Rule, Side
from octet.policy.telling.traffic import NAMES

VERBS = {Action.ALLOW: "allows", Action.DENY: "denies", Action.PASS: "passes on", Action.LOG: "logs"}


def rule_words(rule: Rule, direction: str) -> str:
    """Return what a rule says, without where it is written."""
    ends = ("from", "to") if direction == INGRESS else ("to", "from")
    parts = [VERBS[rule.action], what(rule)]
    parts += [
        f"{word} {side_words(side)}"
        for word, side in zip(ends, (rule.far, rule.near), strict=True)
        if _stated(side)
    ]
    return " ".join(parts)


def what(rule: Rule) -> str:
    """Return which packets a rule is about, whoever sends them."""
    words = [ports_words(rule.ports)] if rule.ports else []
    if rule.protocol is not None:
        words.append(NAMES.get(rule.protocol, f"protocol {rule.protocol}"))
    if rule.not_protocol is not None:
        words.append(f"what is not {NAMES.get(rule.not_protocol, rule.not_protocol)}")
    for word, icmp in (("type", rule.icmp), ("any type but", rule.not_icmp)):
        if icmp is not None:
            words.append(f"{word} {icmp[0]}" + (f" code {icmp[1]}" if icmp[1] is not None else ""))
    if rule.family:
        words.append(f"over IPv{rule.family}")
    return " ".join(words) or "everything"


def ports_words(ports: Iterable[Ports]) -> str:
    """Return ports as people write them."""
    words: list[str] = []
    for each in ports:
        protocol = NAMES.get(each.protocol or 0, "")
        for first, last in each.spans:
            if (first, last) == EVERY_PORT:
                words.append(protocol)
            else:
                words.append(f"{first}{f'-{last}' if last > first else ''}/{protocol}")
        words += [f"{name}/{protocol}" if protocol else name for name in each.names]
    return ", ".join(words)


def _stated(side: Side) -> bool:
    return side != Side()


def side_words(side: Side) -> str:
    """Return who one end is."""
    words = [" or ".join(group_words(group) for group in union) for union in side.all_of]
    words += [f"not {group_words(group)}" for group in side.none_of]
    text = " and ".join(words) or "anybody"
    if side.ports:
        text += f", port {ports_words(side.ports)}"
    if side.no_ports:
        text += f", any port but {ports_words(side.no_ports)}"
    return text


def group_words(group: Group) -> str:
    """Return who a group is."""
    match group:
        case KubernetesPods():
            return _kubernetes(group)
        case CalicoEndpoints():
            return _calico(group)
        case Networks():
            text = ", ".join(map(str, group.cidrs))
            return text + (f" without {', '.join(map(str, group.exceptions))}" if group.exceptions else "")
        case DomainAddresses():
            return f"what is called {', '.join(group.domains)}"
        case _:
            return _nodes_or_service(group)


def _nodes_or_service(group: Group) -> str:
    if isinstance(group, ServiceEndpoints):
        return f"the endpoints of service {'/'.join(group.service)}"
    return f"nodes{selector_words(group.selector)}" if isinstance(group, NodeAddresses) else str(group)


def _kubernetes(group: KubernetesPods) -> str:
    pods = f"pods{selector_words(group.pods)}" if group.pods is not None else "pods"
    if group.namespaces is None:
        return f"{pods} of namespace {group.namespace}"
    if group.namespaces == Selector():
        return f"{pods} of any namespace"
    return f"{pods} of namespaces{selector_words(group.namespaces)}"


def _calico(group: CalicoEndpoints) -> str:
    words = [f"whatever is selected by {group.selector.text}" if group.selector is not None else "endpoints"]
    if group.namespaces is not None:
        words.append(f"in namespaces selected by {group.namespaces.text}")
    elif group.namespace:
        words.append(f"in namespace {group.namespace}")
    if group.names:
        words.append(f"with service account {' or '.join(group.names)}")
    if group.accounts is not None:
        words.append(f"with service accounts selected by {group.accounts.text}")
    return " ".join(words)


def selector_words(selector: Selector | None) -> str:
    """Return a label selector with a blank before it; nothing for one that selects everything."""
    if selector is None or not selector.requirements:
        return ""
    return f" with {' and '.join(_requirement(each) for each in selector.requirements)}"


def _requirement(each: Requirement) -> str:
    values = "|".join(each.values)
    match each.operator:
        case "In":
            return f"{each.key}={values}"
        case "NotIn":
            return f"{each.key}!={values}"
        case "Exists":
            return f"label {each.key}"
        case _:
            return f"no label {each.key}"
