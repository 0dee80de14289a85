"""Our models as the page draws them: six decisions, a packet's way, what growth costs; all of blueprints.

What lives here: values for pictures. What it must not know: the originals, measurements, markup.
"""

import datetime as dt
from collections.abc import Mapping
from functools import cache

from msgspec import Struct

from octet import models
from octet.choose import packet
from octet.choose.facts.models import ours
from octet.choose.page.shown import FactShown, fact_shown
from octet.models import example
from octet.models.decisions import DECISIONS

NODES = (2, 5, 10, 20, 50, 100, 250)
"""Sizes of the example cluster for growth; the last one that fits its pod network (one /24 each of a /16)."""


class ModelShown(Struct, frozen=True, kw_only=True):
    """A row of the table of models.

    Attributes:
        choices: one for each of the six decisions.
        facts: worked out from the row and its packets; of our model, never of the provider.
    """

    name: str
    summary: str
    about: str
    choices: Mapping[str, str]
    facts: tuple[FactShown, ...]


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
def rows(today: dt.date) -> tuple[ModelShown, ...]:
    """Return the table of models, with what is worked out about them on this day."""
    held = {each.name: tuple((each.facts or {}).values()) for each in ours(today)}
    return tuple(
        ModelShown(
            name=model.name,
            summary=model.summary,
            about=model.about,
            choices={decision: getattr(model, decision) for decision in DECISIONS},
            facts=tuple(fact_shown(fact) for fact in held[model.name]),
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
