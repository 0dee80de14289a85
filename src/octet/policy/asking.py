"""The programs that somebody has, and whom they ask for.

What lives here: ``Asking``: which program asks for which groups, counted by users; the pair of programs of an
endpoint's two directions. What it must not know: endpoints, contributions.
"""

from collections.abc import Iterable, Iterator, Mapping

from octet.policy.dirty import Dirty
from octet.policy.holders import Entry, has_pods
from octet.policy.indexing import Groups
from octet.policy.programs import Program

Pair = tuple[Program | None, Program | None]
"""The programs of an endpoint: of what goes to it, of what comes from it."""

NONE: Pair = (None, None)


class Asking:
    """Programs by entrance.

    Attributes:
        programs: those in use, and those that will be when their sets are full.
        groups: which groups anybody asks for.
    """

    def __init__(self) -> None:
        self.programs: dict[str, Program] = {}
        self.groups = Groups()
        self._users: dict[str, int] = {}
        self._stems: dict[str, dict[str, None]] = {}
        self._asked: dict[str, dict[int, Entry]] = {}

    def use(self, each: Program | None, count: int, dirty: Dirty) -> None:
        """Count who has a program; of a new version, the old one's groups are asked for until ``leave``."""
        if each is None:
            return
        name = each.entrance
        self._users[name] = self._users.get(name, 0) + count
        if count > 0 and self.programs.get(name) is not each:
            self.programs[name] = each
            dirty.programs[name] = None
            self._ask(name, each.entries, dirty)
        elif self._users[name] == 0:
            del self._users[name], self.programs[name]
            dirty.programs[name] = None

    def leave(self, name: str, dirty: Dirty) -> None:
        """Ask no longer for what only old versions of a program asked for, or a program that nobody has."""
        each, asked = self.programs.get(name), self._asked.get(name, {})
        entries = each.entries if each is not None else ()
        if len(asked) == len(entries) and all(id(entry) in asked for entry in entries):
            return
        kept = {id(entry): entry for entry in entries}
        gone = [entry for key, entry in asked.items() if key not in kept]
        for stem in {entry.stem for entry in gone} - {entry.stem for entry in entries}:
            del self._stems[stem][name]
            if not self._stems[stem]:
                del self._stems[stem]
        for entry in gone:
            if has_pods(entry.group) and self.groups.count(entry, -1):
                dirty.groups[entry.group] = None
        if kept:
            self._asked[name] = kept
        else:
            self._asked.pop(name, None)

    def _ask(self, name: str, entries: Iterable[Entry], dirty: Dirty) -> None:
        asked = self._asked.setdefault(name, {})
        for entry in entries:
            if id(entry) in asked:
                continue
            asked[id(entry)] = entry
            self._stems.setdefault(entry.stem, {})[name] = None
            if has_pods(entry.group) and self.groups.count(entry, 1):
                dirty.groups[entry.group] = None

    def watching(self, sources: set[str]) -> Iterator[str]:
        """Yield the programs with groups that take addresses from collections of the view."""
        return (name for name, each in self.programs.items() if each.watches & sources)

    def of(self, stems: Iterable[str]) -> set[str]:
        """Return the programs that ask for sets of these stems."""
        return {program for stem in stems for program in self._stems.get(stem, ())}

    def sizes(self, held: Mapping[str, int], names: Iterable[str]) -> tuple[dict[str, int], int]:
        """Return how many elements some programs ask for, each and all, given those of each stem."""
        found, total = dict.fromkeys(names, 0), 0
        for stem, asking in self._stems.items():
            mine = [name for name in asking if name in found]
            for name in mine:
                found[name] += held.get(stem, 0)
            total += held.get(stem, 0) if mine else 0
        return found, total


def entrances(chosen: Pair) -> list[str]:
    """Return the names of a pair's programs, empty for none."""
    return [each.entrance if each is not None else "" for each in chosen]


def identities(chosen: Pair) -> list[str]:
    """Return what tells a pair's programs from their other versions."""
    return [each.identity if each is not None else "" for each in chosen]
