"""A person's question answered whole: every part of a network, every port that makes a difference.

What lives here: asking ``explain`` of everything that is meant, and putting alike what is alike.
What it must not know: who asks, printing.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from octet.cluster.view import View
from octet.errors import NotFoundError
from octet.policy.gates import TUNNELS
from octet.policy.telling.ends import End, find, networks_of
from octet.policy.telling.explain import Explainer, Step
from octet.policy.telling.traffic import Traffic, rules_of, summary, worth_asking


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, of all traffic that it is the same for.

    Attributes:
        traffic: in words.
        families: of addresses, 4 and 6, that it is about.
    """

    source: str
    destination: str
    traffic: str
    families: tuple[int, ...]
    steps: tuple[Step, ...]

    @property
    def allowed(self) -> bool:
        """May it pass?"""
        return all(step.allowed for step in self.steps)


def answers(
    view: View, source: str, destination: str, wanted: Traffic | None, closed: tuple[int, ...] = TUNNELS
) -> list[Answer]:
    """Return the answers to a question.

    Args:
        view: the cluster.
        source: a pod, a node, an address or a CIDR, as ``ends.find`` takes them.
        destination: the same.
        wanted: the traffic; None is everything that makes a difference.
        closed: UDP ports that no pod may send to.

    Raises:
        NotFoundError: nobody is called so, or the two have no address family in common.
        BadConfigurationError: several pods are called so.
    """
    told = networks_of(view, rules_of(view))
    everything = (wanted,) if wanted is not None else worth_asking([view])
    explainer = Explainer(view, closed)
    mine, theirs = find(view, source, told), find(view, destination, told)
    found = [
        answer for near in mine for far in theirs for answer in _between(explainer, (near, far), everything)
    ]
    if not found:
        raise NotFoundError(f"{source} and {destination} have no addresses of one family")
    found = _merged(found, mine, source, at_source=True)
    return _merged(found, theirs, destination, at_source=False)


def _between(
    explainer: Explainer, ends: tuple[End, End], everything: tuple[Traffic, ...]
) -> Iterator[Answer]:
    """Yield one answer for each different one."""
    alike: dict[tuple[Step, ...], tuple[dict[Traffic, None], dict[int, None]]] = {}
    asked: dict[Traffic, None] = {}
    for traffic in everything:
        for each in explainer.explain(*ends, traffic):
            asked[traffic] = None
            held, families = alike.setdefault(each.steps, ({}, {}))
            held[traffic] = families[each.family] = None
    for steps, (held, families) in alike.items():
        words = str(next(iter(held))) if len(everything) == 1 else summary(held, asked)
        yield Answer(str(ends[0]), str(ends[1]), words, tuple(families), steps)


def _merged(found: Iterable[Answer], parts: Sequence[End], whole: str, *, at_source: bool) -> list[Answer]:
    """Return answers in which parts of a network that are treated alike are one."""
    alike: dict[Answer, list[str]] = {}
    for each in found:
        name, rest = (
            (each.source, replace(each, source=""))
            if at_source
            else (each.destination, replace(each, destination=""))
        )
        alike.setdefault(rest, []).append(name)
    merged = []
    for each, names in alike.items():
        name = whole if len(names) == len(parts) > 1 else ", ".join(names)
        merged.append(replace(each, source=name) if at_source else replace(each, destination=name))
    return merged
