from collections.abc import Callable
from dataclasses import replace

import pytest

from octet.choose import decide
from octet.choose.constraints import BY_ID, CONSTRAINTS, findings
from octet.choose.facts import Certainty, Fact, Facts, Provider
from octet.choose.facts.catalogue import BY_NAME
from octet.choose.facts.values import Bound, Condition
from octet.choose.nodes import SMALL
from octet.choose.requirements import FIELDS, Requirements

Make = Callable[..., Provider]

ABILITIES = {
    "policy_ingress": "policy-ingress",
    "policy_egress": "policy-egress",
    "policy_cluster_wide": "policy-cluster-wide",
    "policy_by_name": "policy-by-name",
    "encryption": "encryption",
    "multicast": "multicast",
    "windows": "windows",
    "bgp": "bgp",
    "udp_only": "udp-only",
    "partial_mesh": "partial-mesh-relay",
    "kube_proxy_replacement": "replaces-kube-proxy",
    "paid_support": "commercial-support",
}


def verdicts(provider: Provider, **answers: object) -> dict[str, str]:
    found = findings(Requirements(**answers), provider)
    return {finding.constraint: finding.verdict for finding in found}


@pytest.mark.parametrize(("field", "key"), ABILITIES.items())
def test_what_is_needed_decides_in_three_values(field: str, key: str, make: Make) -> None:
    """A needed ability rules out who lacks it, keeps who has it, and is unknown where the fact is unknown."""
    for value, verdict in {True: "met", False: "ruled out", None: "unknown"}.items():
        assert verdicts(make("p", **{key: value}), **{field: True}) == {key: verdict}
        assert verdicts(make("p", **{key: value}), **{field: False}) == {}


@pytest.mark.parametrize(("field", "key"), ABILITIES.items())
@pytest.mark.parametrize("value", [True, False])
def test_an_unverified_claim_decides_nothing(
    field: str, key: str, value: bool, make: Make, told: Callable[..., Fact]
) -> None:
    """What is only said, yes or no, neither rules out nor passes: it is unknown, and shown as unverified."""
    provider = make("p", **{key: told(key, value, Certainty.UNVERIFIED)})
    (finding,) = findings(Requirements(**{field: True}), provider)
    assert finding.verdict == "unknown"
    assert "unverified" in finding.because
    assert finding.evidence[0].certainty == "unverified"


def test_a_fact_that_is_not_there_is_unknown() -> None:
    """A question that nobody answered for a provider is a doubt, never a pass."""
    bare = Provider("p", "P", "", "", facts={})
    asked = Requirements(
        cloud="aws",
        private_topology=True,
        ip_family="ipv6",
        policy_ingress=True,
        layer2=False,
        nodes=SMALL + 1,
        kernel="6.1",
        outside_database=False,
        paid_support=True,
        maintained=True,
    )
    assert {finding.verdict for finding in findings(asked, bare)} == {"unknown"}
    assert len(findings(asked, bare)) == 11


@pytest.mark.parametrize(
    ("cloud", "places", "verdict"),
    [
        ("aws", ("aws",), "met"),
        ("azure", ("aws",), "ruled out"),
        ("bare-metal", ("aws", "own-machines"), "met"),
        ("laptop", ("aws",), "ruled out"),
        ("other-cloud", ("own-machines",), "unknown"),
        ("other-cloud", ("aws",), "ruled out"),
    ],
)
def test_a_provider_of_one_cloud_runs_there_only(
    cloud: str, places: tuple[str, ...], verdict: str, make: Make
) -> None:
    """Where nodes are rules out who doesn't run there; another cloud may be like one's own machines."""
    assert verdicts(make("p", clouds=places), cloud=cloud)["cloud"] == verdict


def test_route_tables_of_zones_matter_on_aws(make: Make) -> None:
    """A private topology rules out on AWS, is a doubt where the cloud isn't known, and nothing elsewhere."""
    provider = make("p", aws_private_topology=False)
    assert verdicts(provider, private_topology=True, cloud="aws")["aws-private-topology"] == "ruled out"
    assert verdicts(provider, private_topology=True)["aws-private-topology"] == "unknown"
    assert "aws-private-topology" not in verdicts(provider, private_topology=True, cloud="gcp")


@pytest.mark.parametrize(("family", "key"), [("ipv6", "ipv6-only"), ("dual", "dual-stack")])
def test_families_need_their_own_fact(family: str, key: str, make: Make) -> None:
    """IPv6 alone and both families are two abilities; IPv4 is had by all."""
    assert verdicts(make("p"), ip_family=family) == {key: "ruled out"}
    assert verdicts(make("p", **{key: True}), ip_family=family) == {key: "met"}
    assert verdicts(make("p"), ip_family="ipv4") == {}


def test_what_must_not_be_needed_is_turned_round(make: Make) -> None:
    """Without a database to run, and beyond one segment, who needs either is out."""
    needy = make("p", needs_database=True, needs_layer_2=True)
    ruled = {"needs-database": "ruled out", "needs-layer-2": "ruled out"}
    assert verdicts(needy, outside_database=False, layer2=False) == ruled
    assert verdicts(needy, outside_database=True, layer2=True) == {}
    assert verdicts(make("p", needs_database=None), outside_database=False) == {"needs-database": "unknown"}


@pytest.mark.parametrize(
    ("nodes", "largest", "bound", "verdict"),
    [
        (256, 256, Bound.END, "met"),
        (257, 256, Bound.END, "ruled out"),
        (257, 256, Bound.DEFAULT, "unknown"),
        (257, 256, Bound.SEEN, "unknown"),
        (256, 256, Bound.SEEN, "met"),
        (257, None, None, "unknown"),
    ],
)
def test_a_cluster_ends_where_a_mechanism_ends_it(
    nodes: int, largest: int | None, bound: Bound | None, verdict: str, make: Make, told: Callable[..., Fact]
) -> None:
    """More nodes than an end rule out; beyond a default, beyond what was seen and unknown are doubts."""
    held = replace(told("largest-cluster", largest), bound=bound, note="widen it.")
    (finding,) = findings(Requirements(cloud="gcp", nodes=nodes), make("p", largest_cluster=held))[1:]
    assert (finding.constraint, finding.verdict) == ("nodes", verdict)
    assert ("widen it" in finding.because) == (verdict == "unknown" and largest is not None)


@pytest.mark.parametrize(("cloud", "verdict"), [("azure", "ruled out"), ("gcp", "met"), (None, "unknown")])
def test_an_end_of_one_cloud_counts_there(
    cloud: str | None, verdict: str, make: Make, told: Callable[..., Fact]
) -> None:
    """What ends a cluster in one cloud rules out there, is a doubt where the cloud isn't known."""
    end = replace(told("limit-nodes", 400), bound=Bound.END, when=Condition(clouds=("azure",)), note="AKS")
    found = verdicts(make("p", limits=(end,)), cloud=cloud, nodes=401)
    assert found["nodes"] == verdict


def test_a_default_size_rules_nobody_out(shipped: Facts) -> None:
    """With kops on AWS and 300 nodes flannel's stock network is a doubt that says how to widen it."""
    asked = Requirements(installer="kops", installer_version="1.36", cloud="aws", nodes=300)
    found = {each.constraint: each for each in findings(asked, shipped.get("flannel"))}
    assert found["nodes"].verdict == "unknown"
    assert "a wider Network raises it" in found["nodes"].because


def test_who_was_seen_largest_is_not_behind_the_unknown(shipped: Facts) -> None:
    """With more nodes than anybody was seen with, no provider of unknown size comes before one that was."""
    found = decide(Requirements(installer="kubeadm", cloud="aws", nodes=6000, maintained=True), shipped)
    assert found.ranking[0].provider in {"calico", "cilium"}
    assert found.leaders[0] in {"calico", "cilium"}


def test_nobody_ends_before_a_small_cluster(shipped: Facts, make: Make) -> None:
    """Up to SMALL nodes no size is in question, and no limit of any shipped provider is lower."""
    assert verdicts(make("p", largest_cluster=None), nodes=SMALL)["nodes"] == "met"
    numbers = [
        known.value
        for _, known in shipped.everything()
        if known.key == "largest-cluster" or BY_NAME[known.key].unit in {"nodes", "routes", "connections"}
    ]
    assert min(number for number in numbers if isinstance(number, int)) >= SMALL


def test_the_newest_limit_of_routes_counts(make: Make, told: Callable[..., Fact]) -> None:
    """An old lower limit of routes is history; the newest verified one rules out, a newer doubt warns."""
    day = {year: told("x", 0).as_of.replace(year=year) for year in (2016, 2020, 2025)}
    limits = (
        told("limit-routes", 50, as_of=day[2016]),
        told("limit-routes", 1000, as_of=day[2020]),
        told("limit-routes", 500, Certainty.UNVERIFIED, as_of=day[2025]),
    )
    provider = make("p", needs_cloud_routes=True, limits=limits)
    found = {nodes: verdicts(provider, cloud="aws", nodes=nodes)["routes"] for nodes in (60, 501, 1000, 1001)}
    assert found == {60: "met", 501: "unknown", 1000: "unknown", 1001: "ruled out"}
    assert verdicts(provider, nodes=1001)["routes"] == "unknown", "it may not be AWS"


@pytest.mark.parametrize(
    ("kernel", "least", "verdict"),
    [("5.10", "5.10", "met"), ("5.9", "5.10", "ruled out"), ("4.4", "any", "met"), ("6.1", None, "unknown")],
)
def test_kernels_are_compared_as_versions(kernel: str, least: str | None, verdict: str, make: Make) -> None:
    """5.9 is older than 5.10; a provider that names no oldest kernel is a doubt."""
    assert verdicts(make("p", kernel_minimum=least), kernel=kernel) == {"kernel-minimum": verdict}


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("active", "met"),
        ("experimental", "met"),
        ("legacy", "unknown"),
        ("deprecated", "ruled out"),
        ("unmaintained", "ruled out"),
        ("archived", "ruled out"),
        (None, "unknown"),
    ],
)
def test_who_publishes_no_fixes_is_out(status: str | None, verdict: str, make: Make) -> None:
    """Where fixes are needed, projects that ended are out, and what is legacy is a doubt."""
    assert verdicts(make("p", status=status), maintained=True) == {"maintained": verdict}


def test_what_is_left_is_no_answer(make: Make) -> None:
    """The provider that has to go is ruled out, whatever it can do; "none" rules out nobody."""
    assert verdicts(make("weave"), leaving="weave") == {"leaving": "ruled out"}
    assert verdicts(make("other"), leaving="weave") == {"leaving": "met"}
    assert verdicts(make("weave"), leaving="none") == {}


def test_each_constraint_reads_fields_and_keys_that_exist() -> None:
    """Constraints have unique ids and read fields of Requirements only."""
    assert len(BY_ID) == len(CONSTRAINTS)
    assert {field for constraint in CONSTRAINTS for field in constraint.fields} <= set(FIELDS)
    assert set(ABILITIES.values()) <= set(BY_ID)


def test_every_question_rules_somebody_out() -> None:
    """No field is asked in vain: each is read by a constraint."""
    assert set(FIELDS) == {field for constraint in CONSTRAINTS for field in constraint.fields}


def test_each_exclusion_can_be_looked_up(shipped: Facts) -> None:
    """Whatever rules out a shipped provider names a fact with date and source, but for what one leaves."""
    asked = Requirements(**dict.fromkeys(ABILITIES, True), ip_family="dual", nodes=9999, kernel="3.10")
    for provider in shipped.providers:
        for finding in findings(asked, provider):
            if finding.verdict == "ruled out":
                assert finding.evidence, (provider.name, finding.constraint)
                assert all(each.source and each.as_of for each in finding.evidence)
