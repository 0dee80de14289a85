"""What an installer allows: its steps read for the versions that an operator has, or may have.

What lives here: pure answers in three values. What it must not know: what a provider can do by itself.
"""

from collections.abc import Iterator, Sequence
from functools import cache

from octet.choose.facts import catalogue
from octet.choose.facts.values import Certainty, Provider, Step, Support, Truth
from octet.choose.requirements import Requirements

COMPLETE = frozenset({"kops", "k3s", "kind", "eks"})
"""Installers whose steps the facts list for every provider: no step means that it was never built in. k3s,
kind and EKS each bring one provider; kubeadm brings none, so there it makes no difference."""

version = cache(catalogue.version)
"""As the catalogue's: a hundred decisions compare the same few versions."""

ANY = "0"
"""A version below every condition."""


def of(provider: Provider, installer: str) -> tuple[Step, ...]:
    """Return an installer's steps with a provider, oldest version first; those of one version as written."""
    mine = (step for step in provider.steps if step.installer == installer)
    return tuple(sorted(mine, key=lambda step: version(step.version)))


def at(steps: Sequence[Step], installer_version: str, kubernetes: str) -> Step | None:
    """Return the step in force for these versions; None where the first one has not been taken yet."""
    held = None
    for step in steps:
        reached = version(step.version) <= version(installer_version)
        if reached and (not step.kubernetes or version(step.kubernetes) <= version(kubernetes)):
            held = step
    return held


def in_force(requirements: Requirements, steps: Sequence[Step]) -> tuple[Step | None, ...]:
    """Return each step that may be in force, given the versions that are known; one if all is known."""
    found = [
        at(steps, installer_version, kubernetes)
        for installer_version in _installer_versions(requirements, steps)
        for kubernetes in _kubernetes_versions(requirements, steps)
    ]
    return tuple(dict.fromkeys(found))


def _installer_versions(requirements: Requirements, steps: Sequence[Step]) -> Iterator[str]:
    """Yield every version that makes a difference. kops installs no Kubernetes newer than itself."""
    if requirements.installer_version is not None:
        yield requirements.installer_version
        return
    least = requirements.kubernetes or ANY
    if requirements.kubernetes is not None:
        yield requirements.kubernetes
    yield from (step.version for step in steps if version(step.version) >= version(least))


def _kubernetes_versions(requirements: Requirements, steps: Sequence[Step]) -> Iterator[str]:
    if requirements.kubernetes is not None:
        yield requirements.kubernetes
        return
    yield ANY
    yield from (step.kubernetes for step in steps if step.kubernetes)


def allows(step: Step | None) -> Truth:
    """Tell whether a step lets users take the provider; before the first step they can't."""
    if step is None:
        return Truth.NO
    if step.certainty is Certainty.UNVERIFIED:
        return Truth.UNKNOWN
    return Truth.NO if step.state is Support.REMOVED else Truth.YES


def together(truths: Sequence[Truth]) -> Truth:
    """Return what holds in every case: yes or no if all say so, else unknown."""
    return truths[0] if truths and len(set(truths)) == 1 else Truth.UNKNOWN
