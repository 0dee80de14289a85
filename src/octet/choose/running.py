"""How to run the answer now, and what is missing that would make it surer.

What lives here: command lines and sentences. What it must not know: whether any of it is installed.
"""

from collections.abc import Iterable, Sequence

from octet import models
from octet.choose import steps
from octet.choose.criteria import MEASURED
from octet.choose.decision import Missing, Run
from octet.choose.facts.catalogue import INSTALLERS
from octet.choose.facts.values import Provider, Truth
from octet.choose.figures import Figures
from octet.choose.ranking import Standing
from octet.choose.requirements import NOTHING_TO_LEAVE, Requirements

COMPARE = "octet compare"

SWITCHING = (
    "Going from one CNI provider to another interrupts the network, and objects of the old one stay behind, "
    "even its DaemonSet; from kubenet, roll the nodes (kubernetes/kops docs/networking.md, 2026-08-22)."
)

TOGETHER = {
    "encryption": "encryption",
    "multicast": "multicast",
    "windows": "Windows nodes",
    "bgp": "BGP with your routers",
    "udp_only": "UDP only between nodes",
    "kube_proxy_replacement": "kube-proxy's work",
}
"""Needs that a provider may meet each by another data path: two facts are no proof of both at once."""

KUBERNETES_NODES = 5000
LARGE = (
    f"Kubernetes itself supports {KUBERNETES_NODES:,} nodes a cluster, whatever its network "
    "(kubernetes.io setup/best-practices/cluster-large, of Kubernetes 1.35, 2026-11-26)."
)


def our_model(provider: Provider) -> str:
    """Return the name of our model of a provider; empty where the table has none."""
    return provider.model if any(model.name == provider.model for model in models.MODELS) else ""


def run(provider: Provider, requirements: Requirements) -> Run:
    """Return how to run our model of a provider, and how to get the provider itself."""
    model = our_model(provider)
    title = provider.title
    if model:
        command = f"octet lab up --model {model}"
        note = f"our model of {title} (octet {model}) in a lab on this machine, not {title} itself"
    else:
        command = ""
        note = f"Octet has no model of {title}" + (" yet" if provider.model else "")
    return Run(
        provider=provider.name,
        title=provider.title,
        octet=command,
        note=note,
        original=_original(provider, requirements),
    )


def _original(provider: Provider, requirements: Requirements) -> tuple[str, ...]:
    installer = next((each for each in INSTALLERS if each.name == requirements.installer), None)
    source = _text(provider, "repository")
    manifest = (
        f"{provider.title}'s own manifest: github.com/{source}"
        if source
        else f"{provider.title}'s own manifest"
    )
    if installer is None:
        return (manifest,)
    found = steps.in_force(requirements, steps.of(provider, installer.name))
    held = [step for step in found if step is not None and steps.allows(step) is Truth.YES]
    if not held:
        return (f"{installer.title}: {installer.how}", manifest)
    flag, name = _text(provider, f"{installer.name}-flag"), _text(provider, f"{installer.name}-name")
    if flag and name:
        return (
            f"kops create cluster --networking {flag} ...",
            f"in a cluster's spec: networking: {{ {name}: {{}} }}",
        )
    return (f"{installer.title} brings it: {held[-1].source}",)


def _text(provider: Provider, key: str) -> str:
    fact = provider.facts.get(key)
    return str(fact.value) if fact is not None and fact.truth is Truth.YES else ""


def missing(standing: Standing, figures: Figures) -> tuple[Missing, ...]:
    """Return what isn't known and would make the answer surer."""
    found = [_measurements(standing, figures)]
    for option in (*(each for each in standing.race if each.doubts), *standing.waiting):
        first = option.doubts[0]
        text = (
            f"{option.provider.title} waits for a proof: {'; '.join(each.because for each in option.doubts)}"
        )
        place = first.evidence[0].source if first.evidence else ""
        found.append(
            Missing(id=f"verify:{option.name}", text=f"{text} (looked for in: {place})" if place else text)
        )
    return tuple(each for each in found if each is not None)


def _measurements(standing: Standing, figures: Figures) -> Missing | None:
    if figures.measured is None:
        text = "nothing was measured on this machine: the order stands on facts alone"
        return Missing(id="measurements", text=text, command=COMPARE)
    names = (*(option.name for option in standing.race), *sorted(standing.dominated))
    race = [standing.options[name] for name in names]
    known = {
        name
        for option in standing.options.values()
        for name, scored in option.scores.items()
        if name in MEASURED and scored.known
    }
    left_out = [name for name in sorted(known) if any(not option.scores[name].known for option in race)]
    silent = [option.provider for option in race if any(not option.scores[name].known for name in left_out)]
    if not silent:
        return None
    can = [provider for provider in silent if our_model(provider)]
    parts = [f"not measured for {_titles(silent)}: {', '.join(left_out)} left out of the ranking"]
    if len(can) < len(silent):
        parts.append(f"Octet has no model of {_titles(each for each in silent if each not in can)}")
    command = f"{COMPARE} --candidates {','.join(map(our_model, can))}" if can else ""
    return Missing(id="measurements", text="; ".join(parts), command=command)


def _titles(providers: Iterable[Provider]) -> str:
    return ", ".join(provider.title for provider in providers)


def notes(requirements: Requirements, leaders: Sequence[Provider], figures: Figures) -> tuple[str, ...]:
    """Return what must be known beside the answer."""
    found = []
    if figures.measured is not None and figures.measured.other_machine:
        found.append(f"The figures are of another machine: {figures.measured.other_machine}.")
    if requirements.leaving not in {None, NOTHING_TO_LEAVE}:
        found.append(SWITCHING)
    if requirements.nodes and (requirements.nodes_in_two_years or requirements.nodes) < requirements.nodes:
        found.append(f"You expect fewer nodes than there are: {requirements.nodes:,} are what was judged by.")
    if (requirements.most_nodes or 0) > KUBERNETES_NODES:
        found.append(LARGE)
    together = [words for field, words in TOGETHER.items() if getattr(requirements, field) is True]
    if len(together) > 1:
        found.append(
            f"Each of {', '.join(together[:-1])} and {together[-1]} is a fact by itself; that they work "
            "together was not looked up: try it before you rely on it."
        )
    for provider in leaders:
        fact = provider.facts.get("kops-kube-proxy-off")
        if requirements.installer == "kops" and fact is not None and fact.truth is Truth.YES:
            found.append(f"{provider.title} in kops: kube-proxy must be off ({fact.source}, {fact.as_of}).")
    return tuple(found)
