"""What a runtime remembers of an ADD: the result, which CHECK and DEL give back to the plugins.

What lives here: the files, in libcni's place and form (``cniCacheV1``). What it must not know: plugins.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from octet.cluster.endpoint import Attachment

KIND = "cniCacheV1"


class Cache:
    """Results by attachment, one file each, mode 0600."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory / "results"

    def _path(self, key: Attachment) -> Path:
        return self._directory / f"{key.network}-{key.container}-{key.interface}"

    def write(self, key: Attachment, result: Mapping[str, Any], extras: Mapping[str, Any]) -> None:
        """Remember a result and what the attachment was called with."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        names = {"networkName": key.network, "containerId": key.container, "ifName": key.interface}
        body = msgspec.json.encode({"kind": KIND, **names, **extras, "result": result})
        draft = self._path(key).with_name(f".{self._path(key).name}.new")
        file = os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "wb") as opened:
            opened.write(body)
        draft.replace(self._path(key))

    def read(self, key: Attachment) -> dict[str, Any] | None:
        """Return what was remembered; None where nothing was, or where the file is broken."""
        try:
            held = msgspec.json.decode(self._path(key).read_bytes())
        except (OSError, msgspec.DecodeError):
            return None
        return held if isinstance(held, dict) and held.get("kind") == KIND else None

    def forget(self, key: Attachment) -> None:
        """Drop what was remembered; absence is success."""
        self._path(key).unlink(missing_ok=True)

    def attachments(self, network: str) -> Iterator[Attachment]:
        """Yield every attachment of a network that is remembered."""
        files = self._directory.glob(f"{network}-*") if self._directory.is_dir() else ()
        for path in files:
            try:
                held = msgspec.json.decode(path.read_bytes())
                yield Attachment(held["networkName"], held["containerId"], held["ifName"])
            except (OSError, msgspec.DecodeError, KeyError, TypeError):
                continue
