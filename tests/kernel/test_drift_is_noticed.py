"""Whatever somebody else changes of ours is noticed and put back; what we change ourselves is no drift."""

import select
import time
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from hands import run
from node_state import DISTURBANCES, NODE_STATE
from octet.blueprint import Blueprint, Bridge, Change, KernelObject, Key, Link, Neighbour, Route, Sysctl, Veth
from octet.kernel.drift import Event, Gone, Overflow, TableGone, TableTouched, UnderlayChanged, is_drift
from octet.kernel.host import HostKernel
from octet.kernel.monitor import Monitor
from octet.kernel.reconcile import make_so, prune

pytestmark = pytest.mark.kernel

OPEN = Path("/proc/self/fd")
WANTED: dict[Key, KernelObject] = {item.key: item for item in NODE_STATE}


@pytest.fixture
def kernel(node_ns: int) -> Iterator[HostKernel]:
    """A node in its wanted state, removed again."""
    with HostKernel(node_ns) as kernel:
        outcome = prune(kernel, NODE_STATE)
        assert outcome.ok, [str(failure) for failure in outcome.failed]
        yield kernel
        kernel.apply(Change(remove=tuple(NODE_STATE)))
        prune(kernel, Blueprint())
        kernel.reap()


@pytest.fixture
def monitor(node_ns: int, kernel: HostKernel) -> Iterator[Monitor]:
    """A watcher that starts when the node is as wanted."""
    assert not NODE_STATE.change_from(kernel.read(NODE_STATE))
    with Monitor(node_ns) as monitor:
        yield monitor


def drift(monitor: Monitor) -> list[Event]:
    """What an agent would act on within a second: news, then a look at what makes none."""
    events = monitor.drain(WANTED) + monitor.look(WANTED)
    return [event for event in events if is_drift(event, WANTED)]


@pytest.mark.parametrize("disturbance", DISTURBANCES)
def test_every_disturbance_is_noticed_and_repaired(
    disturbance: str, kernel: HostKernel, monitor: Monitor, node_ns: int
) -> None:
    """One comparison puts back all that a hand took away, and what depended on it, within a second."""
    run(node_ns, DISTURBANCES[disturbance])
    began = time.monotonic()
    assert drift(monitor)
    assert prune(kernel, NODE_STATE).ok
    assert time.monotonic() - began < 1
    assert not NODE_STATE.change_from(kernel.read(NODE_STATE))


def test_our_own_changes_are_no_drift(kernel: HostKernel, monitor: Monitor) -> None:
    """Making the whole node, and making it again, causes news but no suspicion."""
    assert drift(monitor) == []
    kernel.apply(Change(remove=tuple(NODE_STATE)))
    kernel.reap()
    assert prune(kernel, NODE_STATE).ok
    assert monitor.drain(WANTED) != []
    assert drift(monitor) == []


def test_a_pod_that_is_attached_is_no_drift(kernel: HostKernel, monitor: Monitor, pod_ns: int) -> None:
    """Attaching and retiring a pod causes no comparison of the whole node."""
    end = Link("pod0", Veth("eth0"), "pod", mtu=1400, master="br0")
    with kernel.enter(pod_ns) as pod:
        pod.apply(Change(add=(Link("eth0", Veth("pod0"), "pod", mtu=1400),)))
    kernel.apply(Change(add=(end,)))
    with_pod = WANTED | {end.key: end}
    assert [event for event in monitor.drain(with_pod) if is_drift(event, with_pod)] == []
    kernel.apply(Change(remove=(end,)))
    kernel.reap()
    assert drift(monitor) == []


def test_the_last_pod_leaves_the_bridge_its_mtu(kernel: HostKernel, node_ns: int, pod_ns: int) -> None:
    """A bridge keeps its MTU when pods come and go, also when it is the kernel's default."""
    bridge = Link("br9", Bridge(), "bridge", mtu=1500)
    kernel.apply(Change(add=(bridge,)))
    with kernel.enter(pod_ns) as pod:
        pod.apply(Change(add=(Link("eth0", Veth("pod0"), "pod", mtu=1300),)))
    end = Link("pod0", Veth("eth0"), "pod", mtu=1300, master="br9")
    for change in (Change(add=(end,)), Change(remove=(end,))):
        assert kernel.apply(change).ok
        kernel.reap()
        assert "mtu 1500" in run(node_ns, "ip link show br9")
    kernel.apply(Change(remove=(bridge,)))


def test_news_wake_a_reader(monitor: Monitor, node_ns: int) -> None:
    """The monitor's descriptor is readable while there is news, and only then."""
    while select.select([monitor], [], [], 0.3)[0]:
        monitor.drain(WANTED)  # the kernel finishes with the new addresses
    run(node_ns, "ip route del 10.2.0.0/24")
    assert select.select([monitor], [], [], 1) == ([monitor], [], [])
    assert monitor.drain(WANTED) == [Gone(("route", 254, "10.2.0.0/24", 0))]
    assert select.select([monitor], [], [], 0) == ([], [], [])


def test_lost_news_ask_for_a_full_comparison(kernel: HostKernel, monitor: Monitor, node_ns: int) -> None:
    """When more happens than the kernel can queue, the monitor says so once and then goes on."""
    many = tuple(
        Neighbour("vx0", ip_address(0x0A500000 + number), "02:00:00:00:00:01") for number in range(30_000)
    )
    run(node_ns, "ip link set br0 mtu 1300")
    kernel.apply(Change(add=many))
    kernel.apply(Change(remove=many))
    assert monitor.drain(WANTED) == [Overflow()]
    assert is_drift(Overflow(), WANTED)
    assert prune(kernel, NODE_STATE).ok
    monitor.drain(WANTED)
    run(node_ns, "ip neigh del 10.2.0.0 dev vx0")
    assert drift(monitor) == [Gone(("neighbour", "vx0", "10.2.0.0"))]


UNDERLAY_NEWS = {
    "ip link set up0 mtu 1400": UnderlayChanged("up0"),
    "ip address add 192.0.2.1/24 dev up0": UnderlayChanged("up0"),
    "ip address del 198.51.100.1/24 dev up0": UnderlayChanged("up0", lost=True),
    "ip link set up0 down": UnderlayChanged("up0", lost=True),
    "ip link del up0": UnderlayChanged("up0", lost=True),
    "ip route add default dev up0": UnderlayChanged("up0"),
}


@pytest.mark.parametrize("command", UNDERLAY_NEWS)
def test_changes_of_the_underlay_are_told(command: str, node_ns: int) -> None:
    """A foreign link's MTU, state, addresses and default route are told by its name, and what may be lost."""
    run(node_ns, "ip link add up0 type bridge")
    run(node_ns, "ip link set up0 up")
    run(node_ns, "ip address add 198.51.100.1/24 dev up0")
    with Monitor(node_ns) as monitor:
        run(node_ns, command)
        assert UNDERLAY_NEWS[command] in monitor.drain({})
    run(node_ns, "ip link del up0", check=False)


def test_routes_that_vanish_with_an_underlay_are_drift(node_ns: int) -> None:
    """IPv4 routes through a foreign link go silently when it goes down; its fall alone is drift."""
    run(node_ns, "ip link add up0 type bridge")
    run(node_ns, "ip link set up0 up")
    route = Route(ip_network("10.8.0.0/16"), "up0")
    with HostKernel(node_ns) as kernel, Monitor(node_ns) as monitor:
        assert make_so(kernel, Blueprint([route])).ok
        run(node_ns, "ip link set up0 down")
        events = monitor.drain({route.key: route})
        assert any(is_drift(event, {route.key: route}) for event in events)
        assert not any(is_drift(event, {}) for event in events)
    run(node_ns, "ip link del up0")


def test_a_foreign_route_over_ours_is_noticed(kernel: HostKernel, monitor: Monitor, node_ns: int) -> None:
    """A route of ours that somebody replaced by his own is missed, and reported as not to be had."""
    run(node_ns, "ip route replace 10.2.0.0/24 dev br0")
    assert drift(monitor) != []
    (failure,) = prune(kernel, NODE_STATE).failed
    assert "not ours" in failure.reason
    run(node_ns, "ip route del 10.2.0.0/24")


def test_a_wanted_setting_is_read_in_its_namespace(monitor: Monitor, node_ns: int) -> None:
    """Looking at settings compares those of the watched namespace, not of the thread that looks."""
    setting = Sysctl("net/ipv4/neigh/lo/gc_stale_time", "61")
    run(node_ns, "sysctl -qw net.ipv4.neigh.lo.gc_stale_time=62")
    assert any(is_drift(event, {setting.key: setting}) for event in monitor.look({setting.key: setting}))
    run(node_ns, "sysctl -qw net.ipv4.neigh.lo.gc_stale_time=60")


def test_a_monitor_lets_go(node_ns: int) -> None:
    """Closing twice is fine, and leaves no descriptor open."""
    before = len([*OPEN.iterdir()])
    monitor = Monitor(node_ns)
    monitor.close()
    monitor.close()
    assert len([*OPEN.iterdir()]) == before


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize(
    ("command", "event"), [("flush ruleset", TableGone()), ("flush table inet octet", TableTouched())]
)
def test_what_others_do_to_our_table_is_heard_before_other_news(
    node_ns: int, monitor: Monitor, command: str, event: Event
) -> None:
    """A descriptor of its own tells at once that our table is gone, or touched."""
    assert monitor.table() == []
    run(node_ns, f"nft {command}")
    assert select.select([monitor.table_fileno()], [], [], 1.0)[0]
    assert monitor.table() == [event]
    assert monitor.table() == []
