"""The embedded store among processes: writers that are killed, bells that are lost or not answered."""

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from octet.errors import NotFoundError
from octet.store import documents, embedded
from octet.store.bell import Bell
from octet.store.embedded import EmbeddedStore

CHURN = """
import asyncio, random, sys
from octet.store.embedded import EmbeddedStore
from octet.store.contract import ConflictError, NotFoundError

async def main(path, seed):
    dice = random.Random(seed)
    async with EmbeddedStore(path, keep=200) as store:
        while True:
            name, size = f"n{dice.randrange(20)}", dice.randrange(20000)
            item = {"metadata": {"name": name}, "spec": "x" * size}
            try:
                match dice.randrange(3):
                    case 0: done = await store.create("Node", item)
                    case 1: done = await store.update("Node", item)
                    case _: await store.delete("Node", name); continue
            except (ConflictError, NotFoundError):
                continue
            print(done["metadata"]["resourceVersion"], flush=True)

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""

KILLED_BEFORE_THE_BELL = """
import asyncio, os, signal, sys
from octet.store.embedded import EmbeddedStore

async def main(path):
    store = EmbeddedStore(path)
    store._bell.ring = lambda: os.kill(os.getpid(), signal.SIGKILL)
    await store.create("Node", {"metadata": {"name": "node1"}})

asyncio.run(main(sys.argv[1]))
"""

TELL_TIME = """
import asyncio, sys, time
from octet.store.embedded import EmbeddedStore

async def main(path):
    async with EmbeddedStore(path) as store:
        for number in range(21):
            await asyncio.sleep(0.005)
            await store.create("Node", {"metadata": {"name": f"n{number}"}, "now": time.monotonic()})

asyncio.run(main(sys.argv[1]))
"""

COUNT = """
import asyncio, sys
from octet.store.embedded import EmbeddedStore
from octet.store.contract import ConflictError

async def main(path):
    async with EmbeddedStore(path) as store:
        done = 0
        while done < 40:
            item = await store.get("Node", "counter")
            await asyncio.sleep(0.001)
            try:
                await store.update("Node", {**item, "count": item["count"] + 1})
                done += 1
            except ConflictError:
                pass

asyncio.run(main(sys.argv[1]))
"""


def start(program, *arguments):
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def kill_while_writing(path, seed, dice):
    """Start a writer, kill it at a random moment, return the last change that it reported."""
    with start(CHURN, path, seed) as writer:
        said = writer.stdout.readline()
        time.sleep(dice.random() * 0.02)
        writer.kill()
        return int((said + writer.stdout.read()).split("\n")[-2])


def check_consistent(path, acknowledged):
    """Assert that the file is whole, holds what was acknowledged, and that its log explains its objects."""
    database = sqlite3.connect(path)
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    ((revision,),) = database.execute("SELECT revision FROM state")
    events = database.execute("SELECT revision, type, body FROM events ORDER BY revision").fetchall()
    bodies = [body for (body,) in database.execute("SELECT body FROM objects")]
    database.close()
    assert [number for number, _, _ in events] == list(range(max(1, revision - 199), revision + 1))
    assert revision >= acknowledged
    check_log(events, {name_of(body): body for body in bodies})


def check_log(events, objects):
    """Assert that the last event about each name agrees with the object of that name."""
    last = {name_of(body): (happened, body) for _, happened, body in events}
    for name, (happened, body) in last.items():
        assert objects.get(name) == (None if happened == "DELETED" else body)


def name_of(body):
    return documents.decode(body)["metadata"]["name"]


def killed_writers(path, count):
    dice = random.Random(count)
    for seed in range(count):
        check_consistent(path, kill_while_writing(path, seed, dice))


def test_a_killed_writer_leaves_the_store_whole(path):
    """After kill -9 of a writer at a random moment everything acknowledged is there, and the log is exact."""
    killed_writers(path, 3)


@pytest.mark.slow
def test_thirty_killed_writers_leave_the_store_whole(path):
    """The same thirty times over, each writer going on with the file of the killed one."""
    killed_writers(path, 30)


def test_two_writers_at_once_and_one_is_killed(path):
    """A writer goes on where another one is killed beside it."""
    with start(CHURN, path, 1) as victim, start(CHURN, path, 2) as survivor:
        victim.stdout.readline(), survivor.stdout.readline()
        victim.kill()
        before = int(survivor.stdout.readline())
        after = [int(survivor.stdout.readline()) for _ in range(50)]
        survivor.kill()
    assert before < after[0] < after[-1]
    check_consistent(path, after[-1])


async def test_no_update_of_another_process_is_lost(path):
    """Processes that count in one object by compare-and-swap lose no count."""
    async with EmbeddedStore(path) as store:
        await store.create("Node", {"metadata": {"name": "counter"}, "count": 0})
        writers = [start(COUNT, path) for _ in range(3)]
        for writer in writers:
            with writer:
                assert await asyncio.to_thread(writer.wait) == 0
        assert (await store.get("Node", "counter"))["count"] == 120


async def test_a_writer_killed_before_its_bell_loses_nothing(path, following, monkeypatch):
    """A change whose writer was killed between commit and bell is seen at the next look."""
    monkeypatch.setattr(embedded, "LOOK", 0.2)
    async with EmbeddedStore(path) as store:
        waiting = asyncio.create_task(following(store.watch("Node", 0), 1))
        await asyncio.sleep(0.01)
        with start(KILLED_BEFORE_THE_BELL, path) as writer:
            assert await asyncio.to_thread(writer.wait) == -signal.SIGKILL
        (event,) = await asyncio.wait_for(waiting, 1)
    assert event.object["metadata"]["name"] == "node1"


async def test_another_process_is_heard_in_50_ms(path):
    """A change made by another process is seen within 50 ms at the median."""
    delays = []
    async with EmbeddedStore(path) as store:
        stream = store.watch("Node", 0)
        with start(TELL_TIME, path) as writer:
            for _ in range(21):
                event = await anext(stream)
                delays.append(time.monotonic() - event.object["now"])
            await asyncio.to_thread(writer.wait)
        await stream.aclose()
    assert sorted(delays)[10] < 0.05


async def test_a_waiting_watch_costs_nothing(path):
    """A watch without events uses no processor time to speak of: it waits, it does not poll."""
    async with EmbeddedStore(path) as store:
        waiting = asyncio.create_task(anext(store.watch("Node", 0)))
        await asyncio.sleep(0.01)
        before = time.process_time()
        await asyncio.sleep(0.2)
        used = time.process_time() - before
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert used < 0.03


async def test_the_bell_of_a_dead_process_is_taken_down(path, build, following):
    """A bell whose process died is removed by the next writer; a living one stays."""
    async with EmbeddedStore(path) as store:
        waiting = asyncio.create_task(following(store.watch("Node", 0), 1))
        await asyncio.sleep(0.01)
        directory = path.with_name("store.db.watchers")
        (living,) = directory.iterdir()
        dead = Bell(directory)
        dead.listen()
        asyncio.get_running_loop().remove_reader(dead._socket.fileno())
        dead._socket.close()
        await store.create("Node", build("node1"))
        await waiting
        assert list(directory.iterdir()) == [living]
        os.close(dead._descriptor)
    assert list(directory.iterdir()) == []


async def test_a_bell_that_nobody_answers_does_not_hold_up_writers(path, build):
    """A watching process that hangs, its queue full, neither blocks nor fails a writer."""
    directory = path.with_name("store.db.watchers")
    hanging = Bell(directory)
    hanging.listen()
    asyncio.get_running_loop().remove_reader(hanging._socket.fileno())
    async with EmbeddedStore(path) as store:
        for number in range(600):
            await store.create("Node", build(f"node{number}"))
        with pytest.raises(NotFoundError):
            await store.get("Node", "node600")
    hanging.close()


async def test_a_deep_path_has_a_bell(tmp_path, build, following):
    """A store far down in the file system, beyond a socket's 108 bytes, wakes its watchers all the same."""
    deep = tmp_path / ("d" * 120) / ("e" * 120)
    deep.mkdir(parents=True)
    async with EmbeddedStore(deep / "store.db") as store:
        waiting = asyncio.create_task(following(store.watch("Node", 0), 1, 0.5))
        await asyncio.sleep(0.01)
        await store.create("Node", build("node1"))
        assert len(await waiting) == 1
