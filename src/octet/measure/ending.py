"""Ending in order: a measurement that is told to stop takes its labs with it.

What lives here: signals. What it must not know: what is being measured.
"""

import signal
import sys
from types import FrameType


def end_in_order() -> None:
    """Let SIGTERM and SIGHUP unwind the program as Ctrl-C does, with exit code 128 + signal."""
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, _end)


def _end(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)
