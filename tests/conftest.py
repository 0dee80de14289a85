"""Every test that needs a kernel gets a private one: the whole test process moves before the first test.

What lives here: the move into private namespaces, and fixtures that prove nothing is left behind.
What it must not know: any model.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from octet.kernel import namespaces
from ordinary_user import BARE
from snapshot import snapshot

PRIVATE = {"kernel", "qemu", "lab", "clients"}


def pytest_collection_finish(session: pytest.Session) -> None:
    """Enter private namespaces once, if any test needs a kernel; a user namespace too, if we are not root."""
    if not any(PRIVATE & {mark.name for mark in item.iter_markers()} for item in session.items):
        return
    if session.config.option.collectonly or os.environ.get(BARE):
        return
    user, group = os.geteuid(), os.getegid()
    if user != 0:
        namespaces.unshare(namespaces.CLONE_NEWUSER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    namespaces.unshare(namespaces.CLONE_NEWNET | namespaces.CLONE_NEWNS)
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Write each skip and its reason where ``make test`` counts them; an unexplained one fails there."""
    if report.skipped and (place := os.environ.get("OCTET_SKIPS")):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        with Path(place).open("a") as file:
            file.write(f"{reason.removeprefix('Skipped: ')}\n")


@pytest.fixture
def node_ns() -> Iterator[int]:
    """A new network namespace that must end as it began: whatever the test made, the test removed."""
    descriptor = namespaces.create()
    with namespaces.inside(descriptor):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    before = snapshot(descriptor)
    yield descriptor
    after = snapshot(descriptor)
    os.close(descriptor)
    assert after == before, "the test left something behind"


@pytest.fixture
def pod_ns() -> Iterator[int]:
    """A new, empty network namespace for a pod; whatever is in it dies with it."""
    descriptor = namespaces.create()
    yield descriptor
    os.close(descriptor)
