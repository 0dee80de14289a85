"""What a runtime remembers of an ADD: the result, which CHECK and DEL give back to the plugins.

What lives here: the files, in libcni's place and form (``cniCacheV1``). What it must not know: plugins.
"""

import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from octet.cluster.endpoint import Attachment

KIND = "cniCacheV1"


@dataclass(frozen=True, slots=True)
class Remembered:
    """One attachment as it was made.

    Attributes:
        result: of the last plugin, as it printed it.
        netns: path of the pod's network namespace then.
        args: CNI_ARGS.
        capabilities: what the runtime asked for, by capability.
        config: bytes of the configuration list.
    """

    key: Attachment
    result: Mapping[str, Any]
    netns: str = ""
    args: Mapping[str, str] | None = None
    capabilities: Mapping[str, Any] | None = None
    config: bytes = b""


class _File(msgspec.Struct, rename="camel", omit_defaults=True):
    kind: str
    network_name: str
    container_id: str
    if_name: str
    config: bytes = b""
    netns: str = ""
    cni_args: list[tuple[str, str]] = []
    capability_args: dict[str, Any] = {}
    result: dict[str, Any] = {}


_decoder = msgspec.json.Decoder(_File)


class Cache:
    """Attachments, one file each, mode 0600."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory / "results"

    def _path(self, key: Attachment) -> Path:
        return self._directory / f"{key.network}-{key.container}-{key.interface}"

    def write(self, held: Remembered) -> None:
        """Remember an attachment, replacing what was remembered of it in one step. Raises OSError."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = _File(
            kind=KIND,
            network_name=held.key.network,
            container_id=held.key.container,
            if_name=held.key.interface,
            config=held.config,
            netns=held.netns,
            cni_args=list((held.args or {}).items()),
            capability_args=dict(held.capabilities or {}),
            result=dict(held.result),
        )
        draft = self._directory / f".{held.key.digest()}-{os.getpid()}-{threading.get_ident()}"
        descriptor = os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(msgspec.json.encode(file))
        draft.replace(self._path(held.key))

    def read(self, key: Attachment) -> Remembered | None:
        """Return what was remembered; None where nothing was, or where the file is broken."""
        return _read(self._path(key))

    def forget(self, key: Attachment) -> None:
        """Drop what was remembered; absence is success."""
        self._path(key).unlink(missing_ok=True)

    def attachments(self, network: str) -> Iterator[Remembered]:
        """Yield every attachment of a network that is remembered; broken files are passed over."""
        files = sorted(self._directory.glob(f"{network}-*")) if self._directory.is_dir() else []
        found = (_read(path) for path in files)
        return (held for held in found if held is not None and held.key.network == network)


def _read(path: Path) -> Remembered | None:
    try:
        file = _decoder.decode(path.read_bytes())
    except (OSError, msgspec.MsgspecError, RecursionError, UnicodeError):
        return None
    if file.kind != KIND:
        return None
    key = Attachment(file.network_name, file.container_id, file.if_name)
    return Remembered(key, file.result, file.netns, dict(file.cni_args), file.capability_args, file.config)
