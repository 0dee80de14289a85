"""One plugin, run once: environment and configuration in, a document or its error out.

What lives here: the process. What it must not know: chains, caches.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from octet.cni.spec.failures import CniError, Code, error_from_json

LIMIT = 120.0
"""Seconds a plugin may take."""


def locate(plugin: str, path: Sequence[str]) -> str:
    """Return the file of a plugin, from the first directory that has it. Raises CniError."""
    if "/" in plugin or plugin in {"", ".", ".."}:
        raise CniError(Code.INVALID_CONFIG, f"type = {plugin!r}: is not the name of a plugin")
    for directory in path:
        found = Path(directory) / plugin
        if found.is_file() and os.access(found, os.X_OK):
            return str(found)
    raise CniError(Code.INVALID_CONFIG, f"no plugin {plugin!r} in {':'.join(path)}")


def execute(file: str, environment: Mapping[str, str], config: Mapping[str, Any]) -> dict[str, Any] | None:
    """Run a plugin; return what it printed, None where that is nothing.

    Raises:
        CniError: the plugin's own, or one that says how it broke.
    """
    name = Path(file).name
    try:
        done = subprocess.run(
            [file],
            input=msgspec.json.encode(config),
            capture_output=True,
            env={"PATH": os.environ.get("PATH", os.defpath), **environment},
            timeout=LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CniError(Code.TRY_AGAIN_LATER, f"{name} did not end within {LIMIT:g} s") from error
    except OSError as error:
        raise CniError(Code.IO_FAILURE, f"{name} cannot be run: {error.strerror}") from error
    document = _document(done.stdout)
    if done.returncode != 0:
        said = document or {
            "msg": (done.stderr.decode(errors="replace").strip() or "it printed nothing")[:500]
        }
        raise error_from_json(said, plugin=name)
    if done.stdout.strip() and document is None:
        raise CniError(Code.DECODING_FAILURE, f"{name} printed something else than an object")
    return document


def _document(text: bytes) -> dict[str, Any] | None:
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
    return found if isinstance(found, dict) else None
