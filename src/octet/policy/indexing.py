"""Which sets is a pod in? Groups found by what a pod must have to be in them, not by asking each.

What lives here: ``Groups``. What it must not know: programs, endpoints, when anything changes.
"""

from collections.abc import Iterable, Iterator

from octet.cluster.expression import parse
from octet.cluster.netpol import Selector
from octet.cluster.objects import Pod
from octet.cluster.view import View
from octet.policy.groups import CalicoEndpoints, Candidate, Group, KubernetesPods
from octet.policy.holders import Entry

Hint = tuple[str, str, str]
"""What all pods of a group have: a label, a label of their namespace ("space"), or the namespace ("in")."""

ANYTHING: Hint = ("", "", "")


def hint(group: Group) -> Hint:
    """Return something that all pods of a group have in common, the rarest that is easily seen."""
    if isinstance(group, KubernetesPods):
        found = _required(group.pods)
        if found is not None:
            return ("label", *found)
        if group.namespaces is None:
            return "in", group.namespace, ""
        space = _required(group.namespaces)
        return ("space", *space) if space is not None else ANYTHING
    if isinstance(group, CalicoEndpoints):
        terms = [parse(group.selector.text)] if group.selector is not None else []
        terms += [part for term in terms if term.kind == "and" for part in term.parts]
        equal = next((term for term in terms if term.kind == "=="), None)
        if equal is not None:
            return "label", equal.label, equal.values[0]
        if group.namespaces is None and group.namespace:
            return "in", group.namespace, ""
    return ANYTHING


def likely(group: Group, pods: Iterable[Pod]) -> Iterable[Pod]:
    """Leave out pods that are not in a group, as far as is seen at once: by one label."""
    kind, key, value = hint(group)
    if kind != "label" or not isinstance(group, KubernetesPods):
        return pods
    return [pod for pod in pods if pod.labels.get(key) == value]


class Labelled:
    """Pods of a namespace by the value of a label, kept as long as no pod changes."""

    def __init__(self) -> None:
        self._pods: object = None
        self._known: dict[tuple[str, str], dict[str, list[Pod]]] = {}

    def likely(self, group: Group, view: View) -> Iterable[Pod]:
        """Return the pods that may be in a group."""
        kind, key, value = hint(group)
        if kind != "label" or not isinstance(group, KubernetesPods) or group.namespaces is not None:
            return likely(group, group.candidates(view))
        if view.pods is not self._pods:
            self._pods = view.pods
            self._known.clear()
        place = (group.namespace, key)
        if place not in self._known:
            held: dict[str, list[Pod]] = {}
            for pod in group.candidates(view):
                if key in pod.labels:
                    held.setdefault(pod.labels[key], []).append(pod)
            self._known[place] = held
        return self._known[place].get(value, ())


def _required(selector: Selector | None) -> tuple[str, str] | None:
    """Return a label that a selector requires with one value, or None."""
    for each in selector.requirements if selector is not None else ():
        if each.operator == "In" and len(each.values) == 1:
            return each.key, each.values[0]
    return None


class Groups:
    """The groups that anybody asks for, each with its entries and how many programs have them."""

    def __init__(self) -> None:
        self._by_hint: dict[Hint, dict[Group, dict[Entry, int]]] = {}

    def count(self, entry: Entry, by: int) -> bool:
        """Count programs that have an entry; True where it came or went."""
        place = self._by_hint.setdefault(hint(entry.group), {})
        entries = place.setdefault(entry.group, {})
        before = entries.get(entry, 0)
        entries[entry] = before + by
        if not entries[entry]:
            del entries[entry]
        if not entries:
            del place[entry.group]
        return before == 0 or before + by == 0

    def of(self, candidate: Candidate) -> Iterator[Entry]:
        """Yield the entries whose groups have a pod."""
        for key in self._hints(candidate):
            for group, entries in self._by_hint.get(key, {}).items():
                if group.has(candidate):
                    yield from entries

    def _hints(self, candidate: Candidate) -> Iterator[Hint]:
        yield ANYTHING
        yield "in", candidate.pod.namespace, ""
        labels = dict.fromkeys((*candidate.pod.labels.items(), *candidate.calico_labels.items()))
        yield from (("label", key, value) for key, value in labels)
        yield from (("space", key, value) for key, value in candidate.namespace_labels.items())
