"""Our models as the page draws them: six decisions, a packet's way, what growth costs; all of blueprints.

What lives here: values for pictures. What it must not know: the originals, measurements, markup.
"""

from collections.abc import Mapping
from functools import cache

from msgspec import Struct

from octet import models
from octet.choose import packet
from octet.models import example
from octet.models.decisions import DECISIONS

NODES = (2, 5, 10, 20, 50, 100, 250)
"""Sizes of the example cluster for growth; the last one that fits its pod network (one /24 each of a /16)."""


class ModelShown(Struct, frozen=True, kw_only=True):
    """A row of the table of models: a choice for each of the six decisions."""

    name: str
    summary: str
    about: str
    choices: Mapping[str, str]


class WalkShown(Struct, frozen=True, kw_only=True):
    """A packet's way and what its model adds to every packet between nodes; bytes."""

    model: str
    family: int
    pod_mtu: int
    underlay_mtu: int
    overhead: int
    hops: tuple[packet.Hop, ...]


class Size(Struct, frozen=True, kw_only=True):
    """How many kernel objects one node holds in a cluster of so many nodes, without pods."""

    nodes: int
    objects: int


class GrowthShown(Struct, frozen=True, kw_only=True):
    """How a model's share of one node's kernel grows with the cluster."""

    name: str
    points: tuple[Size, ...]


@cache
def rows() -> tuple[ModelShown, ...]:
    """Return the table of models."""
    return tuple(
        ModelShown(
            name=model.name,
            summary=model.summary,
            about=model.about,
            choices={decision: getattr(model, decision) for decision in DECISIONS},
        )
        for model in models.MODELS
    )


@cache
def walks() -> tuple[WalkShown, ...]:
    """Return the way of a packet through each model and variant."""
    return tuple(
        WalkShown(
            model=each.model,
            family=each.family,
            pod_mtu=each.pod_mtu,
            underlay_mtu=each.underlay_mtu,
            overhead=each.overhead,
            hops=each.hops,
        )
        for each in packet.every()
    )


@cache
def growth() -> tuple[GrowthShown, ...]:
    """Return, for each model and variant, the kernel objects of one node by the size of the cluster."""
    return tuple(
        GrowthShown(name=name, points=tuple(_size(name, nodes) for nodes in NODES)) for name in models.names()
    )


def _size(name: str, nodes: int) -> Size:
    running = models.find(name).parse({}, source=name)
    held, _left_out = running.whole(example.view(running, nodes=nodes))
    return Size(nodes=nodes, objects=len(tuple(held)))
