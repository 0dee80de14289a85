"""The benchmark of convergence: each scene once, with our row and with BIRD by hand."""

from collections.abc import Iterator

import pytest

from octet.errors import BadConfigurationError
from octet.measure.convergence import sites
from octet.measure.convergence.scenes import play
from octet.measure.convergence.sites import ABRUPT, Racked

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module", params=["calico", ABRUPT])
def site(request: pytest.FixtureRequest) -> Iterator[Racked]:
    """A site of each kind."""
    made = sites.up(request.param, f"converging-{len(request.param)}")
    yield made
    made.lab.down()


def test_a_cut_uplink_costs_less_than_a_second(site: Racked) -> None:
    """The rack's other uplink takes over, whoever runs on the nodes."""
    assert play(site, "a cut uplink: streams lose") < 1


def test_a_healed_partition_ends(site: Racked) -> None:
    """A rack that was away is reached again once sessions are tried again, and streams prove it."""
    assert 0 < play(site, "a healed partition: streams flow after") < 40


def test_a_dead_node_is_forgotten_after_the_hold_time_unless_it_may_be_restarting(site: Racked) -> None:
    """Without graceful restart its route ends with the hold time of 9 s; with it, later."""
    took = play(site, "a dead node: its route ends after")
    plain = site.lab.info()["provider"] != "calico"
    assert (4 < took < 15) == plain, took


def test_who_is_unknown_is_refused_by_name() -> None:
    """A candidate that there is not is refused with those there are."""
    with pytest.raises(BadConfigurationError, match=r"unknown.*calico"):
        sites.up("weave", "nobody")
