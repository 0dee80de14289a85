"""What nodes agree on about addresses: IPAMBlock, BlockAffinity, IPAMHandle (crd.projectcalico.org/v1).

What lives here: values that read and write Calico's shapes, so that its data can be taken over and handed
back; fields that we have no meaning for are kept. What it must not know: who gets an address, pools.
Sources: libcalico-go/lib/apis/internalapi, lib/backend/k8s/resources (names, an affinity's textual deleted).
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Self

import msgspec

from octet.cluster.reading import NOTHING, Address, Fields, Network, Words, read

VERSION = "crd.projectcalico.org/v1"
HOST = "host:"
"""Begins the affinity of a block that is a node's; ``virtual:`` is for load balancers."""

PENDING, CONFIRMED, PENDING_DELETION = "pending", "confirmed", "pendingDeletion"
STATES = (PENDING, CONFIRMED, PENDING_DELETION)
LONGEST_NAME = 252  # bytes of an affinity's name, beyond which its node's name is shortened

_NO_FIELDS: Mapping[str, Any] = {}
_ATTRIBUTE = frozenset({"handle_id", "secondary", "releasedAt"})
_BLOCK = frozenset(
    {
        *("cidr", "affinity", "affinityClaimTime", "allocations", "unallocated", "attributes"),
        *("sequenceNumber", "sequenceNumberForAllocation", "deleted", "strictAffinity"),
    }
)


class Allocation(msgspec.Struct, frozen=True):
    """What a block says about one address that is not free.

    Attributes:
        handle: whose it is; empty where nobody's (stock, or cooling down).
        owner: Calico's attributes: ``node``, ``namespace``, ``pod``, ``timestamp``, ``type``, ``note``.
        released: when it was given up, as RFC 3339; empty while it is used.
        sequence: the block's sequence number when it was allocated.
        other: fields that we have no meaning for.
    """

    handle: str = ""
    owner: Words = NOTHING
    released: str = ""
    sequence: int = 0
    other: Mapping[str, Any] = _NO_FIELDS

    @property
    def node(self) -> str:
        """The node that it is on; empty where it doesn't say."""
        return self.owner.get("node", "")


class Block(msgspec.Struct, frozen=True):
    """A block with every address in it: the one thing that compare-and-swap is about.

    Attributes:
        affinity: ``host:NODE``, ``virtual:NAME``, or empty: nobody's, but with addresses in use.
        claimed: when affinity was claimed, as RFC 3339.
        slots: what each address is allocated to, by its position; None is free.
        free: positions of free addresses, the longest free first.
        sequence: goes up with each write.
        deleted: somebody is about to delete it (Calico's way before it deletes).
        revision: of the store, for compare-and-swap.
        other: fields that we have no meaning for.
        metadata: labels, annotations and the like, as they were.
    """

    cidr: Network
    affinity: str = ""
    claimed: str = ""
    slots: tuple[Allocation | None, ...] = ()
    free: tuple[int, ...] = ()
    sequence: int = 0
    deleted: bool = False
    revision: str = ""
    other: Mapping[str, Any] = _NO_FIELDS
    metadata: Mapping[str, Any] = _NO_FIELDS

    @classmethod
    def from_object(cls, item: Mapping[str, Any]) -> Self:
        """Read an IPAMBlock; raises BadConfigurationError where it contradicts itself."""
        fields, metadata = read("IPAMBlock", item)
        spec, raw = fields.child("spec"), item.get("spec") or {}
        cidr = spec.network("cidr")
        slots = _slots(spec, raw, cidr)
        return cls(
            cidr=cidr,
            affinity=spec.text("affinity"),
            claimed=spec.text("affinityClaimTime"),
            slots=slots,
            free=_free(spec, raw, slots),
            sequence=spec.number("sequenceNumber", high=(1 << 64) - 1),
            deleted=spec.flag("deleted"),
            revision=metadata.text("resourceVersion"),
            other={key: value for key, value in raw.items() if key not in _BLOCK},
            metadata={key: value for key, value in item["metadata"].items() if key != "resourceVersion"},
        )

    def to_object(self) -> dict[str, Any]:
        """Return it as Calico writes it; equal allocations share one attribute."""
        attributes: list[dict[str, Any]] = []
        indexes: dict[str, int] = {}
        allocations: list[int | None] = []
        for slot in self.slots:
            if slot is None:
                allocations.append(None)
                continue
            attribute = _attribute(slot)
            index = indexes.setdefault(repr(attribute), len(attributes))
            if index == len(attributes):
                attributes.append(attribute)
            allocations.append(index)
        sequences = {str(at): slot.sequence for at, slot in enumerate(self.slots) if slot is not None}
        spec = {
            **self.other,
            "cidr": str(self.cidr),
            **({"affinity": self.affinity} if self.affinity else {}),
            **({"affinityClaimTime": self.claimed} if self.claimed else {}),
            "allocations": allocations,
            "unallocated": list(self.free),
            "attributes": attributes,
            "sequenceNumber": self.sequence,
            "sequenceNumberForAllocation": sequences,
            "deleted": self.deleted,
            "strictAffinity": False,
        }
        metadata = {**self.metadata, "name": self.name}
        return _object("IPAMBlock", metadata, self.revision, spec)

    @property
    def name(self) -> str:
        """The object's name: what it has, or Calico's for its CIDR."""
        return str(self.metadata.get("name") or cidr_name(self.cidr))

    @property
    def host(self) -> str:
        """The node whose block it is; empty where it is no node's."""
        return self.affinity.removeprefix(HOST) if self.affinity.startswith(HOST) else ""

    @property
    def empty(self) -> bool:
        """Is every address free?"""
        return all(slot is None for slot in self.slots)

    def address(self, position: int) -> Address:
        """Return the address at a position."""
        return self.cidr[position]

    def position(self, address: Address) -> int:
        """Return the position of an address that lies in this block."""
        return int(address) - int(self.cidr.network_address)

    def at(self, address: Address) -> Allocation | None:
        """Return what an address is allocated to; None where it is free."""
        return self.slots[self.position(address)]


class Affinity(msgspec.Struct, frozen=True):
    """A node's claim of a block; only a confirmed one is routed.

    Attributes:
        state: of STATES.
        type: ``host``, or ``virtual``.
        deleted: somebody is about to delete it.
        revision: of the store, for compare-and-swap.
    """

    node: str
    cidr: Network
    state: str = PENDING
    type: str = "host"
    deleted: bool = False
    revision: str = ""
    metadata: Mapping[str, Any] = _NO_FIELDS

    @classmethod
    def from_object(cls, item: Mapping[str, Any]) -> Self:
        """Read a BlockAffinity; raises BadConfigurationError naming the field."""
        fields, metadata = read("BlockAffinity", item)
        spec = fields.child("spec")
        deleted = (item.get("spec") or {}).get("deleted")
        return cls(
            node=spec.text("node"),
            cidr=spec.network("cidr"),
            state=spec.choice("state", STATES, PENDING),
            type=spec.text("type") or "host",
            deleted=deleted is True or deleted == "true",
            revision=metadata.text("resourceVersion"),
            metadata={key: value for key, value in item["metadata"].items() if key != "resourceVersion"},
        )

    def to_object(self) -> dict[str, Any]:
        """Return it as Calico writes it; ``deleted`` is a text in this version of the API."""
        spec = {
            "state": self.state,
            "node": self.node,
            "type": self.type,
            "cidr": str(self.cidr),
            "deleted": "true" if self.deleted else "false",
        }
        return _object("BlockAffinity", {**self.metadata, "name": self.name}, self.revision, spec)

    @property
    def name(self) -> str:
        """The object's name: what it has, or node and CIDR, with a digest where that is too long."""
        if held := self.metadata.get("name"):
            return str(held)
        cidr = cidr_name(self.cidr)
        name = f"{self.node}-{cidr}"
        if len(name) <= LONGEST_NAME:
            return name
        digest = hashlib.sha256(f"{self.node}+{cidr}".encode()).hexdigest()[:11]
        return f"{self.node[: LONGEST_NAME - len(cidr) - 13]}-{cidr}-{digest}"

    @property
    def routed(self) -> bool:
        """Do packets to this block go to the node, if the block says that it is the node's?

        While somebody tries to delete it they do: the block may turn out to be in use.
        """
        return self.state != PENDING and not self.deleted and self.type == "host"


class Handle(msgspec.Struct, frozen=True):
    """The blocks that one handle has addresses in, and how many in each."""

    handle: str
    blocks: Mapping[str, int]
    deleted: bool = False
    revision: str = ""
    metadata: Mapping[str, Any] = _NO_FIELDS

    @classmethod
    def from_object(cls, item: Mapping[str, Any]) -> Self:
        """Read an IPAMHandle; raises BadConfigurationError naming the field."""
        fields, metadata = read("IPAMHandle", item)
        spec, raw = fields.child("spec"), item.get("spec") or {}
        blocks = raw.get("block") or {}
        if not isinstance(blocks, Mapping) or not all(_whole(count) for count in blocks.values()):
            raise spec.refusal("block", "must be counts of addresses by CIDR")
        return cls(
            handle=spec.text("handleID"),
            blocks=dict(blocks),
            deleted=spec.flag("deleted"),
            revision=metadata.text("resourceVersion"),
            metadata={key: value for key, value in item["metadata"].items() if key != "resourceVersion"},
        )

    def to_object(self) -> dict[str, Any]:
        """Return it as Calico writes it."""
        spec = {"handleID": self.handle, "block": dict(self.blocks), "deleted": self.deleted}
        metadata = {**self.metadata, "name": handle_name(self.handle)}
        return _object("IPAMHandle", metadata, self.revision, spec)


def cidr_name(cidr: Network) -> str:
    """Return the name of an object about a CIDR (libcalico-go, names.CIDRToName)."""
    return str(cidr).replace(".", "-").replace(":", "-").replace("/", "-")


def handle_name(handle: str) -> str:
    """Return the name of a handle's object."""
    return handle.lower()


def _object(kind: str, metadata: Mapping[str, Any], revision: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    stamped = {**metadata, "resourceVersion": revision} if revision else dict(metadata)
    return {"apiVersion": VERSION, "kind": kind, "metadata": stamped, "spec": dict(spec)}


def _attribute(slot: Allocation) -> dict[str, Any]:
    return {
        **slot.other,
        **({"handle_id": slot.handle} if slot.handle else {}),
        **({"secondary": dict(slot.owner)} if slot.owner else {}),
        **({"releasedAt": slot.released} if slot.released else {}),
    }


def _slots(spec: Fields, raw: Mapping[str, Any], cidr: Network) -> tuple[Allocation | None, ...]:
    given, attributes = raw.get("allocations") or [], spec.children("attributes")
    if not isinstance(given, list) or len(given) != cidr.num_addresses:
        raise spec.refusal("allocations", f"must have one entry for each address of {cidr}")
    sequences = raw.get("sequenceNumberForAllocation") or {}
    if not isinstance(sequences, Mapping) or not all(_whole(each) for each in sequences.values()):
        raise spec.refusal("sequenceNumberForAllocation", "must be numbers by position")
    others = [_others(each) for each in raw.get("attributes") or []]
    slots: list[Allocation | None] = []
    for at, index in enumerate(given):
        if index is not None and (not _whole(index) or index >= len(attributes)):
            raise spec.refusal(f"allocations[{at}]", "has no such attribute")
        slots.append(_slot(attributes[index], others[index], sequences, at) if index is not None else None)
    return tuple(slots)


def _slot(fields: Fields, other: Mapping[str, Any], sequences: Mapping[str, int], at: int) -> Allocation:
    return Allocation(
        # A host-local migration left carriage returns behind (cni-plugin#821).
        handle=fields.text("handle_id").partition("\r")[0],
        owner=fields.words("secondary"),
        released=fields.text("releasedAt"),
        sequence=sequences.get(str(at), 0),
        other=other,
    )


def _others(attribute: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in attribute.items() if key not in _ATTRIBUTE} or _NO_FIELDS


def _free(spec: Fields, raw: Mapping[str, Any], slots: tuple[Allocation | None, ...]) -> tuple[int, ...]:
    given = raw.get("unallocated") or []
    if not isinstance(given, list) or not all(_whole(each) and each < len(slots) for each in given):
        raise spec.refusal("unallocated", "must be positions in the block")
    if len(set(given)) < len(given) or any(slots[each] is not None for each in given):
        raise spec.refusal("unallocated", "names an address twice, or one that is allocated")
    # What is neither allocated nor listed would be lost for ever: it is free, and the last to be used.
    listed = frozenset(given)
    return (*given, *(at for at, slot in enumerate(slots) if slot is None and at not in listed))


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


__all__ = [
    "CONFIRMED",
    "HOST",
    "PENDING",
    "PENDING_DELETION",
    "Affinity",
    "Allocation",
    "Block",
    "Handle",
    "cidr_name",
    "handle_name",
]
