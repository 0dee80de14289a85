"""What the agent tells about itself: health, readiness, metrics, state.

What lives here: the answers of the health socket. What it must not know: HTTP, how anything came about.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict

import msgspec

from octet.agent.config import Config
from octet.agent.desired import Desired
from octet.agent.endpoints import Endpoints
from octet.agent.flows import Flows
from octet.agent.health import Answer
from octet.agent.metrics import Metrics
from octet.agent.network import Network
from octet.agent.records import Entry
from octet.agent.sessions import Sessions
from octet.agent.watch import Watch
from octet.cluster.objects import Address

TEXT = "text/plain; charset=utf-8"
_LONGEST_NUMBER = 20


class Report:
    """Answers by path.

    Attributes:
        why: answers why packets to an address go where they go.
    """

    def __init__(
        self,
        config: Config,
        network: Network,
        endpoints: Endpoints,
        desired: Desired,
        watch: Watch,
        metrics: Metrics,
        flows: Flows,
        sessions: Sessions,
    ) -> None:
        self.why: Callable[[str], Answer] = _unknown
        self._config = config
        self._network = network
        self._endpoints = endpoints
        self._desired = desired
        self._watch = watch
        self._metrics = metrics
        self._flows = flows
        self._sessions = sessions

    @property
    def ready(self) -> bool:
        """Is the view whole, and does the kernel hold what pods need?"""
        return self._endpoints.open and not self._network.problem

    def answers(self) -> Mapping[str, Callable[[], Answer]]:
        """Return what answers each path."""
        return {
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/metrics": self._metrics_text,
            "/state": self._state,
            "/bgp": self._sessions.answer,
        }

    @property
    def _failures(self) -> list[str]:
        return [*self._network.failures, *self._endpoints.trouble]

    def asked(self) -> Mapping[str, Callable[[str], Answer]]:
        """Return what answers each path that has a query."""
        return {"/flows": self._flows_since, "/routes": self.why}

    def _flows_since(self, query: str) -> Answer:
        """Answer with the lines after ``since``, all that are remembered where that is not said."""
        text = query.removeprefix("since=")
        since = int(text) if text.isdecimal() and len(text) < _LONGEST_NUMBER else 0
        lines = self._flows.since(since)
        told = {"last": self._flows.last, "untold": self._flows.untold, "flows": lines}
        return 200, "application/json", msgspec.json.encode(told)

    def _healthz(self) -> Answer:
        failures = self._failures
        return (503 if failures else 200), TEXT, _lines(failures or ["ok"])

    def _readyz(self) -> Answer:
        if self.ready:
            return 200, TEXT, b"ok\n"
        return 503, TEXT, _lines(self._network.trouble or ["the kernel is being made so"])

    def _metrics_text(self) -> Answer:
        self._metrics.endpoints.set(len(self._endpoints))
        self._metrics.peers.set(len(self._network.view.peers))
        self._metrics.wanted.set(len(self._desired.objects))
        self._metrics.failing.set(len(self._failures))
        self._metrics.refused_policies.set(len(self._network.refused))
        self._metrics.silence.set(self._watch.silence)
        self._sessions.measure(self._metrics)
        if (pool := self._endpoints.pool) is not None:
            for family in (4, 6):
                with suppress(KeyError):
                    self._metrics.pool(family, asdict(pool.counts(family)))
        return 200, "text/plain; version=0.0.4; charset=utf-8", self._metrics.text()

    def _state(self) -> Answer:
        view = self._network.view
        state = {
            "node": self._config.node,
            "model": self._config.model,
            "ready": self.ready,
            "revision": self._watch.revision,
            "underlay": {"interface": view.underlay.interface, "mtu": view.underlay.mtu},
            "peers": [peer.name for peer in view.peers],
            "wanted": len(self._desired.objects),
            "names": {str(asker): _names(held) for asker, held in view.learned.items()},
            "resolvers": sorted(map(str, self._network.resolvers)),
            "refused": self._network.refused,
            "closed": self._config.running.gate.closed if self._config.running.gate is not None else (),
            "failures": self._failures,
            "obstacles": self._network.obstacles,
            "endpoints": [_endpoint(entry) for entry in self._endpoints],
        }
        return 200, "application/json", msgspec.json.encode(state, enc_hook=str)


def _endpoint(entry: Entry) -> dict[str, object]:
    endpoint = entry.endpoint
    return {
        "attachment": str(entry.attachment),
        "state": str(entry.state),
        "pod": f"{endpoint.namespace}/{endpoint.pod}".strip("/"),
        "v4": endpoint.v4,
        "v6": endpoint.v6,
        "host_link": endpoint.host_link,
        "mtu": endpoint.mtu,
    }


def _names(held: Mapping[str, frozenset[Address]]) -> dict[str, list[str]]:
    return {name: sorted(map(str, addresses)) for name, addresses in held.items()}


def _lines(texts: list[str]) -> bytes:
    return "".join(f"{text}\n" for text in texts).encode("utf-8", "replace")


def _unknown(_query: str) -> Answer:
    return 404, TEXT, b"nobody here knows\n"
