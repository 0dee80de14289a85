import datetime as dt

import pytest

from octet import models
from octet.choose.facts import models as ours
from octet.choose.facts.catalogue import BY_NAME
from octet.choose.facts.values import Certainty, Truth

DAY = dt.date(2026, 11, 26)
ROWS = [model.name for model in models.MODELS]


def our(name: str, here: dict[str, tuple[Truth, str]] | None = None) -> ours.OurModel:
    found = ours.of(name, DAY, here)
    assert found is not None
    return found


def test_the_eight_and_whatever_is_in_the_table() -> None:
    """Each of the eight is there, with or without a row, and every row of the table is there."""
    listed = [model.name for model in ours.ours(DAY)]
    assert listed[:8] == list(ours.EIGHT)
    assert set(ROWS) <= set(listed)
    assert [model.name for model in ours.ours(DAY) if model.runs] == [name for name in listed if name in ROWS]


@pytest.mark.parametrize("name", ROWS)
def test_everything_is_computed(name: str) -> None:
    """Each fact of our model is Octet's own word, of today, about its row, under a key of the catalogue."""
    found = our(name).facts
    assert found
    for key, fact in found.items():
        assert key in BY_NAME
        assert fact.certainty is Certainty.COMPUTED
        assert (fact.as_of, fact.source) == (DAY, f"octet.models, row {name}")


def test_what_our_flannel_is() -> None:
    """Our model of flannel tunnels or not, in UDP, costs 70 bytes at most; both families, policy if asked."""
    found = our("flannel").facts or {}
    assert found["overlay"].truth is found["native"].truth is found["udp-only"].truth is Truth.YES
    assert found["transports"].value == ("host-gateway", "vxlan")
    assert found["limit-overhead"].value == 70
    assert found["limit-overhead"].note == "IPv4: 50; IPv6: 70"
    assert found["ipv6-only"].truth is found["dual-stack"].truth is Truth.YES
    assert (found["policy-ingress"].truth, found["policy-ingress"].note) == (Truth.YES, "as flannel:policy")
    assert found["bgp"].truth is found["encryption"].truth is Truth.NO


def test_who_has_policies() -> None:
    """Our model of Canal always has policies in force, ours of kopeio-vxlan never."""
    canal, kopeio = our("canal").facts or {}, our("kopeio-vxlan").facts or {}
    assert (canal["policy-egress"].truth, canal["policy-egress"].note) == (Truth.YES, "as canal")
    assert kopeio["policy-egress"].truth is Truth.NO


def test_our_kopeio_never_goes_bare() -> None:
    """Our model of kopeio-vxlan always tunnels."""
    found = our("kopeio-vxlan").facts or {}
    assert found["native"].truth is Truth.NO
    assert found["overlay"].truth is Truth.YES


def test_no_row_yet() -> None:
    """A model without a row has no facts, runs nowhere and says so."""
    for model in ours.ours(DAY):
        if not model.runs:
            assert model.title == f"{model.name}: no row yet"
            assert not model.facts
            assert model.here is Truth.NO


def test_this_machine_in_three_answers() -> None:
    """Whether our model runs here is yes, no or unknown, as its kernel features are."""
    needed = [need.feature for need in our("flannel").needs]
    assert our("flannel").here is Truth.UNKNOWN
    all_there = dict.fromkeys(needed, (Truth.YES, ""))
    assert our("flannel", all_there).here is Truth.YES
    lacking = our("flannel", all_there | {"vxlan": (Truth.NO, "EOPNOTSUPP")})
    assert lacking.here is Truth.NO
    assert [need.why for need in lacking.needs if need.feature == "vxlan"] == ["EOPNOTSUPP"]
    assert our("flannel", all_there | {"vxlan": (Truth.UNKNOWN, "needs root")}).here is Truth.UNKNOWN


def test_not_one_of_ours() -> None:
    """A provider outside of the eight has no model here."""
    assert ours.of("cilium", DAY) is None
