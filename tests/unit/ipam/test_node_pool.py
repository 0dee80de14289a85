"""A node's pool of addresses: order, requests, ranges, families, exhaustion, restarts."""

from ipaddress import ip_address, ip_network

import pytest

from octet.cluster.endpoint import Attachment
from octet.errors import BadConfigurationError, ExhaustedError
from octet.ipam.family import AUTOMATIC
from octet.ipam.node_cidr import Allocation, Counts, Pool, State, TakenError


def pod(number):
    return Attachment("octet", f"container{number}", "eth0")


def pool(*networks, ranges=(), reserved=(), **options):
    return Pool(
        [ip_network(each) for each in networks or ("10.1.1.0/29",)],
        ranges=spans(*ranges),
        reserved=[ip_address(each) for each in reserved],
        **options,
    )


def spans(*pairs):
    return [(ip_address(low), ip_address(high)) for low, high in pairs]


def given(made, number, *requested, ranges=()):
    """Allocate and return the addresses as text."""
    owner, wanted = pod(number), [ip_address(each) for each in requested]
    return [str(each) for each in made.allocate(owner, wanted, spans(*ranges)).addresses]


def test_addresses_are_handed_out_in_order():
    """Without the network's own, the gateway's and the broadcast address a /29 has five, in order."""
    made = pool("10.1.1.0/29")
    assert [given(made, n) for n in range(5)] == [[f"10.1.1.{n}"] for n in range(2, 7)]


def test_without_a_gateway_the_first_address_is_a_pods():
    """Where no bridge holds the first address, a pod gets it."""
    assert given(pool("10.1.1.0/29", gateway=False), 1) == ["10.1.1.1"]


def test_an_owner_keeps_what_it_has():
    """Asking again returns the same addresses."""
    made = pool()
    assert given(made, 1) == given(made, 1) == given(made, 1, "10.1.1.2")
    assert (len(made), made.get(pod(1)), made.get(pod(2))) == (1, *made, None)


def test_two_attachments_of_one_container_differ():
    """Two interfaces of one container are two owners."""
    made = pool()
    first, second = (made.allocate(Attachment("octet", "c", name)) for name in ("eth0", "net1"))
    assert first.v4 != second.v4


def test_both_families_come_together():
    """A pool of two families gives one address of each."""
    made = pool("fd00:1::/64", "10.1.1.0/24")
    allocation = made.allocate(pod(1))
    assert allocation == Allocation(pod(1), ip_address("10.1.1.2"), ip_address("fd00:1::2"))
    assert [str(each) for each in allocation.addresses] == ["10.1.1.2", "fd00:1::2"]


def test_a_family_that_is_used_up_costs_the_other_nothing():
    """When one family has no address left, none of the other is taken."""
    made = pool("10.1.1.0/30", "fd00:1::/64")
    given(made, 1)
    with pytest.raises(ExhaustedError):
        made.allocate(pod(2))
    assert (made.counts(6).used, made.get(pod(2))) == (1, None)
    assert given(pool("fd00:1::/64", "10.1.1.0/30"), 1) == ["10.1.1.2", "fd00:1::2"]


def test_never_used_ones_first_then_the_longest_free():
    """A freed address is handed out again only after all never used ones, the longest free first."""
    made = pool()
    for number in range(3):
        given(made, number)
    for number in (1, 0):
        made.release(pod(number))
    assert [given(made, n) for n in range(3, 7)] == [["10.1.1.5"], ["10.1.1.6"], ["10.1.1.3"], ["10.1.1.2"]]


def test_a_release_is_repeatable():
    """Releasing returns what was held, and a second time nothing."""
    made = pool()
    allocation = made.allocate(pod(1))
    assert (made.release(pod(1)), made.release(pod(1))) == (allocation, None)


def test_exhaustion_says_how_many():
    """When nothing is free the error has the range and the counts."""
    made = pool("10.1.1.0/29", reserved=["10.1.1.3", "192.0.2.1"])
    for number in range(4):
        given(made, number)
    made.hold(pod(0))
    with pytest.raises(ExhaustedError, match="8 in total: 3 used, 4 reserved, 1 cooling down, 0 free"):
        made.allocate(pod(9))
    assert made.counts(4) == Counts(total=8, used=3, reserved=4, cooling=1, free=0)


def test_a_held_address_is_nobodys_until_it_is_settled():
    """An address whose link may still be there is not handed out, not even by name."""
    made = pool("10.1.1.0/30")
    given(made, 1)
    held = made.hold(pod(1))
    with pytest.raises(ExhaustedError):
        made.allocate(pod(2))
    with pytest.raises(TakenError, match="cooling down after octet/container1/eth0"):
        made.allocate(pod(2), [ip_address("10.1.1.2")])
    made.settle(held)
    assert given(made, 2) == ["10.1.1.2"]


def test_a_late_settlement_frees_nothing_of_the_next_owner():
    """Settling again, when the address has a new owner or cools down after that one, changes nothing."""
    made = pool("10.1.1.0/30")
    given(made, 1)
    held = made.hold(pod(1))
    made.settle(held)
    given(made, 2)
    made.settle(held)
    assert (made.counts(4).used, made.counts(4).free) == (1, 0)
    made.hold(pod(2))
    made.settle(held)
    assert (made.counts(4).cooling, made.counts(4).free) == (1, 0)


def test_an_owner_may_come_back_while_its_old_address_cools():
    """An attachment made anew before its old link is gone has another address."""
    made = pool()
    given(made, 1)
    first = made.hold(pod(1))
    assert given(made, 1) == ["10.1.1.3"]
    second = made.hold(pod(1))
    made.settle(first)
    made.settle(second)
    assert [str(each) for each in made.state().freed] == ["10.1.1.2", "10.1.1.3"]


def test_a_requested_address_is_given():
    """An address asked for by name is given, the other family as usual, and not handed out again."""
    made = pool("10.1.1.0/29", "fd00:1::/64")
    assert given(made, 1, "10.1.1.2") == ["10.1.1.2", "fd00:1::2"]
    assert given(made, 2, "fd00:1::9") == ["10.1.1.3", "fd00:1::9"]


def test_a_requested_address_that_is_taken_names_its_owner():
    """Asking for another's address says whose it is, and takes nothing."""
    made = pool("10.1.1.0/29", "fd00:1::/64")
    given(made, 1)
    with pytest.raises(TakenError, match=r"10\.1\.1\.2 is used by octet/container1/eth0") as refused:
        made.allocate(pod(2), [ip_address("10.1.1.2")])
    assert (refused.value.by, made.counts(6).used) == (pod(1), 1)


@pytest.mark.parametrize(
    ("requested", "problem"),
    [
        (["10.1.1.0"], "reserved"),
        (["10.1.1.1"], "reserved"),
        (["10.1.1.7"], "reserved"),
        (["10.1.2.1"], "outside"),
        (["fd00::1"], "lacks the family"),
        (["10.1.1.2", "10.1.1.3"], "second of its family"),
    ],
)
def test_a_requested_address_must_be_usable(requested, problem):
    """Asking for a reserved or foreign address, or two of a family, is refused with the reason."""
    with pytest.raises(BadConfigurationError, match=problem):
        pool().allocate(pod(1), [ip_address(each) for each in requested])


def test_an_owner_cannot_ask_for_another_address_than_it_has():
    """An owner who has an address and asks for a different one is told what it has."""
    made = pool()
    given(made, 1)
    with pytest.raises(BadConfigurationError, match=r"has 10\.1\.1\.2 already"):
        made.allocate(pod(1), [ip_address("10.1.1.4")])


def test_configured_ranges_bound_everything():
    """With ranges only their addresses are handed out, in order, or may be asked for."""
    made = pool("10.1.1.0/24", ranges=[("10.1.1.20", "10.1.1.21"), ("10.1.1.10", "10.1.1.10")])
    assert [given(made, n)[0] for n in range(3)] == ["10.1.1.10", "10.1.1.20", "10.1.1.21"]
    with pytest.raises(
        ExhaustedError, match=r"in 10\.1\.1\.10-10\.1\.1\.10, 10\.1\.1\.20-10\.1\.1\.21: 3 in total"
    ):
        made.allocate(pod(3))
    with pytest.raises(BadConfigurationError, match="outside"):
        made.allocate(pod(3), [ip_address("10.1.1.30")])


@pytest.mark.parametrize(
    "ranges",
    [
        [("10.1.0.9", "10.1.1.3")],
        [("10.1.1.9", "10.1.2.0")],
        [("10.1.1.9", "10.1.1.8")],
        [("10.1.1.2", "10.1.1.9"), ("10.1.1.9", "10.1.1.12")],
        [("10.1.1.2", "fd00::1")],
        [("fd00::1", "fd00::2")],
        [("10.1.1.0", "10.1.1.1")],
    ],
    ids=["below", "above", "reversed", "overlapping", "mixed", "family", "reserved"],
)
def test_wrong_ranges_are_refused(ranges):
    """Ranges that are outside, reversed, overlapping, of a wrong family or all reserved are refused."""
    with pytest.raises(BadConfigurationError, match=r"ranges|networks"):
        pool("10.1.1.0/24", ranges=ranges)


@pytest.mark.parametrize("networks", [["10.1.1.0/24", "10.1.2.0/24"], ["10.1.1.1/32"], ["10.1.1.0/31"]])
def test_wrong_networks_are_refused(networks):
    """Two networks of a family, and networks without room for a pod, are refused."""
    with pytest.raises(BadConfigurationError):
        pool(*networks)


def test_no_network_at_all_is_refused():
    """A pool needs a network."""
    with pytest.raises(BadConfigurationError):
        Pool([])


def test_a_request_may_bring_ranges():
    """A request's own ranges bound its family only; used up, the longest free address inside is next."""
    made = pool("10.1.1.0/24", "fd00:1::/64")
    wanted = [("10.1.1.40", "10.1.1.41")]
    assert [given(made, n, ranges=wanted) for n in (1, 2)] == [
        ["10.1.1.40", "fd00:1::2"],
        ["10.1.1.41", "fd00:1::3"],
    ]
    made.release(pod(2))
    made.release(pod(1))
    assert given(made, 3, ranges=wanted)[0] == "10.1.1.41"
    assert given(made, 4)[0] == "10.1.1.2"


def test_a_requests_ranges_lie_inside_the_pools():
    """A request's ranges outside the pool's, reversed or of a missing family are refused."""
    made = pool("10.1.1.0/24", ranges=[("10.1.1.10", "10.1.1.20")])
    for wanted in (("10.1.1.5", "10.1.1.12"), ("10.1.1.12", "10.1.1.11"), ("fd00::1", "fd00::2")):
        with pytest.raises(BadConfigurationError):
            given(made, 1, ranges=[wanted])
    with pytest.raises(BadConfigurationError, match="outside"):
        given(made, 1, "10.1.1.19", ranges=[("10.1.1.10", "10.1.1.12")])


def test_a_large_network_reuses_addresses():
    """A /64 hands out its first 65,536 addresses unasked, so that its history has an end."""
    made = pool("fd00:1::/64")
    assert made.counts(6).total == AUTOMATIC
    assert given(made, 1, "fd00:1::ffff:1") == ["fd00:1::ffff:1"]
    made.release(pod(1))
    assert (given(made, 2), len(made.state().freed)) == (["fd00:1::2"], 1)


def test_ranges_far_up_in_a_large_network_reuse_the_longest_free():
    """Also where nothing is handed out unasked, a request's range reuses the longest free address."""
    made, far = pool("fd00:1::/64"), [("fd00:1::a:0", "fd00:1::a:1")]
    for number in (1, 2):
        given(made, number, ranges=far)
    for number in (2, 1):
        made.release(pod(number))
    assert given(made, 3, ranges=far) == ["fd00:1::a:1"]


def test_a_restart_keeps_everything():
    """A pool built from another's state has the same owners, cooling addresses and order of reuse."""
    made = pool("10.1.1.0/29")
    for number in range(4):
        given(made, number)
    made.release(pod(1))
    made.release(pod(0))
    held = made.hold(pod(2))
    again = pool("10.1.1.0/29", state=made.state())
    assert again.state() == made.state()
    assert [given(again, n) for n in (3, 5, 6, 7)] == [["10.1.1.5"], ["10.1.1.6"], ["10.1.1.3"], ["10.1.1.2"]]
    again.settle(held)
    assert given(again, 8) == ["10.1.1.4"]


def test_a_restart_after_the_cidr_changed():
    """Pods from before a change of the node's CIDR keep their addresses, and can be released."""
    old = pool("10.1.1.0/29")
    kept = old.allocate(pod(1))
    made = pool("10.1.2.0/29", state=old.state())
    assert (made.allocate(pod(1)), given(made, 2)) == (kept, ["10.1.2.2"])
    assert (made.release(pod(1)), made.state().freed) == (kept, ())


@pytest.mark.parametrize("field", ["allocations", "cooling"])
def test_a_state_that_gives_an_address_twice_is_refused(field):
    """A state in which two owners have one address is not believed."""
    first, second = (Allocation(pod(n), ip_address("10.1.1.2")) for n in (1, 2))
    state = State((first, second)) if field == "allocations" else State((first,), (second,))
    with pytest.raises(ValueError, match=r"10\.1\.1\.2 belongs to"):
        pool(state=state)


def test_a_state_that_gives_an_owner_twice_is_refused():
    """A state in which one owner has two allocations is not believed."""
    first, second = (Allocation(pod(1), ip_address(f"10.1.1.{n}")) for n in (2, 3))
    with pytest.raises(ValueError, match="two allocations"):
        pool(state=State((first, second)))
