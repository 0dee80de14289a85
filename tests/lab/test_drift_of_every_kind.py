"""Whatever of ours somebody deletes or alters on a node, in either family, is as it was in a second."""

import asyncio
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import machine as machines
from octet.agent.registration import publish
from octet.cluster.view import Underlay
from octet.store.embedded import EmbeddedStore
from pods import pods

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(240)]

PATIENCE = 15.0
PEER = "02:00:00:00:00:02"
ANNOTATIONS = {
    "kube-subnet-manager": "true",
    "backend-type": "vxlan",
    "backend-data": f'{{"VNI":1,"VtepMAC":"{PEER}"}}',
    "backend-v6-data": f'{{"VNI":1,"VtepMAC":"{PEER}"}}',
    "public-ip": "172.31.0.2",
    "public-ipv6": "fd00:172:31::2",
}
"""What flanneld on node2 would write (flannel, pkg/subnet/kube/annotations.go)."""

NETWORK = ["10.244.2.0/24", "fd00:10:244:2::/64"]
WISHES = {
    "portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}],
    "bandwidth": {"ingressRate": 8_000_000, "egressRate": 8_000_000},
}
PORT, IFB = "$(ls /proc/sys/net/ipv4/conf | grep ^veth)", "$(ls /proc/sys/net/ipv4/conf | grep ^bwp)"
FAR = "fd00:10:244:2::"
KINDS = {
    "bridge deleted": "ip link del cni0",
    "bridge down": "ip link set cni0 down",
    "bridge with another MTU": "ip link set cni0 mtu 1300",
    "bridge with another MAC": "ip link set cni0 address 02:00:00:00:00:09",
    "bridge renamed": "ip link set cni0 down; ip link set cni0 name cni9",
    "vxlan 4 deleted, with all that is on it": "ip link del flannel.1",
    "vxlan 6 deleted, with all that is on it": "ip link del flannel-v6.1",
    "vxlan 4 down": "ip link set flannel.1 down",
    "vxlan 6 down": "ip link set flannel-v6.1 down",
    "vxlan 4 with another MTU": "ip link set flannel.1 mtu 1300",
    "vxlan 6 with another MAC": "ip link set flannel-v6.1 address 02:00:00:00:00:09",
    "vxlan 4 of another port": (
        "ip link del flannel.1; ip link add flannel.1 type vxlan id 1 dstport 4789 dev uplink "
        'local 172.31.0.1; ip link set flannel.1 alias "octet:transport vxlan"'
    ),
    "pod's pair deleted": f"ip link del {PORT}",
    "pod's port down": f"ip link set {PORT} down",
    "pod's port off the bridge": f"ip link set {PORT} nomaster",
    "pod's port without hairpin": f"bridge link set dev {PORT} hairpin off",
    "pod's port with another MTU": f"ip link set {PORT} mtu 1200",
    "ifb deleted": f"ip link del {IFB}",
    "ifb down": f"ip link set {IFB} down",
    "shaper of what a pod receives deleted": f"tc qdisc del dev {PORT} root",
    "shaper of what a pod sends deleted": f"tc qdisc del dev {IFB} root",
    "shaper altered": f"tc qdisc change dev {PORT} root handle 6f63: tbf rate 5mbit burst 50000 limit 90000",
    "shapers altered": f"tc qdisc change dev {IFB} root handle 6f63: tbf rate 5mbit burst 50000 limit 90000",
    "redirection deleted": f"tc qdisc del dev {PORT} ingress",
    "filter deleted": f"tc filter del dev {PORT} ingress",
    "address 4 deleted": "ip addr del 10.244.1.1/24 dev cni0",
    "address 6 deleted": "ip addr del fd00:10:244:1::1/64 dev cni0",
    "address 4 with another length": "ip addr del 10.244.1.1/24 dev cni0; ip addr add 10.244.1.1/16 dev cni0",
    "address 6 altered": "ip addr change fd00:10:244:1::1/64 dev cni0 noprefixroute",
    "addresses of vxlan flushed": "ip addr flush dev flannel.1; ip addr flush dev flannel-v6.1",
    "route 4 deleted": f"ip route del {NETWORK[0]}",
    "route 6 deleted": f"ip -6 route del {NETWORK[1]}",
    "route 4 altered": f"ip route replace {NETWORK[0]} dev cni0 proto 111",
    "all our routes flushed": "ip route flush proto 111; ip -6 route flush proto 111",
    "neighbour 4 deleted": "ip neigh del 10.244.2.0 dev flannel.1",
    "neighbour 6 deleted": "ip neigh del fd00:10:244:2:: dev flannel-v6.1",
    "neighbour 4 altered": "ip neigh replace 10.244.2.0 dev flannel.1 lladdr 02:00:00:00:00:09 nud permanent",
    "neighbour 6 no longer permanent": f"ip neigh change {FAR} dev flannel-v6.1 lladdr {PEER} nud stale",
    "fdb entry 4 deleted": f"bridge fdb del {PEER} dev flannel.1",
    "fdb entry 6 deleted": f"bridge fdb del {PEER} dev flannel-v6.1",
    "fdb entry 4 altered": f"bridge fdb replace {PEER} dev flannel.1 dst 172.31.0.9 self permanent",
    "sysctl 4": "sysctl -qw net.ipv4.ip_forward=0",
    "sysctl 6": "sysctl -qw net.ipv6.conf.all.forwarding=0",
    "sysctl of a link": "sysctl -qw net.ipv4.conf.cni0.route_localnet=0",
    "sysctl that the kernel tells nobody of": "sysctl -qw net.ipv6.conf.cni0.accept_ra=1",
    "table deleted": "nft delete table inet octet",
    "table emptied": "nft flush table inet octet",
    "ruleset flushed": "nft flush ruleset",
    "chain emptied": "nft flush chain inet octet {chain}",
    "element of a map 4 deleted": "nft delete element inet octet hostport-any4 {element4}",
    "element of a map 6 deleted": "nft delete element inet octet hostport-any6 {element6}",
    "elements of a map flushed": "nft flush map inet octet hostport-any4",
}
"""What a hand does to the node. Policy rules and proxied addresses (flannel has none) are disturbed in
tests/kernel/test_drift_is_noticed.py; what is inside a pod is found by CHECK."""

_LOOK = """
ip -br link; bridge -d link; ip -o addr; ip route; ip -6 route; ip rule; ip -6 rule
ip neigh show nud permanent
ip -6 neigh show nud permanent; bridge fdb show dev flannel.1; bridge fdb show dev flannel-v6.1; tc qdisc show
for each in /proc/sys/net/ipv4/conf/veth*; do tc filter show dev ${each##*/} ingress; done
ip -d link show type vxlan; nft -s list ruleset
sysctl net.ipv4.ip_forward net.ipv4.conf.cni0.route_localnet
sysctl net.ipv6.conf.all.forwarding net.ipv6.conf.cni0.accept_ra
"""
_CHANGING = re.compile(
    r"@\w+|^\d+: | linkdown| state \w+|<[A-Z_,-]*>| (UP|DOWN|UNKNOWN) |if(index)?\d+| refcnt \d+|index \d+"
)
"""Numbers of other ends and of the moment: no difference that matters."""

_OWN_MAC = re.compile(r"(bwp\w+ +\w+ +)([0-9a-f]{2}:){5}[0-9a-f]{2}")
"""The kernel draws one for a new ifb; nobody ever sees it."""


def everything(machine: machines.Machine) -> list[str]:
    """What other programs see of the node, asked by one shell, for each look takes time from the agent."""
    text = _OWN_MAC.sub(r"\1", machine.call("sh", "-c", _LOOK).stdout)
    lines = (line for line in text.splitlines() if "fe80:" not in line and "ff00::" not in line)
    kept = (" ".join(_CHANGING.sub(" ", line).split()) for line in lines)
    return sorted(kept)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[machines.Machine]:
    """A dual-stack node with an agent, a peer, and a pod with host ports and limits."""
    root = tmp_path_factory.mktemp("drift")
    with machines.running(root, families=(4, 6)) as here, pods(root, 1) as (path,):
        publish_peer(here.root / "store.db")
        machines.wait_for(lambda: NETWORK[1] in here.call("ip", "-6", "route").stdout)
        status, answer = here.plugin_call("ADD", "one", path, runtimeConfig=WISHES)
        assert status == 0, answer
        time.sleep(2.5)  # until the kernel is done with link-local addresses, which are its own
        yield here


def publish_peer(store: Path) -> None:
    """Let a second node be known, as flanneld there would have annotated it."""

    async def write() -> None:
        said = {f"flannel.alpha.coreos.com/{key}": value for key, value in ANNOTATIONS.items()}
        async with EmbeddedStore(store) as opened:
            await publish(opened, "node2", Underlay("x", 1500, None, None), said, register=True)
            node = dict(await opened.get("Node", "node2"))
            await opened.update("Node", {**node, "spec": {"podCIDR": NETWORK[0], "podCIDRs": NETWORK}})

    asyncio.run(write())


def filled(machine: machines.Machine, command: str) -> str:
    """A command that names a chain or an element of ours, as they are called there."""
    table = machine.call("nft", "list", "table", "inet", "octet").stdout
    names = {"chain": re.findall(r"chain (\S+) {", table)[0]}
    for family in "46":
        found = re.search(
            rf"map hostport-any{family} {{.*?elements = {{ ([^:,]*? : [^,}}]*)", table, re.DOTALL
        )
        names[f"element{family}"] = f"{{ {found[1].strip()} }}" if found else ""
    for key, value in names.items():
        command = command.replace(f"{{{key}}}", value)
    return command


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_hand_does_is_undone(machine: machines.Machine, kind: str) -> None:
    """Within a second the node is as it was, with all that stood on what was taken away (best of three)."""
    before = everything(machine)

    def late() -> float:
        """Disturb it; return the seconds until the last look that found a difference began."""
        steps = filled(machine, KINDS[kind]).replace("; ", "\n")
        if "\n" in steps:  # the agent would be there between two of them
            machine.agent.send_signal(signal.SIGSTOP)
        try:
            done = machine.call("sh", "-ec", steps)
        finally:
            machine.agent.send_signal(signal.SIGCONT)
        assert done.returncode == 0, done.stderr
        start, last = time.monotonic(), 0.0
        while (asked := time.monotonic() - start) < PATIENCE:
            found = everything(machine)
            if found == before:
                return last
            last = asked
        different = sorted({*before} ^ {*found})
        pytest.fail(str([f"{'-' if line in before else '+'} {line}" for line in different]))

    assert any(late() < 1 for _ in range(3))
