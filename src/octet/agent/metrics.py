"""What the agent counts, in Prometheus' exposition format.

What lives here: names, help texts, units. What it must not know: who serves them.
"""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric

from octet import __version__
from octet.policy.told import Told

_SECONDS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0)


NAMES_OUTCOMES = ("learned", "not asked", "not believed", "truncated", "out of order", "unreadable")
"""Learned; no question of the pod for it; not of a resolver that is believed; cut, so that it comes again by
TCP; in a TCP stream that we have not seen all of; no DNS that we read."""


class DeniedPackets:
    """Packets that policies denied on this node, by policy: only of policies that are in force here now.

    The kernel's counters begin again when a chain is made anew; the totals do not.
    """

    def __init__(self) -> None:
        self._read: dict[Told, int] = {}
        self._totals: dict[Told, int] = {}
        self._untold, self._lost = 0, 0

    def read(self, counts: Mapping[Told, int]) -> None:
        """Take in what the counters say now."""
        self._totals = {told: self._total(told, count) for told, count in counts.items()}
        self._read = dict(counts)

    def _total(self, told: Told, count: int) -> int:
        before = self._read.get(told, 0)
        return self._totals.get(told, 0) + (count - before if count >= before else count)

    def untold(self, packets: int, losses: int) -> None:
        """Take in how many told packets came to no line, and how often some were lost unread."""
        self._untold, self._lost = packets, losses

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics, as prometheus_client's registry asks for them."""
        labels = ("policy", "tier", "direction")
        denied = CounterMetricFamily(
            "octet_policy_denied_packets", "Packets denied, by the policy that denies them", labels=labels
        )
        summed: dict[tuple[str, str, str], int] = {}
        for told, count in self._totals.items():
            key = (str(told.policy), told.tier, told.direction)
            summed[key] = summed.get(key, 0) + count
        for key, count in sorted(summed.items()):
            denied.add_metric(key, count)
        yield denied
        untold = CounterMetricFamily(
            "octet_policy_untold_packets", "Denied packets heard of that octet flows does not show"
        )
        untold.add_metric((), self._untold)
        yield untold
        lost = CounterMetricFamily(
            "octet_policy_log_losses", "Times that the kernel's log was not read in time"
        )
        lost.add_metric((), self._lost)
        yield lost


class SessionFigures:
    """What is told of a routing daemon, and of the sessions that there are now.

    Attributes:
        starts: how often each daemon was started.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.starts = Gauge(
            "octet_daemon_starts", "How often this agent has started a daemon", ["daemon"], registry=registry
        )
        self._up = Gauge(
            "octet_bgp_session_up", "1 while a BGP session is established", ["peer"], registry=registry
        )
        self._prefixes = Gauge(
            "octet_bgp_prefixes",
            "Prefixes of a BGP session: in is believed, out is told",
            ["peer", "family", "direction"],
            registry=registry,
        )

    def set(self, found: Iterable[tuple[str, bool, tuple[tuple[int, int, int], ...]]]) -> None:
        """Set all: (peer, is it up, (family, prefixes in, out)); others go."""
        self._up.clear()
        self._prefixes.clear()
        for peer, up, families in found:
            self._up.labels(peer).set(up)
            for family, incoming, outgoing in families:
                self._prefixes.labels(peer, str(family), "in").set(incoming)
                self._prefixes.labels(peer, str(family), "out").set(outgoing)


class Names:
    """What became of DNS packets that were copied because policies are about names.

    Attributes:
        lost: how often some were lost because nobody read them in time.
    """

    def __init__(self) -> None:
        self.lost = 0
        self._outcomes = dict.fromkeys(NAMES_OUTCOMES, 0)

    def count(self, outcome: str) -> None:
        """Count one message."""
        self._outcomes[outcome] += 1

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics, as prometheus_client's registry asks for them."""
        answers = CounterMetricFamily(
            "octet_policy_dns_messages",
            "DNS messages for policies about names, by outcome",
            labels=("outcome",),
        )
        for outcome, count in self._outcomes.items():
            answers.add_metric((outcome,), count)
        yield answers
        lost = CounterMetricFamily(
            "octet_policy_dns_losses", "Times that copied DNS packets were not read in time"
        )
        lost.add_metric((), self.lost)
        yield lost


class Metrics:
    """Counters of one agent, in a registry of their own.

    Attributes:
        denied: what policies denied.
        sessions: how BGP's sessions are, and their daemon.
        names: what was learned of names.
    """

    def __init__(self) -> None:
        self.registry = made = CollectorRegistry()
        self.denied, self.names = DeniedPackets(), Names()
        for each in (self.denied, self.names):
            made.register(each)
        self._requests = Histogram(
            "octet_cni_request_seconds",
            "Time in the agent per CNI request",
            ["command"],
            registry=made,
            buckets=_SECONDS,
        )
        self._failures = Counter(
            "octet_cni_request_failures", "CNI requests answered with an error", ["command"], registry=made
        )
        self._repairs = Counter("octet_drift_repairs", "Objects put back, by kind", ["kind"], registry=made)
        self._refusals = Counter(
            "octet_kernel_refusals", "Objects the kernel refused, by kind", ["kind"], registry=made
        )
        self._policed = Histogram(
            "octet_policy_change_seconds",
            "Time from a change that policies may be about until the kernel was told what follows",
            registry=made,
            buckets=_SECONDS,
        )
        self._applied = Histogram(
            "octet_kernel_change_seconds", "Time that the kernel took", registry=made, buckets=_SECONDS
        )
        self.endpoints = Gauge("octet_endpoints", "Pod interfaces on this node", registry=made)
        self.peers = Gauge("octet_peers", "Other nodes that are known", registry=made)
        self.addresses = Gauge(
            "octet_addresses", "Addresses of the node's CIDR, by state", ["family", "state"], registry=made
        )
        self.wanted = Gauge("octet_wanted_objects", "Kernel objects that should be there", registry=made)
        self.sessions = SessionFigures(made)
        self.failing = Gauge("octet_failures", "What is not as it should be", registry=made)
        too_large = "Policies that are too large to be enforced"
        self.refused_policies = Gauge("octet_policies_refused", too_large, registry=made)
        self.silence = Gauge(
            "octet_store_silence_seconds",
            "Time since the store stopped answering, 0 while it does",
            registry=made,
        )
        build = Gauge("octet_build_info", "Version of the agent", ["version"], registry=made)
        build.labels(__version__).set(1)

    def request(self, command: str, seconds: float, *, failed: bool) -> None:
        """Count one request. Unknown commands are counted as one, so that nobody can flood the labels."""
        label = command if command in _COMMANDS else "unknown"
        self._requests.labels(label).observe(seconds)
        if failed:
            self._failures.labels(label).inc()

    def policed(self, seconds: float) -> None:
        """Count one decision about policies with what it changed in the kernel."""
        self._policed.observe(seconds)

    def applied(self, seconds: float) -> None:
        """Count one change of the kernel."""
        self._applied.observe(seconds)

    def repaired(self, kind: str) -> None:
        """Count an object that was put back."""
        self._repairs.labels(kind).inc()

    def refused(self, kind: str) -> None:
        """Count an object that the kernel would not take."""
        self._refusals.labels(kind).inc()

    def pool(self, family: int, counts: Mapping[str, int]) -> None:
        """Set how many addresses of a family are in which state."""
        for state, count in counts.items():
            self.addresses.labels(str(family), state).set(count)

    def text(self) -> bytes:
        """Return the exposition."""
        return generate_latest(self.registry)


_COMMANDS = frozenset({"ADD", "DEL", "CHECK", "STATUS", "GC", "VERSION"})
