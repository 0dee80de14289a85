from ipaddress import IPv4Network, ip_address
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from octet.agent.desired import Desired, merged
from octet.agent.pieces import pieces
from octet.blueprint import Blueprint, Bridge, Change, KernelObject, Link, Neighbour, Route, Sysctl
from octet.blueprint.nft import DPORT, DROP, L4PROTO, SADDR4, Chain, Compare, Element, Lookup, Rule, Set

objects = st.one_of(
    st.builds(
        lambda name, mtu: Link(name, Bridge(), "x", mtu=mtu), st.sampled_from("abc"), st.sampled_from([1, 2])
    ),
    st.builds(
        lambda path, value: Sysctl(f"net/{path}", value), st.sampled_from("abc"), st.sampled_from("01")
    ),
    st.builds(
        lambda name, kind: Set(name, (kind,)), st.sampled_from("ab"), st.sampled_from(["mark", "ifname"])
    ),
    st.builds(
        lambda last, mac: Neighbour("a", ip_address(last), f"02:00:00:00:00:0{mac}"),
        st.integers(1, 30),
        st.integers(0, 1),
    ),
    st.builds(
        lambda number, metric: Route(IPv4Network((number << 8, 24)), "a", mtu=metric),
        st.integers(1, 60),
        st.integers(1, 2),
    ),
)
blueprints = st.lists(objects, max_size=60).map(
    lambda items: Blueprint({item.key: item for item in items}.values())
)


def followed(held: Blueprint, change: Change) -> Blueprint:
    """What is there after a change, if all of it comes true."""
    result: dict[object, KernelObject] = {item.key: item for item in held}
    result |= {item.key: item for item in (*change.add, *(new for _, new in change.alter))}
    for item in change.remove:
        result.pop(item.key)
    return Blueprint(result.values())


@given(blueprints, blueprints, st.integers(1, 20))
@settings(deadline=None)
def test_pieces_make_the_whole(before: Blueprint, after: Blueprint, size: int) -> None:
    """Applied one after the other, the pieces of a change come to the same as the change."""
    held = before
    for piece in pieces(after.change_from(before), size):
        held = followed(held, piece)
    assert held == after


@given(blueprints, blueprints)
@settings(deadline=None)
def test_nothing_leaves_before_all_has_come(before: Blueprint, after: Blueprint) -> None:
    """But for nftables, whose change is one transaction, no piece removes before the last one that adds."""
    parts = [*pieces(after.change_from(before), 5)]
    adding = [number for number, part in enumerate(parts) if part.add or part.alter]
    leaving = [n for n, part in enumerate(parts) if any(not isinstance(item, Set) for item in part.remove)]
    assert not adding or not leaving or len(parts) == 1 or max(adding) < min(leaving)
    assert len([part for part in parts if any(isinstance(item, Set) for item in _all(part))]) <= 1


def _all(change: Change) -> tuple[KernelObject, ...]:
    return (*change.add, *(new for _, new in change.alter), *change.remove)


def test_a_thousand_peers_are_many_small_pieces() -> None:
    """A large change is cut into pieces of a bounded size."""
    routes = Blueprint(Route(IPv4Network((number << 8, 24)), "a") for number in range(1, 2001))
    assert max(len(_all(piece)) for piece in pieces(routes.change_from(Blueprint()))) <= 400


@given(st.lists(blueprints, min_size=1, max_size=5))
@settings(deadline=None)
def test_changes_together_are_what_they_come_to(steps: list[Blueprint]) -> None:
    """Several changes merged are the change from the first state to the last."""
    changes = [after.change_from(before) for before, after in pairwise(steps)]
    whole = merged(changes)
    assert followed(steps[0], whole) == steps[-1]
    assert len(_all(whole)) == len(_all(steps[-1].change_from(steps[0])))


@given(st.lists(st.tuples(st.sampled_from("abc"), blueprints), max_size=12))
@settings(deadline=None)
def test_what_owners_want_is_what_the_kernel_is_told(steps: list[tuple[str, Blueprint]]) -> None:
    """Whatever owners want one after the other, following the changes gives the sum of what they want."""
    desired, held = Desired(), Blueprint()
    for owner, part in steps:
        try:
            held = followed(held, desired.replace(owner, part))
        except ValueError:
            continue
        assert held == desired.blueprint()
    union = {item.key: item for owner in "abc" for item in desired.part(owner)}
    assert desired.blueprint() == Blueprint(union.values())


def test_what_nobody_wants_any_more_is_left_out() -> None:
    """Of a change that was found earlier, only what is still wanted is made."""
    desired = Desired()
    kept, gone = Sysctl("net/a", "1"), Sysctl("net/b", "1")
    desired.replace("x", Blueprint([kept]))
    change = desired.still(Change(add=(kept, gone), remove=(kept, gone)))
    assert (change.add, change.remove) == ((kept,), (gone,))


def test_changes_are_noted_while_somebody_looks() -> None:
    """Keys that change between the beginning and the end of a reading are known."""
    desired = Desired()
    with desired.noting() as touched:
        desired.replace("x", Blueprint([Sysctl("net/a", "1")]))
    desired.replace("y", Blueprint([Sysctl("net/b", "1")]))
    assert ("sysctl", "net/a") in touched


def test_sets_that_come_are_filled_before_rules_ask_for_them() -> None:
    """Large new sets come in pieces; the chain that asks for them comes in one piece, the last."""
    asks = Chain("a", (Rule(Lookup(SADDR4, into="new"), DROP),))
    inside = [Element("new", ip_address(number)) for number in range(1000)]
    dns = Chain("b", (Rule(Compare(L4PROTO, "udp"), Compare(DPORT, 53), DROP),))
    found = list(pieces(Change(add=(asks, *inside, Set("new", ("ipv4_addr",)), dns)), 300))
    assert [len(each.add) for each in found] == [1, 300, 300, 300, 100, 2]
    assert (found[0].add, found[-1].add) == ((Set("new", ("ipv4_addr",)),), (asks, dns))


def test_sets_that_are_asked_already_change_at_once() -> None:
    """Elements of a set that rules ask for now are never split from each other."""
    inside = tuple(Element("old", ip_address(number)) for number in range(1000))
    found = list(pieces(Change(add=inside, remove=(Element("old", ip_address(5000)),)), 300))
    assert [(len(each.add), len(each.remove)) for each in found] == [(1000, 1)]
