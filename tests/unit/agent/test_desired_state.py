import pytest

from octet.agent.desired import Desired
from octet.blueprint import Blueprint, Sysctl

FORWARD = Sysctl("net/ipv4/ip_forward", "1")
OTHER = Sysctl("net/ipv4/conf/all/rp_filter", "2")


def test_a_contribution_becomes_its_difference() -> None:
    """Replacing an owner's part changes only what differs from its part before."""
    desired = Desired()
    desired.replace("a", Blueprint([FORWARD]))
    change = desired.replace("a", Blueprint([FORWARD, OTHER]))
    assert (change.add, change.alter, change.remove) == ((OTHER,), (), ())


def test_what_two_want_stays_until_both_let_go() -> None:
    """An object that two owners want is added once and removed with the last of them."""
    desired = Desired()
    desired.replace("a", Blueprint([FORWARD]))
    assert not desired.replace("b", Blueprint([FORWARD]))
    assert not desired.replace("a", Blueprint())
    assert desired.replace("b", Blueprint()).remove == (FORWARD,)


def test_a_conflict_changes_nothing() -> None:
    """Two owners cannot want two values of one thing; the refused part leaves no trace."""
    desired = Desired()
    desired.replace("a", Blueprint([FORWARD]))
    with pytest.raises(ValueError, match="another has"):
        desired.replace("b", Blueprint([OTHER, Sysctl(FORWARD.path, "0")]))
    assert desired.blueprint() == Blueprint([FORWARD])


def test_an_owner_may_change_its_own_mind() -> None:
    """An object that one owner alone wants can be altered by it."""
    desired = Desired()
    desired.replace("a", Blueprint([FORWARD]))
    off = Sysctl(FORWARD.path, "0")
    assert desired.replace("a", Blueprint([off])).alter == ((FORWARD, off),)
    assert desired.objects[off.key] == off
