"""The rig of `make test-kernel`: what it brings out of a guest, how loud it is when a guest goes wrong."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from guest import emulator, kernel
from guest.__main__ import BUILD
from guest.archive import Archive, libraries
from guest.contents import found
from guest.words import Trouble

MOUNTS = "#!/bin/busybox sh\nb=/bin/busybox; $b mkdir /dev; $b mount -t devtmpfs d /dev\n"
OFF = "$b poweroff -f\n"


@pytest.fixture(scope="module")
def debian() -> kernel.Kernel:
    """The kernel, from the cache if it is there."""
    return kernel.fetch(BUILD)


def boot(debian: kernel.Kernel, place: Path, init: str, patience: float = 60) -> emulator.Result:
    """Run a shell script as process 1 of an otherwise empty guest."""
    made = Archive()
    made.add(found("busybox"))
    made.write("/init", init.encode(), 0o755)
    made.device("/dev/console", 5, 1)
    with (place / "initramfs").open("wb") as file:
        made.pack(file)
    return emulator.run(debian.image, place / "initramfs", patience=patience, console=place / "console")


@pytest.mark.slow
def test_a_result_comes_out_with_its_skips(
    debian: kernel.Kernel, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """What the guest prints is printed here; its exit code and skipped tests are returned."""
    talk = "echo hello >/dev/ttyS1; { echo 'skip needs root: x'; echo exit 5; } >/dev/ttyS2\n"
    assert boot(debian, tmp_path, MOUNTS + talk + OFF) == emulator.Result(5, ("needs root: x",))
    assert b"hello" in capfdbinary.readouterr().out


@pytest.mark.slow
def test_a_panic_ends_the_run_at_once(debian: kernel.Kernel, tmp_path: Path) -> None:
    """A guest that panics is no success and no wait: the console's tail is in the error."""
    began = time.monotonic()
    with pytest.raises(Trouble, match=r"(?s)ended without a result.*Kernel panic - not syncing"):
        boot(debian, tmp_path, MOUNTS + "exit 3\n")
    assert time.monotonic() - began < 50


@pytest.mark.slow
def test_a_guest_that_hangs_is_ended(debian: kernel.Kernel, tmp_path: Path) -> None:
    """After the time that it has, the guest is ended, and its console is shown."""
    with pytest.raises(Trouble, match=r"did not end in 8 s; the last lines of its console"):
        boot(debian, tmp_path, MOUNTS + "exec $b sleep 1000\n", patience=8)


@pytest.mark.parametrize(
    ("apt_cache", "apt_get", "said"),
    [
        (
            "exit 100",
            "echo 'E: no network' >&2; exit 100",
            "the lists of packages cannot be read: .*no network",
        ),
        ("exit 0", "exit 0", "apt knows no package linux-image-cloud-amd64"),
        (
            "echo '  Depends: linux-image-9.9-cloud-amd64'",
            "echo 'E: no network' >&2; exit 100",
            "the kernel linux-image-9.9-cloud-amd64 cannot be downloaded: .*no network",
        ),
    ],
)
def test_a_kernel_that_cannot_be_had_is_named(
    apt_cache: str, apt_get: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without lists of packages or a network the error says what failed, and nothing is half there."""
    for name, script in (("apt-cache", apt_cache), ("apt-get", apt_get)):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(Trouble, match=said):
        kernel.fetch(tmp_path / "cache")
    assert not (tmp_path / "cache").exists() or [*(tmp_path / "cache").iterdir()] == []


def test_an_archive_is_what_it_was_given(tmp_path: Path) -> None:
    """Files, folders, links on the way and libraries read back as they are on this machine."""
    made = Archive()
    made.add(found("ip"))
    made.add_libraries()
    made.write("/init", b"hello", 0o755)
    with (tmp_path / "archive").open("wb") as file:
        made.pack(file)
    unpack = ["busybox", "cpio", "-idm", "-F", str(tmp_path / "archive")]
    (tmp_path / "root").mkdir()
    subprocess.run(unpack, cwd=tmp_path / "root", check=True, capture_output=True)
    root = tmp_path / "root"
    assert (root / "init").read_bytes() == b"hello"
    assert (root / "lib").readlink() == Path("usr/lib")
    for path in (found("ip"), *libraries([found("ip")])):
        assert (root / path.resolve().relative_to("/")).read_bytes() == path.read_bytes()
