"""Reconciling against the fake: passes, refusals, what comes back after a fall, and what is left."""

import errno
from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network

from hypothesis import given
from hypothesis import strategies as st

from node_state import NODE_STATE
from octet.blueprint import Address, Blueprint, Bridge, Change, KernelObject, Link, Route, Sysctl, Vxlan, nft
from octet.kernel.fake import FakeKernel
from octet.kernel.reconcile import compare, make_gone, make_so, prune

BRIDGE = Link("br0", Bridge(), "bridge")
ADDRESS = Address("br0", ip_interface("10.1.0.1/24"))
ROUTE = Route(ip_network("10.3.0.0/24"), "br0", ip_address("10.1.0.3"))
SETTINGS = set(NODE_STATE.of(Sysctl))


def test_a_whole_node_is_made_and_unmade() -> None:
    """One of each kind is made true, is found true, and is gone after."""
    kernel = FakeKernel()
    assert set(prune(kernel, NODE_STATE).done) == set(NODE_STATE)
    assert kernel.read(NODE_STATE) == NODE_STATE
    assert make_gone(kernel, NODE_STATE).ok
    kernel.reap()
    assert set(kernel.read(NODE_STATE)) <= {replace(item, value="0") for item in SETTINGS}


def test_a_device_made_anew_costs_a_second_pass_only() -> None:
    """What was on a device that had to be deleted is there again when reconciling returns."""
    kernel = FakeKernel()
    prune(kernel, NODE_STATE)
    (old,) = (link for link in NODE_STATE.of(Link) if link.name == "vx0")
    assert isinstance(old.detail, Vxlan)
    new = replace(old, detail=replace(old.detail, vni=77))
    wanted = Blueprint([new, *(item for item in NODE_STATE if item != old)])
    assert prune(kernel, wanted).ok
    assert not compare(kernel, wanted, pruning=True)


def test_a_refusal_is_reported_and_the_rest_is_true() -> None:
    """One object that the kernel will not take leaves all others in force, and is named with its errno."""
    kernel = FakeKernel()
    kernel.refuse(ADDRESS.key, errno.ENOMEM, times=9)
    outcome = make_so(kernel, Blueprint([BRIDGE, ADDRESS, Route(ip_network("10.3.0.0/24"), "br0")]))
    assert [(failure.item, failure.errno) for failure in outcome.failed] == [(ADDRESS, errno.ENOMEM)]
    assert len(outcome.done) == 2


def test_a_passing_refusal_is_overcome() -> None:
    """What fails once and works the next time is done when reconciling returns."""
    kernel = FakeKernel()
    kernel.refuse(BRIDGE.key, errno.EBUSY)
    outcome = make_so(kernel, Blueprint([BRIDGE, ADDRESS, ROUTE]))
    assert (set(outcome.done), outcome.failed) == ({BRIDGE, ADDRESS, ROUTE}, ())


def test_nothing_is_tried_for_ever() -> None:
    """Where nothing moves any more, reconciling ends after one more look."""
    kernel = FakeKernel()
    kernel.refuse(BRIDGE.key, errno.EBUSY, times=1000)
    assert not make_so(kernel, Blueprint([BRIDGE])).ok
    kernel.refuse(BRIDGE.key, errno.EBUSY, times=1)
    assert not kernel.apply(Change(add=(BRIDGE,))).ok
    assert kernel.apply(Change(add=(BRIDGE,))).ok


class Forgetful(FakeKernel):
    """A kernel that takes routes and drops them without a word."""

    def read(self, wanted: Blueprint) -> Blueprint:
        """Return everything but routes."""
        return Blueprint(item for item in super().read(wanted) if not isinstance(item, Route))


def test_what_does_not_stay_has_failed() -> None:
    """An object that was accepted and is not there is no success."""
    outcome = make_so(Forgetful(), Blueprint([BRIDGE, ADDRESS, ROUTE]))
    assert [failure.item for failure in outcome.failed] == [ROUTE]
    assert "still it is not so" in outcome.failed[0].reason
    assert set(outcome.done) == {BRIDGE, ADDRESS}


def test_an_inconsistent_table_is_refused_as_a_whole() -> None:
    """A rule that looks up a set that is not there takes the whole transaction down."""
    kernel = FakeKernel()
    rule = nft.Rule(nft.Lookup(nft.SADDR4, into="none"), nft.DROP)
    bad, good = nft.Chain("bad", (rule,)), nft.Set("good", ("ipv4_addr",))
    outcome = kernel.apply(Change(add=(bad, good, BRIDGE)))
    assert {failure.item for failure in outcome.failed} == {bad, good}
    assert outcome.done == (BRIDGE,)
    assert kernel.read(Blueprint()) == Blueprint([BRIDGE])


OBJECTS = st.lists(st.sampled_from(sorted(NODE_STATE, key=str)), unique_by=lambda item: item.key)


def closed(items: list[KernelObject]) -> Blueprint:
    """Leave out what stands on something that is not among the items."""
    kernel = FakeKernel()
    kernel.apply(Change(add=tuple(items)))
    return kernel.read(Blueprint(items))


@given(OBJECTS, OBJECTS)
def test_any_state_follows_any_other(first: list[KernelObject], second: list[KernelObject]) -> None:
    """Pruning from any state to any other makes exactly the other true, and then has nothing to do."""
    kernel = FakeKernel()
    old, new = closed(first), closed(second)
    assert prune(kernel, old).ok
    outcome = prune(kernel, new)
    assert outcome.ok, [str(failure) for failure in outcome.failed]
    assert not compare(kernel, new, pruning=True)
    assert prune(kernel, new).done == ()
