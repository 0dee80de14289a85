"""The scanner of the C program, under a sanitiser, agrees with Python's on whatever it is given."""

import json
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cni_programs
from cni_programs import Program, environment
from octet.cni.scan import Config

TOKENS = (
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b" ", b"\n", b"\0", b"\xff", b"1", b"null"),
    *(b'"socket"', b'"SOCKET":', b'"cniVersion"', b'"/tmp/x"', b'"1.0.0"', b'{"socket":"/', b'"a":', b'\\"'),
)
MESSY = st.lists(st.sampled_from(TOKENS), max_size=24).map(b"".join)
TIDY = st.dictionaries(
    st.sampled_from(["socket", "Socket", "cniVersion", "name", "x"]),
    st.sampled_from(["/a", "1.0.0", "", "a\\b", 'q"', "é"]) | st.lists(st.integers(), max_size=2) | st.none(),
).map(lambda value: json.dumps(value).encode())
MUTATED = st.tuples(TIDY, st.integers(0, 40), st.binary(max_size=3)).map(
    lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] :]
)
INPUTS = MESSY | TIDY | MUTATED | st.binary(max_size=60)


def outcome(program: Program, stdin: bytes) -> tuple[int, str]:
    """Run a STATUS without an agent; return code and cniVersion of the answer."""
    done = subprocess.run(
        program.command, input=stdin, capture_output=True, env=environment("STATUS", {}), check=False
    )
    assert done.stderr == b""
    document = json.loads(done.stdout)
    return document["code"], document["cniVersion"]


@pytest.fixture(scope="module")
def sanitised(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The C program with address and undefined-behaviour sanitisers, which end it at the first fault."""
    flags = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    return cni_programs.compiled(tmp_path_factory.mktemp("sanitised"), *flags)


def agrees(program: Program, stdin: bytes) -> None:
    """Compare the C program's answer with what the Python scanner says."""
    config = Config()
    assert outcome(program, stdin) == (config.scan(stdin) or 50, config.version)


@pytest.mark.slow
@pytest.mark.timeout(300)
@given(stdin=INPUTS)
@settings(max_examples=2500, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_sanitised_program_survives_thousands_of_inputs(sanitised: Program, stdin: bytes) -> None:
    """No byte is read or written out of place, and both forms take the same socket and version."""
    agrees(sanitised, stdin)


@given(stdin=INPUTS)
@settings(deadline=None, suppress_health_check=list(HealthCheck))
def test_both_scanners_agree(thin: Program, stdin: bytes) -> None:
    """The same, with the program as it is installed, on every run of the unit tests."""
    agrees(thin, stdin)


@given(stdin=MUTATED | TIDY)
@settings(deadline=None)
def test_the_scanner_refuses_no_json(stdin: bytes) -> None:
    """What a JSON reader takes for an object, the scanner finds its way through."""
    try:
        document = json.loads(stdin)
    except ValueError:
        return
    if isinstance(document, dict):
        assert Config().scan(stdin) in {0, 7}
