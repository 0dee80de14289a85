"""What a bridge has learned before its port was locked."""

import pytest

import hands
from octet.blueprint import Blueprint, Bridge, BridgePort, Change, FdbEntry, Link, Veth
from octet.kernel.host import HostKernel
from octet.kernel.reconcile import compare, prune

pytestmark = pytest.mark.kernel

MAC = "0a:58:0a:f4:01:05"
BRIDGE = Link("br0", Bridge(), "bridge", mac="0a:58:0a:f4:01:01", ipv6_autoconf=False)
POD = Link("eth0", Veth("pod0"), "pod", mac=MAC, ipv6_autoconf=False)
PORT = Link("pod0", Veth("eth0"), "pod", master="br0", port=BridgePort(locked=True), ipv6_autoconf=False)


def test_a_learned_mac_gives_way_to_ours(node_ns: int, pod_ns: int) -> None:
    """A pod whose first packet came before its entry is attached all the same, and the entry never ages."""
    with HostKernel(node_ns) as kernel:
        with kernel.enter(pod_ns) as pod:
            assert kernel.apply(Change(add=(BRIDGE,))).ok
            assert pod.apply(Change(add=(POD,))).ok
        assert kernel.apply(Change(add=(PORT,))).ok
        hands.run(node_ns, f"bridge fdb replace {MAC} dev pod0 master dynamic")
        entry = FdbEntry("pod0", MAC)
        outcome = kernel.apply(Change(add=(entry,)))
        assert outcome.ok, outcome.failed
        assert not compare(kernel, Blueprint([BRIDGE, PORT, entry]), pruning=True)
        prune(kernel, Blueprint())
        kernel.reap()
