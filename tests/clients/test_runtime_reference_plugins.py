"""Our runtime drives Debian's reference plugins through whole lives, as it would any provider's."""

import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from octet.cni.runtime import Result, Runtime
from octet.cni.spec import CniError
from octet.kernel import namespaces
from pods import pods

pytestmark = [pytest.mark.clients, pytest.mark.slow]

REFERENCE = "/usr/lib/cni"
VERSIONS = ("0.3.1", "0.4.0", "1.0.0")
"""What Debian 12's plugins (1.1.1) speak of what we do."""

CAPABILITIES = {
    "portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}],
    "bandwidth": {"ingressRate": 8_000_000, "ingressBurst": 800_000},
    "mac": "02:00:00:00:00:42",
}
FIREWALL: dict[str, object] = {"type": "firewall", "backend": "iptables"}
FOLLOWERS: tuple[dict[str, object], ...] = (
    {"type": "portmap", "capabilities": {"portMappings": True}},
    {"type": "bandwidth", "capabilities": {"bandwidth": True}},
    {"type": "tuning", "capabilities": {"mac": True}, "sysctl": {"net.ipv4.conf.eth0.arp_announce": "2"}},
    FIREWALL,
)


@dataclass
class Host:
    """A node without anything but our runtime."""

    namespace: int
    place: Path
    runtime: Runtime

    def configure(self, version: str, *plugins: dict[str, object]) -> None:
        """Write the network: ``bridge`` with ``host-local`` for both families, then what follows."""
        ipam = {
            "type": "host-local",
            "dataDir": str(self.place / "ipam"),
            "ranges": [[{"subnet": "10.7.0.0/24"}], [{"subnet": "fd07::/64"}]],
            "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
        }
        bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": True, "ipam": ipam}
        document = {"cniVersion": version, "name": "net", "plugins": [bridge, *plugins]}
        (self.place / "net.conflist").write_text(json.dumps(document))

    def call(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a program on the node."""
        with namespaces.inside(self.namespace):
            return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    def add(self, container: str, netns: str, **options: object) -> Result:
        """Attach from a thread that is on the node."""
        with namespaces.inside(self.namespace):
            return self.runtime.add(container, netns, **options)  # type: ignore[arg-type]  # passed through

    def delete(self, container: str, netns: str = "") -> None:
        """Detach from a thread that is on the node."""
        with namespaces.inside(self.namespace):
            self.runtime.delete(container, netns)

    def leases(self) -> set[str]:
        """Return the addresses that host-local has given away."""
        held = {path.name for path in (self.place / "ipam" / "net").iterdir()}
        return held - {"lock", "last_reserved_ip.0", "last_reserved_ip.1"}

    def ports(self) -> set[str]:
        """Return the node's veth links."""
        return {
            link["ifname"]
            for link in json.loads(self.call("ip", "-j", "link", "show", "type", "veth").stdout)
        }


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    namespace = namespaces.create()
    configuration, cache = tmp_path / "net.conflist", tmp_path / "cache"
    found = Host(namespace, tmp_path, Runtime(configuration, [REFERENCE], cache=cache))
    found.call("ip", "link", "set", "lo", "up")
    yield found
    os.close(namespace)


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[str]:
    """The path of a pod's network namespace."""
    with pods(tmp_path, 1) as (path,):
        yield path


@pytest.mark.parametrize("version", VERSIONS)
def test_a_chain_of_five_lives(host: Host, pod: str, version: str) -> None:
    """ADD and DEL, twice, through bridge, host-local, portmap, bandwidth, tuning and firewall; no leak."""
    # firewall speaks 0.4.0 and newer only.
    host.configure(version, *(one for one in FOLLOWERS if version != "0.3.1" or one is not FIREWALL))
    result = host.add("c1", pod, capabilities=CAPABILITIES)
    assert str(result.ips[0].address) == "10.7.0.2/24"
    assert CAPABILITIES["mac"] in {interface.mac for interface in result.interfaces}
    assert host.call("ping", "-c", "1", "-W", "2", "10.7.0.2").returncode == 0
    assert "8080" in host.call("iptables-save", "-t", "nat").stdout
    host.delete("c1", pod)
    assert (host.leases(), host.ports()) == (set(), set())
    assert "8080" not in host.call("iptables-save", "-t", "nat").stdout
    host.delete("c1", pod)
    host.delete("c1")


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_a_chain_checks_itself(host: Host, pod: str, version: str) -> None:
    """CHECK passes through all plugins but portmap, whose version 1.1.1 looks for IPv4 rules among IPv6's."""
    host.configure(version, *FOLLOWERS[1:])
    host.add("c1", pod, capabilities=CAPABILITIES)
    with namespaces.inside(host.namespace):
        host.runtime.check("c1", pod)
    host.delete("c1", pod)


def test_a_check_finds_what_is_missing(host: Host, pod: str) -> None:
    """After somebody took the pod's address away, the plugin's own error comes back to us."""
    host.configure("1.0.0")
    host.add("c1", pod)
    subprocess.run(["nsenter", f"--net={pod}", "ip", "addr", "flush", "dev", "eth0"], check=True)
    with namespaces.inside(host.namespace), pytest.raises(CniError, match="bridge"):
        host.runtime.check("c1", pod)


def test_an_add_that_fails_in_the_middle_can_be_undone(host: Host, pod: str) -> None:
    """The third plugin refuses: its error is raised, and the address and interface of the first are gone."""
    host.configure("1.0.0", FOLLOWERS[0], {"type": "tuning", "sysctl": {"net.ipv4.no_such_thing": "1"}})
    with namespaces.inside(host.namespace), pytest.raises(CniError, match="tuning"):
        host.runtime.add_or_undo("c1", pod, capabilities=CAPABILITIES)
    assert (host.leases(), host.ports()) == (set(), set())


def test_a_pod_that_is_gone_can_be_detached(host: Host, tmp_path: Path) -> None:
    """The namespace was removed first: DEL frees the address all the same."""
    host.configure("1.0.0", *FOLLOWERS)
    with pods(tmp_path, 1) as (path,):
        host.add("c1", path, capabilities=CAPABILITIES)
    Path(path).unlink()
    host.delete("c1", path)
    assert host.leases() == set()


def test_a_delegated_plugins_error_comes_through(host: Host, pod: str) -> None:
    """host-local has no address left: the bridge plugin passes that on, and so do we."""
    host.configure("1.0.0")
    text = (host.place / "net.conflist").read_text().replace("10.7.0.0/24", "10.7.0.0/30")
    (host.place / "net.conflist").write_text(text)
    host.add("c1", pod)
    with pytest.raises(CniError, match="no IP addresses available"):
        host.add("c2", pod, interface="eth1")


def test_forgotten_attachments_are_collected(host: Host, tmp_path: Path) -> None:
    """Plugins of before 1.1.0 have no GC, but what we remember and nobody lists is detached."""
    host.configure("1.0.0")
    with pods(tmp_path, 2) as paths:
        for number, path in enumerate(paths):
            host.add(f"c{number}", path)
        with namespaces.inside(host.namespace):
            host.runtime.collect([("c1", "eth0")])
        assert host.leases() == {"10.7.0.3", "fd07::3"}
        host.delete("c1", paths[1])


def test_many_containers_at_once(host: Host, tmp_path: Path) -> None:
    """24 ADDs from 24 threads: 24 addresses of each family; as many DELs: none is left."""
    host.configure("1.0.0")
    with pods(tmp_path, 24) as paths, ThreadPoolExecutor(24) as threads:
        jobs = [threads.submit(host.add, f"c{number}", path) for number, path in enumerate(paths)]
        addresses = {str(job.result().ips[0].address) for job in jobs}
        assert len(addresses) == len(host.leases()) / 2 == 24
        for job in [threads.submit(host.delete, f"c{number}", path) for number, path in enumerate(paths)]:
            job.result()
    assert (host.leases(), host.ports()) == (set(), set())


def test_versions_of_the_chain_are_asked(host: Host) -> None:
    """Every plugin says what it speaks, and all speak the newest of our cases."""
    host.configure("1.0.0", *FOLLOWERS)
    said = host.runtime.versions()
    assert set(said) == {"bridge", "portmap", "bandwidth", "tuning", "firewall"}
    assert all(VERSIONS[-1] in known for known in said.values())
    assert "0.3.1" not in said["firewall"]
