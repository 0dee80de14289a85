"""QEMU without KVM: boots a kernel with an initramfs, relays what it prints, brings an exit code out.

What lives here: the machine's parts, how it ends, what is told when it does not end well.
What it must not know: what runs in it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from guest.words import Trouble

_BREATH = 0.1  # seconds between two looks at what the guest has printed
_TAIL = 40  # lines of the console that are shown when something went wrong


@dataclass(frozen=True)
class Result:
    """What the program left.

    Attributes:
        code: its exit code.
        skips: reasons of skipped tests, one each.
    """

    code: int
    skips: tuple[str, ...]


def run(image: Path, initramfs: Path, *, patience: float, console: Path) -> Result:
    """Boot, relay the program's output to our own, and return its result.

    Args:
        image: the kernel.
        initramfs: its root file system.
        patience: seconds for all of it.
        console: where the kernel's messages are kept.

    Raises:
        Trouble: there is no QEMU; the guest panicked, or did not end in time.
    """
    program = shutil.which("qemu-system-x86_64")
    if program is None:
        raise Trouble("there is no qemu-system-x86_64: scripts/setup installs it (package qemu-system-x86)")
    with tempfile.TemporaryDirectory() as place:
        told = Path(place) / "told"
        in_time = _emulate([program, *_parts(image, initramfs, console, told)], patience)
        result = _result(told.read_text(errors="replace") if told.exists() else "")
    if result is None:
        why = "ended without a result" if in_time else f"did not end in {patience:.0f} s"
        raise Trouble(f"it {why}; the last lines of its console ({console}):\n{_tail(console)}")
    return result


def _emulate(command: list[str], patience: float) -> bool:
    """Run QEMU and copy what the guest prints as it comes; return whether it ended in time."""
    until = time.monotonic() + patience
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, **pipes) as child:
        assert child.stdout is not None
        os.set_blocking(child.stdout.fileno(), False)
        try:
            while child.poll() is None and time.monotonic() < until:
                time.sleep(_BREATH)
                _copy(child.stdout)
            _copy(child.stdout)
            return child.poll() is not None
        finally:
            child.kill()


def _copy(source: IO[bytes]) -> None:
    sys.stdout.buffer.write(source.read() or b"")
    sys.stdout.flush()


def _tail(console: Path) -> str:
    lines = console.read_text(errors="replace").splitlines() if console.exists() else []
    return "\n".join(f"  | {line}" for line in lines[-_TAIL:])


def _parts(image: Path, initramfs: Path, console: Path, told: Path) -> Iterator[str]:
    # Measured: `max` is a third faster than `qemu64`, and so are two processors than one; a larger buffer for
    # translated code gains nothing, and Debian's kernel needs no 9p or virtio for any of this.
    yield from ("-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1536")
    yield from ("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none")
    yield from ("-kernel", str(image), "-initrd", str(initramfs))
    yield from (
        "-append",
        "console=ttyS0 panic=-1 quiet loglevel=4 mitigations=off random.trust_cpu=on cryptomgr.notests",
    )
    yield from ("-serial", f"file:{console}", "-serial", "stdio", "-serial", f"file:{told}")


def _result(told: str) -> Result | None:
    lines = told.splitlines()
    code = [line.removeprefix("exit ") for line in lines if line.startswith("exit ")]
    if not code:
        return None
    return Result(int(code[0]), tuple(line[5:] for line in lines if line.startswith("skip ")))
