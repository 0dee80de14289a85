from collections.abc import Iterable

import pytest

from octet import models
from octet.errors import BadConfigurationError
from octet.lab import Foreign, Octet
from octet.measure.candidates import BASELINE, TWIN, candidates, chosen, impossible
from octet.measure.places import ProbeFailedError
from octet.measure.site import sent


def test_every_model_is_a_candidate() -> None:
    """Each name that octet can run is compared unless others are named, and so are the reference plugins."""
    names = {candidate.name for candidate in candidates()}
    assert names == {*models.names(), "bridge", "ptp", "bridge+masq"}
    assert {candidate.name for candidate in chosen([])} == {*models.names(), "bridge", "ptp", TWIN}


def test_the_twin_is_the_baseline_by_another_name() -> None:
    """First comes the baseline, last its copy: same provider, so that only noise can differ."""
    first, *_, last = chosen([])
    assert (first.name, last.name) == (BASELINE, TWIN)
    assert first.provider == last.provider


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (["flannel"], ["bridge", "flannel", TWIN]),
        (["ptp", "bridge", "ptp"], ["bridge", "ptp", TWIN]),
        (["bridge"], ["bridge", TWIN]),
    ],
)
def test_the_baseline_is_always_there(asked: list[str], expected: list[str]) -> None:
    """Whatever is asked for is measured once, against the baseline and its twin."""
    assert [candidate.name for candidate in chosen(asked)] == expected


def test_an_unknown_candidate_is_refused_with_what_would_do() -> None:
    """A wrong name is refused at the door, with the names there are."""
    with pytest.raises(BadConfigurationError, match=r"'weave'.*known: bridge, ptp, bridge.masq, flannel"):
        chosen(["weave"])


def test_tunnels_are_expected_where_there_are_some() -> None:
    """VXLAN models must be seen on their own device; routed ones on the node's uplink."""
    carriers = {candidate.name: candidate.carrier for candidate in candidates()}
    assert carriers["flannel"] == "flannel.1"
    assert carriers["kopeio-vxlan"] == "vxlan1"
    assert {
        carriers[name] for name in ("flannel:host-gw", "flannel:direct", "bridge", "ptp", "bridge+masq")
    } == {"eth0"}


def ruled_out(fabric: str, *features: str) -> dict[str, str]:
    """Which candidates a machine without these features rules out, and why."""

    def lacking(names: Iterable[str]) -> list[str]:
        return [f"no {name}" for name in names if name in features]

    return {each.name: why for each in candidates() if (why := impossible(each, fabric, lacking))}


def test_a_model_that_needs_one_segment_is_ruled_out_between_racks() -> None:
    """Host gateways cannot work between subnets, which is known before anything starts; all others may."""
    found = ruled_out("routed")
    assert list(found) == ["flannel:host-gw"]
    assert "takes one layer-2 segment" in found["flannel:host-gw"]
    assert ruled_out("l2") == {}


def test_a_model_whose_tunnel_the_kernel_lacks_is_ruled_out_where_it_would_be_used() -> None:
    """kube-router tunnels between subnets only: without IPIP it is compared on one network, not on racks."""
    assert ruled_out("routed", "ipip") == {**ruled_out("routed"), "kube-router": "no ipip"}
    assert ruled_out("l2", "ipip") == {}
    without = ruled_out("l2", "vxlan")
    assert {"flannel", "canal", "kopeio-vxlan", "calico:vxlan"} <= set(without)
    assert not {"flannel:host-gw", "calico", "kube-router"} & set(without)


def test_providers_are_what_their_names_say() -> None:
    """Ours run as octet, the references as foreign plugins with static routes between nodes."""
    for candidate in candidates():
        if isinstance(candidate.provider, Foreign):
            assert candidate.name in {"bridge", "ptp", "bridge+masq"}
            assert candidate.provider.static_routes
        else:
            assert candidate.provider == Octet(model=candidate.name)


def test_a_devices_counters_are_found_by_name() -> None:
    """Of /proc/net/dev the row of exactly this device counts: bytes and packets sent."""
    table = (
        "Inter-|   Receive                            |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes packets errs\n"
        "  eth0: 1 2 0 0 0 0 0 0 700 8 0 0 0 0 0 0\n"
        "flannel.1: 1 2 0 0 0 0 0 0 900 10 0 0 0 0 0 0\n"
    )
    assert sent(table, "flannel.1") == (900, 10)
    with pytest.raises(ProbeFailedError, match="no device flannel"):
        sent(table, "flannel")
