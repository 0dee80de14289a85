"""A machine of one node: private directories, a real agent, our plugin, and ways to call them.

What lives here: the private places where container programs look, and an agent in its own namespace.
What it must not know: which program will call the plugin.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from octet.kernel import namespaces
from snapshot import snapshot

PLUGIN = Path(__file__).parents[2] / "src/octet/cni/plugin/octet-cni"
REFERENCE = Path("/usr/lib/cni")
BUSYBOX = Path("/bin/busybox")
PRIVATE_PLACES = ("/etc/cni/net.d", "/opt/cni/bin", "/var/lib/cni", "/run/octet-clients")


@contextmanager
def private(places: tuple[str, ...]) -> Iterator[None]:
    """Put empty tmpfs mounts over directories; the test process has its own mount namespace."""
    for place in places:
        Path(place).mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", place], check=True)
    try:
        yield
    finally:
        for place in reversed(places):
            subprocess.run(["umount", "-l", place], check=True)


@dataclass
class Machine:
    """One node: its network namespace, its agent's directory, and how to run a program on it."""

    namespace: int
    run: Path
    root: Path
    agent: subprocess.Popen[bytes] | None = None

    def start_agent(self) -> None:
        """Start the agent in the node's namespace; it is not ready yet when this returns."""
        command = [sys.executable, "-m", "octet.agent", "--config", str(self.root / "agent.toml")]
        with namespaces.inside(self.namespace), (self.root / "agent.log").open("a") as log:
            self.agent = subprocess.Popen(command, stderr=log)

    def kill_agent(self, signal: int = 9) -> None:
        """End the agent by a signal and wait until it is gone."""
        if self.agent is not None:
            self.agent.send_signal(signal)
            self.agent.wait(timeout=10)
            self.agent = None

    def uninstall(self) -> None:
        """Remove what the agent made, with the agent's own command."""
        octet = str(Path(sys.executable).with_name("octet"))
        done = self.call(octet, "agent", "uninstall", "--config", str(self.root / "agent.toml"))
        assert done.returncode == 0, done.stderr

    def wait_ready(self) -> None:
        """Wait until the agent says that it is ready."""
        wait_for(lambda: ready(self.run))

    def plugin_call(
        self, command: str, container: str, netns: str, ifname: str = "eth0", **keys: object
    ) -> tuple[int, dict[str, Any]]:
        """Run our plugin once, with more keys in its configuration; return its exit status and its answer."""
        process = self.start_plugin(command, container, netns, ifname, **keys)
        out, _ = process.communicate(timeout=70)
        return process.returncode, json.loads(out) if out.strip() else {}

    def start_plugin(
        self, command: str, container: str, netns: str, ifname: str = "eth0", pod: str = "", **keys: object
    ) -> subprocess.Popen[bytes]:
        """Start our plugin with its configuration and a pod's name; the caller reads its answer."""
        args = {"CNI_ARGS": f"K8S_POD_NAMESPACE=default;K8S_POD_NAME={pod}"} if pod else {}
        config = json.dumps({"cniVersion": "1.1.0", "name": "octet", **self.plugin, **keys})
        with namespaces.inside(self.namespace):
            process = subprocess.Popen(
                [PLUGIN],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={
                    "CNI_COMMAND": command,
                    "CNI_CONTAINERID": container,
                    "CNI_NETNS": netns,
                    "CNI_IFNAME": ifname,
                    "CNI_PATH": "/opt/cni/bin",
                    **args,
                },
            )
        assert process.stdin is not None
        process.stdin.write(config.encode())
        process.stdin.close()
        process.stdin = None
        return process

    @property
    def plugin(self) -> dict[str, object]:
        """Our entry of a conflist."""
        names = ("portMappings", "bandwidth", "ips", "ipRanges", "mac", "dns")
        socket = str(self.run / "cni.sock")
        return {"type": "octet-cni", "socket": socket, "capabilities": dict.fromkeys(names, True)}

    def conflist(self, *plugins: dict[str, object], version: str = "0.4.0") -> None:
        """Install a conflist with these plugins, ours alone if none are given."""
        text = {"cniVersion": version, "name": "octet", "plugins": list(plugins) or [self.plugin]}
        Path("/etc/cni/net.d/10-octet.conflist").write_text(json.dumps(text))

    def call(self, *command: str, timeout: float = 60, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the node's network namespace."""
        with namespaces.inside(self.namespace):
            process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, **env},
            )
        out, err = process.communicate(timeout=timeout)
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def links(self) -> list[str]:
        """Return the names of the node's links."""
        return [link["ifname"] for link in json.loads(self.call("ip", "-j", "link").stdout)]


PODS = {4: "10.244.0.0/16", 6: "fd00:10:244::/48"}
CIDRS = {4: "10.244.1.0/24", 6: "fd00:10:244:1::/64"}
UPLINK = {4: "172.31.0.1/24", 6: "fd00:172:31::1/64"}


def config(run: Path, root: Path, families: tuple[int, ...] = (4,), model: str = "flannel") -> str:
    cidrs = json.dumps([PODS[family] for family in families])
    return f"""
[node]
name = "node1"
register = true
[cluster]
pod_cidrs = {cidrs}
[model]
name = "{model}"
[store]
kind = "embedded"
path = "{root}/store.db"
[paths]
run = "{run}"
[underlay]
interface = "uplink"
"""


def assign_cidr(store: Path, families: tuple[int, ...] = (4,)) -> None:
    """Do what kube-controller-manager does: give the registered node its pod CIDRs."""
    cidrs = [CIDRS[family] for family in families]
    code = (
        "import asyncio, sys\n"
        "from octet.store.embedded import EmbeddedStore\n"
        "async def main():\n"
        "    s = EmbeddedStore(sys.argv[1])\n"
        "    n = dict(await s.get('Node', 'node1'))\n"
        f"    n['spec'] = {{'podCIDR': {cidrs[0]!r}, 'podCIDRs': {cidrs!r}}}\n"
        "    await s.update('Node', n)\n"
        "    await s.close()\n"
        "asyncio.run(main())\n"
    )
    assign = [sys.executable, "-c", code, str(store)]
    wait_for(lambda: subprocess.run(assign, check=False, capture_output=True).returncode == 0)


def wait_for(true: Callable[[], bool], seconds: float = 15) -> None:
    """Wait until something holds; fail when it does not in time."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def ready(run: Path) -> bool:
    probe = ["curl", "-sf", "--unix-socket", str(run / "health.sock"), "http://agent/readyz"]
    return subprocess.run(probe, check=False, capture_output=True).returncode == 0


def settled(namespace: int) -> dict[str, object]:
    """Return what is in a namespace once it stays so, but for the kernel's own link-local routes."""
    found = _orderly(namespace)
    while True:
        time.sleep(0.5)
        before, found = found, _orderly(namespace)
        if before == found:
            return found


def _orderly(namespace: int) -> dict[str, object]:
    found: dict[str, Any] = snapshot(namespace)
    for family in ("routes", "routes6"):
        mine = [each for each in found[family] if not str(each["dst"]).startswith(("fe80:", "ff00:"))]
        found[family] = sorted(mine, key=str)
    return found


@contextmanager
def running(
    root: Path, *, uninstall: bool = False, families: tuple[int, ...] = (4,), model: str = "flannel"
) -> Iterator[Machine]:
    """A node with an agent that is ready, in private directories.

    With ``uninstall`` the agent is taken away at the end, and the node must be as it was before it came.
    """
    namespace = namespaces.create()
    with private(PRIVATE_PLACES):
        here = Machine(namespace, Path("/run/octet-clients/octet"), root)
        for plugin in (*REFERENCE.iterdir(), PLUGIN):
            shutil.copy2(plugin, f"/opt/cni/bin/{plugin.name}")
        here.call("ip", "link", "set", "lo", "up")
        here.call("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "wire")
        for family in families:
            here.call("ip", "addr", "add", UPLINK[family], "dev", "uplink", *["nodad"] * (family == 6))
        here.call("ip", "link", "set", "wire", "up")
        here.call("ip", "link", "set", "uplink", "up")
        (root / "agent.toml").write_text(config(here.run, root, families, model))
        before = settled(namespace) if uninstall else None
        here.start_agent()
        try:
            assign_cidr(root / "store.db", families)
            here.wait_ready()
            yield here
        finally:
            here.kill_agent(15)
        if before is not None:
            here.uninstall()
            after = settled(namespace)
            left = {key: (value, before[key]) for key, value in after.items() if value != before[key]}
            assert not left, left
            assert not here.run.exists()
    os.close(namespace)


def make_rootfs(root: Path) -> Path:
    """A root file system made of busybox-static."""
    binaries = root / "rootfs/bin"
    binaries.mkdir(parents=True)
    shutil.copy2(BUSYBOX, binaries / "busybox")
    for name in ("sh", "ip", "ping", "sleep", "nc", "cat"):
        (binaries / name).symlink_to("busybox")
    for place in ("proc", "sys", "dev", "etc", "run", "tmp"):
        (root / "rootfs" / place).mkdir()
    return root / "rootfs"
