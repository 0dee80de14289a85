"""Installing and uninstalling: exactly our files, each whole or not at all."""

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from octet.cni import install
from octet.cni.install import Places
from octet.cni.runtime import conflist
from octet.errors import BadConfigurationError, OctetError

DOCUMENT = install.conflist()
PROGRAM = b"#!/bin/true\n"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "bin", tmp_path / "net.d", tmp_path / "state")


def tree(places: Places) -> set[str]:
    """Return every file below the places."""
    root = places.bin_dir.parent
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}


def test_installing_puts_both_files_in_place(places: Places) -> None:
    """The plugin can be run, the conflist is one that runtimes read, and nothing else is left lying there."""
    written = install.install(places, DOCUMENT, plugin=PROGRAM)
    assert written == (places.plugin, places.conflist)
    assert (places.plugin.read_bytes(), places.plugin.stat().st_mode & 0o777) == (PROGRAM, 0o755)
    assert conflist.find(places.conf_dir).plugins[0]["type"] == "octet-cni"
    assert tree(places) == {"bin/octet-cni", "net.d/10-octet.conflist", "state/cni-installed.json"}


def test_uninstalling_removes_exactly_that(places: Places) -> None:
    """Files of others stay, ours are gone, also when asked again."""
    other = places.conf_dir / "99-other.conflist"
    places.conf_dir.mkdir()
    other.write_text("{}")
    install.install(places, DOCUMENT, plugin=PROGRAM)
    assert install.uninstall(places) == ((places.conflist, places.plugin), ())
    assert tree(places) == {"net.d/99-other.conflist"}
    assert install.uninstall(places) == ((), ())


def test_a_file_that_was_changed_stays(places: Places) -> None:
    """What an operator edited since is not ours to remove, and is named."""
    install.install(places, DOCUMENT, plugin=PROGRAM)
    places.conflist.write_text("edited")
    assert install.uninstall(places) == ((places.plugin,), (places.conflist,))
    assert places.conflist.read_text() == "edited"


@pytest.mark.parametrize("which", ["plugin", "conflist"])
def test_a_file_of_others_is_not_replaced(places: Places, which: str) -> None:
    """The error names the file, nothing at all is written, and force replaces it."""
    foreign: Path = getattr(places, which)
    foreign.parent.mkdir()
    foreign.write_text("theirs")
    with pytest.raises(OctetError, match="not written by us"):
        install.install(places, DOCUMENT, plugin=PROGRAM)
    assert len(tree(places)) == 1
    install.install(places, DOCUMENT, plugin=PROGRAM, force=True)
    assert foreign.read_text() != "theirs"


def test_installing_again_replaces_our_own(places: Places) -> None:
    """A newer version takes the place of the one before; its receipt is the one that counts."""
    install.install(places, DOCUMENT, plugin=PROGRAM)
    install.install(places, install.conflist(Path("/run/other.sock")), plugin=PROGRAM + b"# 2\n")
    assert "/run/other.sock" in places.conflist.read_text()
    assert install.uninstall(places)[1] == ()


def test_what_an_interrupted_installation_left_is_removed(places: Places) -> None:
    """The receipt comes first: with the plugin written and the conflist not, uninstalling still works."""
    places.conf_dir.parent.mkdir(exist_ok=True)
    places.conf_dir.write_text("not a directory")
    with pytest.raises(OSError, match=r"net\.d"):
        install.install(places, DOCUMENT, plugin=PROGRAM)
    assert places.plugin.exists()
    assert install.uninstall(places) == ((places.plugin,), ())


def test_a_damaged_receipt_is_said(places: Places) -> None:
    """What was written is unknown then: a person must look."""
    places.state_dir.mkdir()
    places.receipt.write_text("{")
    with pytest.raises(OctetError, match="is damaged"):
        install.uninstall(places)


def test_a_runtime_never_sees_half_a_file(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails leaves the old file, and no draft that a runtime would read."""
    install.install(places, DOCUMENT, plugin=PROGRAM)
    before = places.conflist.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        install.install(places, install.conflist(Path("/x.sock")), plugin=PROGRAM)
    assert places.conflist.read_bytes() == before
    assert not [name for name in tree(places) if ".octet-" in name]


def program_headers(path: Path) -> list[int]:
    """Return the types of a 64-bit ELF file's program headers (elf(5))."""
    data = path.read_bytes()
    (start,) = struct.unpack_from("=Q", data, 0x20)
    size, count = struct.unpack_from("=HH", data, 0x36)
    return [struct.unpack_from("=I", data, start + number * size)[0] for number in range(count)]


def test_building_makes_a_static_program(tmp_path: Path) -> None:
    """It needs no loader and no library, and answers VERSION."""
    interpreter = 3
    built = install.build(tmp_path / "octet-cni")
    done = subprocess.run(
        [built], input=b"{}", capture_output=True, env={"CNI_COMMAND": "VERSION"}, check=True
    )
    assert "1.1.0" in json.loads(done.stdout)["supportedVersions"]
    assert interpreter not in program_headers(built)
    assert list(tmp_path.iterdir()) == [built]


def test_without_a_compiler_building_says_what_would_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the package, and the twin."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OctetError, match="apt install musl-tools"):
        install.build(tmp_path / "octet-cni")


def test_a_compiler_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its complaint is in the error, and no half program is left."""
    (tmp_path / install.COMPILERS[0]).write_text("#!/bin/sh\necho no libc.a >&2\nexit 1\n")
    (tmp_path / install.COMPILERS[0]).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(OctetError, match=r"no libc\.a"):
        install.build(tmp_path / "octet-cni")
    assert not (tmp_path / "octet-cni").exists()


def test_without_program_and_compiler_the_twin_is_installed(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its launcher answers as the program would, whatever the runtime's environment is."""
    monkeypatch.setattr(install, "PLUGIN", tmp_path / "none")
    monkeypatch.setenv("PATH", str(tmp_path))
    install.install(places, DOCUMENT)
    env = {"CNI_COMMAND": "VERSION", "PYTHONPATH": "/nowhere", "PYTHONHOME": "/nowhere"}
    done = subprocess.run([places.plugin], input=b"{}", capture_output=True, env=env, check=True)
    assert "1.1.0" in json.loads(done.stdout)["supportedVersions"]


def test_an_interpreter_that_no_script_can_name_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A path with a space cannot stand in a script's first line."""
    monkeypatch.setattr(sys, "executable", "/my python/bin/python")
    with pytest.raises(BadConfigurationError, match="no space"):
        install.launcher()
