"""A session with a node that is wanted no more stays until what takes its place can be up."""

from collections.abc import Callable

from octet.agent.parting import Parting
from octet.blueprint import Blueprint, ConfigFile

SESSION = ConfigFile("bgp", "node.node2.conf", ("old\n",))
OTHER = ConfigFile("bgp", "node.node2.conf", ("new\n",))
COMMON = ConfigFile("bgp", "owned.conf", ("text\n",))
NOTHING = Blueprint()


class Later:
    """What is to be done later, done when a test says so."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []
        self.again: list[str] = []
        self.parting = Parting(self.again.append)
        self.parting.later = self.waiting.append

    def pass_by(self) -> None:
        """Let the time be over."""
        waiting, self.waiting = self.waiting, []
        for each in waiting:
            each()


def test_a_session_stays_for_its_time() -> None:
    """It is kept however often its node is decided about meanwhile, and goes when its time is over."""
    here, before = Later(), Blueprint([SESSION, COMMON])
    for _ in range(3):
        assert here.parting.kept("node2", before, NOTHING) == Blueprint([SESSION])
    assert len(here.waiting) == 1
    here.pass_by()
    assert here.again == ["node2"]
    assert here.parting.kept("node2", before, NOTHING) == NOTHING


def test_a_session_that_is_wanted_again_has_no_time_to_end() -> None:
    """What says something else is in force at once, and nothing of an earlier decision ends it."""
    here, before = Later(), Blueprint([SESSION])
    here.parting.kept("node2", before, NOTHING)
    assert here.parting.kept("node2", before, Blueprint([OTHER])) == Blueprint([OTHER])
    here.pass_by()
    assert here.again == []
    assert here.parting.kept("node2", Blueprint([OTHER]), NOTHING) == Blueprint([OTHER])


def test_without_somebody_who_waits_nothing_is_kept() -> None:
    """A decision for a moment, such as a test's or a preview's, is the whole of it."""
    parting = Parting(lambda _name: None)
    assert parting.kept("node2", Blueprint([SESSION]), NOTHING) == NOTHING
