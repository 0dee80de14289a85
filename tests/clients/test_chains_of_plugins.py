"""Our plugin works wherever it stands in a chain of the reference plugins."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import machine as machines
from octet.cni.runtime import Runtime
from octet.kernel import namespaces
from pods import pods

pytestmark = [pytest.mark.clients, pytest.mark.slow]

TUNING = {"type": "tuning", "sysctl": {"net.ipv4.conf.eth0.arp_announce": "2"}}
BANDWIDTH = {"type": "bandwidth", "ingressRate": 50_000_000, "ingressBurst": 1_000_000}
PORTMAP = {"type": "portmap", "capabilities": {"portMappings": True}}
FIREWALL = {"type": "firewall", "backend": "iptables"}


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[str]:
    """The path of a pod's network namespace."""
    with pods(tmp_path, 1) as (path,):
        yield path


@pytest.mark.parametrize("other", [TUNING, BANDWIDTH, PORTMAP], ids=lambda plugin: str(plugin["type"]))
def test_a_reference_plugin_works_after_ours(
    machine: machines.Machine, pod: str, other: dict[str, object]
) -> None:
    """A chained plugin finds our interface in prevResult; ADD, CHECK and DEL pass; the address stays."""
    machine.conflist(machine.plugin, other)
    with namespaces.inside(machine.namespace):
        runtime = Runtime("/etc/cni/net.d", ["/opt/cni/bin"], cache="/var/lib/cni/cache")
        result = runtime.add("c1", pod, "eth0")
        runtime.check("c1", pod, "eth0")
        runtime.delete("c1", pod, "eth0")
    assert str(result.ips[0].address) == "10.244.1.2/24"
