"""Everything that a person can do with labs, again as somebody who is not root."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ordinary_user import BARE, as_ordinary_user

pytestmark = [pytest.mark.lab, pytest.mark.slow]

HERE = Path(__file__).parent
AGAIN = "failed at first"
"""What a run says of tests that were run once more (conftest): never kept from who reads this one."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("file", ["test_lab_verbs.py", "test_packets_of_every_model.py"])
def test_again_as_an_ordinary_user(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every verb, every fault and the packets of every model and family pass without root, none skipped.

    The same tests in a process of their own, which is in no namespace of ours: a lab makes its own user's.
    """
    place = Path(f"/tmp/octet-ordinary-{os.getpid()}")
    tests = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", f"--basetemp={place}"]
    environment = {**os.environ, BARE: "1", "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("OCTET_LAB_DIR", None)
    try:
        done = subprocess.run(
            [*as_ordinary_user(), *tests, str(HERE / file)],
            capture_output=True,
            text=True,
            env=environment,
            cwd=HERE.parents[1],
            check=False,
        )
    finally:
        shutil.rmtree(place, ignore_errors=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-1000:]
    assert "skipped" not in done.stdout
    if AGAIN in done.stdout:
        with capsys.disabled():
            sys.stdout.write(f"\nas an ordinary user:\n{AGAIN}{done.stdout.partition(AGAIN)[2]}")
