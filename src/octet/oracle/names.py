"""Domain names: what ``domainNames`` and our own annotation mean by them.

What lives here: when a name is meant, which addresses it has, the rule that the annotation adds to a policy.
What it must not know: dialects, who learns what names mean.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from octet.oracle.flows import Flow
from octet.oracle.policies import ALLOW, Rule
from octet.oracle.world import World

ANNOTATION = "policy.octet.dev/domains"
"""Names, separated by commas, that a policy's pods may also reach (Octet's own, see docs/policy.md)."""


def annotated(world: World, metadata: Mapping[str, Any]) -> tuple[Rule, ...]:
    """Return the egress rule that the annotation comes to: before all others of its policy."""
    text = (metadata.get("annotations") or {}).get(ANNOTATION) or ""
    names = [each.strip() for each in text.split(",") if each.strip()]
    return (Rule(ANNOTATION, ALLOW, lambda flow: is_named(world, names, flow)),) if names else ()


def is_named(world: World, wanted: Iterable[str], flow: Flow) -> bool | None:
    """Tell whether a flow goes to what one of the names means to its source; None where that is not known."""
    if world.names is None:
        return None
    told = world.names.get(flow.source, {})
    known = (name for name, held in told.items() if flow.destination in set(held))
    return any(fits(pattern, name) for name in known for pattern in wanted)


def fits(pattern: str, name: str) -> bool:
    """Tell whether a domain name is meant: exactly, or by ``*.`` for one or more whole labels in front."""
    wanted, given = pattern.lower().rstrip("."), name.lower().rstrip(".")
    if wanted.startswith("*."):
        return given.endswith(wanted[1:])
    return given == wanted
