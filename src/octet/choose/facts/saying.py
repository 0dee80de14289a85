"""A fact in words and as a record: unknown says so, and what nobody verified is never said as certain.

What lives here: the one wording that every screen uses. What it must not know: tables, pages, terminals.
"""

from typing import Any

from octet.choose.facts.catalogue import BY_NAME
from octet.choose.facts.values import Certainty, Count, Fact, Step, Value

UNKNOWN = "unknown"
UNVERIFIED = "unverified"


def said(fact: Fact) -> str:
    """Return the answer as a person reads it: ``unknown``, ``no``, ``unverified: yes``, ``100 nodes``."""
    if fact.value is None:
        return UNKNOWN
    words = plain(fact.value, BY_NAME[fact.key].unit if fact.key in BY_NAME else "")
    return f"{UNVERIFIED}: {words}" if fact.certainty is Certainty.UNVERIFIED else words


def where(fact: Fact) -> str:
    """Return day, how the value came from its source, and that: ``2026-08-14 (derived), repo path``."""
    how = "" if fact.value is None or fact.certainty is Certainty.VERIFIED else f" ({fact.certainty.value})"
    return f"{fact.as_of}{how}, {fact.source}"


def plain(value: Value, unit: str = "") -> str:
    """Return a value in words, without how certain it is."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    if isinstance(value, int):
        return f"{value:,} {unit}".rstrip()
    return str(value)


def record(fact: Fact) -> dict[str, Any]:
    """Return a fact for programs.

    An unverified claim is under ``claimed`` and its ``value`` is null, so that who reads only values is not
    misled; ``decides`` is yes, no or unknown.
    """
    held = list(fact.value) if isinstance(fact.value, tuple) else fact.value
    doubtful = fact.certainty is Certainty.UNVERIFIED
    return {
        "key": fact.key,
        "value": None if doubtful else held,
        "claimed": held if doubtful else None,
        "certainty": UNKNOWN if fact.value is None else fact.certainty.value,
        "decides": fact.truth.value,
        "said": said(fact),
        "as_of": fact.as_of.isoformat(),
        "source": fact.source,
        "note": fact.note or None,
    }


def state(step: Step) -> str:
    """Return what an installer allows from a step on: ``removed for Kubernetes 1.28 and later``."""
    words = step.state.value
    if step.kubernetes:
        words = f"{words} for Kubernetes {step.kubernetes} and later"
    return f"{UNVERIFIED}: {words}" if step.certainty is Certainty.UNVERIFIED else words


def step_record(step: Step) -> dict[str, Any]:
    """Return a step for programs; an unverified one has its state under ``claimed``, as facts have."""
    doubtful = step.certainty is Certainty.UNVERIFIED
    return {
        "installer": step.installer,
        "version": step.version,
        "state": None if doubtful else step.state.value,
        "claimed": step.state.value if doubtful else None,
        "certainty": step.certainty.value,
        "said": state(step),
        "kubernetes": step.kubernetes or None,
        "date": None if step.date is None else step.date.isoformat(),
        "as_of": step.as_of.isoformat(),
        "source": step.source,
        "note": step.note or None,
    }


def count_record(count: Count) -> dict[str, Any]:
    """Return a count for programs."""
    return {
        "provider": count.provider,
        "date": count.date.isoformat(),
        "source": count.source,
        "figures": dict(count.figures),
    }
