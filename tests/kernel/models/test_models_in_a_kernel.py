"""Every model's blueprint in a real kernel, without agent and plugin: two nodes, two pods on each."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from octet.attach.routed import RoutedAttach
from octet.blueprint import Blueprint, Daemon
from octet.blueprint.nft import RETURN
from octet.cluster.endpoint import Endpoint
from octet.kernel import namespaces
from octet.kernel.daemons import hosted
from octet.kernel.host import HostKernel
from octet.models import Running, example, find, names

pytestmark = pytest.mark.kernel

HEADERS = {4: 20 + 8, 6: 40 + 8}
"""Bytes of IP and ICMP headers around what ping sends (RFC 791, RFC 8200, RFC 792)."""

ROUTED = "flannel, routed"


def ip(namespace: int, command: str) -> None:
    with namespaces.inside(namespace):
        subprocess.run(["ip", *command.split()], check=True, capture_output=True)


PATIENTLY = ("-c3", "-i0.2")
"""On a busy machine; that a pod's first packet passes is proven in test_pods_on_a_node.py."""


def ping(namespace: int, address: object, *options: str) -> bool:
    with namespaces.inside(namespace):
        command = ["ping", "-c1", "-W1", *options, str(address)]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0


@dataclass
class Pod:
    """A pod as the test sees it: its namespace and what it was given."""

    namespace: int
    endpoint: Endpoint
    mtu: int


@dataclass
class Lab:
    """Two nodes, joined by one wire, that run a model."""

    running: Running
    families: tuple[int, ...]
    ends: ExitStack
    nodes: list[int] = field(default_factory=list)
    kernels: list[HostKernel] = field(default_factory=list)
    wanted: list[Blueprint] = field(default_factory=list)
    pods: list[Pod] = field(default_factory=list)

    def namespace(self) -> int:
        """Return a new namespace that ends with the test."""
        made = namespaces.create()
        self.ends.callback(os.close, made)
        ip(made, "link set lo up")
        return made

    def build(self) -> "Lab":
        """Join two nodes, and let each hold what its model says."""
        self.nodes = [self.namespace(), self.namespace()]
        ip(
            self.nodes[0],
            f"link add eth0 type veth peer name eth0 netns /proc/{os.getpid()}/fd/{self.nodes[1]}",
        )
        for number, node in enumerate(self.nodes, start=1):
            ip(node, f"addr add 192.0.2.{number}/24 dev eth0")
            ip(node, f"addr add 2001:db8::{number}/64 dev eth0 nodad")
            ip(node, "link set eth0 addrgenmode none up")
            ip(node, f"addr add fe80::{number}/64 dev eth0 nodad")
            ip(node, "route add default via 192.0.2.254")
            self.start(node, number)
        return self

    def start(self, node: int, number: int) -> None:
        """Apply what a node and two of its pods are."""
        place = Path(self.ends.enter_context(TemporaryDirectory()))
        daemons = self.ends.enter_context(hosted(place / "daemons", node))
        self.ends.callback(lambda: [each.end() for each in daemons.running.values()])
        kernel = HostKernel(node, daemons=daemons)
        self.ends.callback(kernel.close)
        view = example.view(self.running, self.families, nodes=2, me=number)
        held, left_out = self.running.whole(view)
        assert left_out == ()
        apply(kernel, held)
        network = self.running.network(view)
        for host in (10, 11):
            pod = Pod(self.namespace(), example.endpoint(self.running.attach, network, host), network.mtu)
            held |= self.attach(kernel, pod, network)
            self.pods.append(pod)
        self.kernels.append(kernel)
        self.wanted.append(held)

    def attach(self, kernel: HostKernel, pod: Pod, network: object) -> Blueprint:
        """Let a pod in, which no policy is about; return what it adds to its node."""
        plan = self.running.endpoint(network, pod.endpoint)
        gate = self.running.gate
        let_in = gate.endpoint(pod.endpoint, RETURN, RETURN) if gate is not None else Blueprint()
        with kernel.enter(pod.namespace) as inside:
            apply(inside, plan.pod)
            assert not plan.pod.change_from(inside.read(plan.pod))
        apply(kernel, plan.node | let_in)
        return plan.node | let_in


def apply(kernel: HostKernel, wanted: Blueprint) -> None:
    outcome = kernel.apply(wanted.change_from(Blueprint()))
    assert outcome.ok, "\n".join(map(str, outcome.failed))


def lab(name: str, families: str, ends: ExitStack) -> Lab:
    running = find(name.partition(",")[0]).parse({}, source="test")
    if name == ROUTED:
        running = replace(running, attach=RoutedAttach())
    return Lab(running, example.FAMILIES[families], ends).build()


@pytest.fixture
def ends() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


EVERY = [*product([*names(), ROUTED], example.FAMILIES)]
CONVERGED = 30.0
"""Seconds that routing daemons may take to tell each other their routes, on a busy machine."""


def wait_for_routes(made: Lab) -> None:
    """Wait until a pod reaches one of the other node, where a daemon makes the routes between them."""
    if not any(isinstance(item, Daemon) for item in made.wanted[0]):
        return
    first, last = made.pods[0], made.pods[-1]
    deadline = time.monotonic() + CONVERGED
    for address in last.endpoint.addresses:
        while not ping(first.namespace, address, "-W0.2"):
            assert time.monotonic() < deadline, f"no route to {address}"


@pytest.mark.parametrize(("name", "families"), EVERY)
def test_packets_pass_in_every_model_and_family(name: str, families: str, ends: ExitStack) -> None:
    """Each pod reaches each, the largest packet passes, one byte more is refused, and nothing drifts."""
    made = lab(name, families, ends)
    wait_for_routes(made)
    for pod, other in product(made.pods, made.pods):
        for address in other.endpoint.addresses:
            largest = pod.mtu - HEADERS[address.version]
            assert ping(pod.namespace, address, *PATIENTLY, "-Mdo", f"-s{largest}"), (pod, address)
    first, last = made.pods[0], made.pods[-1]
    for address in last.endpoint.addresses:
        more = first.mtu - HEADERS[address.version] + 1
        assert not ping(first.namespace, address, "-W0.1", "-Mdo", f"-s{more}")
    for kernel, wanted in zip(made.kernels, made.wanted, strict=True):
        assert str(wanted.change_from(kernel.read(wanted))) == ""


def test_a_routed_pod_that_forgot_its_gateway_is_answered_at_once(ends: ExitStack) -> None:
    """Without its permanent entries a pod asks, and gets an answer within one ping of 100 ms."""
    first, second, *_ = lab(ROUTED, "dual", ends).pods
    ip(first.namespace, "neigh flush dev eth0 nud permanent")
    for address in second.endpoint.addresses:
        assert ping(first.namespace, address, "-W0.1")


@pytest.mark.parametrize("loose", [False, True])
def test_a_routed_pod_cannot_forge_its_address(ends: ExitStack, loose: bool) -> None:
    """A pod that sends from another address is not heard, also where the machine's own check is loose."""
    made = lab(ROUTED, "dual", ends)
    first, second, *_ = made.pods
    if loose:
        with namespaces.inside(made.nodes[0]):
            Path("/proc/sys/net/ipv4/conf/all/rp_filter").write_text("2")
    for forged, address in zip(("10.244.1.99", "fd00:10:244:1::99"), second.endpoint.addresses, strict=True):
        ip(first.namespace, f"addr add {forged} dev eth0 {'nodad' if ':' in forged else ''}")
        assert ping(first.namespace, address)
        assert not ping(first.namespace, address, "-W0.2", "-I", forged)


def test_removing_everything_leaves_nothing(ends: ExitStack) -> None:
    """A node whose whole blueprint is taken away holds nothing of it."""
    made = lab("flannel", "dual", ends)
    kernel, wanted = made.kernels[0], made.wanted[0]
    assert kernel.apply(Blueprint().change_from(wanted)).ok
    kernel.reap()
    links = [item for item in kernel.read(wanted) if item.key[0] != "sysctl"]
    assert links == []
