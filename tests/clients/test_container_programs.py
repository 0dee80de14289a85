"""containerd's ctr and podman call our plugin as they call any other."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine import Machine, wait_for
from octet.kernel import namespaces

MODEST = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")
"""Limits that a session without CAP_SYS_RESOURCE may set too; podman's own defaults are above its own."""

pytestmark = [pytest.mark.clients, pytest.mark.slow]


@pytest.fixture
def containerd(machine: Machine) -> Iterator[str]:
    """A containerd of our own, on a socket of our own, without its CRI part."""
    home = machine.root / "containerd"
    home.mkdir()
    socket = "/run/octet-clients/containerd.sock"
    (home / "config.toml").write_text(
        f'version = 2\nroot = "{home}/root"\nstate = "{home}/state"\n'
        'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
        f'[grpc]\naddress = "{socket}"\n[ttrpc]\naddress = "{socket}.ttrpc"\n'
    )
    with namespaces.inside(machine.namespace), (home / "log").open("w") as log:
        server = subprocess.Popen(["containerd", "-c", f"{home}/config.toml"], stdout=log, stderr=log)
    wait_for(lambda: machine.call("ctr", "-a", socket, "version").returncode == 0)
    yield socket
    server.terminate()
    server.wait(timeout=10)


def test_ctr_runs_a_container_on_our_network(machine: Machine, containerd: str, rootfs: Path) -> None:
    """A container of containerd has our address, reaches its node, and leaves nothing when it ends."""
    machine.conflist()
    script = "ip -o -4 addr show eth0; ping -c 1 -W 2 10.244.1.1"
    run = [
        "ctr",
        "-a",
        containerd,
        "run",
        "--rm",
        "--cni",
        "--rootfs",
        str(rootfs),
        "t1",
        "/bin/sh",
        "-c",
        script,
    ]
    done = machine.call(*run)
    assert "10.244.1.2/24" in done.stdout, done.stdout + done.stderr
    assert " 0% packet loss" in done.stdout
    wait_for(lambda: not [name for name in machine.links() if name.startswith("veth")])


def test_podman_runs_a_container_on_our_network(machine: Machine, rootfs: Path) -> None:
    """Podman with its CNI backend (Debian 12's build has it) attaches, runs and detaches a container."""
    machine.conflist()
    home = machine.root / "podman"
    home.mkdir()
    (home / "containers.conf").write_text(
        '[network]\nnetwork_backend="cni"\ncni_plugin_dirs=["/opt/cni/bin"]\n'
        'network_config_dir="/etc/cni/net.d"\n[engine]\ncgroup_manager="cgroupfs"\n'
    )
    (home / "storage.conf").write_text(
        f'[storage]\ndriver="vfs"\ngraphroot="{home}/root"\nrunroot="{home}/run"\n'
    )
    script = "ip -o -4 addr show eth0; ping -c 1 -W 2 10.244.1.1"
    run = [
        *("podman", "run", "--rm", *MODEST, "--network", "octet"),
        *("--rootfs", str(rootfs), "/bin/sh", "-c", script),
    ]
    done = machine.call(
        *run,
        CONTAINERS_CONF=str(home / "containers.conf"),
        CONTAINERS_STORAGE_CONF=str(home / "storage.conf"),
    )
    assert "10.244.1." in done.stdout, done.stdout + done.stderr
    assert " 0% packet loss" in done.stdout
    wait_for(lambda: not [name for name in machine.links() if name.startswith("veth")])
