"""Policy's figures as a page, and the iptables rules that they are compared with."""

from octet.measure.policing.changes import Taken
from octet.measure.policing.crowds import PORT, nodes, pods, selecting, spread
from octet.measure.policing.layouts import FELIX, KUBE_ROUTER, LAYOUTS, rules
from octet.measure.policing.page import Figures, Rated, page
from octet.measure.policing.rates import ACROSS, SAME, receivers, ways
from octet.measure.policing.reaction import Reaction
from octet.measure.policing.starting import Start

RATED = Rated(
    values={
        "no policy, same node": {"connection": [100.0, 100.0, 100.0], "round trip": [50.0, 50.0, 50.0]},
        "octet, 10, same node": {"connection": [101.0, 102.0, 103.0], "round trip": [50.0, 50.0, 50.0]},
    },
    none=dict.fromkeys(("no policy, same node", "octet, 10, same node"), "no policy, same node"),
    rounds=3,
    missing=["legacy"],
)


def figures(whole: float = 40.0, seconds: float = 10.0, resident: float = 200.0) -> Figures:
    reaction = Reaction("a world", [Taken(whole, 8.0, 5.0, 1.0)] * 3)
    return Figures(
        1, 9.0, {"cpus": 2}, RATED, [reaction], [Start(50, 1000, 100, seconds, resident, 250.0, 7)]
    )


def test_costs_are_told_against_the_same_path_without_policies() -> None:
    """101, 102 and 103 µs against 100 are 1.02 times as much; the path without policies itself is 1."""
    text = page(figures(), "x")
    assert "| octet, 10, same node | 1.02 [1.01, 1.03] | 102 | 1.00 [1.00, 1.00] | 50 |" in text
    assert "| no policy, same node | 1 | 100 | 1 | 50 |" in text
    assert "iptables-legacy does not work here" in text


def test_a_bar_that_is_missed_is_said_to_be_missed() -> None:
    """51 ms, 31 s or 301 MiB miss their bars; at the bar it is met."""
    assert "missed" not in page(figures(whole=50.0, seconds=30.0, resident=300.0), "x")
    for missed in (figures(whole=51.0), figures(seconds=31.0), figures(resident=301.0)):
        assert page(missed, "x").count("missed") == 1


def test_parts_that_were_not_asked_for_are_left_out() -> None:
    """A page of one part has no other part's heading."""
    text = page(Figures(1, 9.0, {}, starts=[Start(1, 1, 1, 1.0, 1.0, 1.0, 1)]), "x")
    assert text.count("###") == 1
    assert "### Cold start" in text


def test_each_policy_has_a_chain_and_one_lets_the_peers_in() -> None:
    """Both layouts have a chain and a jump for each policy, and one rule for each peer."""
    for layout in LAYOUTS:
        lines = rules(layout, "veth1", ["10.0.0.1", "10.0.0.2"], 10, "t").splitlines()
        assert sum(line.startswith(":Pt-") for line in lines) == 10
        assert sum(line.startswith("-A Pt -j Pt-") for line in lines) == 10
        asked = [line for line in lines if "-s 10.0.0." in line]
        assert len(asked) == 2
        assert all(f"--dport {PORT} " in line for line in asked)


def test_felix_leaves_where_a_policy_accepts_and_kube_router_does_not() -> None:
    """Only Felix' chain of a pod returns between two policies."""
    inner = {
        layout: sum(
            line.startswith("-A Pt -m mark --mark")
            for line in rules(layout, "veth1", ["10.0.0.1"], 10, "t").splitlines()
        )
        for layout in LAYOUTS
    }
    assert inner == {FELIX: 10, KUBE_ROUTER: 0}


def test_everybody_is_measured_on_one_node_and_the_most_policies_across_nodes() -> None:
    """No policy, its twin, each count of ours, and each layout on each backend."""
    found = receivers([1, 10], ["nft"])
    assert len(found) == 2 + 2 + 2 * 2
    paths = [way.path for way in ways(found)]
    assert paths.count(SAME) == len(found)
    assert paths.count(ACROSS) == 2 + 1 + 2


def test_crowds_have_names_and_addresses_of_their_own() -> None:
    """No two pods share name or address, each is in its node's CIDR, and names of policies differ."""
    crowd, far = list(pods(1000, ["a", "b"], 3)), {each["metadata"]["name"]: each for each in nodes(50)}
    assert len({each["metadata"]["name"] for each in crowd}) == 1000
    assert len({each["status"]["podIP"] for each in crowd}) == 1000
    for each in crowd:
        cidr = far[each["spec"]["nodeName"]]["spec"]["podCIDR"]
        assert each["status"]["podIP"].rpartition(".")[0] == cidr.rpartition(".")[0]
    policies = [*selecting(50, "a", {"app": "x"}, {"app": "y"}), *spread(50, 2, 3)]
    assert len({each["metadata"]["name"] for each in policies}) == 100
