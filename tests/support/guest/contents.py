"""What the guest holds: this tree, Python packages that its tests import, programs, the kernel's modules.

What lives here: names of programs, packages and folders, each where it is a choice.
What it must not know: how an archive is made, what boots it.
"""

import shutil
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from guest.archive import Archive
from guest.kernel import Kernel
from guest.words import Trouble

PROGRAMS = (
    *(
        "busybox",
        "kmod",
        "mount",
        "unshare",
        "nsenter",
        "setpriv",
        "sysctl",
        "ip",
        "bridge",
        "tc",
        "ss",
        "nft",
        "conntrack",
    ),
    *("bird", "birdc", "ping", "ethtool", "tcpdump"),
)
"""What tests of the kernel run; the machine has them from scripts/debian-packages."""

LOADED = ("libnftables.so.1",)
"""Libraries that Octet opens at run time."""

PACKAGES = (
    "octet",
    "pytest",
    "pytest-asyncio",
    "pytest-timeout",
    "hypothesis",
    "pyroute2",
    "typing-extensions",
)
"""Distributions that tests import; what they require comes with them."""

MODULES = ("net", "drivers/net", "crypto", "lib", "arch/x86/crypto")
"""Folders of kernel modules. The kernel loads from them what is asked for, as on any Debian."""

_OTHERS_DRIVERS = (
    "ethernet",
    "wireless",
    "hyperv",
    "ieee802154",
    "phy",
    "usb",
    "wwan",
    "fddi",
    "can",
    "plip",
    "ppp",
)
_NOT_NEEDED = {"test", "idlelib", "tkinter", "lib2to3", "ensurepip", "turtledemo", "dist-packages"}
_OWN = (
    "src",
    "tests/support",
    "tests/qemu",
    "tests/kernel",
    "tests/cases",
    "tests/conftest.py",
    "pyproject.toml",
)
_FILES = ("/etc/passwd", "/etc/group", "/etc/protocols", "/etc/services", "/etc/iproute2")
_PLACES = ("/proc", "/sys", "/dev", "/run", "/tmp", "/root", "/usr/local/busybox")


def archive(kernel: Kernel, tree: Path, init: bytes) -> Archive:
    """Return the root file system for a kernel.

    Args:
        kernel: whose modules and configuration it holds.
        tree: the source tree, at the same path in the guest.
        init: what the kernel starts.

    Raises:
        Trouble: a program or a package is not here.
    """
    made = Archive()
    for program in PROGRAMS:
        made.add(found(program))
    _python(made)
    for part in _OWN:
        if (tree / part).exists():
            made.add(tree / part, lambda path: path.suffix != ".egg-info")
    for path in _FILES:
        if Path(path).exists():
            made.add(Path(path))
    made.add_libraries()
    _kernel(made, kernel)
    for place in _PLACES:
        made.folder(place)
    made.device("/dev/console", 5, 1)
    made.write("/init", init, 0o755)
    return made


def found(program: str) -> Path:
    """Return where a program of this machine is.

    Raises:
        Trouble: it is not here.
    """
    place = shutil.which(program, path="/bin:/sbin:/usr/bin:/usr/sbin")
    if place is None:
        raise Trouble(
            f"there is no program {program}: scripts/setup installs what scripts/debian-packages names"
        )
    return Path(place)


def _python(made: Archive) -> None:
    """Hold the interpreter of the virtual environment, its library, and the packages of the tests."""
    environment = Path(sys.prefix)
    made.add(environment / "bin/python")
    made.add(environment / "pyvenv.cfg")
    made.add(Path(sysconfig.get_path("stdlib")), _needed)
    for name in _closure(PACKAGES):
        for file in metadata.distribution(name).files or ():
            path = Path(str(file.locate()))
            if path.is_relative_to(environment / "lib") and path.exists():
                made.add(path)
    for library in LOADED:
        made.add(_library(library))


def _needed(path: Path) -> bool:
    return path.name not in _NOT_NEEDED and not path.name.startswith("config-")


def _closure(names: tuple[str, ...]) -> set[str]:
    """Return distributions and all that they require here."""
    closed: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in closed:
            continue
        closed.add(name)
        try:
            wanted = metadata.requires(name) or ()
        except metadata.PackageNotFoundError as error:
            raise Trouble(f"the virtual environment has no {name}: `make setup`") from error
        required = [Requirement(each) for each in wanted]
        waiting += [
            each.name for each in required if each.marker is None or each.marker.evaluate({"extra": ""})
        ]
    return closed


def _library(name: str) -> Path:
    for folder in (sysconfig.get_config_var("LIBDIR"), "/usr/lib/x86_64-linux-gnu", "/usr/lib"):
        path = Path(str(folder)) / name
        if path.exists():
            return path
    raise Trouble(f"there is no library {name}: scripts/setup installs what scripts/debian-packages names")


def _kernel(made: Archive, kernel: Kernel) -> None:
    place = f"/lib/modules/{kernel.release}"
    for index in sorted(kernel.modules.glob("modules.*")):
        made.add(index, at=f"{place}/{index.name}")
    for folder in MODULES:
        made.add(kernel.modules / "kernel" / folder, _ours, at=f"{place}/kernel/{folder}")
    made.add(kernel.root / "boot" / f"config-{kernel.release}", at=f"/boot/config-{kernel.release}")
    made.write("/sbin/modprobe", b"")
    made.add(found("kmod"), at="/sbin/modprobe")


def _ours(path: Path) -> bool:
    return path.name not in _OTHERS_DRIVERS
