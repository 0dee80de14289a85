"""New connections and round trips of a pod that many policies select, against one that none selects.

What lives here: the lab, who is measured, one turn. What it must not know: the order of turns, statistics.

All receiving pods are on one node of one lab, so that nothing but the rules on their way differs. The agent
is dead while packets are measured: rules stay without it, and it takes no processor.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import product

from octet.errors import OctetError
from octet.lab import Lab
from octet.lab.api import PodInfo
from octet.measure.places import ask, begin, finish, serving
from octet.measure.policing.crowds import PORT, selecting
from octet.measure.policing.filling import fill
from octet.measure.policing.layouts import LAYOUTS, rules
from octet.measure.site import LabPlace

NONE, TWIN = "no policy", "no policy (A/A)"
COUNTS = (100, 1_000, 10_000)
BACKENDS = ("legacy", "nft")
SAME, ACROSS = "same node", "across nodes"

SECONDS = 0.12
"""How long one turn connects, and how long it then sends bytes to and fro."""

_HOME, _AWAY = "node1", "node2"
_CONNECT = (sys.executable, "-m", "octet.measure.connect")
_LIMIT = 60


@dataclass(frozen=True, slots=True)
class Receiver:
    """A pod that serves.

    Attributes:
        name: how it is called in the figures.
        count: how many policies select it.
        layout: of LAYOUTS; empty where Octet itself enforces them.
        backend: of BACKENDS, with a layout.
    """

    name: str
    pod: str
    count: int
    layout: str = ""
    backend: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """Who is measured from where."""

    receiver: Receiver
    path: str

    @property
    def name(self) -> str:
        """How the two together are called."""
        return f"{self.receiver.name}, {self.path}"


def receivers(counts: Sequence[int], backends: Sequence[str]) -> list[Receiver]:
    """Return everybody who is measured, those without policies first."""
    ours = [Receiver(f"octet, {count}", f"octet{count}", count) for count in counts]
    theirs = [
        Receiver(f"{layout} on iptables-{backend}, {count}", f"t{number}", count, layout, backend)
        for number, (layout, backend, count) in enumerate(product(LAYOUTS, backends, counts))
    ]
    return [Receiver(NONE, "none", 0), Receiver(TWIN, "twin", 0), *ours, *theirs]


def ways(found: Sequence[Receiver]) -> list[Way]:
    """Return the ways to measure: everybody on one node; across nodes only the most policies of each."""
    most = max(each.count for each in found)
    across = [each for each in found if each.count in (0, most)]
    return [*(Way(each, SAME) for each in found), *(Way(each, ACROSS) for each in across)]


@dataclass(slots=True)
class Rates:
    """The lab with its pods, ready to be measured. Use ``rates``."""

    lab: Lab
    found: list[Receiver]
    pods: dict[str, PodInfo]

    def turn(self, way: Way) -> dict[str, float]:
        """Measure one way: a new connection and a round trip, lower quartiles in µs. Raises OctetError."""
        client = LabPlace(self.lab, "near" if way.path == SAME else "far")
        address = self.pods[way.receiver.pod].address()
        found = json.loads(ask(client, (*_CONNECT, "trips", address, str(PORT), str(SECONDS)), limit=_LIMIT))
        if not found["connection_us"] or found["failures"]:
            raise OctetError(f"{way.name}: {found['failures']:.0f} of its connections failed")
        return {"connection": found["connection_us"], "round trip": found["round_trip_us"]}

    def check(self) -> None:
        """Prove that a stranger reaches exactly those whom no policy selects. Raises OctetError."""
        stranger = LabPlace(self.lab, "stranger")
        asked = {
            each: begin(stranger, (*_CONNECT, "ask", self.pods[each.pod].address(), str(PORT), "0.01"))
            for each in self.found
        }
        for each, process in asked.items():
            came = json.loads(finish(process, each.name, limit=_LIMIT))["connections"] > 0
            if came is not (each.count == 0):
                raise OctetError(f"{each.name}: a stranger {'came in' if came else 'was kept out'}")


def available(lab: Lab) -> list[str]:
    """Return the backends of iptables that work here."""
    tried = {name: lab.exec(_HOME, [f"iptables-{name}", "-w", "-S", "FORWARD"]) for name in BACKENDS}
    return [name for name, done in tried.items() if done.returncode == 0]


@contextmanager
def rates(counts: Sequence[int], name: str) -> Iterator[Rates]:
    """Yield a lab with all receivers serving and all rules in force. Raises OctetError."""
    with ExitStack() as stack:
        lab = stack.enter_context(Lab.up("canal", nodes=2, name=name))
        found = receivers(counts, available(lab))
        made = Rates(lab, found, {})
        for client, node in (("near", _HOME), ("far", _AWAY), ("stranger", _HOME)):
            app = "stranger" if client == "stranger" else "client"
            made.pods[client] = lab.run(client, node, labels={"app": app})
        for each in found:
            made.pods[each.pod] = lab.run(each.pod, _HOME, labels={"app": each.pod})
        _enforce(made)
        for each in found:
            server = (*_CONNECT, "echo", made.pods[each.pod].address(), str(PORT))
            stack.enter_context(serving(LabPlace(lab, each.pod), server, PORT))
        made.check()
        yield made


def _enforce(made: Rates) -> None:
    """Have the policies in force: ours through the agent's start, theirs through iptables-restore."""
    lab = made.lab
    lab.kill_agent(_HOME)
    ours = [each for each in made.found if each.count and not each.layout]
    for each in ours:
        fill(lab, _HOME, selecting(each.count, "default", {"app": each.pod}, {"app": "client"}))
    lab.start_agent(_HOME)
    for node in (_HOME, _AWAY):
        lab.kill_agent(node)
    for each in made.found:
        if each.layout:
            _restore(made, each)


def _restore(made: Rates, each: Receiver) -> None:
    """Load a receiver's rules, for a client on its node and one on another."""
    address = made.pods[each.pod].address()
    way = json.loads(made.lab.exec(_HOME, ["ip", "-j", "route", "get", address]).stdout)
    peers = [made.pods[client].address() for client in ("near", "far")]
    text = rules(each.layout, way[0]["dev"], peers, each.count, each.pod)
    done = made.lab.exec(_HOME, [f"iptables-{each.backend}-restore", "-n"], text=text, timeout=_LIMIT)
    if done.returncode != 0:
        raise OctetError(f"{each.name}: {done.stderr.strip()}")


__all__ = ["ACROSS", "COUNTS", "NONE", "SAME", "TWIN", "Rates", "Receiver", "Way", "rates", "ways"]
