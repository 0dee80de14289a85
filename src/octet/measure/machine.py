"""The machine that measures: facts for the record, and how busy its processors have been.

What lives here: readings of /proc and of tools' versions. What it must not know: candidates, rounds.
"""

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from octet.errors import NotFoundError

TICK = os.sysconf("SC_CLK_TCK")
"""Units of /proc/stat per second (proc(5))."""

_VERSIONS: Mapping[str, tuple[str, ...]] = {
    "iperf3": ("iperf3", "--version"),
    "sockperf": ("sockperf", "--version"),
    "ping": ("ping", "-V"),
    "nft": ("nft", "--version"),
    "ip": ("ip", "-V"),
}


_PACKAGES = {"ping": "iputils-ping", "nsenter": "util-linux", "taskset": "util-linux"}
"""Debian's package of a program that has another name."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Seconds that all processors together have worked since boot, and that the hypervisor took away."""

    work: float
    steal: float

    def since(self, before: "Busy") -> "Busy":
        """Return what was added since an earlier reading."""
        return Busy(self.work - before.work, self.steal - before.steal)


def busy() -> Busy:
    """Read /proc/stat: everything but idle and iowait is work; steal apart. Resolution: one tick, 10 ms."""
    return parse_stat(Path("/proc/stat").read_text())


def parse_stat(text: str) -> Busy:
    """Return the busy time in the first line of /proc/stat (proc(5): user nice system idle iowait irq)."""
    numbers = (int(number) for number in text.splitlines()[0].split()[1:9])
    user, nice, system, _idle, _wait, irq, softirq, steal = numbers
    return Busy((user + nice + system + irq + softirq) / TICK, steal / TICK)


def facts() -> dict[str, object]:
    """Return what a reader needs to judge the figures: processor, memory, kernel, load, settings."""
    return {
        "cpu": _first(r"model name\s*: (.*)", "/proc/cpuinfo"),
        "cpus": os.cpu_count(),
        "memory_mib": int(_first(r"MemTotal:\s*(\d+)", "/proc/meminfo") or 0) // 1024,
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "distribution": _first(r'PRETTY_NAME="(.*)"', "/etc/os-release"),
        "hypervisor": "hypervisor" in (_first(r"flags\s*: (.*)", "/proc/cpuinfo") or "").split(),
        "load_1min": os.getloadavg()[0],
        "tcp_congestion_control": _first(r"(\w+)", "/proc/sys/net/ipv4/tcp_congestion_control"),
        "default_qdisc": _first(r"(\w+)", "/proc/sys/net/core/default_qdisc"),
    }


def versions() -> dict[str, str]:
    """Return what each measuring tool says its version is; a tool that is not there says so."""
    return {"python": platform.python_version(), **{name: _version(line) for name, line in _VERSIONS.items()}}


def require(*programs: str) -> None:
    """Refuse to begin where a measuring tool is missing. Raises NotFoundError naming the packages."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        packages = " ".join(_PACKAGES.get(program, program) for program in missing)
        raise NotFoundError(f"not installed: {', '.join(missing)}", hint=f"apt-get install {packages}")


def _version(command: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except FileNotFoundError:
        return "not installed"
    lines = (done.stdout or done.stderr).splitlines()
    return lines[0].strip() if lines else "says nothing"


def _first(pattern: str, path: str) -> str | None:
    try:
        found = re.search(pattern, Path(path).read_text())
    except OSError:
        return None
    return found.group(1) if found else None


def pinned(command: tuple[str, ...], cpu: int) -> tuple[str, ...]:
    """Return the command as it runs on one processor; unchanged where there is only one to run on."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        return command
    return ("taskset", "-c", str(cpus[cpu % len(cpus)]), *command)
