"""Being somebody who is not root, for tests of what ordinary users can do.

What lives here: whom to become, and how. What it must not know: what is tested.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

NOBODY = 65534
BARE = "OCTET_TESTS_BARE"
"""In the environment of a test run: stay where we are, as who we are, for tests that only use labs."""


def as_ordinary_user() -> list[str]:
    """Who to be: the user nobody, where we may become it; otherwise we are an ordinary user already."""
    everybody = Path("/proc/self/uid_map").read_text().split()[2] != "1"
    if os.geteuid() != 0 or not everybody:
        return []
    prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    if subprocess.run([*prefix, sys.executable, "-c", "import octet"], cwd="/", check=False).returncode:
        pytest.skip("needs another user: none can read this checkout, clone it where they can")
    return prefix
