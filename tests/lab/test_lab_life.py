"""A lab's life and its ends: whatever ends it, nothing is left, and the machine stays as it was."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import machine as machines
from octet.errors import OctetError
from octet.lab import Lab, Octet, Registry, control, reference
from octet.lab.janitor import LOG
from ordinary_user import NOBODY, as_ordinary_user

pytestmark = pytest.mark.lab

OCTET = str(Path(sys.executable).with_name("octet"))
ROOT = Path(__file__).parents[2]
START = (
    "from octet.lab import Lab; import sys; "
    "Lab.up('flannel', nodes=9, name=sys.argv[1], report=lambda step: print(step, flush=True))"
)
"""Of so many nodes that it is not ready before a test has killed who waits for it."""


def parent(pid: int) -> int:
    """The parent of a process (proc(5), stat, field 4)."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def running(pid: int) -> bool:
    """A process that is neither gone nor waiting to be collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for(true: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def processes(lab: Lab) -> dict[str, int]:
    """Janitor, first process and supervisor of a lab, as this process sees their ids."""
    with control.connect(lab._entry) as connection:
        supervisor = control.supervisor_pid(connection)
    first = parent(supervisor)
    return {"janitor": parent(first), "first": first, "supervisor": supervisor}


PLACES = ("/run", "/var/lib")
"""Where programs of nodes, runtimes and plugins keep their state, and a lab everything in one of its own."""


def held(place: str) -> list[tuple[str, int, int]]:
    """All that is in a directory; a directory's time tells of what came and went, too."""
    found = [Path(place), *sorted(Path(place).rglob("*"))]
    return [(str(path), path.lstat().st_ino, path.lstat().st_mtime_ns) for path in found]


def mounted() -> list[str]:
    """The mounts of this process, but for namespaces that others have named: those go when others let go."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if " - nsfs " not in line or " /run/netns/had " in line]


def around() -> dict[str, object]:
    """What a lab must never change: all that the caller's namespaces and directories hold."""

    def ask(*command: str) -> str:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    links = [
        (link["ifname"], link["flags"], link.get("master")) for link in json.loads(ask("ip", "-j", "link"))
    ]
    return {
        "links": links,
        "addresses": ask("ip", "-o", "addr"),
        "routes": ask("ip", "route", "show", "table", "all")
        + ask("ip", "-6", "route", "show", "table", "all"),
        "rules": ask("ip", "rule") + ask("ip", "-6", "rule"),
        "nft": ask("nft", "list", "ruleset"),
        "mounts": mounted(),
        "sysctls": ask(
            "sysctl", "-a", "--pattern", r"^net\.ipv[46]\.(conf\.(all|default)\.forwarding|ip_forward)"
        ),
        "files": [held(place) for place in PLACES],
    }


@pytest.fixture
def furnished() -> Iterator[None]:
    """The test's own network, /run and /var/lib with something of every kind in them, so that a change shows.

    Nobody else works there, so whatever changes is the lab's doing.
    """
    lines = (
        "link add had0 type bridge\nlink set had0 addrgenmode none\nlink set had0 up\n"
        "address add 192.0.2.1/24 dev had0\n"
        "rule add pref 77 table 77\nroute add 203.0.113.0/24 dev had0"
    )
    subprocess.run(["ip", "-batch", "-"], input=lines, text=True, check=True)
    subprocess.run(["nft", "add table inet had"], check=True)
    with machines.private(PLACES):
        for path in ("/run/had", "/run/octet/had", "/run/lab/had", "/var/lib/cni/networks/had"):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text("had")
        subprocess.run(["ip", "netns", "add", "had"], check=True)
        wait_for(lambda: around() == around())  # the kernel is done with what it was told
        yield
        subprocess.run(["ip", "netns", "delete", "had"], check=True)
    subprocess.run(["nft", "delete table inet had"], check=True)
    subprocess.run(["ip", "-batch", "-"], input="rule del pref 77\nlink del had0", text=True, check=True)


@pytest.mark.usefixtures("furnished")
def test_the_machine_never_changes() -> None:
    """Links, addresses, routes, rules, nftables, mounts, files: the same before, while and after."""
    before = around()
    with Lab.up(reference("bridge", masquerade=True), nodes=2) as lab:
        lab.run("a", "node1")
        lab.cut("node2")
        assert around() == before
    assert around() == before


@pytest.mark.parametrize("victims", [["supervisor"], ["first"], ["janitor"]])
def test_a_killed_part_takes_all_and_leaves_nothing(registry: Registry, victims: list[str]) -> None:
    """Whichever process of a lab is killed, the others end and the entry goes without anybody's help."""
    lab = Lab.up(reference("ptp"), nodes=2)
    lab.run("a", "node1")
    pids = processes(lab)
    program = lab.popen("a", ["sleep", "60"])
    for victim in victims:
        os.kill(pids[victim], signal.SIGKILL)
    wait_for(lambda: not any(running(pid) for pid in pids.values()))
    wait_for(lambda: not (registry.root / lab.name).exists())
    assert program.wait(timeout=20) != 0


def test_killed_janitor_and_supervisor_are_swept_by_the_next_command(registry: Registry) -> None:
    """With nobody left to clean up, the next look at the registry does."""
    lab = Lab.up(reference("ptp"), nodes=1)
    pids = processes(lab)
    os.kill(pids["janitor"], signal.SIGSTOP)
    for victim in ("supervisor", "janitor"):
        os.kill(pids[victim], signal.SIGKILL)
    wait_for(lambda: not any(running(pid) for pid in pids.values()))
    assert (registry.root / lab.name).exists()
    assert registry.entries() == []
    assert not (registry.root / lab.name).exists()


def test_a_start_that_fails_says_why_and_leaves_nothing(registry: Registry) -> None:
    """The error has the last words of the agent that failed; no entry, no process stays."""
    broken = Octet(model="flannel", options={"Backend": {"Type": "carrier-pigeon"}})
    with pytest.raises(OctetError, match="carrier-pigeon"):
        Lab.up(broken, nodes=2, name="broken")
    assert registry.entries() == []


@pytest.mark.parametrize("sign", ["the log", "a step"])
def test_a_client_that_goes_away_during_the_start_ends_it(registry: Registry, sign: str) -> None:
    """Nobody waits for the lab any more, so it is not made: its janitor, once there, leaves nothing.

    The log is the first that a janitor makes, a step the first that a client is told.
    """
    client = subprocess.Popen([sys.executable, "-c", START, "orphan"], stdout=subprocess.PIPE)
    entry = registry.root / "orphan"
    if sign == "a step":
        assert client.stdout.readline()
    else:
        wait_for((entry / LOG).exists)
    client.kill()
    client.communicate()
    wait_for(lambda: not entry.exists())


def test_a_client_that_goes_away_before_there_is_a_janitor_is_swept(registry: Registry) -> None:
    """Its entry waits for the next look at the registry, for there is nobody else."""
    died = "from octet.lab import launch; import os; launch._start = lambda *_: os.kill(os.getpid(), 9); "
    client = subprocess.run([sys.executable, "-c", died + START, "orphan"], check=False)
    assert client.returncode == -signal.SIGKILL
    assert (registry.root / "orphan").exists()
    assert registry.entries() == []
    assert not (registry.root / "orphan").exists()


@pytest.mark.parametrize("delay", [0, 0.002, 0.01, 0.05, 0.2])
def test_whenever_a_client_goes_away_nobody_finds_its_lab(registry: Registry, delay: float) -> None:
    """At whichever moment of a start its client is killed, whoever looks soon sees no lab."""
    client = subprocess.Popen([sys.executable, "-c", START, "orphan"], stdout=subprocess.DEVNULL)
    wait_for((registry.root / "orphan").exists)
    time.sleep(delay)
    client.kill()
    client.wait()
    wait_for(lambda: registry.entries() == [])
    assert not (registry.root / "orphan").exists()


def test_a_name_is_given_once() -> None:
    """A second lab of one name is refused with what would do; the first is untouched."""
    with Lab.up(reference("ptp"), nodes=1, name="twice") as lab:
        with pytest.raises(OctetError, match="octet lab down twice"):
            Lab.up(reference("ptp"), nodes=1, name="twice")
        assert lab.answers()


def test_labs_do_not_meet() -> None:
    """Two labs at once have the same addresses and names, and each its own pods."""
    with Lab.up(reference("ptp"), nodes=1) as one, Lab.up(reference("ptp"), nodes=1) as two:
        assert one.run("a", "node1").addresses == two.run("a", "node1").addresses
        one.delete("pod", "a")
        assert (one.get("pods"), len(two.get("pods"))) == ([], 1)


def test_down_is_quick_and_twice_is_once() -> None:
    """Ending takes no taking apart, and ending what has ended is done: less than 2 s, the best of three."""

    def took() -> float:
        lab = Lab.up(reference("bridge"), nodes=3)
        begin = time.monotonic()
        lab.down()
        ended = time.monotonic()
        lab.down()
        assert not lab.alive()
        return ended - begin

    assert any(took() < 2 for _ in range(3))


def test_a_hung_supervisor_is_killed(monkeypatch: pytest.MonkeyPatch, registry: Registry) -> None:
    """A lab that takes requests no more still ends on ``down``."""
    monkeypatch.setattr("octet.lab.api.DOWN_LIMIT", 0.3)
    lab = Lab.up(reference("ptp"), nodes=1)
    os.kill(processes(lab)["supervisor"], signal.SIGSTOP)
    lab.down()
    assert registry.entries() == []


@pytest.mark.parametrize("more", [[], ["--fabric", "routed", "--routers", "frr,gobgp"]], ids=["l2", "routed"])
def test_an_ordinary_user_has_labs_too(more: list[str]) -> None:
    """Without root: up, pods on two nodes that reach each other, down; all through the command line."""
    prefix = as_ordinary_user()
    place = Path(f"/tmp/octet-lab-test-{os.getpid()}")
    environment = {**os.environ, "OCTET_LAB_DIR": str(place), "HOME": "/nonexistent"}

    def octet(*arguments: str) -> str:
        command = [*prefix, OCTET, "lab", *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd="/", timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    octet("up", "--model", "flannel", "--nodes", "2", *more)
    try:
        octet("run", "a", "--node", "node1")
        address = octet("run", "b", "--node", "node2").strip()
        assert " 0% packet loss" in octet(
            "exec", "a", "--", "ping", "-c", "2", "-i", "0.2", "-W", "2", address
        )
    finally:
        octet("down")
    assert not place.exists()


def test_another_users_request_is_refused(registry: Registry) -> None:
    """Who is not the lab's user gets no answer, even with the socket's permissions wide open."""
    prefix = as_ordinary_user()
    if not prefix:
        pytest.skip("needs root: there is no other user to become")
    with Lab.up(reference("ptp"), nodes=1) as lab:
        ours = registry.root / lab.name / "control.sock"
        ours.chmod(0o666)
        program = (
            "import os, socket, sys\n"
            "directory = os.open(sys.argv[1], os.O_PATH)\n"
            f"os.setresgid({NOBODY}, {NOBODY}, {NOBODY}); os.setresuid({NOBODY}, {NOBODY}, {NOBODY})\n"
            "s = socket.socket(socket.AF_UNIX)\n"
            "s.connect(f'/proc/self/fd/{directory}')\n"
            "try:\n"
            '    s.sendall(b\'{"type":"info"}\\n\')\n'
            "except BrokenPipeError:\n"
            "    pass  # refused before it has asked: the answer waits all the same\n"
            "print(s.recv(9999).decode())\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(ours)], capture_output=True, text=True, check=False
        )
        assert "another user" in done.stdout, done.stderr


@pytest.mark.parametrize("family", ["v4", "v6", "dual"])
def test_three_nodes_and_six_pods_are_up_within_five_seconds(family: str) -> None:
    """From nothing to six attached pods on three nodes with their agents, and the last reaches the first."""

    def took() -> float:
        begin = time.monotonic()
        with Lab.up("flannel", nodes=3, family=family) as lab:
            pods = [lab.run(f"p{number}", f"node{number % 3 + 1}") for number in range(6)]
            seconds = time.monotonic() - begin
            for target in pods[0].addresses:
                assert lab.exec(pods[5].name, ["ping", "-c", "1", "-W", "2", target]).returncode == 0
        return seconds

    assert any(took() < 5 for _ in range(3))
