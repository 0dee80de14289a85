"""Calico's policies (projectcalico.org/v3): NetworkPolicy, GlobalNetworkPolicy, Tier; Staged ones do nothing.

What lives here: whom they apply to, in which order, and their tiers. What it must not know: what a rule
matches (``entity``), other dialects.
"""

from collections.abc import Iterator, Mapping
from math import inf
from typing import Any

from octet.oracle.entity import End, matcher
from octet.oracle.flows import EGRESS, INGRESS
from octet.oracle.names import annotated
from octet.oracle.policies import ALLOW, DENY, LOG, PASS, Policy, Rule, Tier
from octet.oracle.refusal import refuse
from octet.oracle.selector import Predicate, parse
from octet.oracle.world import NAMESPACE_PREFIX, SERVICE_ACCOUNT_PREFIX, Endpoint, Item, World

GROUP = "projectcalico.org"
BUILT_IN = (
    ("kube-admin", 1_000.0, PASS),
    ("default", 1_000_000.0, DENY),
    ("kube-baseline", 10_000_000.0, PASS),
)
"""Tiers that are always there: name, order, what their end does."""


def tiers(world: World) -> list[Tier]:
    """Return the tiers; one without an order is the last."""
    found = {name: Tier(name, order, ending) for name, order, ending in BUILT_IN}
    for item in world.of(GROUP, "Tier"):
        name, spec = item["metadata"]["name"], item.get("spec") or {}
        ending = spec.get("defaultAction") or DENY
        if ending not in (DENY, PASS):
            refuse(f"Tier {name}", "spec.defaultAction", ending, "must be Deny or Pass")
        if name not in found:
            found[name] = Tier(name, _order(spec), ending)
    return list(found.values())


def policies(world: World) -> Iterator[Policy]:
    """Yield what each policy says."""
    for kind in ("NetworkPolicy", "GlobalNetworkPolicy"):
        for item in world.of(GROUP, kind):
            yield _policy(world, kind, item)


def _order(spec: Mapping[str, Any]) -> float:
    order = spec.get("order")
    return inf if order is None else float(order)


def _policy(world: World, kind: str, item: Item) -> Policy:
    spec, metadata = item.get("spec") or {}, item["metadata"]
    name = metadata["name"]
    namespace = (metadata.get("namespace") or "default") if kind == "NetworkPolicy" else ""
    what = f"Calico{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
    chosen = _subjects(spec)

    def selects(endpoint: Endpoint) -> bool:
        inside = not namespace or (not endpoint.host and endpoint.namespace == namespace)
        return inside and all(predicate(endpoint.everything) for predicate in chosen)

    return Policy(
        what,
        spec.get("tier") or "default",
        (_order(spec), name, namespace),
        selects,
        {way: tuple(_rules(world, item, what, End(namespace, way))) for way in _directions(what, spec)},
        stage=_stage(what, spec),
        forward=bool(spec.get("applyOnForward")),
    )


def _rules(world: World, item: Item, what: str, end: End) -> Iterator[Rule]:
    key = end.direction.lower()
    if end.direction == EGRESS:
        yield from annotated(world, item["metadata"])
    for index, stated in enumerate((item.get("spec") or {}).get(key) or []):
        yield _rule(world, what, end, (f"{key}[{index}]", stated))


def _subjects(spec: Mapping[str, Any]) -> list[Predicate]:
    """Return what must hold of an endpoint: each selector stated, of itself or what it is in."""
    chosen = [parse(spec.get("selector") or "")]
    if spec.get("namespaceSelector"):
        chosen.append(parse(spec["namespaceSelector"], NAMESPACE_PREFIX))
    if spec.get("serviceAccountSelector"):
        chosen.append(parse(spec["serviceAccountSelector"], SERVICE_ACCOUNT_PREFIX))
    return chosen


def _directions(what: str, spec: Mapping[str, Any]) -> list[str]:
    """Ingress, unless types are stated or only egress rules are there; egress where an egress rule is."""
    stated = spec.get("types")
    if stated:
        if not set(stated) <= {INGRESS, EGRESS}:
            refuse(what, "spec.types", stated, "must be of Ingress, Egress")
        return list(dict.fromkeys(stated))
    if not spec.get("egress"):
        return [INGRESS]
    return [INGRESS, EGRESS] if spec.get("ingress") else [EGRESS]


def _stage(what: str, spec: Mapping[str, Any]) -> str:
    """Return when host endpoints meet it; only policies for forwarded traffic may be early."""
    stages = [stage for stage, key in (("untracked", "doNotTrack"), ("prednat", "preDNAT")) if spec.get(key)]
    if len(stages) > 1 or (stages and spec.get("applyOnForward") is False):
        refuse(what, "spec", stages, "doNotTrack and preDNAT exclude each other and need applyOnForward")
    if stages == ["prednat"] and spec.get("egress"):
        refuse(what, "spec.egress", spec["egress"], "cannot be there with preDNAT")
    return stages[0] if stages else ""


def _rule(world: World, what: str, end: End, stated: tuple[str, Mapping[str, Any]]) -> Rule:
    place, rule = stated
    action = rule.get("action")
    if action not in (ALLOW, DENY, LOG, PASS):
        refuse(what, f"{place}.action", action, "must be Allow, Deny, Log or Pass")
    return Rule(place, action, matcher(world, f"{what} {place}", end, rule))
