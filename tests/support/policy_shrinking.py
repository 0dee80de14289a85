"""From a world in which two judges disagree to the smallest one in which they still do.

What lives here: greedy removal of objects, and of parts of policies. What it must not know: the judges.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import yaml

from octet.oracle import Flow

Item = Mapping[str, Any]
Disagree = Callable[[Sequence[Item], Flow], bool]
"""Do the judges disagree about a flow in a world? A world that a judge refuses is no disagreement."""


def shrunk(objects: Sequence[Item], flow: Flow, disagree: Disagree) -> list[Item]:
    """Return objects of which none, and no part of a policy, can be left out."""
    held = list(objects)
    smaller = True
    while smaller:
        smaller = False
        for attempt in _attempts(held):
            if disagree(attempt, flow):
                held, smaller = attempt, True
                break
    return held


def _attempts(held: list[Item]) -> Iterator[list[Item]]:
    for index, item in enumerate(held):
        rest = [*held[:index], *held[index + 1 :]]
        if item["kind"] != "Node":
            yield rest
        for part in ("spec", "metadata"):
            if item["kind"] in ("Pod", "Node") and part == "spec":
                continue
            for less in _less(item.get(part) or {}):
                yield [*held[:index], {**item, part: less}, *held[index + 1 :]]


def _less(value: Any) -> Iterator[Any]:
    """Yield a value without one of its parts, outermost first; names and what an API requires stay."""
    if isinstance(value, Mapping):
        for key in value:
            if key not in ("name", "namespace", "uid", "action", "subject", "tier", "priority"):
                yield {other: held for other, held in value.items() if other != key}
        for key, held in value.items():
            for less in _less(held):
                yield {**value, key: less}
    if isinstance(value, list):
        for index in range(len(value)):
            yield [*value[:index], *value[index + 1 :]]
        for index, held in enumerate(value):
            for less in _less(held):
                yield [*value[:index], less, *value[index + 1 :]]


def report(objects: Sequence[Item], flow: Flow, said: Iterable[tuple[str, object]]) -> str:
    """Return what a person needs: the flow, what each judge says, and the world as manifests."""
    lines = [f"{flow}"]
    lines += [f"  {judge}: {words}" for judge, words in said]
    return "\n".join([*lines, yaml.safe_dump_all([dict(item) for item in objects], sort_keys=False)])
