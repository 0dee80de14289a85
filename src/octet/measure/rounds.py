"""The order of a measurement: every candidate once in each round, shuffled anew, after a warm-up round.

What lives here: the plan, the budget and the pace it allows.
What it must not know: what a candidate does in its turn.
Why: drift of the machine (heat, neighbours, page cache) then falls on all candidates alike, and the samples
of one round are pairs.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

WARM_UP = -1
"""The round whose figures are thrown away."""

FEWEST = 5
"""Rounds below which a difference is not claimed: the true median is between the least and the largest of
five with a probability of 94 %, of four with 88 %, whatever the distribution."""

LEAST_SECONDS = 0.2
"""Of a probe in a hurry: some hundred connections, still."""

LATENCY = 1.0
"""Seconds by which a turn without sockperf is surely shorter: it knows whole seconds only."""


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


@dataclass(frozen=True, slots=True)
class Pace:
    """How a round is taken.

    Attributes:
        seconds: of each probe.
        whole: all probes; otherwise without the one that takes longest, the latency's.
    """

    seconds: float
    whole: bool = True


@dataclass(slots=True)
class Budget:
    """How much time is left for rounds, and which pace makes enough of them fit.

    Attributes:
        limit: seconds that all rounds together may take; None is no limit.
        full: the pace while there is time.
        turns: how many a round has.
        longest: seconds of the longest round so far, by pace.
    """

    limit: float | None
    full: Pace
    turns: int = 1
    longest: dict[Pace, float] = field(default_factory=dict)

    def spent(self, pace: Pace, seconds: float) -> None:
        """Take note of a round's length."""
        self.longest[pace] = max(self.longest.get(pace, 0.0), seconds)

    def pace(self, done: int, elapsed: float) -> Pace | None:
        """Return how to take the next round; None where even the shortest would not fit.

        Up to FEWEST rounds, time that is short is taken from the probes: first seconds, then one of them.
        Under FEWEST rounds nothing can be claimed of any metric, whatever its samples are.

        Args:
            done: rounds taken so far, without the warm-up.
            elapsed: seconds since the beginning.
        """
        if self.limit is None:
            return self.full
        room = (self.limit - elapsed) / max(1, FEWEST - done)
        paces = (self.full, self._hurried(room), Pace(LEAST_SECONDS, whole=False))
        fitting = (each for each in (paces if done < FEWEST else paces[:1]) if self._takes(each) <= room)
        return next(fitting, None)

    def _hurried(self, room: float) -> Pace:
        """Return the pace whose probes are shorter by what is short, within reason."""
        missing = (self._takes(self.full) - room) / self.turns
        return Pace(min(self.full.seconds, max(LEAST_SECONDS, self.full.seconds - missing)))

    def _takes(self, pace: Pace) -> float:
        """Return how long a round at this pace takes, as far as that can be told from those there were."""
        if pace in self.longest:
            return self.longest[pace]
        known = [(other, took) for other, took in self.longest.items() if other.whole or not pace.whole]
        faster = (took - self.turns * self._saved(other, pace) for other, took in known)
        return max(faster, default=0.0)

    def _saved(self, one: Pace, other: Pace) -> float:
        """Return by how many seconds a turn is shorter at the other pace."""
        return one.seconds - other.seconds + (LATENCY if one.whole and not other.whole else 0.0)
