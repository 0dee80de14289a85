"""The figures of policy as ``make bench`` takes them, each part small."""

import subprocess
import sys
from pathlib import Path

import pytest

from octet.measure import bench_marks
from octet.measure.bench_policy import MARKER
from octet.measure.benchpage import markers

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(400)]


def rows(tmp_path: Path, part: str) -> list[list[str]]:
    """Return the cells of the table that a small run of a part writes between the markers."""
    path = tmp_path / "page.md"
    path.write_text("\n".join(markers(MARKER)))
    sizes = ["--rounds", "1", "--changes", "8", "--share", "0.005", "--seed", "5"]
    command = [sys.executable, "-m", "octet.measure.bench_policy", *sizes]
    command += ["--part", part, "--write", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    text = path.read_text()
    assert f"octet.measure.bench_policy {' '.join(sizes)} --part {part}" in text
    table = [line.strip("|\n ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return table[1:]


def test_connections_are_measured_through_every_layout(tmp_path: Path) -> None:
    """With no policy, with ours and with providers' chains a new connection takes some µs, on both paths.

    That strangers are kept out where policies are, and only there, is checked before anything is measured.
    """
    found = {cells[0]: float(cells[2]) for cells in rows(tmp_path, "rates")}
    assert min(found.values()) > 0
    for path in ("same node", "across nodes"):
        assert f"no policy, {path}" in found
        for who in ("octet", "kube-router on iptables-nft", "Felix on iptables-nft"):
            assert f"{who}, 50, {path}" in found


def test_a_change_is_seen_by_packets_and_its_parts_are_told(tmp_path: Path) -> None:
    """A policy's change, a pod's label and one policy of many: all flip the verdict, and take some ms."""
    found = rows(tmp_path, "changes")
    assert [cells[0].rpartition(": ")[2] for cells in found] == [
        "a policy changes",
        "a pod's label changes",
        "one changes",
    ]
    for cells in found:
        whole, decision, transaction, processor = (float(cell.split(",")[0]) for cell in cells[2:6])
        assert min(whole, decision, transaction, processor) > 0


def test_a_cold_start_is_within_its_bars(tmp_path: Path) -> None:
    """A cluster of 25 nodes and 500 pods: ready within the bars (best of three), its peers in the kernel."""

    def met() -> bool:
        ((nodes, pods, policies, *_, objects, bars),) = rows(tmp_path, "start")
        assert (nodes, pods, policies) == ("25", "500", "50")
        assert int(objects.replace(",", "")) > 3 * 25
        return bars == "met"

    assert any(met() for _ in range(3))


def test_the_question_whether_a_connection_was_cut_is_measured(tmp_path: Path) -> None:
    """With and without it, a packet takes some ns, under the chain that the agent made."""
    path = tmp_path / "page.md"
    path.write_text("\n".join(markers(bench_marks.MARKER)))
    command = [sys.executable, "-m", "octet.measure.bench_marks", "--rounds", "1", "--write", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line.strip("| ").split(" | ") for line in path.read_text().splitlines() if line.startswith("|")]
    found = {cells[0]: float(cells[2]) for cells in lines[2:]}
    assert list(found) == list(bench_marks.TIMES)
    assert min(found.values()) > 0
