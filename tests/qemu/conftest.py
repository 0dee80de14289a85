"""Tests of this folder run in Debian's kernel only (`make test-kernel`); elsewhere none of them is collected.

What lives here: that rule, said in the header of every run that would have met them.
What it must not know: how the guest is made (tests/support/guest).
"""

import os

GUEST = os.environ.get("OCTET_GUEST", "")
collect_ignore_glob = [] if GUEST else ["test_*.py"]


def pytest_report_header() -> str:
    """Say where these tests run."""
    return (
        f"tests/qemu: in the guest's Linux {GUEST}"
        if GUEST
        else "tests/qemu: not here; `make test-kernel` runs them"
    )
