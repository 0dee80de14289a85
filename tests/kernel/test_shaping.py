"""Token buckets in a real kernel: they read back, heal, and hold real traffic to their rate both ways."""

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from octet.attach.bandwidth import smallest_burst
from octet.blueprint import Blueprint, Change, Shaper
from octet.kernel import namespaces
from octet.kernel.netlink.wire import Socket
from octet.kernel.shaping import Shaping

pytestmark = pytest.mark.kernel

RATE = 20_000_000
SHAPERS = Blueprint(
    [Shaper("veth0", RATE, 1_000_000), Shaper("ifb7", RATE, 1_000_000, redirect_from="veth0")]
)


def run(namespace: int, command: str) -> str:
    """Run a program in a namespace."""
    with namespaces.inside(namespace):
        return subprocess.run(command.split(), check=True, capture_output=True, text=True).stdout


@pytest.fixture
def shaping(node_ns: int, pod_ns: int) -> Iterator[Shaping]:
    """A node with a pod on a pair, an ifb link, and the facility."""
    run(node_ns, "ip link add veth0 type veth peer name eth0")
    run(node_ns, "ip link add ifb7 type ifb")
    move_to(node_ns, pod_ns)
    run(node_ns, "ip address add 10.9.0.1/24 dev veth0")
    run(node_ns, "ip link set veth0 up")
    run(node_ns, "ip link set ifb7 up")
    run(pod_ns, "ip address add 10.9.0.2/24 dev eth0")
    run(pod_ns, "ip link set eth0 up")
    with namespaces.inside(node_ns):
        socket = Socket()
    yield Shaping(socket)
    socket.close()
    run(node_ns, "ip link delete veth0")
    run(node_ns, "ip link delete ifb7")


def move_to(node_ns: int, pod_ns: int) -> None:
    """Move the pod's end into the pod's namespace, by the process id of a program that lives there."""
    with namespaces.inside(pod_ns), subprocess.Popen(["sleep", "30"]) as there:
        run(node_ns, f"ip link set eth0 netns {there.pid}")
        there.kill()


def into(shaping: Shaping, wanted: Blueprint) -> Change:
    """Do one round of reconciling and return what it found to do."""
    change = wanted.change_from(Blueprint(shaping.read(wanted)))
    outcome = shaping.apply(change)
    assert outcome.ok, outcome.failed
    return change


def throughput(server_ns: int, client_ns: int, address: str) -> float:
    """Return bit/s that a receiver in one namespace got from a sender in the other."""
    with namespaces.inside(server_ns):
        server = subprocess.Popen(["iperf3", "-s", "-1", "-B", address], stdout=subprocess.DEVNULL)
    time.sleep(0.3)
    answer = json.loads(run(client_ns, f"iperf3 -c {address} -t 3 -O 1 -J"))
    server.wait(timeout=10)
    return float(answer["end"]["sum_received"]["bits_per_second"])


@pytest.mark.slow
def test_a_limit_holds_both_ways(shaping: Shaping, node_ns: int, pod_ns: int) -> None:
    """A limit of 20 Mbit/s each way is kept within a fifth, and without it there is much more."""
    into(shaping, SHAPERS)
    received = throughput(pod_ns, node_ns, "10.9.0.2")
    sent = throughput(node_ns, pod_ns, "10.9.0.1")
    assert received == pytest.approx(RATE, rel=0.2)
    assert sent == pytest.approx(RATE, rel=0.2)
    into(shaping, Blueprint())
    assert throughput(pod_ns, node_ns, "10.9.0.2") > 10 * RATE
    assert throughput(node_ns, pod_ns, "10.9.0.1") > 10 * RATE


@pytest.mark.parametrize("limited", ["received", "sent"])
def test_the_smallest_burst_is_one_packet(shaping: Shaping, node_ns: int, pod_ns: int, limited: str) -> None:
    """A packet of the full MTU passes with the smallest burst that is allowed, and never with a byte less."""
    origin = {"received": ("veth0", None), "sent": ("ifb7", "veth0")}[limited]
    sender, target = {"received": (node_ns, "10.9.0.2"), "sent": (pod_ns, "10.9.0.1")}[limited]
    for burst, lost in (
        (smallest_burst(1500), " 0% packet loss"),
        (smallest_burst(1500) - 8, "100% packet loss"),
    ):
        into(shaping, Blueprint())
        into(shaping, Blueprint([Shaper(origin[0], RATE, burst, redirect_from=origin[1])]))
        assert lost in succeeding(sender, f"ping -c 3 -i 0.2 -W 1 -s 1472 {target}")


def succeeding(namespace: int, command: str) -> str:
    """Run a program in a namespace, however it ends, and return what it says."""
    with namespaces.inside(namespace):
        return subprocess.run(command.split(), check=False, capture_output=True, text=True).stdout


def test_shapers_read_back_as_written(shaping: Shaping) -> None:
    """What is there reads as what was wanted."""
    into(shaping, SHAPERS)
    assert Blueprint(shaping.read(SHAPERS)) == SHAPERS


@pytest.mark.parametrize("rate", [8, 1_000, 999_999, 10_000_000_000, 100_000_000_000])
@pytest.mark.parametrize("burst", [80, 120_000, 2_147_483_647])
def test_every_rate_and_burst_reads_back(shaping: Shaping, rate: int, burst: int) -> None:
    """From a byte a second to 100 Gbit/s, with the largest burst of CNI: nothing drifts."""
    wanted = Blueprint([Shaper("veth0", rate, burst)])
    into(shaping, wanted)
    assert not wanted.change_from(Blueprint(shaping.read(wanted)))


@pytest.mark.parametrize(
    "damage",
    [
        "tc qdisc delete dev veth0 root",
        "tc qdisc delete dev ifb7 root",
        "tc qdisc delete dev veth0 ingress",
        "tc filter delete dev veth0 ingress",
        "tc qdisc change dev veth0 root handle 6f63: tbf rate 5mbit burst 125000 limit 200000",
        "tc qdisc replace dev ifb7 root handle 1: pfifo",
    ],
)
def test_damage_is_found_and_repaired(shaping: Shaping, node_ns: int, damage: str) -> None:
    """Whatever part of a shaper is taken away by hand comes back, once."""
    into(shaping, SHAPERS)
    run(node_ns, damage)
    assert into(shaping, SHAPERS)
    assert not into(shaping, SHAPERS)


def test_a_shaper_changes_in_place(shaping: Shaping) -> None:
    """A new rate, and another origin, are alterations."""
    into(shaping, SHAPERS)
    slower = Blueprint(replace(each, rate=1_000_000, redirect_from=None) for each in SHAPERS.of(Shaper))
    assert len(into(shaping, slower).alter) == 2
    assert Blueprint(shaping.read(slower)) == slower


def test_removal_leaves_nothing(shaping: Shaping, node_ns: int) -> None:
    """Afterwards the links have the kernel's own queues again, and no ingress hook."""
    before = run(node_ns, "tc qdisc show")
    into(shaping, SHAPERS)
    into(shaping, Blueprint())
    assert run(node_ns, "tc qdisc show") == before


def test_an_ingress_hook_in_use_stays(shaping: Shaping, node_ns: int) -> None:
    """Somebody else's filter on the same link survives our coming and going."""
    into(shaping, SHAPERS)
    run(node_ns, "tc filter add dev veth0 ingress pref 9 protocol ip u32 match u32 0 0 flowid 1:1")
    into(shaping, Blueprint())
    assert "pref 9" in run(node_ns, "tc filter show dev veth0 ingress")


def test_queues_of_others_are_left_alone(shaping: Shaping, node_ns: int) -> None:
    """A token bucket without our handle is not ours: neither read nor removed."""
    run(node_ns, "tc qdisc add dev veth0 root handle 5: tbf rate 1mbit burst 10kb latency 20ms")
    assert not list(shaping.read(Blueprint()))
    shaping.apply(Change(remove=(Shaper("veth0", RATE, 1),)))
    assert "tbf 5:" in run(node_ns, "tc qdisc show dev veth0")


def test_a_missing_link_fails_alone(shaping: Shaping) -> None:
    """A shaper of a link that is not there fails by name, the other one works; removing it is done."""
    lost = Shaper("nowhere", RATE, 1_000_000)
    good = Shaper("veth0", RATE, 1_000_000)
    outcome = shaping.apply(Change(add=(lost, good)))
    assert (outcome.done, outcome.failed[0].item) == ((good,), lost)
    assert shaping.apply(Change(remove=(lost,))).ok
