"""Taking an agent's traces away: everything of ours, said once for each, and nothing of others."""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

import pytest
from typer.testing import CliRunner

from octet.blueprint import (
    Address,
    Blueprint,
    Bridge,
    Change,
    FdbEntry,
    Link,
    Neighbour,
    Route,
    Sysctl,
    Vxlan,
)
from octet.cli import agent
from octet.kernel import namespaces
from octet.kernel.host import HostKernel
from octet.transport.masquerade import masquerade

pytestmark = pytest.mark.kernel

CLUSTER = IPv4Network("10.244.0.0/16")
MADE = Blueprint(
    [
        Link("cni0", Bridge(), "attach bridge"),
        Link("vx0", Vxlan(1, 8472, IPv4Address("192.0.2.1")), "transport vxlan", ipv6_autoconf=False),
        Address("cni0", IPv4Interface("10.244.1.1/24")),
        Address("vx0", IPv4Interface("10.244.1.0/32")),
        Route(IPv4Network("10.244.2.0/24"), "vx0", IPv4Address("10.244.2.0"), onlink=True),
        Neighbour("vx0", IPv4Address("10.244.2.0"), "02:00:00:00:00:01"),
        FdbEntry("vx0", "02:00:00:00:00:01", IPv4Address("192.0.2.2")),
        Sysctl("net/ipv4/ip_forward", "1"),
        *masquerade([CLUSTER]),
    ]
)


def test_uninstall_counts_all_that_it_removed(node_ns: int, tmp_path: Path) -> None:
    """Bridge, tunnel, addresses, routes, tables and settings are counted once each; then there is nothing."""
    run = tmp_path / "run"
    run.mkdir()
    config = tmp_path / "agent.toml"
    config.write_text(
        f'[node]\nname = "node1"\n[model]\nname = "flannel"\n[store]\npath = "{tmp_path}/s"\n'
        f'[cluster]\npod_cidrs = ["{CLUSTER}"]\n[paths]\nrun = "{run}"\n'
    )
    with HostKernel(node_ns, memory=run / "sysctl.json") as kernel:
        assert kernel.apply(Change(add=tuple(MADE))).ok
        held = {item.key for item in kernel.read(MADE)}
    assert len(held) >= len(MADE)
    with namespaces.inside(node_ns):
        said = [CliRunner().invoke(agent.app, ["uninstall", "--config", str(config)]) for _ in range(2)]
    assert [each.output for each in said] == [
        f"removed {len(held)} kernel objects\n",
        "removed 0 kernel objects\n",
    ]
