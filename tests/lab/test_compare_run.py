"""The comparison as a person runs it, and what it does with candidates that cannot be trusted."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from octet.choose.decision import from_json
from octet.kernel import features
from octet.lab import reference
from octet.measure import metrics
from octet.measure.candidates import Candidate, chosen
from octet.measure.comparison import Settings, compare
from octet.measure.results import Results, read, summary

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(240)]

OCTET = str(Path(sys.executable).with_name("octet"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Two rounds of flannel against the baseline and its twin, as typed."""
    out = tmp_path_factory.mktemp("compare")
    command = [
        OCTET,
        "compare",
        "--quick",
        "--rounds",
        "2",
        "--candidates",
        "flannel",
        "--out",
        str(out),
        "--json",
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False), out


def test_a_comparison_succeeds_and_prints_json(run: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    """All candidates pass packets, so the exit code is 0, and stdout is JSON of every metric of each."""
    done, _ = run
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    names = {"bridge", "flannel", "bridge (A/A)"}
    assert {(row["metric"], row["candidate"]) for row in rows} == {
        (metric.key, name) for metric in metrics.METRICS for name in names
    }


def test_the_record_holds_every_round(run: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    """results.json has a sample of each candidate in each round, with raw data, machine and versions."""
    _, out = run
    found = read(out / "results.json")
    taken = sorted((sample.candidate, sample.round) for sample in found.samples)
    assert taken == sorted((name, index) for name in found.candidates for index in range(2))
    assert all(sample.raw["latency"]["round_trips"] > 100 for sample in found.samples)
    assert found.machine["kernel"]
    assert found.versions["iperf3"].startswith("iperf 3")
    assert "--candidates" in found.command


def test_a_tunnel_is_seen_in_the_mtu(run: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    """The baseline's effective MTU is the underlay's 1500, flannel's is 50 bytes less (VXLAN over IPv4)."""
    found = read(run[1] / "results.json")
    mtu = {
        row.candidate: row.value.median for row in summary(found) if row.metric is metrics.MTU and row.value
    }
    assert mtu == {"bridge": 1500, "flannel": 1450, "bridge (A/A)": 1500}


def test_the_report_is_a_page(run: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    """report.html is one page that holds what was measured and what was decided, and needs no network."""
    text = (run[1] / "report.html").read_text()
    assert text.startswith("<!doctype html>")
    assert [metric.key for metric in metrics.METRICS if f'"{metric.key}"' not in text] == []
    assert from_json((run[1] / "decision.json").read_bytes()).leaders[0] in text
    assert 'src="http' not in text


def test_it_ends_with_a_recommendation(run: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    """Whom to take in a usual case is said on stderr beside JSON; the decision is beside the results."""
    done, out = run
    found = from_json((out / "decision.json").read_bytes())
    assert found.headline in done.stderr
    assert found.measured is not None
    assert "flannel" in found.measured.candidates


def test_nothing_is_left(run: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    """When a comparison has ended, no lab is up."""
    assert run
    done = subprocess.run([OCTET, "lab", "ls", "--json"], capture_output=True, text=True, check=True)
    assert [lab for lab in json.loads(done.stdout) if lab["name"].startswith("compare-")] == []


@pytest.mark.parametrize("moment", [0.02, 0.1, 3])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_comparison_takes_its_labs_along(number: int, moment: float, tmp_path: Path) -> None:
    """Ctrl-C or a plain kill, while it starts labs or measures, ends it with 128 + signal, its labs too."""
    where = {**os.environ, "OCTET_LAB_DIR": str(tmp_path / "labs")}
    command = [OCTET, "compare", "--candidates", "ptp", "--out", str(tmp_path)]
    usual = signal.signal(number, signal.SIG_DFL)  # a shell's background job, and its children, ignore Ctrl-C
    process = subprocess.Popen(command, env=where, stderr=subprocess.DEVNULL)
    signal.signal(number, usual)
    while not list((tmp_path / "labs").glob("compare-*")):
        assert process.poll() is None, "it ended before it could be interrupted"
        time.sleep(0.01)
    time.sleep(moment)
    process.send_signal(number)
    assert process.wait(timeout=60) == 128 + number
    assert list((tmp_path / "labs").glob("*")) == []


def compared(broken: Candidate) -> Results:
    """Compare one candidate with the baseline for a round."""
    settings = Settings(candidates=(chosen([])[0], broken), rounds=1, seconds=0.5, seed=1)
    return compare(settings, lambda *_: None)


def test_a_candidate_that_passes_no_packets_is_named() -> None:
    """Without routes between nodes nothing passes: the candidate fails with a reason, the other counts."""
    cut = msgspec.structs.replace(reference("bridge"), static_routes=False)
    found = compared(Candidate("cut off", "the bridge plugin without routes between nodes", cut))
    assert [failure.candidate for failure in found.failures] == ["cut off"]
    assert {sample.candidate for sample in found.samples} == {"bridge"}


def test_what_cannot_work_on_a_fabric_is_said_before_it_starts(tmp_path: Path) -> None:
    """Host gateways between racks are not started: the reason is printed and recorded, and is no failure."""
    command = [OCTET, "compare", "--fabric", "routed", "--candidates", "flannel:host-gw", "--rounds", "1"]
    done = subprocess.run(
        [*command, "--quick", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "not possible: flannel:host-gw: " in done.stderr
    (failure,) = read(tmp_path / "results.json").failures
    assert (failure.candidate, failure.possible) == ("flannel:host-gw", False)
    assert "one layer-2 segment" in failure.reason


@pytest.mark.parametrize("fabric", ["l2", "routed"])
def test_rows_that_speak_bgp_are_compared_on_both_fabrics(fabric: str, tmp_path: Path) -> None:
    """Calico and kube-router have every figure, on one network and on racks; what cannot work says why."""
    command = [OCTET, "compare", "--quick", "--rounds", "1", "--fabric", fabric, "--out", str(tmp_path)]
    done = subprocess.run(
        [*command, "--candidates", "calico,kube-router,kube-router:no-overlay"],
        capture_output=True,
        text=True,
        timeout=220,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = read(tmp_path / "results.json")
    ruled_out = {failure.candidate: failure.reason for failure in found.failures if not failure.possible}
    lacks = fabric == "routed" and features.probe()["ipip"].answer is features.Answer.NO
    assert list(ruled_out) == (["kube-router"] if lacks else [])
    assert all("CONFIG_NET_IPIP" in reason for reason in ruled_out.values())
    measured = {row.candidate for row in summary(found) if row.value}
    assert measured == set(found.candidates) - set(ruled_out)


def test_a_figure_needs_its_path() -> None:
    """When the packets took another way than the candidate's own, there is no figure but a reason."""
    wrong = Candidate("elsewhere", "claims to use a device that carries nothing", reference("bridge"), "lo")
    found = compared(wrong)
    assert [failure.candidate for failure in found.failures] == ["elsewhere"]
    assert "only 0 went through lo" in found.failures[0].reason
