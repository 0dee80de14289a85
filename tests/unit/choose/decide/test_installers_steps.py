from collections.abc import Callable

import pytest

from octet.choose.constraints import findings
from octet.choose.facts import Certainty, Provider, Step, Support
from octet.choose.requirements import Requirements

Make = Callable[..., Provider]
Take = Callable[..., Step]


@pytest.fixture
def restored(make: Make, taken: Take) -> Provider:
    """A provider as flannel's story in kops: in, deprecated, refused for newer Kubernetes, back."""
    return make(
        "p",
        steps=(
            taken("1.5", Support.EXPERIMENTAL),
            taken("1.27", Support.DEPRECATED),
            taken("1.28", Support.REMOVED, kubernetes="1.28"),
            taken("1.33", Support.RESTORED),
        ),
    )


def installer(provider: Provider, **answers: object) -> str:
    """Return the verdict of the installer's constraint, with kops unless said otherwise."""
    asked = Requirements(**{"installer": "kops", "bring_your_own": False, **answers})
    return next(each.verdict for each in findings(asked, provider) if each.constraint == "installer")


@pytest.mark.parametrize(
    ("version", "kubernetes", "verdict"),
    [
        ("1.4", "1.4", "ruled out"),
        ("1.26", "1.26", "met"),
        ("1.28", "1.27", "met"),
        ("1.28", "1.28", "ruled out"),
        ("1.30", "1.29", "ruled out"),
        ("1.33", "1.32", "met"),
        ("1.36", "1.34", "met"),
        ("1.28", None, "unknown"),
        (None, "1.34", "met"),
        (None, "1.29", "unknown"),
        (None, None, "unknown"),
    ],
)
def test_support_comes_and_goes(
    restored: Provider, version: str | None, kubernetes: str | None, verdict: str
) -> None:
    """What an installer allows depends on its version and Kubernetes'; what isn't said may be any of them."""
    assert installer(restored, installer_version=version, kubernetes=kubernetes) == verdict


def test_a_version_not_known_is_at_least_that_of_kubernetes(make: Make, taken: Take) -> None:
    """A kops installs no Kubernetes newer than itself: Kubernetes 1.29 alone rules out what 1.28 removed."""
    gone = make("p", steps=(taken("1.5", Support.STABLE), taken("1.28", Support.REMOVED)))
    assert installer(gone, kubernetes="1.29") == "ruled out"
    assert installer(gone, kubernetes="1.27") == "unknown"


@pytest.mark.parametrize(("own", "verdict"), [(True, "met"), (False, "ruled out"), (None, "unknown")])
def test_never_built_in_is_for_who_brings_it(own: bool | None, verdict: str, make: Make) -> None:
    """What kops never had is possible for who would look after it, out for who wouldn't, else a doubt."""
    assert installer(make("p"), bring_your_own=own) == verdict


def test_what_was_removed_can_be_brought(make: Make, taken: Take) -> None:
    """What an installer refuses is out, unless the operator brings it; who doesn't know may come to."""
    gone = make("p", steps=(taken("1.5", Support.REMOVED),))
    assert installer(gone) == "ruled out"
    assert installer(gone, bring_your_own=None) == "unknown"
    assert installer(gone, bring_your_own=True) == "met"


def test_kubeadm_takes_any_manifest(make: Make) -> None:
    """Where every provider is a manifest of one's own, nobody is out."""
    assert installer(make("p"), installer="kubeadm", bring_your_own=False) == "met"


def test_gke_brings_what_it_brings(make: Make, taken: Take) -> None:
    """Where the network is the installer's own, what it doesn't bring stays a doubt, own manifest or not."""
    assert installer(make("p"), installer="gke", bring_your_own=True) == "unknown"
    held = make("p", steps=(taken("any", Support.STABLE, installer="gke"),))
    assert installer(held, installer="gke") == "met"


def test_an_unverified_step_is_a_doubt(make: Make, taken: Take) -> None:
    """A step that nobody has verified neither rules out nor passes."""
    doubtful = make("p", steps=(taken("1.5", Support.STABLE, certainty=Certainty.UNVERIFIED),))
    assert installer(doubtful) == "unknown"


@pytest.mark.parametrize(
    ("key", "answers"),
    [
        ("kops-policy", {"policy_egress": True}),
        ("kops-encryption", {"encryption": True}),
        ("kops-ipv6-only", {"ip_family": "ipv6"}),
        ("kops-private-topology", {"private_topology": True}),
        ("kops-outside-aws", {"cloud": "gcp"}),
    ],
)
def test_what_kops_hides_is_apart_from_what_a_provider_can(
    key: str, answers: dict[str, object], make: Make, taken: Take
) -> None:
    """What kops doesn't let through rules out with kops alone, and is a doubt where by hand is open."""
    held = make("p", steps=(taken("1.5", Support.STABLE),), **{key: False})

    def verdict(**more: object) -> str:
        asked = Requirements(**{**answers, **more})
        return {each.constraint: each.verdict for each in findings(asked, held)}.get(key, "not asked")

    assert verdict(installer="kops", bring_your_own=False) == "ruled out"
    assert verdict(installer="kops") == "unknown", "a manifest of one's own may do"
    assert verdict(installer="kops", bring_your_own=True) == "not asked"
    assert verdict(installer="kubeadm") == "not asked"
