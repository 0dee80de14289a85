"""DELs that the plugin wrote down because no agent answered: one file each, in the wire's own bytes.

What lives here: reading them in order, and putting aside what cannot be read.
What it must not know: what a DEL does.
"""

import logging
from collections.abc import Iterator
from pathlib import Path

from octet.cni.wire import FramingError, RawRequest, decode_request

log = logging.getLogger(__name__)


def drain(directory: Path) -> Iterator[RawRequest]:
    """Yield every request written down, oldest first; a file goes when the caller asks for the next one.

    A file that cannot be read is moved to ``bad/`` beside the others, for a person to look at.
    """
    for path in sorted(_files(directory), key=lambda each: (each.stat().st_mtime_ns, each.name)):
        try:
            request = decode_request(path.read_bytes())
        except (FramingError, OSError) as error:
            _put_aside(path, error)
            continue
        yield request
        path.unlink(missing_ok=True)


def _files(directory: Path) -> list[Path]:
    if not directory.is_dir():
        return []
    return [each for each in directory.iterdir() if each.is_file() and not each.name.startswith(".")]


def _put_aside(path: Path, error: Exception) -> None:
    bad = path.parent / "bad"
    bad.mkdir(mode=0o700, exist_ok=True)
    path.replace(bad / path.name)
    log.warning("a pending DEL cannot be read", extra={"file": str(bad / path.name), "error": str(error)})
