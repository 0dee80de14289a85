"""What a change may have to do with: the endpoints, addresses and programs that are to be decided about anew.

What lives here: ``note``. What it must not know: how anything is decided.
"""

from octet.cluster.changes import (
    NamespaceChanged,
    NodeChanged,
    PodChanged,
    PolicyChanged,
    PolicyPartChanged,
    SliceChanged,
    UnderlayChanged,
)
from octet.cluster.objects import Pod, ServiceAccount
from octet.cluster.view import View, ViewChange
from octet.policy.attached import Attached
from octet.policy.dirty import Dirty
from octet.policy.rules import Origin

_SOURCES = {
    "NetworkSet": "network_sets",
    "GlobalNetworkSet": "global_network_sets",
    "HostEndpoint": "host_endpoints",
}
"""Kinds that groups take addresses from, and the collection of the view."""


def note(change: ViewChange, view: View, attached: Attached, dirty: Dirty) -> None:
    """Note what a change may have to do with."""
    match change:
        case PodChanged():
            for pod in (change.old, change.new):
                _pod(pod, attached, dirty)
        case NamespaceChanged():
            namespace = change.new or change.old
            if namespace is not None:
                _namespace(namespace.name, view, attached, dirty)
        case PolicyChanged():
            policy = change.new or change.old
            if policy is not None:
                dirty.endpoints |= dict.fromkeys(attached.inside(policy.namespace))
        case PolicyPartChanged():
            _part(change, view, attached, dirty)
        case NodeChanged():
            dirty.sources.add("nodes")
        case SliceChanged():
            dirty.sources.add("slices")
        case UnderlayChanged():
            dirty.hosts = True
        case _:
            pass


def _pod(pod: Pod | None, attached: Attached, dirty: Dirty) -> None:
    if pod is None:
        return
    dirty.endpoints |= dict.fromkeys(attached.of(pod))
    dirty.addresses |= dict.fromkeys(attached.addresses(pod))


def _namespace(name: str, view: View, attached: Attached, dirty: Dirty) -> None:
    for pod in view.pods.inside(name).values():
        dirty.addresses |= dict.fromkeys(attached.addresses(pod))
    dirty.endpoints |= dict.fromkeys(attached.inside(name))
    dirty.sources.add("namespaces")


def _part(change: PolicyPartChanged, view: View, attached: Attached, dirty: Dirty) -> None:
    item = change.new or change.old
    kind = type(item).__name__
    dirty.hosts |= kind in ("HostEndpoint", "GlobalNetworkPolicy", "Tier")
    if kind in _SOURCES:
        dirty.sources.add(_SOURCES[kind])
    elif isinstance(item, ServiceAccount):
        for pod in view.pods.inside(item.namespace).values():
            _pod(pod, attached, dirty)
    elif not kind.startswith("Staged"):
        dirty.endpoints |= dict.fromkeys(attached)


def same(change: ViewChange, policy: Origin) -> bool:
    """Is a change one of this policy?"""
    if not isinstance(change, PolicyChanged | PolicyPartChanged):
        return False
    item = change.new or change.old
    return (getattr(item, "namespace", ""), getattr(item, "name", "")) == (policy.namespace, policy.name)


__all__ = ["note", "same"]
