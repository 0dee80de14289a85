"""Questions that wait for an answer: only what somebody asked a moment ago can be answered.

What lives here: the questions of every asker, their limits. Pure. What it must not know: DNS' format, clocks.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

from octet.cluster.objects import Address

K = TypeVar("K")

PATIENCE = 10.0
"""Seconds that an answer is waited for; resolver libraries ask again after five (resolv.conf(5), timeout)."""

MOST = 128
"""Questions of one asker that wait; the oldest goes first."""


@dataclass(frozen=True, slots=True)
class Question:
    """What an answer must agree with (RFC 5452, 9.1).

    Attributes:
        protocol: IANA's number.
        own, own_port: where it was sent from.
        resolver, port: who was asked, after translation.
        number: the message's id.
        name: in lower case: resolvers may be asked in any case, and answer in that.
        kind: of the record.
    """

    protocol: int
    own: Address
    own_port: int
    resolver: Address
    port: int
    number: int
    name: str
    kind: int


class Questions(Generic[K]):
    """Who waits for what."""

    def __init__(self) -> None:
        self._waiting: dict[K, dict[Question, float]] = {}

    def ask(self, asker: K, question: Question, now: float) -> None:
        """Take note of a question."""
        held = self._waiting.setdefault(asker, {})
        held.pop(question, None)
        held[question] = now + PATIENCE
        while len(held) > MOST:
            del held[next(iter(held))]

    def answered(self, asker: K, question: Question, now: float) -> bool:
        """Was that asked a moment ago? It is answered once."""
        return self._waiting.get(asker, {}).pop(question, 0.0) > now

    def forget(self, asker: K) -> None:
        """Drop what somebody asked."""
        self._waiting.pop(asker, None)
