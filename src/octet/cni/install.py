"""Puts plugin and configuration where a container runtime looks, and takes away exactly that.

What lives here: building the plugin, the conflist, atomic files, the receipt of what was written.
What it must not know: the command line, the agent.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from octet.errors import BadConfigurationError, OctetError

SOURCE = Path(__file__).parent / "plugin" / "octet-cni.c"
PLUGIN = SOURCE.with_suffix("")
"""Where the build puts the plugin."""

BIN_DIR = Path("/opt/cni/bin")
CONF_DIR = Path("/etc/cni/net.d")
STATE_DIR = Path("/var/lib/octet")
SOCKET = Path("/run/octet/cni.sock")
CONFLIST_NAME = "10-octet.conflist"
CAPABILITIES = ("portMappings", "bandwidth", "ips", "ipRanges", "mac", "dns")

FLAGS = ("-O2", "-std=gnu11", "-static", "-s", "-Wall", "-Wextra")
COMPILERS = ("musl-gcc", "gcc", "cc", "clang")
"""The best first: a program of musl starts in half the time of one of glibc, whose start-up asks the
processor about itself some forty times (CPUID); on a virtual machine the hypervisor answers, in 5 us each."""

SHEBANG_LIMIT = 250
"""Bytes of a script's first line that every kernel we know reads (BINPRM_BUF_SIZE is 256)."""

_COMPILE_LIMIT = 120


@dataclass(frozen=True, slots=True)
class Places:
    """Where things go.

    Attributes:
        bin_dir: the runtime's plugins.
        conf_dir: the runtime's configurations.
        state_dir: the receipt.
    """

    bin_dir: Path = BIN_DIR
    conf_dir: Path = CONF_DIR
    state_dir: Path = STATE_DIR

    @property
    def plugin(self) -> Path:
        """The plugin's file."""
        return self.bin_dir / "octet-cni"

    @property
    def conflist(self) -> Path:
        """The configuration's file."""
        return self.conf_dir / CONFLIST_NAME

    @property
    def receipt(self) -> Path:
        """What we wrote: digests by path."""
        return self.state_dir / "cni-installed.json"


def conflist(socket: Path = SOCKET, *, name: str = "octet") -> dict[str, object]:
    """Return the network configuration list of our plugin.

    Args:
        socket: the agent's.
        name: of the network; part of the key of every attachment, so it must stay the same.
    """
    plugin = {
        "type": "octet-cni",
        "socket": str(socket),
        "capabilities": dict.fromkeys(CAPABILITIES, True),
    }
    return {"cniVersion": "1.1.0", "name": name, "plugins": [plugin]}


def build(target: Path = PLUGIN) -> Path:
    """Compile the plugin. Raises OctetError where there is no compiler or it fails."""
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        hint = "apt install musl-tools, or use the Python twin"
        raise OctetError(f"no C compiler: none of {', '.join(COMPILERS)} is on PATH", hint=hint)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    done = subprocess.run(
        [compiler, *FLAGS, "-o", str(draft), str(SOURCE)],
        capture_output=True,
        text=True,
        timeout=_COMPILE_LIMIT,
        check=False,
    )
    if done.returncode != 0:
        draft.unlink(missing_ok=True)
        raise OctetError(f"{compiler} cannot build the plugin: {done.stderr.strip()[:500]}")
    draft.replace(target)
    return target


def program() -> bytes:
    """Return the plugin to install: the built one, else built now, else the launcher of the Python twin."""
    if not _is_built():
        with contextlib.suppress(OctetError, OSError):
            build()
    return PLUGIN.read_bytes() if _is_built() else launcher()


def _is_built() -> bool:
    """Is the plugin there, and not older than its source?"""
    with contextlib.suppress(OSError):
        return PLUGIN.stat().st_mtime >= SOURCE.stat().st_mtime
    return False


def launcher() -> bytes:
    """Return a script that starts the Python twin with this interpreter.

    Raises:
        BadConfigurationError: the kernel cannot start scripts with this interpreter's path.
    """
    python = sys.executable
    if not python or " " in python or len(python) > SHEBANG_LIMIT:
        problem = f"must have no space and at most {SHEBANG_LIMIT} bytes to start a script"
        raise BadConfigurationError("python", "sys.executable", python, problem)
    return (
        f"#!{python} -I\n"
        "# octet-cni: the plugin without a compiler (octet.cni.twin)\n"
        "import sys\n\nfrom octet.cni.twin import main\n\nsys.exit(main())\n"
    ).encode()


def install(
    places: Places, document: Mapping[str, object], *, plugin: bytes | None = None, force: bool = False
) -> tuple[Path, ...]:
    """Put the plugin, then the conflist in place, each whole or not at all; return what was written.

    The receipt is written first, so that an interrupted installation can be uninstalled.

    Args:
        places: where to.
        document: the conflist.
        plugin: the program's bytes; None is ``program()``.
        force: replace files that are not ours.

    Raises:
        OctetError: a file is in the way that we did not write.
    """
    text = msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
    files = ((places.plugin, plugin or program(), 0o755), (places.conflist, text, 0o644))
    held = _read_receipt(places)
    if not force:
        for path, content, _ in files:
            _refuse_foreign(path, content, held)
    wanted = {str(path): _digest(content) for path, content, _ in files}
    _write(places.receipt, msgspec.json.encode(held | wanted), 0o600)
    for path, content, mode in files:
        _write(path, content, mode)
    return tuple(path for path, _, _ in files)


def uninstall(places: Places) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Remove what ``install`` wrote, the conflist first; return (removed, left because they were changed)."""
    removed, left = [], []
    for name, digest in sorted(_read_receipt(places).items(), key=lambda item: "conflist" not in item[0]):
        path = Path(name)
        if not path.exists():
            continue
        if _digest(path.read_bytes()) == digest:
            path.unlink()
            removed.append(path)
        else:
            left.append(path)
    places.receipt.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        places.state_dir.rmdir()
    return tuple(removed), tuple(left)


def _refuse_foreign(path: Path, content: bytes, held: Mapping[str, str]) -> None:
    if not path.exists():
        return
    found = _digest(path.read_bytes())
    if found not in {_digest(content), held.get(str(path))}:
        raise OctetError(f"{path} is there and was not written by us", hint="--force replaces it")


def _read_receipt(places: Places) -> dict[str, str]:
    try:
        return msgspec.json.decode(places.receipt.read_bytes(), type=dict[str, str])
    except FileNotFoundError:
        return {}
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise OctetError(
            f"{places.receipt} is damaged: {error}", hint="remove it and the files by hand"
        ) from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write(path: Path, content: bytes, mode: int) -> None:
    """Put a file in place in one step that survives a crash.

    The draft's name has no suffix, because a runtime reads every *.conflist, hidden or not.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.parent / f".octet-{os.getpid()}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
