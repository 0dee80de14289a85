"""Processes, real and pretended: one contract, with BIRD as the daemon."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from octet.kernel import namespaces
from octet.kernel.daemons import Processes, bird
from octet.kernel.daemons.fake import FakeProcesses
from octet.kernel.daemons.port import Process
from octet.kernel.daemons.processes import HostProcesses

pytestmark = pytest.mark.kernel

CONFIG = "router id 10.0.0.1;\nprotocol device { }\n"


@pytest.fixture(params=["real", "pretended"])
def processes(request: pytest.FixtureRequest) -> Iterator[Processes]:
    if request.param == "pretended":
        yield FakeProcesses()
        return
    namespace = namespaces.create()
    made = HostProcesses(namespace)
    yield made
    made.close()
    os.close(namespace)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A daemon's directory, deeper than the 108 bytes that a socket's path may have."""
    root = tmp_path / ("deep" * 25)
    (root / "config").mkdir(parents=True)
    (root / "config" / bird.MAIN).write_text(CONFIG)
    return root


def started(processes: Processes, place: Path) -> Process:
    """Start a daemon and wait until it answers."""
    command = bird.run(place / "config" / bird.MAIN, "control.sock", recover=False)
    process = processes.start(command, place, place / "last-words")
    for _ in range(500):
        try:
            processes.ask(place / "control.sock", "show status", 1)
        except OSError:
            process.wait(0.01)
        else:
            return process
    raise AssertionError("it never answers")


def test_a_good_configuration_has_no_complaint(processes: Processes, place: Path) -> None:
    """A check of what is right ends with 0."""
    assert processes.run(bird.check(place / "config" / bird.MAIN), place, 10).code == 0


def test_a_bad_configuration_is_named_with_file_and_line(processes: Processes, place: Path) -> None:
    """A check of what is wrong ends with another code, and its words name the file."""
    (place / "config" / bird.MAIN).write_text(CONFIG + "bad\n")
    finished = processes.run(bird.check(place / "config" / bird.MAIN), place, 10)
    assert finished.code != 0
    assert bird.complaint(finished, place / "config")[0] == bird.MAIN
    assert bird.complaint(finished, place / "config")[1].startswith("bird.conf:3: syntax error")


def test_a_daemon_runs_is_found_reloads_and_ends(processes: Processes, place: Path) -> None:
    """What is started answers at its socket, is found there by whoever comes next, and ends when told."""
    assert processes.find(place / "control.sock") is None
    process = started(processes, place)
    assert process.ended() == ""
    found = processes.find(place / "control.sock")
    assert found is not None
    assert found.pid == process.pid
    assert bird.reloaded(processes.ask(place / "control.sock", bird.RELOAD, 5)) == ""
    processes.ask(place / "control.sock", bird.DOWN, 5)
    assert process.wait(5)
    assert process.ended() == "exit code 0"
    assert found.wait(5)
    found.forget()
    assert processes.find(place / "control.sock") is None


def test_a_killed_daemon_is_told_as_such(processes: Processes, place: Path) -> None:
    """Killing is at once and may be repeated; how it ended is known in words."""
    process = started(processes, place)
    process.kill()
    process.kill()
    assert process.ended() == "killed by SIGKILL"
    with pytest.raises(OSError, match=r".+"):
        processes.ask(place / "control.sock", "show status", 1)


def test_a_found_daemon_is_killed_too(processes: Processes, place: Path) -> None:
    """Also a process that somebody else started can be ended and waited for."""
    process = started(processes, place)
    found = processes.find(place / "control.sock")
    assert found is not None
    found.kill()
    found.forget()
    assert process.wait(5)


@pytest.fixture
def real() -> Iterator[HostProcesses]:
    made = HostProcesses()
    yield made
    made.close()


def test_what_takes_too_long_is_ended(real: HostProcesses, tmp_path: Path) -> None:
    """A check that hangs is gone when the time is over."""
    with pytest.raises(TimeoutError, match=r"sleep did not end within 0\.1 s"):
        real.run(["sleep", "60"], tmp_path, 0.1)


def test_a_missing_program_is_an_error_of_its_own(real: HostProcesses, tmp_path: Path) -> None:
    """Not being installed is told apart from failing."""
    with pytest.raises(FileNotFoundError):
        real.run(["no-such-bird"], tmp_path, 1)


def test_last_words_are_kept_for_us_alone(real: HostProcesses, tmp_path: Path) -> None:
    """What a program says before it ends is in a file of mode 0600."""
    process = real.start(["sh", "-c", "echo no room >&2; exit 3"], tmp_path, tmp_path / "last-words")
    assert process.wait(5)
    assert process.ended() == "exit code 3"
    assert (tmp_path / "last-words").read_text() == "no room\n"
    assert (tmp_path / "last-words").stat().st_mode & 0o777 == 0o600


def test_a_daemon_does_not_hear_the_agents_signals(real: HostProcesses, tmp_path: Path) -> None:
    """A Ctrl-C for the agent's process group is not the daemon's: its session is its own."""
    process = real.start(["sleep", "60"], tmp_path, tmp_path / "last-words")
    assert os.getsid(process.pid) == process.pid
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(5)
    assert process.ended() == "killed by SIGTERM"


RIGHTS = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs"}


def rights(pid: int) -> dict[str, int]:
    """Return what the kernel says a process may (proc(5))."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    found = dict(line.split(":", 1) for line in lines)
    return {name: int(found[name], 16) for name in RIGHTS}


def test_bird_has_three_capabilities_and_gets_no_others(real: HostProcesses, place: Path) -> None:
    """BIRD may set routes, listen below 1024 and bind to devices; no setuid program gives it more."""
    own = rights(os.getpid())
    process = started(real, place)
    allowed = 1 << 10 | 1 << 12 | 1 << 13  # linux/capability.h: NET_BIND_SERVICE, NET_ADMIN, NET_RAW
    held = rights(process.pid)
    assert own["CapEff"] & ~allowed, "the agent has more, or this proves nothing"
    assert {name: held[name] for name in ("CapPrm", "CapEff", "CapBnd")} == dict.fromkeys(
        ("CapPrm", "CapEff", "CapBnd"), allowed
    )
    assert held["CapInh"] & ~allowed == 0
    assert (held["CapAmb"], held["NoNewPrivs"]) == (0, 1)
    process.kill()


def test_a_check_of_a_configuration_has_no_capability(real: HostProcesses, tmp_path: Path) -> None:
    """Whatever reads a draft can read files of its user, and nothing else."""
    before = bird.check(tmp_path / bird.MAIN)
    command = [*before[: before.index("bird")], "grep", "CapEff", "/proc/self/status"]
    assert real.run(command, tmp_path, 5).output.split() == ["CapEff:", "0" * 16]
