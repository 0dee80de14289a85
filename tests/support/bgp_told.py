"""Waiting in a lab until its nodes have told each other of their pods, where they do so by BGP.

What lives here: one wait. What it must not know: models.
"""

import json
import subprocess
import time
from collections.abc import Iterable


def await_told(octet: str, lab: str, nodes: Iterable[str], seconds: float = 30) -> None:
    """Return once every session of these nodes is up and brought a route of each family; at once without any.

    Raises:
        AssertionError: that took too long; what the node says of its sessions.
    """
    for node in nodes:
        end = time.monotonic() + seconds
        while (said := _problem(octet, lab, node)) and time.monotonic() < end:
            time.sleep(0.2)
        assert not said, said


def _problem(octet: str, lab: str, node: str) -> str:
    command = [octet, "bgp", "status", node, "--name", lab, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode != 0:
        return done.stdout + done.stderr
    families = [each for session in json.loads(done.stdout)["sessions"] for each in session["families"]]
    return "" if all(each["in"] for each in families) else done.stdout
