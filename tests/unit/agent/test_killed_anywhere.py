"""A kill between any two steps: before each write of the journal and before each object of the kernel."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent_node import AgentNode
from octet.agent.journal import Journal
from octet.agent.records import State
from octet.blueprint import Blueprint
from octet.kernel.fake.world import Namespace

PORTS = {"runtimeConfig": {"portMappings": [{"hostPort": 8080, "containerPort": 80}]}}
STEPS_AT_MOST = 60
FEWEST_STEPS = 3


class Killed(BaseException):
    """The process is no more: nothing that it would do afterwards happens."""


class Reaper:
    """Counts steps and kills at one of them; whatever the dead process tries after it fails, too."""

    def __init__(self, at: int) -> None:
        self.left = at

    def step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed

    def before(self, act: Callable[..., Any]) -> Callable[..., Any]:
        """Return the same call with a step before it."""

        def counted(*arguments: Any, **keys: Any) -> Any:
            self.step()
            return act(*arguments, **keys)

        return counted


def deadly(patch: pytest.MonkeyPatch, at: int) -> None:
    """Make every write a step."""
    reaper = Reaper(at)
    for name in ("write", "mark", "forget"):
        patch.setattr(Journal, name, reaper.before(getattr(Journal, name)))
    patch.setattr(Namespace, "refuse", reaper.before(Namespace.refuse))


async def restarted(here: AgentNode) -> None:
    """Start the agent again, let it sync and reap."""
    here.start()
    await here.sync()
    here.reap()


def consistent(here: AgentNode) -> None:
    """Kernel, journal, pool and memory tell the same, and nothing is half done."""
    entries = list(here.endpoints)
    assert all(entry.state is State.READY for entry in entries)
    assert {entry.attachment for entry in here.journal.entries()} == {e.attachment for e in entries}
    assert here.links() == {entry.endpoint.host_link for entry in entries}
    assert here.endpoints.pool is not None
    counts = here.endpoints.pool.counts(4)
    assert (counts.used, counts.cooling) == (len(entries), 0)
    wanted = here.desired.blueprint()
    assert here.kernel.read(wanted) == wanted
    assert here.network.failures == []


def add(here: AgentNode) -> None:
    here.add("new", here.places["new"], **PORTS)


def delete(here: AgentNode) -> None:
    here.call("DEL", "old", here.places["old"])
    here.reap()


def again(here: AgentNode) -> None:
    here.call("DEL", "old", here.places["old"])
    here.add("old", here.places["old"])


def collect(here: AgentNode) -> None:
    here.call("GC", "", **{"cni.dev/valid-attachments": []})
    here.reap()


@pytest.mark.parametrize("work", [add, delete, again, collect])
async def test_a_kill_anywhere_leaves_whole_things_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: Callable[[AgentNode], None]
) -> None:
    """Killed at any step, a restarted agent has each endpoint wholly or not at all, and leaks nothing."""
    for at in range(STEPS_AT_MOST):
        (tmp_path / str(at)).mkdir()
        here = AgentNode(tmp_path / str(at))
        await here.sync()
        here.places = {name: here.world.create() for name in ("old", "new")}
        here.add("old", here.places["old"])
        killed = False
        with monkeypatch.context() as patch:
            deadly(patch, at)
            try:
                work(here)
            except Killed:
                killed = True
        await restarted(here)
        consistent(here)
        unattached = set(here.places) - {entry.attachment.container for entry in here.endpoints}
        for name in unattached:
            assert not len(here.kernel.enter(here.places[name]).read(Blueprint()))
        here.close()
        if not killed:
            assert at >= FEWEST_STEPS
            return
    raise AssertionError("it has more steps than this test looks at")


async def test_a_runtime_can_repeat_what_was_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a killed ADD left, the runtime's DEL and its next ADD of the same pod succeed."""
    for at in range(STEPS_AT_MOST):
        (tmp_path / str(at)).mkdir()
        here = AgentNode(tmp_path / str(at))
        await here.sync()
        here.places = {"new": here.world.create()}
        with monkeypatch.context() as patch:
            deadly(patch, at)
            try:
                add(here)
            except Killed:
                pass
            else:
                break
        here.start()
        assert here.call("DEL", "new") == {}
        await here.sync()
        assert "code" not in here.add("new", here.places["new"], **PORTS)
        here.close()
