import datetime as dt
from collections.abc import Callable
from dataclasses import replace

import pytest

from octet.choose import criteria, figures, scores
from octet.choose.criteria import CRITERIA, IDS, rank_order_centroid
from octet.choose.facts import Certainty, Fact, Provider, Step, Support
from octet.choose.facts.values import Bound
from octet.choose.figures import Figures
from octet.choose.requirements import Requirements
from octet.errors import BadConfigurationError
from octet.measure import metrics
from octet.measure.results import Results

Make = Callable[..., Provider]
NOTHING = Requirements()


def ends(scored: scores.Scored) -> tuple[float, float]:
    return scored.low, scored.high


@pytest.mark.parametrize(("days", "worth"), [(0, 1.0), (90, 1.0), (410, 0.5), (730, 0.0), (3000, 0.0)])
def test_upkeep_falls_with_the_age_of_the_latest_release(days: int, worth: float, make: Make) -> None:
    """A release within a quarter is worth all, one of two years ago nothing, linear between."""
    released = dt.date(2026, 8, 22) - dt.timedelta(days=days)
    found = scores.upkeep(NOTHING, Figures(), make("p", latest_release_date=released))
    assert ends(found) == pytest.approx((worth, worth))


def test_a_project_that_ended_is_worth_nothing(make: Make) -> None:
    """Archived, unmaintained or deprecated: the date of the latest release no longer matters."""
    for status in ("archived", "unmaintained", "deprecated"):
        assert ends(scores.upkeep(NOTHING, Figures(), make("p", status=status))) == (0, 0)


def test_what_is_not_known_may_be_anything(make: Make, told: Callable[..., Fact]) -> None:
    """An unknown or unverified fact is worth anything between the ends, and says that it isn't known."""
    unsure = make(
        "p", latest_release_date=told("latest-release-date", dt.date(2026, 8, 1), Certainty.UNVERIFIED)
    )
    for provider in (make("p", latest_release_date=None), unsure):
        found = scores.upkeep(NOTHING, Figures(), provider)
        assert ends(found) == (0, 1)
        assert not found.known


@pytest.mark.parametrize(("largest", "worth"), [(15, 0), (60, 0.5), (120, 0.75), (240, 1), (5000, 1)])
def test_headroom_counts_doublings(largest: int, worth: float, make: Make) -> None:
    """A quarter of the nodes needed is worth nothing, as many half, four times as many all."""
    found = scores.headroom(Requirements(nodes=60), Figures(), make("p", largest_cluster=largest))
    assert ends(found) == pytest.approx((worth, worth))


@pytest.mark.parametrize("bound", [Bound.DEFAULT, Bound.SEEN])
@pytest.mark.parametrize("largest", [1, 60, 200, 5000])
def test_an_unknown_size_is_never_better_than_a_shown_one(
    bound: Bound, largest: int, make: Make, told: Callable[..., Fact]
) -> None:
    """A default or a size that was seen lies between its worth and the best: above the unknown, or equal."""
    shown = make("p", largest_cluster=replace(told("largest-cluster", largest), bound=bound))
    nobody = make("q", largest_cluster=None)
    one, other = (scores.headroom(Requirements(nodes=100), Figures(), each) for each in (shown, nobody))
    assert one.high == other.high == 1
    assert one.low >= other.low
    assert one.middle >= other.middle


def test_an_installer_stands_behind_what_it_calls_stable(make: Make, taken: Callable[..., Step]) -> None:
    """Stable is worth all, experimental half, a manifest of one's own little; without a version, a range."""
    held = make("p", steps=(taken("1.5", Support.EXPERIMENTAL), taken("1.20", Support.STABLE)))
    asked = Requirements(installer="kops", installer_version="1.20")
    assert ends(scores.installer_fit(asked, Figures(), held)) == (1, 1)
    assert ends(scores.installer_fit(Requirements(installer="kops"), Figures(), held)) == (0.5, 1)
    assert ends(scores.installer_fit(asked, Figures(), make("p"))) == (scores.BY_HAND, scores.BY_HAND)
    assert not scores.installer_fit(Requirements(installer="aks"), Figures(), make("p")).known


def test_reserve_counts_what_nobody_knows_yet(make: Make) -> None:
    """Abilities count in reserve only while the question is open, one by one, unknown ones as maybe."""
    provider = make("p", windows=True, multicast=None)
    asked = Requirements(
        policy_ingress=False,
        policy_egress=False,
        policy_cluster_wide=False,
        policy_by_name=False,
        encryption=False,
        ip_family="ipv4",
        bgp=False,
    )
    found = scores.reserve(asked, Figures(), provider)
    assert found.parts == ((0, 1), (1, 1), (0, 0))
    assert ends(found) == pytest.approx((1 / 3, 2 / 3))


@pytest.mark.parametrize(("factor", "worth"), [(1.0, 1.0), (2**0.5, 0.5), (2.0, 0.0), (3.0, 0.0), (0.5, 1.0)])
def test_a_figure_is_worth_its_ratio_to_plain_routing(
    factor: float, worth: float, make: Make, record: Callable[..., Results]
) -> None:
    """The baseline's cost is worth all, twice that nothing, on a log scale; less than it no more than all."""
    found = record({"bridge": 1, "p": factor, "bridge (A/A)": 1}, spread=0.0)
    scored = scores.measured(metrics.CPU)(NOTHING, figures.of(found), make("p"))
    assert ends(scored) == pytest.approx((worth, worth), abs=1e-6)
    assert "our model of" in scored.evidence[0].note


def test_noise_widens_what_a_figure_is_worth(make: Make, record: Callable[..., Results]) -> None:
    """A twin that seemed different widens every interval by as much."""
    quiet = figures.of(record({"bridge": 1, "p": 1.3, "bridge (A/A)": 1.0}))
    noisy = figures.of(record({"bridge": 1, "p": 1.3, "bridge (A/A)": 1.1}))
    narrow, wide = (scores.measured(metrics.CPU)(NOTHING, held, make("p")) for held in (quiet, noisy))
    assert wide.low < narrow.low < narrow.high < wide.high


@pytest.mark.parametrize("rounds", [1, 4])
def test_too_few_rounds_are_no_figure(rounds: int, make: Make, record: Callable[..., Results]) -> None:
    """Under five rounds nothing is claimed, so nothing is known: never a guess."""
    found = figures.of(record({"bridge": 1, "p": 1.3, "bridge (A/A)": 1}, rounds=rounds))
    assert not scores.measured(metrics.CPU)(NOTHING, found, make("p")).known


def test_what_was_not_measured_is_never_guessed(make: Make, record: Callable[..., Results]) -> None:
    """A provider whose model is not in the results has the widest interval, whatever others have."""
    found = figures.of(record({"bridge": 1, "p": 1.3, "bridge (A/A)": 1}))
    scored = scores.measured(metrics.CPU)(NOTHING, found, make("q"))
    assert ends(scored) == (0, 1)
    assert not scored.known
    assert not scored.evidence


def test_centroid_weights_keep_their_order() -> None:
    """The weights of an order of four are those of Barron and Barrett: 0.52, 0.27, 0.15, 0.06."""
    found = rank_order_centroid(["a", "b", "c", "d"])
    assert list(found.values()) == pytest.approx([0.5208, 0.2708, 0.1458, 0.0625], abs=1e-4)


def test_weights_are_read_as_swings_or_as_an_order() -> None:
    """``a=100,b=50`` are swings on any scale; ``a>b`` is an order."""
    assert criteria.read("upkeep=100, cpu=50", "--weights") == {"upkeep": 100, "cpu": 50}
    assert criteria.read("upkeep > cpu", "--weights") == {"upkeep": 0.75, "cpu": 0.25}
    shares = criteria.checked({"upkeep": 30, "cpu": 10})
    assert shares is not None
    assert (shares["upkeep"], shares["cpu"], sum(shares.values())) == (0.75, 0.25, 1.0)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("stars=5", "weights.stars"),
        ("stars>upkeep", "weights.stars"),
        ("upkeep=-1", "-1"),
        ("upkeep=nan", "is no weight"),
        ("upkeep", "is no number"),
        ("upkeep=0", "above 0"),
        ("", "above 0"),
    ],
)
def test_weights_that_cannot_be_are_refused(text: str, told: str) -> None:
    """An unknown criterion, a negative weight, no weight at all: refused with what would do."""
    with pytest.raises(BadConfigurationError) as caught:
        criteria.read(text, "--weights")
    assert told in str(caught.value)
    assert caught.value.source == "--weights"


def test_no_criterion_is_popularity() -> None:
    """Nothing that providers are ranked by is made of stars, forks or contributors."""
    told = " ".join(f"{each.id} {each.title} {each.worst} {each.best}" for each in CRITERIA).lower()
    assert not [word for word in ("star", "fork", "contributor", "popular", "download") if word in told]
    assert len(set(IDS)) == len(IDS)
