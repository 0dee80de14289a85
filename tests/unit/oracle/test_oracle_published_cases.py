"""The oracle says of every published case what its suite says."""

from ipaddress import ip_address

import pytest

import policy_cases
import policy_world
from octet.oracle import Flow, World, decide
from policy_cases import Probe

SIZES = {"netpol": 48, "cyclonus": 230, "clusternetworkpolicy": 33, "calico": 34}


@pytest.mark.parametrize(("file", "size"), SIZES.items())
def test_every_published_case_is_there(file, size):
    """No case of a suite is left out, and each has a name of its own."""
    held = policy_cases.cases(file)
    assert len(held) == size
    assert len({case.name for case in held}) == size


def judged(world: World, probe: Probe, addresses: dict[str, str]) -> bool | None:
    ends = ip_address(addresses[probe.source]), ip_address(addresses[probe.destination])
    return decide(world, Flow(*ends, probe.protocol, probe.port)).allowed


@pytest.mark.parametrize(
    "file", ["netpol", *(pytest.param(name, marks=pytest.mark.slow) for name in SIZES if name != "netpol")]
)
def test_the_oracle_agrees_with_published_tables(file):
    """For every step of every case and all pairs of pods, the oracle's verdict is the table's."""
    differences = []
    for case in policy_cases.cases(file):
        held, addresses = policy_world.objects(), {**policy_world.ADDRESSES, **policy_world.LATER}
        for number, step in enumerate(case.steps):
            held = policy_cases.after(held, step, case.kind, addresses)
            here = {key.partition(" ")[2] for key in held if key.startswith("Pod ")}
            present = {name: addresses[name] for name in addresses if name in here}
            table = policy_cases.expected(step.table, policy_cases.probes(here), present)
            world = World(held.values())
            differences += [
                f"{case}, step {number + 1}: {probe} should be {'allowed' if allowed else 'denied'}"
                for probe, allowed in table.items()
                if judged(world, probe, addresses) is not allowed
            ]
    assert differences == []
