"""What this node's BGP speaker says of its sessions, for whoever asks the agent.

What lives here: asking, the answer of ``/bgp``, the figures per session. What it must not know: HTTP, why
there are sessions.
"""

from collections.abc import Callable, Container, Iterable, Mapping
from datetime import UTC, datetime

import msgspec

from octet.agent.health import Answer
from octet.agent.metrics import Metrics
from octet.blueprint import Key
from octet.kernel.daemons import Daemons
from octet.transport.bgp import DAEMON, alone
from octet.transport.bgp.status import SessionState, sessions

QUICK = 1.0
"""Seconds that the speaker may take to answer: pods wait meanwhile."""

UNMADE = "not made"
"""The state of a session that BIRD does not know, because its file can't be in force."""


class Sessions:
    """The sessions of one node.

    Attributes:
        failed: what is not as it should be: a sentence for each object, by key.
        unsure: what could not be decided, a sentence each.
    """

    def __init__(self, daemons: Daemons) -> None:
        self.failed: Callable[[], Mapping[Key, str]] = dict
        self.unsure: Callable[[], list[str]] = list
        self._daemons = daemons

    def look(self) -> tuple[tuple[SessionState, ...], str]:
        """Return the sessions as they are, and why they cannot be told; empty where they can."""
        if DAEMON not in self._daemons.running:
            return (), ""
        try:
            reply = self._daemons.ask(DAEMON, "show protocols all", QUICK)
        except OSError as error:
            return (), f"the BGP speaker does not answer: {error.strerror or error}"
        return sessions(reply.lines), ""

    def answer(self) -> Answer:
        """Return everything about the sessions as JSON."""
        found, silence = self.look()
        supervisor = self._daemons.running.get(DAEMON)
        now = datetime.now(UTC)
        unmade, stale = self._unmade({each.name for each in found})
        state = {
            "running": supervisor is not None and supervisor.running,
            "starts": supervisor.starts if supervisor is not None else 0,
            "problems": [*self._daemons.troubles, *([silence] if silence else []), *stale, *self.unsure()],
            "sessions": [_told(each, now) for each in (*found, *unmade)],
        }
        return 200, "application/json", msgspec.json.encode(state)

    def _unmade(self, known: Container[str]) -> tuple[list[SessionState], list[str]]:
        """Return the sessions that should be there and are not, and why others are not as wanted."""
        missing, stale = [], []
        for key, why in sorted(self.failed().items(), key=str):
            kind, _, name = str(key[-1]).removesuffix(".conf").partition(".")
            if not alone(key):
                continue
            if kind == "filter" or name in known:
                stale.append(why)
            else:
                missing.append(SessionState(name, kind == "node", UNMADE, error=why))
        return missing, stale

    def measure(self, metrics: Metrics) -> None:
        """Set the figures of every session; those of sessions that are gone go."""
        found, _ = self.look()
        found = (*found, *self._unmade({each.name for each in found})[0])
        metrics.sessions.set(_figures(found))
        for name, supervisor in self._daemons.running.items():
            metrics.sessions.starts.labels(name).set(supervisor.starts)


def _told(each: SessionState, now: datetime) -> dict[str, object]:
    seconds = each.seconds(now)
    return {
        "peer": each.name,
        "node": each.node,
        "address": each.address,
        "as": each.asn,
        "local_as": each.local_asn,
        "state": each.state,
        "since": each.since,
        "seconds": None if seconds is None else round(seconds, 3),
        "error": each.error or None,
        "kept": each.kept,
        "families": [
            {"family": held.family, "in": held.imported, "out": held.exported, "rejected": held.rejected}
            for held in each.channels
        ],
    }


def _figures(found: Iterable[SessionState]) -> Iterable[tuple[str, bool, tuple[tuple[int, int, int], ...]]]:
    for each in found:
        yield each.name, each.up, tuple((held.family, held.imported, held.exported) for held in each.channels)
