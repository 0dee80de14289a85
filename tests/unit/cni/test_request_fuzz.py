"""Whatever a runtime sends, parsing it gives a request or a CNI error, never anything else."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cni_fuzz import CONFIGS, ENVIRONMENTS, REQUESTS, STDIN
from octet.cni.request import parse
from octet.cni.spec import CniError, error_json, from_json, to_json, translate

FIXED = {"CNI_CONTAINERID": "c1", "CNI_IFNAME": "eth0", "CNI_NETNS": "/run/netns/c1"}


def parsed_or_refused(environment: dict[str, str], stdin: bytes) -> None:
    """Parse; an error must be a CniError whose object is JSON, a previous result must be writable again."""
    try:
        found = parse(environment, stdin, namespace=3)
    except CniError as error:
        refused = error_json(error)
    else:
        refused = {"msg": "none"}
        if found.config.previous is not None:
            written = to_json(found.config.previous, "1.1.0")
            assert from_json(written) == found.config.previous
    assert json.loads(json.dumps(refused))["msg"]


@given(environment=ENVIRONMENTS, stdin=STDIN)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_environment_and_input_are_survived(environment: dict[str, str], stdin: bytes) -> None:
    """Nothing but a request or a CNI error comes out of the parser."""
    parsed_or_refused(environment, stdin)


@given(
    command=st.sampled_from(["ADD", "CHECK", "GC"]),
    stdin=CONFIGS.map(lambda value: json.dumps(value).encode()),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_values_of_known_keys_are_survived(command: str, stdin: bytes) -> None:
    """With everything else in order, whatever the known keys hold is understood or refused."""
    parsed_or_refused(FIXED | {"CNI_COMMAND": command}, stdin)


@pytest.mark.slow
@given(request=REQUESTS | st.tuples(ENVIRONMENTS | st.just(FIXED | {"CNI_COMMAND": "ADD"}), STDIN))
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
def test_ten_thousand_requests_are_survived(request: tuple[dict[str, str], bytes]) -> None:
    """The same, long enough for rare combinations."""
    parsed_or_refused(*request)


@given(st.text())
@settings(deadline=None)
def test_any_exception_text_becomes_an_error_object(text: str) -> None:
    """The object of an error is JSON whatever its message holds."""
    assert json.dumps(error_json(translate(ValueError(text)))).isascii()
