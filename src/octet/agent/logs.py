"""Structured logs: one JSON object a line, or one readable line where a person is watching.

What lives here: the formatter and ``start``. What it must not know: what is logged; secrets never reach it.
"""

import logging
import sys
import time

import msgspec

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """time, level, event, and the fields given as ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        line: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        line |= {key: value for key, value in record.__dict__.items() if key not in _STANDARD}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


def start(level: str = "INFO") -> None:
    """Log to standard error: JSON lines, or plain ones on a terminal."""
    handler = logging.StreamHandler(sys.stderr)
    if not sys.stderr.isatty():
        handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], format="%(levelname)s %(message)s")
