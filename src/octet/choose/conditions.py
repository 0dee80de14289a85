"""Does a fact hold for this operator? Versions, families and other needs that it depends on.

What lives here: a fact's condition judged by requirements, in three values.
What it must not know: which need asks for the fact.
"""

from octet.choose.facts.catalogue import version
from octet.choose.facts.values import Condition, Fact, Truth
from octet.choose.requirements import Requirements


def fields(condition: Condition | None) -> tuple[str, ...]:
    """Return the requirements that a condition reads."""
    if condition is None:
        return ()
    since = ("installer_version",) if condition.since else ()
    family = ("ip_family",) if condition.families else ()
    cloud = ("cloud",) if condition.clouds else ()
    return (*since, *family, *cloud, *condition.not_with)


def holds(condition: Condition | None, requirements: Requirements) -> Truth:
    """Tell whether a condition holds; what it depends on and nobody has answered leaves it unknown.

    Beside a need with which nobody has shown the fact it is unknown, too.
    """
    if condition is None:
        return Truth.YES
    parts = {
        _since(condition, requirements),
        _among(condition.families, requirements.ip_family),
        _among(condition.clouds, requirements.cloud),
    }
    if any(getattr(requirements, field) is True for field in condition.not_with):
        parts.add(Truth.UNKNOWN)
    return next((each for each in (Truth.NO, Truth.UNKNOWN) if each in parts), Truth.YES)


def _since(condition: Condition, requirements: Requirements) -> Truth:
    if not condition.since:
        return Truth.YES
    if requirements.installer_version is None:
        return Truth.UNKNOWN
    reached = version(condition.since) <= version(requirements.installer_version)
    return Truth.YES if reached else Truth.NO


def _among(choices: tuple[str, ...], answer: str | None) -> Truth:
    if not choices:
        return Truth.YES
    if answer is None:
        return Truth.UNKNOWN
    return Truth.YES if answer in choices else Truth.NO


def words(fact: Fact) -> str:
    """Return a condition for a person; empty where a fact holds everywhere."""
    return "" if fact.when is None else fact.note.rstrip(".")
