"""An immutable mapping whose next version costs little, however many entries it has.

What lives here: ``Table``: entries spread over about as many small dictionaries as each has entries, so that
a new version copies one small dictionary and the list of them (microseconds at 100,000 entries) and shares
the rest with the old version; ``Groups``, an index made of it. What it must not know: what is in them.
"""

from collections.abc import Iterable, Iterator, Mapping, ValuesView
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")
W = TypeVar("W")

SMALLEST = 64  # entries up to which one dictionary is enough
GROWTH = 4  # the number of dictionaries grows by this factor, so that growing is rare


def _shards_for(length: int) -> int:
    shards = 1
    while length > SMALLEST + GROWTH * shards * shards:
        shards *= GROWTH
    return shards


class Table(Mapping[K, V], Generic[K, V]):
    """A mapping that never changes; ``with_item`` and ``without`` return the next version.

    ``Table()`` is empty, ``Table.of(items)`` is not; the arguments of the constructor are for itself.
    """

    __slots__ = ("_length", "_shards")

    def __init__(self, shards: list[dict[K, V]] | None = None, length: int = 0) -> None:
        self._shards = shards or [{}]
        self._length = length

    @classmethod
    def of(cls, items: Mapping[K, V] | Iterable[tuple[K, V]]) -> "Table[K, V]":
        """Return a table of many entries at once; the last of equal keys wins."""
        entries = dict(items)
        shards: list[dict[K, V]] = [{} for _ in range(_shards_for(len(entries)))]
        mask = len(shards) - 1
        for key, value in entries.items():
            shards[hash(key) & mask][key] = value
        return cls(shards, len(entries))

    def __getitem__(self, key: K) -> V:
        return self._shards[hash(key) & (len(self._shards) - 1)][key]

    def __iter__(self) -> Iterator[K]:
        for shard in self._shards:
            yield from shard

    def __len__(self) -> int:
        return self._length

    def values(self) -> ValuesView[V]:
        """Return the values, without looking each up by its key."""
        return _Values(self)

    def shards(self) -> Iterable[Mapping[K, V]]:
        """Return the small dictionaries, whose order is the table's."""
        return self._shards

    def __repr__(self) -> str:
        return f"Table({dict(self)!r})"

    def with_item(self, key: K, value: V) -> "Table[K, V]":
        """Return the version in which this key has this value."""
        index = hash(key) & (len(self._shards) - 1)
        shard = self._shards[index].copy()
        shard[key] = value
        length = self._length + len(shard) - len(self._shards[index])
        if _shards_for(length) > len(self._shards):
            return Table.of({**self, key: value})
        return self._next(index, shard, length)

    def without(self, key: K) -> "Table[K, V]":
        """Return the version in which this key is absent; itself where it was already."""
        index = hash(key) & (len(self._shards) - 1)
        if key not in self._shards[index]:
            return self
        shard = self._shards[index].copy()
        del shard[key]
        return self._next(index, shard, self._length - 1)

    def _next(self, index: int, shard: dict[K, V], length: int) -> "Table[K, V]":
        shards = self._shards.copy()
        shards[index] = shard
        return Table(shards, length)


class _Values(ValuesView[V]):
    def __init__(self, table: Table[K, V]) -> None:
        super().__init__(table)
        self._table = table

    def __iter__(self) -> Iterator[V]:
        for shard in self._table.shards():
            yield from shard.values()


class Groups(Generic[W, K, V]):
    """An immutable index: word -> (key -> object), for objects that share a word, such as a node's pods."""

    __slots__ = ("_groups",)

    def __init__(self, groups: Table[W, Table[K, V]] | None = None) -> None:
        self._groups: Table[W, Table[K, V]] = Table() if groups is None else groups

    @classmethod
    def of(cls, entries: Iterable[tuple[W, K, V]]) -> "Groups[W, K, V]":
        """Return an index of many entries at once."""
        groups: dict[W, dict[K, V]] = {}
        for word, key, value in entries:
            groups.setdefault(word, {})[key] = value
        return cls(Table.of({word: Table.of(group) for word, group in groups.items()}))

    def __getitem__(self, word: W) -> Table[K, V]:
        return self._groups.get(word) or Table()

    def with_item(self, word: W, key: K, value: V) -> "Groups[W, K, V]":
        """Return the version in which this object goes by this word."""
        return Groups(self._groups.with_item(word, self[word].with_item(key, value)))

    def without(self, word: W, key: K) -> "Groups[W, K, V]":
        """Return the version in which it does not; a word that nothing goes by is forgotten."""
        group = self[word].without(key)
        return Groups(self._groups.with_item(word, group) if group else self._groups.without(word))
