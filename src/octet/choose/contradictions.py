"""Answers that cannot be true at once: refused at the door, and never tried as an alternative.

What lives here: the table. What it must not know: providers, facts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from octet.choose.facts.catalogue import version
from octet.choose.requirements import Requirements

CLOUDS: Mapping[str, tuple[str, ...]] = {
    "eks": ("aws",),
    "aks": ("azure",),
    "gke": ("gcp",),
    "kops": ("aws", "gcp", "azure", "other-cloud", "bare-metal"),
}
"""Where an installer makes clusters, if not everywhere. EKS, AKS and GKE are their cloud's own; kops makes
machines of a cloud, or takes those of a rack."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """What cannot be.

    Attributes:
        field: the requirement to change.
        problem: why, after the field and its value.
        hint: what would do.
    """

    field: str
    problem: str
    hint: str


def found(requirements: Requirements) -> Contradiction | None:
    """Return the first contradiction; None where there is none."""
    return next((each for rule in RULES if (each := rule(requirements)) is not None), None)


def _version_of_nothing(requirements: Requirements) -> Contradiction | None:
    if requirements.installer_version is None or requirements.installer is not None:
        return None
    problem = "is the version of an installer that isn't named"
    return Contradiction("installer_version", problem, "name the installer, or leave its version out")


def _other_cloud(requirements: Requirements) -> Contradiction | None:
    allowed = CLOUDS.get(requirements.installer or "", ())
    if requirements.cloud is None or not allowed or requirements.cloud in allowed:
        return None
    problem = f"is no place where {requirements.installer} makes clusters"
    return Contradiction("cloud", problem, f"{' or '.join(allowed)}, or another installer")


def _subnets_of_a_laptop(requirements: Requirements) -> Contradiction | None:
    if requirements.cloud != "laptop" or not requirements.private_topology:
        return None
    problem = "cannot be on a laptop: it has no zones with route tables"
    return Contradiction("private_topology", problem, "no, or another place for the nodes")


def _newer_than_kops(requirements: Requirements) -> Contradiction | None:
    """No kops installs a Kubernetes of a newer minor version than its own (kubernetes/kops docs/welcome)."""
    mine, theirs = requirements.installer_version, requirements.kubernetes
    if requirements.installer != "kops" or mine is None or theirs is None:
        return None
    if version(theirs)[:2] <= version(mine)[:2]:
        return None
    problem = f"kops {mine} installs no Kubernetes {theirs}"
    return Contradiction("installer_version", problem, "a kops of that version, or an older Kubernetes")


RULES: tuple[Callable[[Requirements], Contradiction | None], ...] = (
    _version_of_nothing,
    _other_cloud,
    _subnets_of_a_laptop,
    _newer_than_kops,
)
"""Fewer nodes in two years than now is none of them: a cluster may shrink, and the larger number counts."""
