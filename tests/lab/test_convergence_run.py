"""The benchmark of convergence: its scenes, with our row and with BIRD by hand."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from octet.errors import BadConfigurationError
from octet.measure.convergence import sites
from octet.measure.convergence.scenes import play
from octet.measure.convergence.sites import PLAIN, Racked

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(300)]


@contextmanager
def site(who: str) -> Iterator[Racked]:
    """Lend a site of this candidate."""
    made = sites.up(who, f"converging-{len(who)}")
    try:
        yield made
    finally:
        made.lab.down()


def test_a_model_of_ours_converges() -> None:
    """A cut uplink costs a moment; a rack that was away is reached again once sessions are tried again."""
    with site("calico") as calico:
        assert any(play(calico, "a cut uplink: streams lose") < 1 for _ in range(3))
        assert 0 < play(calico, "a healed partition: streams flow after") < 40


def test_a_dead_node_is_forgotten_after_the_hold_time() -> None:
    """By hand, its route ends with the hold time of its rack's router, 9 s."""
    with site(PLAIN) as plain:
        assert 4 < play(plain, "a dead node: its route ends after") < 20


def test_who_is_unknown_is_refused_by_name() -> None:
    """A candidate that there is not is refused with those there are."""
    with pytest.raises(BadConfigurationError, match=r"unknown.*calico"):
        sites.up("weave", "nobody")
