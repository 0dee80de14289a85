"""Immutable tables behave as dictionaries whose old versions stay what they were."""

from hypothesis import given, settings
from hypothesis import strategies as st

from octet.cluster.table import Groups, Table

CHANGES = st.lists(st.tuples(st.integers(0, 400), st.one_of(st.none(), st.integers())), max_size=300)


@given(CHANGES)
@settings(deadline=None)
def test_a_table_is_a_dictionary(changes):
    """After any changes a table holds what a dictionary would hold."""
    table, plain = Table(), {}
    for key, value in changes:
        if value is None:
            table, _ = table.without(key), plain.pop(key, None)
        else:
            table = table.with_item(key, value)
            plain[key] = value
    assert (dict(table), len(table)) == (plain, len(plain))
    assert table == plain


@given(st.dictionaries(st.integers(), st.integers(), max_size=200), st.integers(), st.integers())
@settings(deadline=None)
def test_old_versions_stay(plain, key, value):
    """Changing a table leaves the version before as it was."""
    table = Table.of(plain)
    table.with_item(key, value)
    table.without(next(iter(plain), key))
    assert dict(table) == plain


def test_growth_keeps_everything():
    """A table that grows entry by entry from one dictionary to many loses nothing on the way."""
    table: Table[str, int] = Table()
    for number in range(5000):
        table = table.with_item(f"pod-{number}", number)
    assert dict(table) == {f"pod-{number}": number for number in range(5000)}


def test_one_change_touches_little():
    """One change among 100,000 entries copies less than one in fifty of them."""
    table = Table.of({number: number for number in range(100_000)})
    changed = table.with_item(7, 8)
    copied = sum(len(new) for new, old in zip(changed._shards, table._shards, strict=True) if new is not old)
    assert copied + len(changed._shards) < 2000


def test_a_group_nobody_goes_by_is_forgotten():
    """An index holds the members of a word, and nothing of a word without members."""
    groups = Groups.of([("node1", 1, "a"), ("node1", 2, "b")]).with_item("node2", 3, "c")
    assert (dict(groups["node1"]), dict(groups["node2"])) == ({1: "a", 2: "b"}, {3: "c"})
    emptied = groups.without("node1", 1).without("node1", 2)
    assert (dict(emptied["node1"]), len(emptied._groups)) == ({}, 1)


def test_values_are_those_of_the_keys_in_their_order() -> None:
    """A table's values are what each of its keys leads to, in the order of the keys, and are counted."""
    table: Table[str, int] = Table.of((f"key{number}", number) for number in range(1000))
    assert list(table.values()) == [table[key] for key in table]
    assert len(table.values()) == 1000
    assert 999 in table.values()
