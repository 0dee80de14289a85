"""The corner cases of tests/cases/policy/corners.yaml: objects, and single flows with their verdicts.

What lives here: reading, and who the ends of a flow are. What it must not know: who judges.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from typing import Any

import yaml

import policy_world
from octet.oracle import Flow
from policy_cases import ROOT, Objects, Step, after, named, policy

PLACES = {
    **policy_world.ADDRESSES,
    **{f"{name}/6": policy_world.second(address) for name, address in policy_world.ADDRESSES.items()},
    **policy_world.NODES,
}


@dataclass(frozen=True)
class Question:
    """A flow of a corner case, and what must be said about it."""

    text: str
    flow: Flow
    allowed: bool


@dataclass(frozen=True)
class Corner:
    """One corner case."""

    number: int
    title: str
    answer: str
    steps: tuple[Mapping[str, Any], ...]
    proven: str = ""

    def __str__(self) -> str:
        return f"{self.number:02} {self.title}"


@cache
def corners() -> tuple[Corner, ...]:
    """Return all of them, by number."""
    data = yaml.safe_load((ROOT / "corners.yaml").read_text())
    return tuple(
        Corner(
            each["number"],
            each["title"],
            each["answer"],
            tuple(each.get("steps", ())),
            each.get("proven", ""),
        )
        for each in data["corners"]
    )


def played(corner: Corner) -> Iterator[tuple[Objects, list[Question]]]:
    """Yield what is there after each step, and what is asked then."""
    held = policy_world.objects(dual=True)
    for step in corner.steps:
        if "refused" in step:
            continue
        for key in step.get("drop", ()):
            del held[key]
        for item in step.get("objects", ()):
            held[named(item)] = item
        done = Step(
            apply=tuple(step.get("apply", ())),
            delete=tuple(step.get("delete", ())),
            label=tuple(step.get("label", {}).items()),
        )
        held = after(held, done, "NetworkPolicy", policy_world.ADDRESSES)
        yield held, [question(text) for text in step["flows"]]


def refused(corner: Corner) -> Iterator[dict[str, Any]]:
    """Yield the objects that must be refused."""
    yield from (policy(step["refused"], "NetworkPolicy") for step in corner.steps if "refused" in step)


def question(text: str) -> Question:
    """Read one line."""
    word, source, arrow, destination, traffic, *more = text.split()
    assert (word in ("allow", "deny"), arrow) == (True, "->"), text
    ends = (ip_address(PLACES.get(name, name)) for name in (source, destination))
    left, _, right = traffic.partition("/")
    if left.isdigit() and right:
        flow = Flow(*ends, right, int(left), hairpin="hairpin" in more)
    elif left in ("ICMP", "ICMPv6"):
        flow = Flow(*ends, left, icmp=(int(right) if right else 8, 0))
    else:
        flow = Flow(*ends, left)
    return Question(text, flow, word == "allow")
