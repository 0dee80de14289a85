"""What a stream's losses come to, the page of them, and a configuration by hand that BIRD takes."""

import subprocess
from pathlib import Path

import pytest

from octet.measure.convergence import __main__ as bench
from octet.measure.convergence.plain import Site, configuration
from octet.measure.convergence.scenes import NEVER, SCENES, Stream
from octet.measure.convergence.sites import _site
from octet.measure.convergence.streams import INTERVAL


def test_an_outage_lasts_from_the_first_lost_packet_to_the_last() -> None:
    """Packets between that passed do not shorten it; nothing lost is no outage."""
    assert Stream(100, []).outage() == 0
    assert Stream(100, [7.0]).outage() == INTERVAL
    assert Stream(100, [7.0, 8.5]).outage() == pytest.approx(1.5 + INTERVAL)


def test_losses_before_a_repair_do_not_count_after_it() -> None:
    """What is lost until the cable is plugged in is the partition; only what comes later is convergence."""
    assert Stream(100, [1.0, 2.0]).until(5.0) == 0
    assert Stream(100, [1.0, 2.0, 6.0]).until(5.0) == pytest.approx(1.0 + INTERVAL)


def test_the_page_has_every_scene_and_its_spread() -> None:
    """A row for each scene, a column for each candidate, and what never came is said as such."""
    values = {scene: {"a": [0.5, 1.0, 2.0], "b": [NEVER, NEVER, NEVER]} for scene in SCENES}
    text = bench.page(values, "command", 10, {"cpus": 2}, seed=1)
    for scene in SCENES:
        (row,) = (line for line in text.splitlines() if line.startswith(f"| {scene} |"))
        assert "1.000 [" in row
        assert "(0.500 to 2.000)" in row
        assert row.endswith(f"| not within {NEVER:.0f} |")


@pytest.mark.parametrize("node", ["node1", "node2", "node4"])
def test_bird_takes_what_is_written_by_hand(node: str, tmp_path: Path) -> None:
    """The configuration that ours is compared with is one: of a reflector, and of its clients."""
    site = _site(node, "10.244.1.0/24")
    assert isinstance(site, Site)
    (tmp_path / "bird.conf").write_text(text := configuration(site))
    path = "/usr/sbin:/usr/bin"
    check = ["bird", "-p", "-c", str(tmp_path / "bird.conf")]
    done = subprocess.run(check, capture_output=True, text=True, check=False, env={"PATH": path})
    assert done.returncode == 0, done.stderr
    assert text.count("rr client") == (2 if node == "node2" else 0)
