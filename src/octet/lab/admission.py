"""What an API server with Calico's kinds would refuse, refused where a lab takes objects.

What lives here: the checks that need more than one object. What it must not know: how objects are kept.
"""

from collections.abc import Mapping
from typing import Any

from octet.cluster import objects
from octet.cluster.calico import DEFAULT_TIER, CalicoNetworkPolicy
from octet.cluster.objects import IPAM_KINDS, IPPool
from octet.cluster.pools import refuse_change
from octet.errors import BadConfigurationError
from octet.lab.directory import Directory

TIERED = ("CalicoNetworkPolicy", "GlobalNetworkPolicy", "StagedNetworkPolicy", "StagedGlobalNetworkPolicy")
"""Kinds that stand in a tier."""


async def admit(kind: str, item: Mapping[str, Any], directory: Directory) -> None:
    """Refuse an object of Calico's IPAM that contradicts itself, what it was, or the other pools.

    A policy is refused whose tier is not there (libcalico-go, clientv3/networkpolicy.go).

    Raises:
        BadConfigurationError: naming object, field and value.
    """
    if kind in TIERED:
        await _has_tier(getattr(objects, kind).from_object(item), directory)
    if kind not in IPAM_KINDS:
        return
    wanted = getattr(objects, kind).from_object(item)
    if isinstance(wanted, IPPool):
        pools = [pool for each in await directory.list(kind) if (pool := _readable(each)) is not None]
        old = next((pool for pool in pools if pool.name == wanted.name), None)
        refuse_change(old, wanted, pools)


async def _has_tier(policy: CalicoNetworkPolicy, directory: Directory) -> None:
    names = [DEFAULT_TIER, *(each["metadata"]["name"] for each in await directory.list("Tier"))]
    if policy.tier not in names:
        what = " ".join((policy.kind, "/".join(filter(None, policy.key))))
        hint = f"there are {', '.join(names)}"
        raise BadConfigurationError(what, "spec.tier", policy.tier, "is no tier's name", hint=hint)


def _readable(item: Mapping[str, Any]) -> IPPool | None:
    try:
        return IPPool.from_object(item)
    except BadConfigurationError:
        return None
