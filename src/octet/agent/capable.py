"""Can this kernel do what is needed? Asked at the start, and again of whatever the cluster asks for later.

What lives here: the refusal, by name. What it must not know: how a feature is probed, which model it is.
"""

import logging

from octet.agent.config import Config
from octet.blueprint import Blueprint
from octet.errors import BadConfigurationError
from octet.kernel import features
from octet.models.needs import needs, of

log = logging.getLogger(__name__)

ONLY_ASKED_FOR = frozenset({"tbf", "ifb", "redirect"})
"""Features of the bandwidth capability: a node without them serves every pod that does not ask for limits."""


def insist(config: Config, source: str) -> None:
    """Refuse a model that this kernel cannot be; what could not be told is tried.

    Raises:
        BadConfigurationError: names every missing feature and the first kernel that has it.
    """
    networks = config.running.networks.stated or config.pod_cidrs
    families: tuple[int, ...] = tuple(sorted({network.version for network in networks}))
    if not families and config.running.blocks is not None:
        families = config.running.blocks.families
    needed = needs(config.running, families)
    missing = features.lacking(name for name in needed if name not in ONLY_ASKED_FOR)
    if missing:
        hint = "`octet doctor` shows what this kernel can do"
        problem = "; ".join(missing)
        raise BadConfigurationError(source, "model.name", config.model, problem, hint=hint)
    for each in features.lacking(name for name in needed if name in ONLY_ASKED_FOR):
        log.warning("bandwidth limits cannot be had", extra={"lacking": each})


def refuse(wanted: Blueprint) -> None:
    """Refuse what a cluster's objects ask for and this kernel lacks: tunnels of a pool, or through a router.

    Raises:
        BadConfigurationError: names what is missing, the first kernel that has it, and what would do without.
    """
    missing = features.lacking(sorted(of(wanted) - ONLY_ASKED_FOR))
    if missing:
        first = next(str(item) for item in wanted if features.lacking(of([item]) - ONLY_ASKED_FOR))
        hint = "`octet doctor` shows what this kernel can do"
        raise BadConfigurationError("this node", "to hold", first, "; ".join(missing), hint=hint)
