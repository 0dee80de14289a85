"""Taking an agent's traces away: everything of ours, said once for each, and nothing of others."""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

import pytest
from typer.testing import CliRunner

from octet.agent.uninstall import uninstall
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
from octet.kernel import connections, namespaces
from octet.kernel.host import HostKernel
from octet.policy.gates import CUT
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


def test_uninstall_lets_go_on_what_was_cut(node_ns: int, tmp_path: Path) -> None:
    """Our bit of connections' marks is cleared; what others have in the mark stays."""
    (tmp_path / "run").mkdir()
    ends = IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")
    connections.enter([connections.Entry(*ends, 9, port) for port in (1, 2)], node_ns)
    first, second = connections.listed([4], node_ns)
    connections.mark([first], CUT | 0x80, 0xFFFF_FFFF, node_ns)
    connections.mark([second], 0x80, 0xFFFF_FFFF, node_ns)
    with namespaces.inside(node_ns):
        uninstall(tmp_path / "run")
    assert [each.mark for each in connections.listed([4], node_ns)] == [0x80, 0x80]
