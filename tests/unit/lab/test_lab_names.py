"""Names of a lab and the addresses that follow from them."""

from ipaddress import ip_interface, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octet.errors import BadConfigurationError
from octet.lab import names
from octet.lab.names import Plan

NUMBERS = st.integers(1, names.MAX_NODES)


@pytest.mark.parametrize("name", ["lab", "a", "six-nodes", "0", "x" * 32])
def test_a_labs_name_is_lower_case_and_short(name: str) -> None:
    """Letters, digits and dashes up to 32 are a lab's name."""
    assert names.check_lab(name) == name


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a.b", "../x", "a/b", ".new-x", "x" * 33, "a\n"])
def test_what_could_be_a_path_is_no_labs_name(name: str) -> None:
    """A name that could leave the registry's directory, hide in it or confuse it is refused."""
    with pytest.raises(BadConfigurationError, match="not a lab name"):
        names.check_lab(name)


@pytest.mark.parametrize(
    ("pod", "namespace"), [("", "a"), ("a/b", "a"), ("..", "a"), ("a", "b.c"), ("a", "")]
)
def test_pod_names_are_kubernetes_names(pod: str, namespace: str) -> None:
    """What Kubernetes would refuse as a name of a pod or namespace is refused."""
    with pytest.raises(BadConfigurationError):
        names.check_pod(pod, namespace)


@pytest.mark.parametrize("key", ["app", "A_b.c-1", "x" * 63, "example.com/app", "a.b/" + "x" * 63])
@pytest.mark.parametrize("value", ["", "web", "1.0_b-C", "x" * 63])
def test_labels_are_kubernetes_labels(key: str, value: str) -> None:
    """What the API server takes as a label is taken."""
    names.check_labels({key: value}, "pod")


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        *(
            (key, "", "key")
            for key in ("", "bad label", "-a", "a-", "x" * 64, "/a", "A.com/a", "a/b/c", "a\n", 1)
        ),
        (f"{'x.' * 127}y/a", "", "key"),
        *(("app", value, "value") for value in ("a b", "-a", "a_", "x" * 64, "ä", "a\n", 1, None, {})),
    ],
)
def test_what_is_no_label_is_refused(key: Any, value: Any, told: str) -> None:
    """A key or value that the API server would refuse is named, with what would do."""
    with pytest.raises(BadConfigurationError, match=f"not a label's {told} .*up to 63"):
        names.check_labels({key: value}, "pod")


@given(NUMBERS)
def test_a_nodes_name_gives_its_number_back(number: int) -> None:
    """From a node's name its number is known, and only from a node's name."""
    assert names.node_number(names.node_name(number)) == number
    with pytest.raises(ValueError, match="not a node name"):
        names.node_number(f"pod{number}")


@given(NUMBERS)
def test_a_log_line_with_an_address_names_its_node(number: int) -> None:
    """Node N's last address part is N in both families."""
    v4, v6 = (each.ip for each in Plan.of("dual").node_interfaces(names.node_name(number)))
    assert int(v4) & 0xFFFF == number
    assert int(v6) & 0xFFFF == number


def test_no_two_things_share_an_address() -> None:
    """Nodes, gateway and the host outside differ; pods, services and underlay don't overlap."""
    plan = Plan.of("dual")
    nodes = [i.ip for name in names.node_names(names.MAX_NODES) for i in plan.node_interfaces(name)]
    assert len({*nodes, *plan.gateways}) == len(nodes) + 2
    for version in (4, 6):
        nets = [names.UNDERLAY[version], names.PODS[version], names.SERVICES[version]]
        beyond = next(i.network for i in plan.beyond if i.version == version)
        assert not any(a.overlaps(b) for i, a in enumerate([*nets, beyond]) for b in nets[i + 1 :])


def test_a_family_has_only_its_own_addresses() -> None:
    """An IPv6 lab has no IPv4 address anywhere in its plan."""
    plan = Plan.of("v6")
    assert plan.node_interfaces("node3") == (ip_interface("fd00:172:31::3/64"),)
    assert plan.pod_cidrs == (ip_network("fd00:10:244::/48"),)
    held = [*plan.gateways, *plan.service_cidrs, *plan.beyond, *plan.gateway_interfaces]
    assert {value.version for value in held} == {6}


def test_an_unknown_family_is_refused_with_those_that_would_do() -> None:
    """The error of a wrong family names the right ones."""
    with pytest.raises(BadConfigurationError, match="v4, v6, dual"):
        Plan.of("v5")
