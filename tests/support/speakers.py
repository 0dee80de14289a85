"""Machines on one switch that speak BGP: ours through the kernel port, others' with a BIRD set up by hand.

What lives here: namespaces, cables, and how to look. What it must not know: which test uses it.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path

from hands import run
from octet.blueprint import Blueprint
from octet.blueprint.base import union
from octet.kernel import namespaces
from octet.kernel.daemons import Daemons, hosted
from octet.kernel.host import HostKernel
from octet.kernel.port import Outcome
from octet.kernel.reconcile import prune
from octet.transport.bgp import DAEMON, Member, Mesh, Session, Speaker, Timers, between, daemon, session
from octet.transport.bgp.status import SessionState, sessions
from snapshot import snapshot

ASN = 64512
QUICK = Timers(connect_retry=1, connect_delay=1, error_wait=(1, 2))
"""A test has no time for what an operator waits for."""

PASSWORD = "correct horse"  # noqa: S105 - the password of pretended routers


@dataclass
class Machine:
    """A machine on the switch: ``10.0.0.N`` and ``fd00::N``, with pods at ``10.244.N.0/24``."""

    number: int
    namespace: int

    @property
    def name(self) -> str:
        return f"node{self.number}"

    def run(self, command: str, *, check: bool = True) -> str:
        return run(self.namespace, command, check=check)

    def pings(self, source: str, target: str, seconds: float) -> subprocess.Popen[str]:
        """Start a hundred pings a second."""
        command = ["ping", "-q", "-i", "0.01", "-c", str(int(seconds * 100)), "-I", source, target]
        with namespaces.inside(self.namespace):
            return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def routes(self, family: int = 4) -> str:
        return self.run(f"ip -{family} route show proto bird")


@dataclass
class Node(Machine):
    """A node of ours.

    Attributes:
        wanted: what it was last told to hold.
    """

    daemons: Daemons
    kernel: HostKernel
    wanted: Blueprint = field(default_factory=Blueprint)

    def speaker(self, **fields: object) -> Speaker:
        """Return the node as a speaker that owns its pods' network in both families."""
        four, six = IPv4Address(f"10.0.0.{self.number}"), IPv6Address(f"fd00::{self.number}")
        owned = (ip_network(f"10.244.{self.number}.0/24"), ip_network(f"fd01:{self.number}::/64"))
        near = (ip_network("10.0.0.0/24"), ip_network("fd00::/64"))
        told = {"asn": ASN, "v4": four, "v6": six, "near": near, "owned": owned, "scan_time": 2, **fields}
        return Speaker(four, **told)  # type: ignore[arg-type] - a test may set any field

    def member(self, **fields: object) -> Member:
        held = self.speaker()
        return Member(self.name, **{"asn": ASN, "v4": held.v4, "v6": held.v6, **fields})  # type: ignore[arg-type] - as above

    def hold(self, *parts: Blueprint) -> Outcome:
        """Make the kernel hold exactly these."""
        self.wanted = union(parts)
        return prune(self.kernel, self.wanted)

    def sessions(self) -> dict[str, SessionState]:
        """Return what its speaker says, by peer."""
        found = sessions(self.daemons.ask(DAEMON, "show protocols all").lines)
        return {each.name: each for each in found}

    @property
    def pid(self) -> int:
        return self.daemons.running[DAEMON].pid


@dataclass
class Lan:
    """A switch, and everything that is plugged in."""

    switch: int
    root: Path
    resources: ExitStack
    nodes: list[Node] = field(default_factory=list)

    def machine(self, number: int) -> Machine:
        """Plug in a machine that is none of ours."""
        made = Machine(number, namespaces.create())
        self.resources.callback(os.close, made.namespace)
        plug = f"ip link add p{number} type veth peer name eth0 netns /proc/{os.getpid()}/fd/{made.namespace}"
        run(self.switch, plug)
        run(self.switch, f"ip link set p{number} master sw0 up")
        made.run("ip link set lo up")
        made.run("sysctl -qw net.ipv6.conf.eth0.accept_dad=0")
        made.run("ip link set eth0 up")
        made.run(f"ip addr add 10.0.0.{number}/24 dev eth0")
        made.run(f"ip addr add fd00::{number}/64 dev eth0 nodad")
        made.run("sysctl -qw net.ipv4.ip_forward=1 net.ipv4.fib_multipath_hash_policy=1")
        return made

    def node(self, number: int) -> Node:
        """Plug in a node of ours, with one pod's address on lo and the blackhole of its block."""
        machine = self.machine(number)
        secrets = {"password": PASSWORD}
        daemons = self.resources.enter_context(
            hosted(self.root / str(number), machine.namespace, lambda secret: secrets.get(secret.key))
        )
        kernel = self.resources.enter_context(HostKernel(machine.namespace, daemons=daemons))
        machine.run(f"ip route add blackhole 10.244.{number}.0/24 metric 1024")
        machine.run(f"ip addr add 10.244.{number}.1/32 dev lo")
        self.watch(lambda: settled(machine))
        made = Node(number, machine.namespace, daemons, kernel)
        before = snapshot(made.namespace)
        self.resources.callback(_leave_nothing, made, before, self.root / str(number))
        self.nodes.append(made)
        return made

    def router(self, number: int, config: str) -> "Router":
        """Plug in somebody else's router with a configuration written by hand."""
        machine = self.machine(number)
        made = Router(number, machine.namespace, self.root / f"router{number}")
        made.start(config)
        self.resources.callback(made.stop)
        return made

    def watch(self, true: Callable[[], bool], seconds: float = 60) -> float:
        """Look after all daemons until something holds; return how long it took, fail when it never does."""
        start = time.monotonic()
        while not true():
            assert time.monotonic() - start < seconds, "waited in vain"
            self.tick()
            time.sleep(0.02)
        return time.monotonic() - start

    def tick(self) -> None:
        for node in self.nodes:
            node.daemons.tick()

    def look_after(self, process: subprocess.Popen[str]) -> str:
        """Look after all daemons until a program ends; return what it said."""
        while process.poll() is None:
            self.tick()
            time.sleep(0.02)
        return process.communicate()[0]


@dataclass
class Router(Machine):
    """Somebody else's BIRD."""

    directory: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self, config: str) -> None:
        self.directory.mkdir(exist_ok=True)
        (self.directory / "bird.conf").write_text(config)
        command = ["bird", "-f", "-c", str(self.directory / "bird.conf"), "-s", str(self.directory / "ctl")]
        with namespaces.inside(self.namespace):
            self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def knows(self, family: int = 4) -> dict[str, str]:
        """Return what it was told: a route's attributes by prefix."""
        shown = self.run(
            f"birdc -s {self.directory / 'ctl'} show route table master{family} all", check=False
        )
        found: dict[str, str] = {}
        prefix = ""
        for line in shown.splitlines():
            if line[:1].isalnum() and "/" in line.split()[0]:
                prefix = line.split()[0]
            found[prefix] = found.get(prefix, "") + line + "\n"
        return {prefix: text for prefix, text in found.items() if "Type: BGP" in text}


def settled(machine: Machine) -> bool:
    """Has the kernel noticed that the cable is in? It does so a moment later, and adds routes."""
    both = machine.run("ip route") + machine.run("ip -6 route show table all")
    own = ("local fe80::", f"local fd00::{machine.number} ", "multicast ff00::/8 dev eth0")
    return "linkdown" not in both and all(each in both for each in own)


def _odd(before: object, after: object) -> object:
    """Return what is in one of two lists only."""
    if not isinstance(before, list) or not isinstance(after, list):
        return before, after
    return [each for each in before if each not in after], [each for each in after if each not in before]


def _leave_nothing(node: Node, before: dict[str, object], root: Path) -> None:
    """Uninstall, and prove that the namespace is as it was and nothing runs."""
    outcome = prune(node.kernel, Blueprint())
    assert outcome.ok, outcome.failed
    after = snapshot(node.namespace)
    differing = {key: _odd(before[key], after[key]) for key in after if after[key] != before[key]}
    assert not differing, differing
    assert not root.exists()


@contextmanager
def lan(root: Path) -> Iterator[Lan]:
    """Lend a switch; everything on it is gone afterwards."""
    switch = namespaces.create()
    try:
        run(switch, "ip link add sw0 type bridge")
        run(switch, "ip link set sw0 up")
        with ExitStack() as resources:
            yield Lan(switch, root, resources)
    finally:
        os.close(switch)


def mesh(node: Node, others: Iterable[Node], plan: Mesh, **members: Member) -> Blueprint:
    """Return what sessions a node has with others; a node may be given as another member than it is."""
    speaker, me = node.speaker(), members.get(node.name, node.member())
    return union(
        [
            daemon(speaker),
            *(
                session(speaker, each)
                for other in others
                for each in between(speaker, me, members.get(other.name, other.member()), plan)
            ),
        ]
    )


def external(number: int, **fields: object) -> Session:
    """Return a session with a router on the switch."""
    told = {"families": (4, 6), "timers": QUICK, **fields}
    return Session(f"router{number}", IPv4Address(f"10.0.0.{number}"), 65000 + number, **told)  # type: ignore[arg-type] - as above
