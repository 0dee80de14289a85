"""From a change to the text of one transaction, in an order the kernel accepts.

What lives here: the order, what must be redone when a declaration changes, what needs a second transaction so
that no packet passes which old and new both stop. What it must not know: libnftables.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from octet.blueprint import Change
from octet.blueprint.nft import TABLE, Chain, Element, Hook, Map, Rule, Set, Table
from octet.blueprint.nft.objects import names_in
from octet.kernel.nft.elements import command
from octet.kernel.nft.listing import declare, declare_set, fill

Holder = Set | Map


@dataclass(slots=True)
class Declared:
    """What of ours is in the table, but for elements: enough to write the next transaction without asking.

    Attributes:
        table: is there a table?
        wanted: was the table itself asked for, so that it stays when empty?
    """

    table: bool = False
    wanted: bool = False
    chains: dict[str, Chain] = field(default_factory=dict)
    holders: dict[str, Holder] = field(default_factory=dict)

    def after(self, change: Change) -> "Declared":
        """Return what will be there when this change is in force."""
        chains, holders = dict(self.chains), dict(self.holders)
        for gone in change.remove:
            if isinstance(gone, Chain):
                chains.pop(gone.name, None)
            elif isinstance(gone, Set | Map):
                holders.pop(gone.name, None)
        coming = arriving(change)
        chains |= {item.name: item for item in coming if isinstance(item, Chain)}
        holders |= {item.name: item for item in coming if isinstance(item, Set | Map)}
        kept = self.wanted and not any(isinstance(item, Table) for item in change.remove)
        wanted = kept or any(isinstance(item, Table) for item in coming)
        return Declared(bool(wanted or chains or holders), wanted, chains, holders)


def arriving(change: Change) -> tuple[object, ...]:
    """Return everything a change adds or alters, as it shall be."""
    return (*change.add, *(new for _, new in change.alter))


def sequence(change: Change) -> tuple[Change, Change]:
    """Return what to commit first, and what then: what goes away, where something else comes or changes.

    A packet amid a commit goes on with the rules it began with, but looks elements up as they are by then:
    nft_do_chain() takes the generation once, nft_genmask_cur() for each lookup. One lookup before and one
    after a single transaction could miss what stopped the packet before and what stops it now. With old and
    new in force in between, the first rule that matches it is the first of the old or of the new ones.
    """
    if not change.remove or not (change.add or change.alter):
        return change, Change()
    return Change(change.add, change.alter), Change(remove=change.remove)


def render(change: Change, before: Declared, held: Iterable[Element] = ()) -> list[str]:
    """Return the commands of the transaction that makes a change true.

    Args:
        change: what to do.
        before: what is declared now.
        held: elements of sets whose declaration the change replaces, so that they survive it.
    """
    after = before.after(change)
    if not after.table:
        return [f"add table {TABLE}", f"delete table {TABLE}"]
    replaced = {old.key for old, _ in change.alter if isinstance(old, Set | Map)}
    names = {str(name) for _, name in replaced}
    refilled = _refilled(change, before, after, names)
    return [
        f"add table {TABLE}",
        *_empty(refilled, change, before, after),
        *_drop_elements(change, before, names),
        *_drop_holders(change, before, names),
        *_drop_chains(change, after),
        *(declare_set(item) for item in arriving(change) if isinstance(item, Set | Map)),
        *(declare(after.chains[name]) for name in sorted(refilled)),
        *_add_elements(change, after, names, held),
        *(line for name in sorted(refilled) for line in fill(after.chains[name])),
    ]


def _refilled(change: Change, before: Declared, after: Declared, replaced: set[str]) -> set[str]:
    """Return the chains whose rules are written anew: those that change, and those that use replaced sets."""
    names = {item.name for item in arriving(change) if isinstance(item, Chain)}
    return names | {
        name
        for name, chain in before.chains.items()
        if name in after.chains and replaced.intersection(_asked(chain))
    }


def _asked(chain: Chain) -> Iterator[str]:
    for rule in chain.rules:
        if isinstance(rule, Rule):
            yield from names_in(rule)


def _empty(refilled: set[str], change: Change, before: Declared, after: Declared) -> Iterator[str]:
    """Yield flushes of every chain that changes or goes; the kernel frees a set when no rule asks for it."""
    going = {item.name for item in change.remove if isinstance(item, Chain)}
    for name in sorted(refilled | going):
        rehooked = name in before.chains and _moved(before.chains[name], after.chains.get(name))
        if name not in before.chains and name not in going:
            yield declare(after.chains[name])
        yield f"flush chain {TABLE} {name}"
        if rehooked and name not in going:
            yield f"delete chain {TABLE} {name}"


def _moved(old: Chain, new: Chain | None) -> bool:
    """Does the chain's hook change in a way that needs a new chain? The policy alone does not."""
    if new is None or old.hook == new.hook:
        return False
    if isinstance(old.hook, Hook) and isinstance(new.hook, Hook):
        places = {(hook.kind, hook.at, hook.priority) for hook in (old.hook, new.hook)}
        return len(places) > 1
    return True


def _drop_elements(change: Change, before: Declared, replaced: set[str]) -> Iterator[str]:
    going = {item.name for item in change.remove if isinstance(item, Set | Map)}
    gone = [item for item in change.remove if isinstance(item, Element)]
    gone += [old for old, _ in change.alter if isinstance(old, Element)]
    for element in gone:
        holder = before.holders.get(element.of)
        if holder is not None and element.of not in going | replaced:
            yield command("delete", element, holder)


def _drop_chains(change: Change, after: Declared) -> Iterator[str]:
    going = [item.name for item in change.remove if isinstance(item, Chain)]
    yield from (f"delete chain {TABLE} {name}" for name in going if name not in after.chains)


def _drop_holders(change: Change, before: Declared, replaced: set[str]) -> Iterator[str]:
    going = {item.name for item in change.remove if isinstance(item, Set | Map)} | replaced
    for name in sorted(going):
        kind = "map" if isinstance(before.holders.get(name), Map) else "set"
        yield f"delete {kind} {TABLE} {name}"


def _add_elements(
    change: Change, after: Declared, replaced: set[str], held: Iterable[Element]
) -> Iterator[str]:
    coming = [item for item in arriving(change) if isinstance(item, Element)]
    decided = {item.key for item in (*coming, *change.remove) if isinstance(item, Element)}
    survivors = [item for item in held if item.of in replaced and item.key not in decided]
    for element in (*coming, *survivors):
        yield command("add", element, _holder(element, after.holders))


def _holder(element: Element, holders: Mapping[str, Holder]) -> Holder:
    found = holders.get(element.of)
    if found is None:
        raise ValueError(f"{element}: there is no set or map {element.of}")
    return found
