"""Somebody else's hands in a namespace: programs that we did not write.

What lives here: running one there. What it must not know: our kernel port.
"""

import socket
import subprocess

from octet.kernel import namespaces


def run(namespace: int, command: str, *, check: bool = True) -> str:
    """Run a program in a namespace and return what it prints; CalledProcessError when it fails."""
    with namespaces.inside(namespace):
        done = subprocess.run(command.split(), check=check, capture_output=True, text=True)
    return done.stdout


def succeeds(namespace: int, command: str) -> bool:
    """Run a program in a namespace and tell whether it ends well."""
    with namespaces.inside(namespace):
        return subprocess.run(command.split(), check=False, capture_output=True).returncode == 0


def listening(family: int, port: int) -> socket.socket:
    """Return a UDP socket of one family on a port of every address."""
    made = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
    if family == 6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.bind(("", port))
    return made
