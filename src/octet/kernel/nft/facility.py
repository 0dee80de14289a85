"""The nftables facility of one network namespace: our one table, read and changed as values.

What lives here: when to ask the kernel, when to believe what we remember, what a refusal becomes.
What it must not know: netlink, features, who wants the objects.
"""

import errno
import os
from collections.abc import Iterable, Iterator

from octet.blueprint import Blueprint, Change, KernelObject
from octet.blueprint.nft import CUT, TABLE, Chain, Element, Map, NftObject, Set, Table
from octet.kernel import conntrack, namespaces
from octet.kernel.nft import raw
from octet.kernel.nft.elements import decode
from octet.kernel.nft.flows import outdated
from octet.kernel.nft.library import Nft, NftError, Output
from octet.kernel.nft.listing import (
    DECLARATIONS,
    LIST,
    Block,
    blocks,
    declaration,
    foreign_chain,
    rehearsal,
)
from octet.kernel.nft.transaction import Declared, arriving, render, sequence
from octet.kernel.port import Failure, Outcome

_STALE = {errno.ENOENT, errno.EEXIST, errno.EBUSY}
"""Refusals which say that the table is not as remembered, so that reading it again helps."""


class NftFacility:
    """Our table in one namespace. Not thread-safe.

    Args:
        namespace: open descriptor of the namespace; None is the calling thread's. It is duplicated.
    """

    atomic = True

    def __init__(self, namespace: int | None = None) -> None:
        if namespace is None:
            self._namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        else:
            self._namespace = os.dup(namespace)
        self._handle: Nft | None = None
        self._socket: raw.Transactions | None = None
        self._declared: Declared | None = None
        self._listings: dict[Chain, Block] = {}

    @property
    def _nft(self) -> Nft:
        """The handle, made at first use: most namespaces of pods never need one."""
        if self._handle is None:
            self._handle = Nft(self._namespace)
        return self._handle

    @property
    def _elements_socket(self) -> raw.Transactions:
        """The socket for changes of elements alone, made at first use."""
        if self._socket is None:
            with namespaces.inside(self._namespace):
                self._socket = raw.Transactions()
        return self._socket

    def handles(self, item: KernelObject) -> bool:
        """Is it something that lives in our table?"""
        return isinstance(item, NftObject)

    def read(self, wanted: Blueprint) -> Iterable[KernelObject]:
        """Return everything in our table; a chain touched by hand reads as unequal to any of ours."""
        try:
            listing = self._nft.run(LIST, output=DECLARATIONS)
        except NftError as error:
            if error.number != errno.ENOENT:
                raise
            self._declared = Declared()
            return []
        found = list(blocks(listing))
        holders = {block.name: declaration(block) for block in found if block.kind != "chain"}
        chains = {chain.name: chain for chain in self._chains(found, wanted)}
        keep = ("nft-table",) in wanted or not (chains or holders)
        self._declared = Declared(True, keep, chains, holders)
        table = [Table()] if keep else []
        return [*table, *holders.values(), *chains.values(), *self._elements(holders)]

    def _elements(self, holders: dict[str, Set | Map]) -> list[Element]:
        if not holders:
            return []
        json = self._nft.run(LIST, output=Output.JSON | Output.STATELESS | Output.NUMERIC_PROTOCOLS)
        return list(decode(json, holders))

    def _chains(self, found: Iterable[Block], wanted: Blueprint) -> Iterator[Chain]:
        """Yield each listed chain: one of ours, if the kernel would list ours like this, else as foreign."""
        listed = [block for block in found if block.kind == "chain"]
        written = self._declared.chains if self._declared else {}
        candidates = {block.name: _candidates(block.name, wanted, written) for block in listed}
        self._rehearse([chain for chains in candidates.values() for chain in chains], wanted)
        for block in listed:
            same = (chain for chain in candidates[block.name] if self._listings.get(chain) == block)
            yield next(same, None) or foreign_chain(block)

    def _rehearse(self, chains: list[Chain], wanted: Blueprint) -> None:
        """Learn how the kernel lists these chains, in a namespace that is thrown away at once."""
        self._listings = {chain: self._listings[chain] for chain in chains if chain in self._listings}
        missing = {chain.name: chain for chain in reversed(chains) if chain not in self._listings}
        if not missing:
            return
        remembered = self._declared.holders if self._declared else {}
        holders = remembered | {item.name: item for item in wanted if isinstance(item, Set | Map)}
        scratch = namespaces.create()
        try:
            with Nft(scratch) as nft:
                nft.run(*rehearsal(missing.values(), holders.values()))
                listing = nft.run(LIST, output=DECLARATIONS)
        except NftError:
            return  # They cannot be made here either: ``apply`` will say so, with nft's words.
        finally:
            os.close(scratch)
        known = {block.name: block for block in blocks(listing) if block.kind == "chain"}
        self._listings |= {chain: known[name] for name, chain in missing.items()}

    def apply(self, change: Change) -> Outcome:
        """Make a change true, or fail with nft's own words.

        In one transaction; where it also takes something away a second one does that (``sequence``).
        """
        if not change:
            return Outcome()
        if self._declared is None:
            self.read(Blueprint())
        try:
            self._commit_in_turn(change)
        except NftError as error:
            return self._again(change, error)
        except ValueError as error:
            return _refused(change, errno.EINVAL, str(error))
        return self._settle(change)

    def _commit_in_turn(self, change: Change) -> None:
        """Commit what is new, then take away what is no more; together where the kernel wants it so.

        It does where new intervals overlap old ones. A refused transaction has changed nothing.
        """
        first, later = sequence(change)
        if not later:
            self._commit(change)
            return
        try:
            self._commit(first)
        except NftError:
            self._commit(change)
        else:
            self._commit(later)

    def _settle(self, change: Change) -> Outcome:
        """Make connections of before follow the change too, where they would never notice it."""
        try:
            conntrack.forget(outdated(change), self._namespace, spared=CUT)
        except OSError as error:
            reason = f"in force, but connections of before go on as they were: {error.strerror}"
            moved = [item for item in _objects(change) if isinstance(item, Element)]
            failed = tuple(Failure(item, error.errno or errno.EIO, reason) for item in moved)
            return Outcome(tuple(item for item in _objects(change) if item not in moved), failed)
        return Outcome(_objects(change))

    def check(self, change: Change) -> Outcome:
        """Have nft judge a change without making it; what only the kernel refuses is not found."""
        try:
            self._nft.run(*render(change, self._declared or Declared()), dry_run=True)
        except NftError as error:
            return _refused(change, error.number, error.text)
        except ValueError as error:
            return _refused(change, errno.EINVAL, str(error))
        return Outcome(_objects(change))

    def _commit(self, change: Change) -> None:
        before = self._declared or Declared()
        if raw.eligible(change, before.holders):
            self._elements_socket.commit(raw.messages(change, before.holders))
            return
        held = self._elements(before.holders) if _replaces_holder(change) else []
        self._nft.run(*render(change, before, held))
        self._declared = before.after(change)

    def _again(self, change: Change, error: NftError) -> Outcome:
        """Try once more from what is really there: what we remembered may be out of date."""
        if error.number not in _STALE:
            return _refused(change, error.number, error.text)
        actual = Blueprint(self.read(Blueprint(item for item in _arriving(change))))
        remaining = _remaining(change, actual)
        try:
            if remaining:
                self._commit(remaining)
        except NftError as second:
            return _refused(change, second.number, second.text)
        return self._settle(change)

    def close(self) -> None:
        """Let go of the handle and the namespace; idempotent."""
        if self._handle is not None:
            self._handle.close()
            self._handle = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._namespace >= 0:
            os.close(self._namespace)
            self._namespace = -1


def _candidates(name: str, wanted: Blueprint, written: dict[str, Chain]) -> list[Chain]:
    """Return what we may have written under a chain's name, the wanted one first."""
    pair = (wanted.get(("nft-chain", name)), written.get(name))
    unique = dict.fromkeys(chain for chain in pair if isinstance(chain, Chain))
    return [chain for chain in unique if chain.ours]


def _arriving(change: Change) -> Iterator[KernelObject]:
    yield from (item for item in arriving(change) if isinstance(item, NftObject))


def _objects(change: Change) -> tuple[KernelObject, ...]:
    return (*change.add, *(new for _, new in change.alter), *change.remove)


def _replaces_holder(change: Change) -> bool:
    return any(isinstance(old, Set | Map) for old, _ in change.alter)


def _remaining(change: Change, actual: Blueprint) -> Change:
    """Return what of a change is still to be done where ``actual`` is what is there."""
    wanted = Blueprint(_arriving(change))
    present = Blueprint(item for item in actual if item.key in wanted)
    missing = wanted.change_from(present)
    return Change(missing.add, missing.alter, tuple(item for item in change.remove if item.key in actual))


def _refused(change: Change, number: int, text: str) -> Outcome:
    reason = f"the whole transaction of table {TABLE} was refused, nothing of it is in force: {text}"
    return Outcome((), tuple(Failure(item, number, reason) for item in _objects(change)))
