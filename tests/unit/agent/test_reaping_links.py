import asyncio
import errno
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from agent_node import AgentNode
from octet.agent import reaper
from octet.agent.reaper import Reaper


@pytest.fixture
def deleting(here: AgentNode) -> Reaper:
    return Reaper(here.endpoints, here.kernel, ThreadPoolExecutor(1))


def cooling(here: AgentNode) -> int:
    assert here.endpoints.pool is not None
    return here.endpoints.pool.counts(4).cooling


async def test_links_are_deleted_in_groups(
    here: AgentNode, deleting: Reaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several DELs shortly after one another are one deletion, and their addresses are free after it."""
    reaped: list[int] = []
    reap = here.kernel.reap
    monkeypatch.setattr(here.kernel, "reap", lambda: reaped.append(reap()) or reaped[-1])
    for number in range(5):
        here.add(f"c{number}")
    task = asyncio.create_task(deleting.run())
    await asyncio.sleep(0.02)
    for number in range(5):
        here.call("DEL", f"c{number}")
        await asyncio.sleep(0.005)
    assert (cooling(here), sum(reaped)) == (5, 0)
    await asyncio.sleep(reaper.LONGEST)
    assert (cooling(here), max(reaped)) == (0, 5)
    task.cancel()


async def test_a_steady_stream_of_dels_does_not_wait_for_ever(
    here: AgentNode, deleting: Reaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a quiet moment links are still deleted after the longest wait."""
    monkeypatch.setattr(reaper, "LONGEST", 0.05)
    task = asyncio.create_task(deleting.run())
    end, number, freed = time.monotonic() + 5, 0, False
    while not freed and time.monotonic() < end:
        here.add(f"c{number}")
        here.call("DEL", f"c{number}")
        number += 1
        await asyncio.sleep(0.01)
        freed = cooling(here) < number
    assert freed
    task.cancel()


async def test_what_cannot_be_deleted_keeps_its_address(
    here: AgentNode, deleting: Reaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the deletion fails the addresses stay nobody's, and it is tried again."""
    here.add()
    here.call("DEL")

    def fail() -> int:
        raise OSError(errno.ENOBUFS, "no room")

    with monkeypatch.context() as broken:
        broken.setattr(here.kernel, "reap", fail)
        await deleting.reap()
    assert cooling(here) == 1
    await deleting.reap()
    assert cooling(here) == 0
