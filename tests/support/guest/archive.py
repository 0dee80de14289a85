"""An initramfs: files of this machine at the paths that they have here, and a few of our own.

What lives here: which links and folders lead to a file, shared libraries of programs, the archive's format.
What it must not know: what is in it.
"""

import os
import re
import stat
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

_LIBRARY = re.compile(r"^\t(?:\S+ => )?(/\S+) \(0x", re.MULTILINE)
_ELF = b"\x7fELF"


def _whole(_path: Path) -> bool:
    return True


class Archive:
    """What the guest's root file system holds; a later file of a name takes the place of an earlier one."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[int, int, int, Path | bytes]] = {}

    def write(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """Hold a file of our own."""
        place = self._lead(Path(path).parent) / Path(path).name
        self._held[str(place)] = (stat.S_IFREG | mode, 0, 0, content)

    def device(self, path: str, major: int, minor: int) -> None:
        """Hold a character device."""
        self._lead(Path(path).parent)
        self._held[path] = (stat.S_IFCHR | 0o600, 0, os.makedev(major, minor), b"")

    def folder(self, path: str) -> None:
        """Hold an empty folder."""
        self._lead(Path(path))

    def add(self, path: Path, wanted: Callable[[Path], bool] = _whole, at: str = "") -> None:
        """Hold a file or a folder of this machine with what is in it, and all links on the way.

        Args:
            path: absolute.
            wanted: is asked about each entry of a folder.
            at: its place in the guest, if that is not its place here.
        """
        if not at:
            path = self._lead(path.parent) / path.name
        place = str(self._lead(Path(at).parent) / Path(at).name) if at else str(path)
        if path.is_symlink():
            self._link(path)
            self.add(Path(os.path.normpath(path.parent / path.readlink())), wanted)
        elif path.is_dir():
            self._held.setdefault(place, (stat.S_IFDIR | 0o755, 0, 0, b""))
            for each in sorted(path.iterdir()):
                if wanted(each):
                    self.add(each, wanted, f"{at}/{each.name}" if at else "")
        else:
            self._held[place] = (
                stat.S_IFREG | (path.stat().st_mode & 0o7777),
                int(path.stat().st_mtime),
                0,
                path,
            )

    def _lead(self, folder: Path) -> Path:
        """Hold all that leads to a folder; return where it really is."""
        if str(folder) == "/":
            return folder
        path = self._lead(folder.parent) / folder.name
        if path.is_symlink():
            self._link(path)
            return self._lead(Path(os.path.normpath(path.parent / path.readlink())))
        self._held.setdefault(str(path), (stat.S_IFDIR | 0o755, 0, 0, b""))
        return path

    def _link(self, path: Path) -> None:
        self._held[str(path)] = (stat.S_IFLNK | 0o777, 0, 0, os.fsencode(path.readlink()))

    def add_libraries(self) -> None:
        """Hold the shared libraries that the programs and modules held so far are linked with."""
        linked = [path for *_, path in self._held.values() if isinstance(path, Path) and _is_elf(path)]
        for library in libraries(linked):
            self.add(library)

    def pack(self, file: BinaryIO) -> None:
        """Write all in the format that the kernel unpacks: newc (driver-api/early-userspace)."""
        for number, (path, (mode, time, device, content)) in enumerate(sorted(self._held.items()), start=1):
            body = content if isinstance(content, bytes) else content.read_bytes()
            _entry(file, path.lstrip("/"), body, (number, mode, time, device))
        _entry(file, "TRAILER!!!", b"", (0, 0, 0, 0))


def _entry(file: BinaryIO, name: str, body: bytes, numbers: tuple[int, int, int, int]) -> None:
    inode, mode, time, device = numbers
    major, minor = os.major(device), os.minor(device)
    path = name.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, time, len(body), 0, 0, major, minor, len(path), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + path
    file.write(head + bytes(-len(head) % 4) + body + bytes(-len(body) % 4))


def libraries(programs: Iterable[Path]) -> list[Path]:
    """Return the shared libraries that programs are linked with, their loader included."""
    command = ["ldd", *map(str, programs)]
    said = subprocess.run(
        command, check=False, capture_output=True, text=True
    ).stdout  # fails for static ones
    return [Path(each) for each in sorted(set(_LIBRARY.findall(said)))]


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == _ELF and path.suffix != ".ko"
