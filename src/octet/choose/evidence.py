"""What a statement stands on: facts, steps and limits as a reader sees them in a decision.

What lives here: the translation into ``Evidence``. What it must not know: what a fact rules out.
"""

import datetime as dt

from octet.choose.decision import Evidence
from octet.choose.facts.catalogue import BY_NAME
from octet.choose.facts.values import Certainty, Fact, Provider, Step, Value

UNKNOWN = "unknown"


def say(value: Value | None, unit: str = "") -> str:
    """Return a fact's value as a person reads it."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    if isinstance(value, dt.date):
        return value.isoformat()
    return f"{value:,} {unit}".rstrip() if isinstance(value, int) else value


def of_fact(provider: Provider, fact: Fact) -> Evidence:
    """Return a fact or a limit as evidence."""
    key = BY_NAME.get(fact.key)
    return Evidence(
        kind="limit" if key is not None and key.name.startswith("limit-") else "fact",
        provider=provider.name,
        key=fact.key,
        says=say(fact.value, key.unit if key else ""),
        as_of=fact.as_of,
        source=fact.source,
        certainty=fact.certainty.value,
        note=fact.note,
    )


def of_step(provider: Provider, step: Step) -> Evidence:
    """Return what an installer did with a provider as evidence."""
    since = f"in {step.installer}" if step.version == "any" else f"from {step.installer} {step.version}"
    condition = f" for Kubernetes {step.kubernetes} and later" if step.kubernetes else ""
    return Evidence(
        kind="step",
        provider=provider.name,
        key=step.installer,
        says=f"{step.state.value} {since}{condition}",
        as_of=step.as_of,
        source=step.source,
        certainty=step.certainty.value,
        note=step.note,
    )


def shown(evidence: Evidence) -> str:
    """Return evidence in one line: what it says, how sure that is, when and where it was read."""
    doubt = f" ({evidence.certainty})" if evidence.certainty == Certainty.UNVERIFIED.value else ""
    note = f"; {evidence.note}" if evidence.note else ""
    return f"{evidence.key}: {evidence.says}{doubt}{note} [{evidence.source}, {evidence.as_of}]"
