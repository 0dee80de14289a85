"""Puts plugin and network configuration where a runtime looks, atomically, and takes exactly those away.

What lives here: building the plugin, installing, uninstalling. What it must not know: any model, the agent.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from octet.errors import BadConfigurationError, OctetError

PLUGIN = "octet-cni"
SOURCE = Path(__file__).parent / "plugin"
CONFLIST = "10-octet.conflist"
CAPABILITIES = ("portMappings", "bandwidth", "ips", "ipRanges", "mac", "dns")
SOCKET = "/run/octet/cni.sock"

_RECORD = ".octet-installed.json"
_TWIN = '#!/bin/sh\nexec "{python}" -I -m octet.cni\n'


def conflist(socket: str = SOCKET, name: str = "octet") -> dict[str, Any]:
    """Return our network configuration list."""
    plugin = {"type": PLUGIN, "socket": socket, "capabilities": dict.fromkeys(CAPABILITIES, True)}
    return {"cniVersion": "1.1.0", "name": name, "plugins": [plugin]}


def build() -> Path | None:
    """Compile the thin plugin unless it is there; return its file, None where no compiler is.

    Raises:
        OctetError: the compiler refused.
    """
    made = SOURCE / PLUGIN
    if made.exists():
        return made
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or shutil.which("make") is None:
        return None
    done = subprocess.run(
        ["make", "-s", "-C", str(SOURCE), PLUGIN], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise OctetError(f"the plugin cannot be built: {done.stderr.strip()}")
    return made


def install(binaries: Path, configuration: Path, network: Mapping[str, Any]) -> list[Path]:
    """Install plugin first and configuration last, so that no runtime sees one without the other.

    Where no compiler is, the plugin is its Python twin. Installing again replaces what is ours.

    Raises:
        BadConfigurationError: a file of that name is there and is not ours.
        OSError: a directory cannot be written.
    """
    record = configuration / _RECORD
    ours = _recorded(record)
    wanted = [(binaries / PLUGIN, _program(), 0o755)]
    text = json.dumps(network, indent=2).encode() + b"\n"
    wanted.append((configuration / CONFLIST, text, 0o644))
    for path, _, _ in wanted:
        if path.exists() and str(path) not in ours:
            problem = "is there and was not installed by octet"
            raise BadConfigurationError(str(path), "file", path.name, problem, hint="move it away first")
    _write(record, json.dumps([str(path) for path, _, _ in wanted]).encode(), 0o600)
    for path, body, mode in wanted:
        _write(path, body, mode)
    return [path for path, _, _ in wanted]


def uninstall(configuration: Path) -> list[Path]:
    """Remove what ``install`` wrote, configuration first; return what was there."""
    record = configuration / _RECORD
    gone = [Path(text) for text in reversed(_recorded(record)) if Path(text).exists()]
    for path in gone:
        path.unlink()
    record.unlink(missing_ok=True)
    return gone


def _program() -> bytes:
    made = build()
    return made.read_bytes() if made is not None else _TWIN.format(python=sys.executable).encode()


def _recorded(record: Path) -> list[str]:
    try:
        held = json.loads(record.read_bytes())
    except (OSError, ValueError):
        return []
    return [each for each in held if isinstance(each, str)] if isinstance(held, list) else []


def _write(path: Path, body: bytes, mode: int) -> None:
    """Write a file whole or not at all, and make it last (fsync, then rename in the same directory)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.octet-new")
    descriptor = os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    draft.chmod(mode)
    draft.replace(path)
