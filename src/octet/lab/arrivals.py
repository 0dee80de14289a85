"""Which first packets arrive inside a lab: one program that stands in the namespaces of many of its places.

What lives here: asking for the places, starting the program, and the program. What it must not know: what
should arrive.

``python -I -m octet.lab.arrivals`` with inherited descriptors: a plan as JSON on stdin, answers on stdout.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import msgspec

from octet.errors import OctetError
from octet.kernel import namespaces
from octet.kernel.first_packets import arriving
from octet.kernel.probing import MOST, Probe
from octet.lab.api import Lab

LIMIT = 120.0
"""Seconds that all probes together may take."""


class _Plan(msgspec.Struct, frozen=True):
    """What the program is told.

    Attributes:
        user: descriptor of the lab's user namespace.
        places: descriptors of network namespaces.
        probes: each the fields of a Probe, in their order.
    """

    user: int
    places: dict[str, int]
    probes: list[tuple[str, str, str, str, int, int, int]]


def probe(lab: Lab, probes: Sequence[Probe]) -> list[bool]:
    """Send first packets between places of a lab; return which ones arrived.

    Args:
        lab: one that is up.
        probes: their places are nodes, ``outside``, or pods as ``namespace/name``.

    Raises:
        NotFoundError: a place is not there.
        OctetError: the program failed; it says why.
    """
    found: list[bool] = []
    for begin in range(0, len(probes), MOST):
        found += _probe(lab, probes[begin : begin + MOST])
    return found


def _probe(lab: Lab, probes: Sequence[Probe]) -> list[bool]:
    names = dict.fromkeys(name for each in probes for name in (each.origin, each.goal))
    users: list[int] = []
    places: dict[str, int] = {}
    try:
        for name in names:
            namespace, _, target = name.rpartition("/")
            with lab.doors(target, namespace=namespace or "default") as doors:
                places[name] = os.dup(doors.net)
                users += [os.dup(doors.user)] if not users else []
        return _run(_Plan(users[0], places, [_row(each) for each in probes])) if probes else []
    finally:
        for descriptor in (*users, *places.values()):
            os.close(descriptor)


def _run(plan: _Plan) -> list[bool]:
    done = subprocess.run(
        [sys.executable, "-I", "-m", "octet.lab.arrivals"],
        input=msgspec.json.encode(plan),
        capture_output=True,
        pass_fds=[plan.user, *plan.places.values()],
        timeout=LIMIT,
        check=False,
    )
    if done.returncode != 0:
        raise OctetError(f"probing inside the lab failed: {done.stderr.decode(errors='replace').strip()}")
    return msgspec.json.decode(done.stdout, type=list[bool])


def _row(each: Probe) -> tuple[Any, ...]:
    ends = str(each.source), str(each.destination)
    return (each.origin, each.goal, *ends, each.protocol, each.source_port, each.port)


def main() -> int:
    """Be the program: enter the lab's user namespace, probe, answer."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=_Plan)
    status = Path("/proc/self/ns/user").stat()
    if (status.st_dev, status.st_ino) != namespaces.identity(plan.user):
        namespaces.setns(plan.user, namespaces.CLONE_NEWUSER)
        # From inside, nobody may come back to the network outside: home is the first place from here on.
        namespaces.setns(next(iter(plan.places.values())))
    probes = [
        Probe(origin, goal, ip_address(source), ip_address(destination), *numbers)
        for origin, goal, source, destination, *numbers in plan.probes
    ]
    sys.stdout.buffer.write(msgspec.json.encode(arriving(plan.places, probes)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
