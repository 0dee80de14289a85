"""A live agent, a real kernel, and ten thousand requests that nobody should send."""

import json
import os
import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hands
import machine as machines
from cni_fuzz import REQUESTS
from octet.cni import wire
from pods import pods

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(300)]

CASES = 10_000
BATCH = 1_000
"""Requests between two looks at everything that the kernel holds."""


@dataclass
class Fuzzed:
    """An agent, the namespaces that requests may name, and the look of the kernel before any of them.

    Attributes:
        descriptors: a pod's namespace, another one's, the node's own, and a file that is none.
        sent: requests so far.
        codes: how many were answered with each CNI code; 0 is success.
    """

    machine: machines.Machine
    descriptors: tuple[int, ...]
    before: dict[str, object]
    sent: int = 0
    codes: Counter[int] = field(default_factory=Counter)

    def exchange(self, data: bytes, descriptor: int | None) -> bytes:
        """Send bytes, then nothing more; return all that the agent says."""
        with socket.socket(socket.AF_UNIX) as plugin:
            plugin.settimeout(20)
            plugin.connect(str(self.machine.run / "cni.sock"))
            try:
                if descriptor is None or not data:
                    plugin.sendall(data)
                else:
                    socket.send_fds(plugin, [data[:1]], [descriptor])
                    plugin.sendall(data[1:])
                plugin.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # refused before all was sent
            answer = b""
            try:
                while part := plugin.recv(1 << 16):
                    answer += part
            except ConnectionResetError:
                pass
        return answer

    def ask(self, environment: Mapping[str, str], stdin: bytes, descriptor: int | None) -> int:
        """Send a request as our plugin would; the answer is of the specification. Return its code."""
        frame = wire.encode_request(environment, stdin, has_namespace=descriptor is not None)
        reply = wire.decode_reply(self.exchange(frame, descriptor))
        document = json.loads(reply.body) if reply.body else {}
        code = document["code"] if reply.status else 0
        assert reply.status in {0, 1}
        assert code != 999, document
        if code:
            assert document["msg"]
            assert document["cniVersion"]
        return int(code)

    def forget(self) -> None:
        """Detach all that requests have attached, as a runtime does that knows of none."""
        config = {"cniVersion": "1.1.0", "name": "net", "cni.dev/valid-attachments": []}
        self.ask({"CNI_COMMAND": "GC", "CNI_PATH": "/opt/cni/bin"}, json.dumps(config).encode(), None)

    def compare(self) -> None:
        """The kernel holds what it held before the first request, and the agent has said nothing alarming."""
        self.forget()
        machines.wait_for(lambda: not [name for name in self.machine.links() if name.startswith("veth")])
        assert look(self.machine) == self.before
        assert "Traceback" not in (self.machine.root / "agent.log").read_text()
        for descriptor in self.descriptors[:2]:
            assert [line.split()[0] for line in hands.run(descriptor, "ip -br link").splitlines()] == ["lo"]


def look(machine: machines.Machine) -> dict[str, object]:
    """All that programs see of the node, with its queues, forwarding entries and settings."""
    settled = machines.settled(machine.namespace)
    more = (
        "tc qdisc show",
        "bridge fdb show dev flannel.1",
        "sysctl -n net.ipv4.ip_forward net.ipv4.conf.all.route_localnet",
    )
    return {**settled, **{command: hands.run(machine.namespace, command) for command in more}}


@pytest.fixture
def fuzzed(tmp_path: Path) -> Iterator[Fuzzed]:
    with machines.running(tmp_path) as machine, pods(tmp_path, 2) as paths:
        plain = tmp_path / "plain"
        plain.touch()
        opened = [os.open(path, os.O_RDONLY) for path in (*paths, plain)]
        descriptors = (*opened[:2], machine.namespace, opened[2])
        # The tables for host ports and shapers come with the first pod that needs them, and stay.
        first = Fuzzed(machine, descriptors, {})
        first.ask(*attaching(), opened[0])
        first.forget()
        machines.wait_for(lambda: not [name for name in machine.links() if name.startswith("veth")])
        yield Fuzzed(machine, descriptors, look(machine))
        for descriptor in opened:
            os.close(descriptor)


def attaching() -> tuple[dict[str, str], bytes]:
    """A request that is in order, with all that a pod may have."""
    limits = {"ingressRate": 1_000_000, "egressRate": 1_000_000}
    ports = [
        {"hostPort": port, "containerPort": 80, "protocol": name} for port, name in ((80, "tcp"), (53, "udp"))
    ]
    config = {
        "cniVersion": "1.1.0",
        "name": "net",
        "runtimeConfig": {"portMappings": ports, "bandwidth": limits},
    }
    names = {"CONTAINERID": "c1", "IFNAME": "eth0", "NETNS": "/run/netns/x"}
    environment = {"CNI_COMMAND": "ADD", **{f"CNI_{key}": value for key, value in names.items()}}
    return environment, json.dumps(config).encode()


def broken(frame: bytes, dice: list[tuple[int, int]], end: int) -> bytes:
    """A frame with some of its bytes replaced and its end cut off."""
    data = bytearray(frame)
    for place, value in dice:
        data[place % len(data)] = value
    return bytes(data[: len(data) - end % len(data)])


def test_ten_thousand_requests_change_nothing(fuzzed: Fuzzed) -> None:
    """Well-framed or broken, sensible or absurd: each is answered in CNI's words or dropped.

    What was attached is detached; then links, addresses, routes, rules, neighbours, entries, nftables and
    queues are those of before. The agent lives and never shows a traceback.
    """

    @settings(max_examples=CASES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(
        REQUESTS,
        st.sampled_from([0, 0, 0, 0, 1, 2, 3, None]),
        st.none()
        | st.none()
        | st.none()
        | st.tuples(
            st.lists(st.tuples(st.integers(0, 99), st.integers(0, 255)), max_size=6), st.integers(0, 40)
        ),
    )
    def case(
        request: tuple[dict[str, str], bytes],
        which: int | None,
        damage: tuple[list[tuple[int, int]], int] | None,
    ) -> None:
        environment, stdin = request
        environment = {key: value.replace("\0", "") for key, value in environment.items()}
        descriptor = None if which is None else fuzzed.descriptors[which]
        if damage is None:
            fuzzed.codes[fuzzed.ask(environment, stdin, descriptor)] += 1
        else:
            frame = wire.encode_request(environment, stdin, has_namespace=descriptor is not None)
            answer = fuzzed.exchange(broken(frame, *damage), descriptor)
            assert not answer or wire.decode_reply(answer).status in {0, 1}
        fuzzed.sent += 1
        if fuzzed.sent % 10 == 0:
            fuzzed.forget()
        if fuzzed.sent % BATCH == 0:
            fuzzed.compare()

    case()
    fuzzed.compare()
    assert fuzzed.sent >= CASES
    # It was no test of refusals alone: much was attached, checked and detached, and refused for many reasons.
    assert fuzzed.codes[0] > CASES / 20
    assert {4, 6, 7, 8, 104} <= set(fuzzed.codes), fuzzed.codes
