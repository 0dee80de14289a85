"""What a lab is refused for before anything is made, and properties of its values."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octet.errors import BadConfigurationError, OctetError
from octet.lab import fabrics, launch, protocol
from octet.lab.breaking import tables
from octet.lab.faults import Drop, Faults
from octet.lab.names import Plan, node_names
from octet.lab.provider import Foreign, Octet, fill, reference

SWITCHED = fabrics.build("l2", node_names(4), Plan.of("v4"))
NODES = st.sampled_from(["node1", "node2", "node3", "node4"])
PAIRS = st.tuples(NODES, NODES).filter(lambda pair: pair[0] != pair[1])


def spec(**changes: Any) -> protocol.Spec:
    return protocol.Spec(**{"name": "lab", "nodes": 2, "provider": reference("bridge"), **changes})


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "../x"}, "name"),
        ({"nodes": 0}, "nodes"),
        ({"nodes": 201}, "nodes"),
        ({"family": "v5"}, "family"),
        ({"fabric": "ring"}, "fabric"),
        ({"provider": Octet(model="flannel", cni_path=("/nonexistent",))}, "plugin"),
        ({"provider": Foreign("x", {"plugins": [{"type": "no-such-plugin"}]})}, "plugin"),
    ],
    ids=str,
)
def test_a_lab_that_cannot_be_is_refused_by_field(changes: dict[str, Any], field: str) -> None:
    """The error names the field; nothing was started."""
    with pytest.raises(BadConfigurationError) as caught:
        launch.check(spec(**changes))
    assert caught.value.field == field


def test_an_unknown_model_is_refused_with_those_there_are() -> None:
    """The error lists the models."""
    with pytest.raises(OctetError, match="flannel"):
        launch.check(spec(provider=Octet(model="pigeon")))


@given(st.lists(PAIRS), st.lists(NODES), NODES)
def test_a_healed_node_has_no_fault_and_others_keep_theirs(
    pairs: list[tuple[str, str]], cuts: list[str], healed: str
) -> None:
    """Whatever was broken, healing a node takes exactly what touches it."""
    faults = Faults()
    for node in cuts:
        faults = faults.cut(node)
    for pair in pairs:
        faults = faults.cut(*pair).drop(Drop(1, *pair))
    after = faults.heal(healed)
    assert after.at(healed) == ()
    assert after.isolated == faults.isolated - {healed}
    assert {pair for pair in faults.severed if healed not in pair} == after.severed


@given(st.lists(PAIRS))
def test_the_order_of_cuts_never_matters(pairs: list[tuple[str, str]]) -> None:
    """The same faults come to the same rules."""
    one, other = Faults(), Faults()
    for pair in pairs:
        one = one.cut(*pair)
    for pair in reversed(pairs):
        other = other.cut(*reversed(pair))
    assert tables(one, SWITCHED) == tables(other, SWITCHED)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_a_template_without_words_is_its_own_filling(template: object) -> None:
    """Filling changes nothing but the words it is given."""
    assert fill(template, {}) == template


@given(st.binary() | JSON.map(msgspec.json.encode))
def test_any_bytes_are_a_request_or_a_refusal(line: bytes) -> None:
    """What a client sends ends in a request or an error for a person, never in anything else."""
    try:
        request = protocol.decode_request(line)
    except OctetError:
        return
    assert isinstance(request, protocol.Request)
