"""What Octet compiles agrees with every published table and corner case, packet by packet."""

from ipaddress import ip_address

import pytest

import policy_cases
import policy_corners
import policy_world
from octet.errors import BadConfigurationError
from octet.oracle import Flow
from policy_corners import Corner, corners
from policy_tracing import Cluster, view_of

WAYS = pytest.mark.parametrize("bridge", ["", "cni0"], ids=["routed", "bridge"])
ADDRESSES = {**policy_world.ADDRESSES, **policy_world.LATER}


def wrong(case: policy_cases.Case, bridge: str) -> list[str]:
    """Return where a case's tables and the compiled rules disagree."""
    held, found = policy_world.objects(), []
    for number, step in enumerate(case.steps):
        held = policy_cases.after(held, step, case.kind, ADDRESSES)
        present = {name: at for name, at in ADDRESSES.items() if f"Pod {name}" in held}
        cluster = Cluster(held.values(), bridge=bridge)
        table = policy_cases.expected(step.table, policy_cases.probes(present), present)
        for probe, allowed in table.items():
            ends = ip_address(ADDRESSES[probe.source]), ip_address(ADDRESSES[probe.destination])
            if cluster.allows(Flow(*ends, probe.protocol, probe.port)) is not allowed:
                found.append(
                    f"{case}, step {number + 1}: {probe} should be {'allowed' if allowed else 'denied'}"
                )
    return found


@WAYS
@pytest.mark.slow
@pytest.mark.parametrize("file", ["netpol", "clusternetworkpolicy", "calico"])
def test_compiled_rules_agree_with_published_tables(file, bridge):
    """Every step of every case: all pairs of pods, both ports, three protocols."""
    assert [each for case in policy_cases.cases(file) for each in wrong(case, bridge)] == []


@WAYS
@pytest.mark.slow
def test_compiled_rules_agree_with_cyclonus(bridge):
    """The 230 shapes of cyclonus: all pairs of pods, both ports, three protocols."""
    assert [each for case in policy_cases.cases("cyclonus") for each in wrong(case, bridge)] == []


@WAYS
@pytest.mark.parametrize("corner", [each for each in corners() if each.steps], ids=str)
def test_compiled_rules_answer_each_corner_case(corner: Corner, bridge):
    """After each step of the case, every flow gets through or does not, as its answer says."""
    found = []
    for held, questions in policy_corners.played(corner):
        cluster = Cluster(held.values(), bridge=bridge)
        found += [each.text for each in questions if cluster.allows(each.flow) is not each.allowed]
    assert found == []
    for item in policy_corners.refused(corner):
        with pytest.raises(BadConfigurationError):
            view_of([item], "node-1")
