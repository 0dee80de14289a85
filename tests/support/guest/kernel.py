"""Debian's current cloud kernel, unpacked beside the tree and never installed.

What lives here: which package the metapackage names, its download, its modules' index.
What it must not know: what is done with it.
"""

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from guest.words import Trouble, say

METAPACKAGE = "linux-image-cloud-amd64"
"""Debian's kernel for virtual machines: small, its drivers as modules, tunnels and IPVS among them."""

_IMAGE = re.compile(r"^ *Depends: (linux-image-\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Kernel:
    """An unpacked kernel: ``boot/`` and ``lib/modules/RELEASE`` under a root."""

    root: Path
    release: str

    @property
    def image(self) -> Path:
        """What boots."""
        return self.root / "boot" / f"vmlinuz-{self.release}"

    @property
    def modules(self) -> Path:
        """Its modules, with their index."""
        return self.root / "lib/modules" / self.release


def fetch(cache: Path) -> Kernel:
    """Return the kernel that Debian's metapackage names today, from the cache if it is there.

    Raises:
        Trouble: no package source knows it, or it cannot be downloaded or unpacked.
    """
    package = _named()
    root = cache / package
    if not root.exists():
        say(f"fetching {package}")
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as place:
            _unpack(package, Path(place))
            (Path(place) / "root").rename(root)
        for older in cache.glob("linux-image-*"):
            if older != root:
                shutil.rmtree(older)
    return Kernel(root, package.removeprefix("linux-image-"))


def _named() -> str:
    asked = ["apt-cache", "depends", METAPACKAGE]
    found = _IMAGE.search(_said(asked))
    if found is None and os.geteuid() == 0:
        _done(["apt-get", "-qq", "update"], "the lists of packages cannot be read")
        found = _IMAGE.search(_said(asked))
    if found is None:
        raise Trouble(
            f"apt knows no package {METAPACKAGE}: its lists are empty, or its sources are not Debian's "
            "for amd64; `apt-get update` as root, with a network, would tell"
        )
    return found[1]


def _unpack(package: str, place: Path) -> None:
    download = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", package]
    _done(download, f"the kernel {package} cannot be downloaded", place)
    (archive,) = place.glob("*.deb")
    _done(["dpkg-deb", "-x", str(archive), str(place / "root")], f"{archive.name} cannot be unpacked", place)
    release = package.removeprefix("linux-image-")
    depmod = shutil.which("depmod") or "/usr/sbin/depmod"
    _done([depmod, "-b", str(place / "root"), release], f"the modules of {package} cannot be indexed", place)


def _said(command: list[str]) -> str:
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout


def _done(command: list[str], otherwise: str, place: Path | None = None) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, cwd=place)
    except FileNotFoundError as error:
        raise Trouble(f"{otherwise}: there is no program {command[0]}") from error
    except subprocess.CalledProcessError as error:
        raise Trouble(f"{otherwise}: `{' '.join(command)}` said: {error.stderr.strip()}") from error
