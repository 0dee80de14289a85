"""What an operator says about addresses: IPPool, IPReservation, IPAMConfiguration (projectcalico.org/v3).

What lives here: values, refused where Calico's API would refuse; ``crd.projectcalico.org/v1`` is read alike
(there IPAMConfiguration is called IPAMConfig). What it must not know: blocks, who gets an address.
Sources: api/pkg/apis/projectcalico/v3, libcalico-go/lib/clientv3/ippool.go, lib/ipam/ipam.go (SetIPAMConfig).
"""

from collections.abc import Iterable, Mapping
from ipaddress import ip_network
from typing import Any, Self

import msgspec

from octet.cluster.expression import Expression, expression
from octet.cluster.reading import Address, Fields, Network, read
from octet.errors import BadConfigurationError

MODES = ("Never", "Always", "CrossSubnet")
WORKLOAD, TUNNEL, LOAD_BALANCER = "Workload", "Tunnel", "LoadBalancer"
USES = (WORKLOAD, TUNNEL, LOAD_BALANCER)
AUTOMATIC, MANUAL = "Automatic", "Manual"
BLOCK_SIZES = {4: (20, 26, 32), 6: (116, 122, 128)}
"""Smallest, usual and largest prefix length of a block, by family."""

LINK_LOCAL = (ip_network("169.254.0.0/16"), ip_network("fe80::/10"))
MOST_BLOCKS = 20
"""Blocks of a node where ``maxBlocksPerHost`` is 0 (ipam.go; the manual says otherwise, calico#9462)."""

LONGEST_COOLDOWN = 1200
"""Seconds, of ``ipCooldownSeconds``."""

CONFIG = "default"
"""The one name of IPAMConfiguration."""


class IPPool(msgspec.Struct, frozen=True, gc=False):
    """A CIDR that is handed out in blocks.

    Attributes:
        created: ``metadata.creationTimestamp``: of two pools that overlap the older one counts.
        block_size: prefix length of its blocks.
        vxlan_mode, ipip_mode: of MODES, at most one other than ``Never``.
        nat_outgoing: masquerade what its pods send to where no pool is.
        disabled: nothing is handed out; its pods stay, and it still counts as inside the cluster.
        no_bgp: its routes aren't exported (``disableBGPExport``).
        nodes, namespaces: who may use it; None is everybody.
        uses: of USES.
        automatic: handed out to who didn't ask for it by name (``assignmentMode``).
        allocatable: false where Calico says so in the status (it overlaps another pool).
    """

    name: str
    cidr: Network
    created: str = ""
    block_size: int = 26
    vxlan_mode: str = "Never"
    ipip_mode: str = "Never"
    nat_outgoing: bool = False
    disabled: bool = False
    no_bgp: bool = False
    nodes: Expression | None = None
    namespaces: Expression | None = None
    uses: tuple[str, ...] = (WORKLOAD, TUNNEL)
    automatic: bool = True
    allocatable: bool = True

    @classmethod
    def from_object(cls, item: Mapping[str, Any]) -> Self:
        """Read an IPPool; raises BadConfigurationError naming the field."""
        fields, metadata = read("IPPool", item)
        spec = fields.child("spec")
        cidr = _pool_cidr(spec)
        for key in ("ipip", "nat-outgoing"):
            if key in spec:
                raise spec.refusal(key, "is a field of Calico's first API; nothing may set it")
        return cls(
            name=metadata.text("name"),
            cidr=cidr,
            created=metadata.text("creationTimestamp"),
            block_size=_block_size(spec, cidr),
            nat_outgoing=spec.flag("natOutgoing"),
            disabled=spec.flag("disabled"),
            no_bgp=spec.flag("disableBGPExport"),
            nodes=expression(spec, "nodeSelector"),
            namespaces=expression(spec, "namespaceSelector"),
            uses=_uses(spec),
            automatic=spec.choice("assignmentMode", (AUTOMATIC, MANUAL), AUTOMATIC) == AUTOMATIC,
            allocatable=_allocatable(fields.child("status")),
            **_modes(spec, cidr),
        )

    @property
    def key(self) -> tuple[str, str]:
        """("", name): pools are in no namespace."""
        return "", self.name

    @property
    def capacity(self) -> int:
        """How many blocks it has room for."""
        return 1 << max(0, self.block_size - self.cidr.prefixlen)


class IPReservation(msgspec.Struct, frozen=True, gc=False):
    """Addresses that are never handed out unasked; who asks for one by name gets it."""

    name: str
    cidrs: tuple[Network, ...] = ()

    @classmethod
    def from_object(cls, item: Mapping[str, Any]) -> Self:
        """Read an IPReservation; raises BadConfigurationError naming the field."""
        fields, metadata = read("IPReservation", item)
        return cls(metadata.text("name"), fields.child("spec").networks("reservedCIDRs"))

    @property
    def key(self) -> tuple[str, str]:
        """("", name): reservations are in no namespace."""
        return "", self.name


class IPAMConfiguration(msgspec.Struct, frozen=True, gc=False):
    """How blocks are shared; the one object is called ``default``, and without it the defaults hold.

    Attributes:
        strict_affinity: no address of another node's block.
        claims: may a node take blocks (``autoAllocateBlocks``)?
        most_blocks: of one node.
        cooldown: seconds for which a freed address is nobody's.
    """

    name: str = CONFIG
    strict_affinity: bool = False
    claims: bool = True
    most_blocks: int = MOST_BLOCKS
    cooldown: int = 0

    @classmethod
    def from_object(cls, item: Mapping[str, Any]) -> Self:
        """Read an IPAMConfiguration or IPAMConfig; raises BadConfigurationError naming the field."""
        fields, metadata = read("IPAMConfiguration", item)
        if metadata.text("name") != CONFIG:
            raise metadata.refusal("name", f"must be {CONFIG}: there is one for the cluster")
        spec = fields.child("spec")
        strict, claims = spec.flag("strictAffinity"), spec.flag("autoAllocateBlocks", default=True)
        most = spec.number("maxBlocksPerHost", high=1_000_000)
        if not strict and not claims:
            problem = "without strictAffinity nobody would ever get a block"
            raise spec.refusal("autoAllocateBlocks", problem, hint="strictAffinity: true would do")
        if most and not strict:
            problem = "limits nothing while nodes may borrow"
            raise spec.refusal("maxBlocksPerHost", problem, hint="strictAffinity: true would do")
        cooldown = spec.number("ipCooldownSeconds", high=LONGEST_COOLDOWN)
        return cls(CONFIG, strict, claims, most or MOST_BLOCKS, cooldown)

    @property
    def key(self) -> tuple[str, str]:
        """("", name): the configuration is in no namespace."""
        return "", self.name


def allocatable(pools: Iterable[IPPool]) -> tuple[IPPool, ...]:
    """Return the pools that count, by name: of those that overlap, the oldest; none that Calico rules out."""
    kept: list[IPPool] = []
    for pool in sorted(pools, key=lambda each: (each.created, each.name)):
        if pool.allocatable and not any(overlap(pool.cidr, other.cidr) for other in kept):
            kept.append(pool)
    return tuple(sorted(kept, key=lambda each: each.name))


def pool_of(pools: Iterable[IPPool], address: Address) -> IPPool | None:
    """Return the pool that an address is in, or None."""
    for pool in pools:
        if address.version == pool.cidr.version and address in pool.cidr:
            return pool
    return None


def refuse_change(old: IPPool | None, new: IPPool, others: Iterable[IPPool]) -> None:
    """Refuse what no single object shows: a changed CIDR or block size, a CIDR that overlaps another pool's.

    Args:
        old: the pool before; None where it is new.
        new: the pool as somebody wants it.
        others: every other pool.

    Raises:
        BadConfigurationError: naming the field.
    """
    owner = f"IPPool {new.name}"
    if old is not None and old.cidr != new.cidr:
        raise BadConfigurationError(owner, "spec.cidr", str(new.cidr), f"is {old.cidr} and cannot change")
    if old is not None and old.block_size != new.block_size:
        problem = f"is {old.block_size} and cannot change: blocks of that size exist"
        raise BadConfigurationError(owner, "spec.blockSize", new.block_size, problem)
    if old is not None and LOAD_BALANCER in old.uses and set(new.uses) - {LOAD_BALANCER}:
        problem = "a pool for load balancers stays one"
        raise BadConfigurationError(owner, "spec.allowedUses", list(new.uses), problem)
    for other in others:
        if old is None and other.name != new.name and overlap(new.cidr, other.cidr):
            problem = f"overlaps {other.cidr} of IPPool {other.name}"
            raise BadConfigurationError(owner, "spec.cidr", str(new.cidr), problem)


def overlap(one: Network, other: Network) -> bool:
    """Have two networks an address in common?"""
    return one.version == other.version and one.overlaps(other)


def _pool_cidr(spec: Fields) -> Network:
    cidr = spec.network("cidr")
    if _has_host_bits(spec):
        raise spec.refusal("cidr", "has bits set behind the prefix", hint=f"{cidr} would do")
    if any(overlap(cidr, each) for each in LINK_LOCAL):
        raise spec.refusal("cidr", "overlaps the link-local addresses")
    return cidr


def _has_host_bits(spec: Fields) -> bool:
    try:
        ip_network(spec.text("cidr"))
    except ValueError:
        return True
    return False


def _block_size(spec: Fields, cidr: Network) -> int:
    low, usual, high = BLOCK_SIZES[cidr.version]
    size = spec.number("blockSize", usual, low=0, high=high) or usual
    if size < low:
        raise spec.refusal("blockSize", f"must be from {low} to {high} for IPv{cidr.version}")
    if cidr.prefixlen > size and not spec.flag("disabled"):
        raise spec.refusal("cidr", f"is smaller than one block, a /{size}")
    return size


def _modes(spec: Fields, cidr: Network) -> dict[str, str]:
    vxlan, ipip = (spec.choice(key, MODES, "Never") for key in ("vxlanMode", "ipipMode"))
    if "Never" not in {vxlan, ipip}:
        raise spec.refusal("vxlanMode", "a pool has one tunnel: ipipMode is not Never")
    if ipip != "Never" and cidr.version == 6:
        raise spec.refusal("ipipMode", "IPIP carries IPv4 only")
    return {"vxlan_mode": vxlan, "ipip_mode": ipip}


def _uses(spec: Fields) -> tuple[str, ...]:
    uses = spec.texts("allowedUses") or (WORKLOAD, TUNNEL)
    if not set(uses) <= set(USES):
        raise spec.refusal("allowedUses", f"must be of {', '.join(USES)}")
    if LOAD_BALANCER in uses and len(set(uses)) > 1:
        raise spec.refusal("allowedUses", f"{LOAD_BALANCER} cannot stand beside another use")
    return tuple(each for each in USES if each in uses)


def _allocatable(status: Fields) -> bool:
    conditions = status.children("conditions")
    return all(each.text("status") != "False" for each in conditions if each.text("type") == "Allocatable")


__all__ = [
    "AUTOMATIC",
    "BLOCK_SIZES",
    "CONFIG",
    "LOAD_BALANCER",
    "MANUAL",
    "MODES",
    "TUNNEL",
    "WORKLOAD",
    "IPAMConfiguration",
    "IPPool",
    "IPReservation",
    "allocatable",
    "overlap",
    "pool_of",
    "refuse_change",
]
