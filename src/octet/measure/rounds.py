"""The order of a measurement: every candidate once in each round, shuffled anew, after a warm-up round.

What lives here: the plan and the budget. What it must not know: what a candidate does in its turn.
Why: drift of the machine (heat, neighbours, page cache) then falls on all candidates alike, and the samples
of one round are pairs.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WARM_UP = -1
"""The round whose figures are thrown away."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One candidate's turn.

    Attributes:
        round: from 0, or WARM_UP.
        order: place within the round, from 0.
    """

    candidate: str
    round: int
    order: int


def plan(candidates: Sequence[str], rounds: int, *, seed: int) -> Iterator[tuple[Turn, ...]]:
    """Yield the warm-up round and then ``rounds`` more, each in its own random order."""
    shuffle = random.Random(seed)
    for index in range(WARM_UP, rounds):
        order = shuffle.sample(list(candidates), k=len(candidates))
        yield tuple(Turn(name, index, place) for place, name in enumerate(order))


@dataclass(slots=True)
class Budget:
    """How much time is left for whole rounds.

    Attributes:
        limit: seconds that all rounds together may take; None is no limit.
        longest: seconds of the longest round so far.
    """

    limit: float | None
    longest: float = 0.0

    def spent(self, seconds: float) -> None:
        """Take note of a round's length."""
        self.longest = max(self.longest, seconds)

    def allows_another(self, elapsed: float) -> bool:
        """Tell whether a round as long as the longest one still fits."""
        return self.limit is None or elapsed + self.longest <= self.limit
