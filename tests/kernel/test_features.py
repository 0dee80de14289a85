"""Probes against the kernel that is running: they agree with its configuration, and leave no trace."""

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from octet.kernel import features, namespaces
from octet.kernel.features import FEATURES, Answer, Feature

pytestmark = pytest.mark.kernel

CONFIGURATION = Path("/proc/config.gz")
DEBIANS = Path(f"/boot/config-{os.uname().release}")
NOBODY = 65534


def version(text: str) -> tuple[int, ...]:
    """Return the numbers that a kernel's release starts with: 6.1.0-56-cloud-amd64 is (6, 1)."""
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


RELEASE = version(os.uname().release)


@pytest.fixture(autouse=True)
def _fresh() -> object:
    """Ask anew in every test."""
    features.probe.cache_clear()
    yield None
    features.probe.cache_clear()


def really_root() -> bool:
    """Is this process root of the machine, not only of a user namespace?"""
    return Path("/proc/self/uid_map").read_text().split() == ["0", "0", "4294967295"]


def configured() -> set[str]:
    """Return the options that the running kernel has, built in or as modules; skip where nothing tells."""
    if CONFIGURATION.exists():
        lines = gzip.decompress(CONFIGURATION.read_bytes()).decode().splitlines()
    elif DEBIANS.exists():
        lines = DEBIANS.read_text().splitlines()
    else:
        pytest.skip("kernel feature missing: its configuration in /proc (CONFIG_IKCONFIG_PROC)")
    return {line[:-2] for line in lines if line.endswith(("=y", "=m"))}


def test_probes_agree_with_the_configuration() -> None:
    """A feature is there if its options are set and the kernel is not older than it; else it is not."""
    options = configured()
    found = features.probe()
    for feature in FEATURES:
        young = version(feature.since) > RELEASE
        wanted = not young and all(option in options for option in feature.option.split(", "))
        expected = Answer.YES if wanted else Answer.NO
        # A test user may neither load BPF programs nor open /dev/net/tun: then nothing is claimed.
        doubtful = not really_root() and feature.name in {"bpf-tc", "tun"}
        allowed = {expected, Answer.UNKNOWN} if doubtful else {expected}
        assert found[feature.name].answer in allowed, (feature.name, found[feature.name])


def test_an_ordinary_user_is_told_the_same_or_why_not() -> None:
    """In a user namespace the answers are those of root, or name who may not try what."""
    code = (
        "import json; from octet.kernel import features;"
        "print(json.dumps({k: [v.answer.value, v.why] for k, v in features.probe().items()}))"
    )
    other = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if really_root() else {}
    text = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, **other).stdout
    theirs = json.loads(text)
    for name, finding in features.probe().items():
        answer, why = theirs[name]
        assert answer == finding.answer.value or (answer == "could not tell" and f"user {NOBODY}" in why), (
            name
        )


def test_nothing_is_left_behind(node_ns: int) -> None:
    """The namespace from which it is asked stays as it was; the fixture compares."""
    with namespaces.inside(node_ns):
        before = namespaces.own_identity()
        assert features.probe()["veth"].answer is Answer.YES
        assert namespaces.own_identity() == before


def only(monkeypatch: pytest.MonkeyPatch, *rows: Feature) -> None:
    """Make these the table."""
    monkeypatch.setattr(features, "FEATURES", rows)


def crash() -> None:
    """Be a probe that ends its process."""
    os.kill(os.getpid(), signal.SIGKILL)


def hang() -> None:
    """Be a probe that never comes back."""
    time.sleep(60)


@pytest.mark.parametrize("probe", [crash, hang])
def test_a_probe_that_goes_wrong_is_a_doubt(monkeypatch: pytest.MonkeyPatch, probe: object) -> None:
    """A probe that crashes or hangs costs its own answer, not those before it, and not this process."""
    monkeypatch.setattr(features, "_PATIENCE", 0.3)
    good = next(feature for feature in FEATURES if feature.name == "veth")
    only(monkeypatch, good, replace(good, name="bad", probe=probe))
    found = features.probe()
    assert (found["veth"].answer, found["bad"].answer) == (Answer.YES, Answer.UNKNOWN)
    assert found["bad"].why == "the probe did not answer"


def test_an_answer_is_kept() -> None:
    """The second question of a process costs nothing."""
    first = features.probe()
    assert features.probe() is first


def test_the_command_prints_what_was_found() -> None:
    """``octet doctor`` works from a shell, and says yes to what the tests of this folder need."""
    result = subprocess.run(
        [sys.executable, "-m", "octet.cli.main", "doctor", "--json"],
        check=True,
        capture_output=True,
        text=True,
    )
    answers = {row["feature"]: row["answer"] for row in json.loads(result.stdout)}
    assert {answers[name] for name in ("veth", "bridge", "nftables-nat", "tbf", "ifb", "redirect")} == {"yes"}
