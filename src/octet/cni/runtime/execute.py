"""One plugin, run once: environment and configuration in, a document or its error out.

What lives here: the process. What it must not know: chains, caches.
"""

import os
import select
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from octet.cni.spec.failures import CniError, Code, error_from_json

LIMIT = 120.0
"""Seconds a plugin may take."""

OUTPUT_LIMIT = 4 << 20
"""Bytes of a plugin's output that are read."""

_SHOWN = 500


def locate(plugin: str, path: Sequence[str]) -> str:
    """Return the file of a plugin, from the first directory that has it. Raises CniError."""
    if "/" in plugin or plugin in {"", ".", ".."}:
        raise CniError(Code.INVALID_CONFIG, f"type = {plugin!r}: is not the name of a plugin")
    for directory in path:
        found = f"{directory}/{plugin}"
        if os.access(found, os.X_OK) and Path(found).is_file():
            return found
    raise CniError(Code.INVALID_CONFIG, f"no plugin {plugin!r} in {':'.join(path)}")


def execute(
    file: str, environment: Mapping[str, str], config: Mapping[str, Any], *, limit: float = LIMIT
) -> dict[str, Any] | None:
    """Run a plugin; return what it printed, None where that is nothing.

    Args:
        file: of the plugin.
        environment: everything it gets beside PATH.
        config: what it reads on standard input.
        limit: seconds after which it is killed.

    Raises:
        CniError: the plugin's own, or one that says how it broke.
    """
    name = Path(file).name
    try:
        status, output, complaints = _run(file, environment, msgspec.json.encode(config), limit)
    except TimeoutError as error:
        raise CniError(Code.TRY_AGAIN_LATER, f"{name} did not end within {limit:g} s") from error
    except OSError as error:
        raise CniError(Code.IO_FAILURE, f"{name} cannot be run: {error.strerror}") from error
    document = _document(output)
    if status != 0:
        raise _failure(name, status, document, output or complaints)
    if output.strip() and document is None:
        raise CniError(Code.DECODING_FAILURE, f"{name} printed something else than an object")
    return document


def _failure(name: str, status: int, document: dict[str, Any] | None, said: bytes) -> CniError:
    """Return a plugin's own error, or the one that libcni makes of a plugin that broke off."""
    if document is not None:
        return error_from_json(document, plugin=name)
    how = f"ended with status {status}" if status > 0 else f"was ended by signal {-status}"
    text = said.decode(errors="replace").strip()[:_SHOWN]
    return CniError(Code.INTERNAL, f"{name} {how} and printed no error", details=text)


def _run(file: str, environment: Mapping[str, str], stdin: bytes, limit: float) -> tuple[int, bytes, bytes]:
    """Return exit status, standard output and standard error. Raises TimeoutError, OSError.

    The three are files in memory instead of pipes: nothing has to be pumped while the plugin runs, which
    costs a third of what pipes do here, and no grandchild that keeps them open can hold us up.
    """
    with _files(3) as (given, output, complaints):
        os.write(given, stdin)
        os.lseek(given, 0, os.SEEK_SET)
        process = subprocess.Popen(
            [file],
            stdin=given,
            stdout=output,
            stderr=complaints,
            env={"PATH": os.environ.get("PATH", os.defpath), **environment},
        )
        if not _ended(process, limit):
            process.kill()
            process.wait()
            raise TimeoutError
        return process.wait(), os.pread(output, OUTPUT_LIMIT, 0), os.pread(complaints, OUTPUT_LIMIT, 0)


@contextmanager
def _files(count: int) -> Iterator[list[int]]:
    """Give files in memory, closed at the end, also when one of them could not be made."""
    with ExitStack() as stack:
        made: list[int] = []
        while len(made) < count:
            made.append(os.memfd_create("cni", os.MFD_CLOEXEC))
            stack.callback(os.close, made[-1])
        yield made


def _ended(process: subprocess.Popen[bytes], limit: float) -> bool:
    """Wait for a process without waking up meanwhile; False after the limit."""
    descriptor = os.pidfd_open(process.pid)
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(limit * 1000))
    finally:
        os.close(descriptor)


def _document(text: bytes) -> dict[str, Any] | None:
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None
    return found if isinstance(found, dict) else None
