"""What a model needs from the kernel, read off the objects it would make.

What lives here: which kind of object needs which feature. What it must not know: how a feature is probed
(``kernel.features`` has the same names), which kernels have it.
"""

from dataclasses import replace

from octet.blueprint import Blueprint, Bridge, Ifb, Link, Shaper, Veth, Vxlan, nft
from octet.blueprint.base import KernelObject
from octet.cluster.endpoint import Bandwidth
from octet.models import example
from octet.models.model import Running

LINKS: dict[type[object], str] = {Bridge: "bridge", Ifb: "ifb", Veth: "veth", Vxlan: "vxlan"}
OBJECTS: dict[type[object], str] = {nft.Chain: "nftables", Shaper: "tbf"}


def needs(running: Running) -> tuple[str, ...]:
    """Return names of kernel features, in alphabetical order, for every family and every capability."""
    found = {feature for families in example.FAMILIES.values() for feature in _features(running, families)}
    return tuple(sorted(found))


def _features(running: Running, families: tuple[int, ...]) -> set[str]:
    view = example.view(running, families)
    network = running.network(view)
    pod = replace(example.endpoint(running.attach, network), bandwidth=Bandwidth(1000, 0, 1000, 0))
    plan = running.endpoint(network, pod)
    parts: tuple[Blueprint, ...] = (
        running.node(view),
        running.peer(view, view.peers[0]),
        plan.pod,
        plan.node,
    )
    return {feature for part in parts for item in part for feature in _needed(item)}


def _needed(item: KernelObject) -> set[str]:
    named = {OBJECTS.get(type(item)), LINKS.get(type(item.detail)) if isinstance(item, Link) else None}
    return {feature for feature in named if feature}
