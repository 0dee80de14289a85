"""Which pools a pod's addresses come from: annotations, defaults, selectors, uses, reservations.

What lives here: ``Wish`` (what a pod asks for), ``Rules`` (what the cluster allows), and their meeting.
What it must not know: blocks, what is free.
Sources: design/ipam/ipam-cni.md ("Annotations"), libcalico-go/lib/ipam/pool_qualification.go.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from ipaddress import ip_address, ip_network
from typing import Any

import msgspec

from octet.cluster.expression import Expression
from octet.cluster.pools import WORKLOAD, IPAMConfiguration, IPPool, allocatable, pool_of
from octet.cluster.reading import NOTHING, Address, Network, Words
from octet.cluster.view import View
from octet.errors import BadConfigurationError, NotReadyError

PREFIX = "cni.projectcalico.org/"
POOLS = {4: f"{PREFIX}ipv4pools", 6: f"{PREFIX}ipv6pools"}
ADDRESSES, FAMILIES = f"{PREFIX}ipAddrs", f"{PREFIX}ipFamilies"
REFUSED = (f"{PREFIX}ipAddrsNoIpam", f"{PREFIX}floatingIPs")
"""Annotations that Calico, too, refuses unless they are switched on (``feature_control``)."""

_FAMILY = {"IPv4": 4, "IPv6": 6}
_DEFAULTS = IPAMConfiguration()


@dataclass(frozen=True, slots=True)
class Defaults:
    """What is meant where nobody asks for anything else: Calico's CNI configuration.

    Attributes:
        families: in which a pod gets an address each (``assign_ipv4``, ``assign_ipv6``).
        pools: names or CIDRs by family (``ipv4_pools``, ``ipv6_pools``); none is every pool.
        first: further fields (``spec``) of the pools that are made where there is none at all.
    """

    families: tuple[int, ...] = (4,)
    pools: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    first: Mapping[str, Any] = field(default_factory=dict)

    def within(self, cidrs: Iterable[Network]) -> "Defaults":
        """Return what is meant in a cluster of these networks: in their families only, if there are any."""
        known = {cidr.version for cidr in cidrs}
        return replace(self, families=tuple(each for each in self.families if each in known or not known))

    def first_pools(self, cidrs: Iterable[Network]) -> list[dict[str, Any]]:
        """Return the pools that a cluster begins with: its pod CIDRs, named as calico-node names them.

        Fields of ``first`` that an IPv6 pool cannot have (``ipipMode``) are left out of it.
        """
        return [self._first(cidr) for cidr in cidrs if cidr.version in self.families]

    def _first(self, cidr: Network) -> dict[str, Any]:
        more = {key: value for key, value in self.first.items() if cidr.version == 4 or key != "ipipMode"}
        return {
            "apiVersion": "projectcalico.org/v3",
            "kind": "IPPool",
            "metadata": {"name": f"default-ipv{cidr.version}-ippool"},
            "spec": {"cidr": str(cidr), "natOutgoing": cidr.version == 4, "nodeSelector": "all()", **more},
        }


@dataclass(frozen=True, slots=True)
class Wish:
    """What one pod asks for.

    Attributes:
        families: in which it wants an address each.
        pools: names or CIDRs of the only pools to take from, in order, by family; none is every pool.
        addresses: asked for by name.
        namespace: the labels of its namespace.
    """

    families: tuple[int, ...] = (4,)
    pools: tuple[tuple[int, tuple[str, ...]], ...] = ()
    addresses: tuple[Address, ...] = ()
    namespace: Words = field(default_factory=lambda: NOTHING)

    def named(self, family: int) -> tuple[str, ...]:
        """Return the pools that it names for a family."""
        return dict(self.pools).get(family, ())


@dataclass(frozen=True)
class Rules:
    """What the cluster allows, as one node sees it.

    Attributes:
        node: its name.
        labels: the node's.
        pools: those that count, by name.
        reserved: never handed out unasked.
    """

    node: str
    labels: Words = field(default_factory=lambda: NOTHING)
    pools: tuple[IPPool, ...] = ()
    reserved: tuple[Network, ...] = ()
    config: IPAMConfiguration = _DEFAULTS

    @classmethod
    def of(cls, view: View) -> "Rules":
        """Return what a view says."""
        here = view.here
        reserved = [cidr for each in view.reservations.values() for cidr in each.cidrs]
        return cls(
            node=view.me,
            labels=here.labels if here is not None else NOTHING,
            pools=allocatable(view.pools.values()),
            reserved=tuple(sorted(reserved, key=str)),
            config=next(iter(view.ipam_config.values()), _DEFAULTS),
        )

    @cached_property
    def _enabled(self) -> tuple[IPPool, ...]:
        return tuple(pool for pool in self.pools if not pool.disabled)

    def usable(self, address: Address) -> bool:
        """May an address be given to who didn't ask for it by name?"""
        return not any(address.version == each.version and address in each for each in self.reserved)

    def pool_of(self, address: Address) -> IPPool | None:
        """Return the enabled pool that an address is in, or None."""
        return pool_of(self._enabled, address)

    def qualified(self, wish: Wish, family: int, use: str = WORKLOAD) -> tuple[IPPool, ...]:
        """Return the pools that a pod of this node may have an address from, in the order to try them.

        Pools that it names are not asked whom they select; all others are.

        Raises:
            BadConfigurationError: a pool that it names is not there, or is disabled.
        """
        named = wish.named(family)
        if named:
            found = tuple(self._named(name, family) for name in named)
        else:
            found = tuple(pool for pool in self._enabled if self._selects(pool, wish, family))
        return tuple(pool for pool in found if use in pool.uses)

    def _named(self, name: str, family: int) -> IPPool:
        for pool in self._enabled:
            if pool.cidr.version == family and name in (pool.name, str(pool.cidr)):
                return pool
        problem = f"is no enabled pool of IPv{family}"
        raise BadConfigurationError("addresses", f"ipv{family}pools", name, problem)

    def _selects(self, pool: IPPool, wish: Wish, family: int) -> bool:
        return (
            pool.automatic
            and pool.cidr.version == family
            and _matches(pool.nodes, self.labels)
            and _matches(pool.namespaces, wish.namespace)
        )


def wish(view: View, namespace: str, pod: str, defaults: Defaults) -> Wish:
    """Return what a pod asks for: by its annotations, then its namespace's, then the defaults.

    Raises:
        NotReadyError: the pod, or its namespace, isn't known yet, so that nobody knows what it asks for.
        BadConfigurationError: an annotation says what cannot be, naming pod, annotation and value.
    """
    if not namespace or not pod:
        return _wish("", NOTHING, NOTHING, NOTHING, defaults)
    held, home = view.pods.get((namespace, pod)), view.namespaces.get(namespace)
    if held is None or home is None:
        missing = f"pod {namespace}/{pod}" if held is None else f"namespace {namespace}"
        raise NotReadyError(f"{missing} is not known yet, nor which addresses it asks for")
    return _wish(f"Pod {namespace}/{pod}", held.annotations, home.annotations, home.labels, defaults)


def _wish(owner: str, own: Words, inherited: Words, labels: Words, defaults: Defaults) -> Wish:
    for key in REFUSED:
        if key in own:
            raise BadConfigurationError(owner, key, own[key], "is not supported", hint=f"use {ADDRESSES}")
    families = tuple(_FAMILY.get(each, 0) for each in _texts(owner, FAMILIES, own.get(FAMILIES, "")))
    if 0 in families:
        raise BadConfigurationError(owner, FAMILIES, own[FAMILIES], 'must be of "IPv4", "IPv6"')
    wanted = tuple(sorted(set(families))) or defaults.families
    pools = tuple(
        (family, names)
        for family, key in POOLS.items()
        if (names := _texts(owner, key, own.get(key) or inherited.get(key, "")) or _default(defaults, family))
    )
    return Wish(wanted, pools, _addresses(owner, own.get(ADDRESSES, "")), labels)


def _default(defaults: Defaults, family: int) -> tuple[str, ...]:
    return defaults.pools.get(family, ())


def _texts(owner: str, key: str, text: str) -> tuple[str, ...]:
    """Return the strings of a JSON array in an annotation; nothing where there is none."""
    if not text:
        return ()
    try:
        return msgspec.json.decode(text, type=tuple[str, ...])
    except (msgspec.ValidationError, msgspec.DecodeError):
        problem = "must be a JSON array of strings"
        raise BadConfigurationError(owner, key, text, problem, hint='such as ["pool1"]') from None


def _addresses(owner: str, text: str) -> tuple[Address, ...]:
    try:
        found = tuple(ip_address(each) for each in _texts(owner, ADDRESSES, text))
    except ValueError:
        raise BadConfigurationError(owner, ADDRESSES, text, "must be IP addresses") from None
    if len({each.version for each in found}) < len(found):
        raise BadConfigurationError(owner, ADDRESSES, text, "must be one address of each family at most")
    return found


def _matches(selector: Expression | None, labels: Words) -> bool:
    return selector is None or selector.matches(labels)


def defaults_from(families: Iterable[int], pools: Mapping[int, Iterable[Any]], source: str) -> Defaults:
    """Return defaults out of a model's options; names and CIDRs are told apart when they are looked for.

    Raises:
        BadConfigurationError: a family that there isn't, or something with a slash that is no CIDR.
    """
    found = tuple(sorted(set(families)))
    if not found or not set(found) <= {4, 6}:
        raise BadConfigurationError(source, "families", list(found), "must be of 4, 6")
    named: dict[int, tuple[str, ...]] = {}
    for family, names in pools.items():
        named[family] = tuple(_name(name, family, source) for name in names)
    return Defaults(found, named)


def _name(name: Any, family: int, source: str) -> str:
    text = str(name)
    if "/" not in text:
        return text
    try:
        return str(ip_network(text))
    except ValueError as error:
        raise BadConfigurationError(source, f"ipv{family}_pools", text, str(error)) from error


__all__ = ["Defaults", "Rules", "Wish", "defaults_from", "wish"]
