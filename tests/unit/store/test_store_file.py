"""The embedded store's file: who may read it, what is refused, what happens to it under one's hands."""

import asyncio
import sqlite3
import stat
from itertools import pairwise

import pytest

from octet.errors import BadConfigurationError
from octet.store import embedded
from octet.store.contract import UnavailableError
from octet.store.embedded import EmbeddedStore
from octet.store.tables import VERSION


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


async def fill(path, build, *names):
    async with EmbeddedStore(path) as store:
        for name in names:
            await store.create("Node", build(name))


async def test_only_the_owner_can_read(path, build, following):
    """File, companions and bells are for the owner only, whatever the umask."""
    async with EmbeddedStore(path) as store:
        await store.create("Node", build("node1"))
        await following(store.watch("Node", 0), 1)
        bells = path.with_name("store.db.watchers")
        files = [path, path.with_name("store.db-wal"), path.with_name("store.db-shm"), *bells.iterdir()]
        assert [mode(each) for each in files] == [0o600] * 4
        assert mode(bells) == 0o700


async def test_content_survives(path, build):
    """What was stored is there for the next process, and revisions go on."""
    await fill(path, build, "node1")
    await fill(path, build, "node2")
    async with EmbeddedStore(path) as store:
        listing = await store.list("Node")
    assert ([each["metadata"]["name"] for each in listing.objects], listing.revision) == (
        ["node1", "node2"],
        2,
    )


async def test_a_watcher_far_behind_catches_up(path, build, following):
    """A watch that is more than one page of events behind gets all of them, in order."""
    async with EmbeddedStore(path) as store:
        for number in range(1200):
            await store.create("Node" if number % 2 else "Pod", build(f"n{number}"))
        events = await following(store.watch("Node", 0), 600)
    assert [event.revision for event in events] == list(range(2, 1201, 2))


async def test_a_newer_version_is_refused(path, build):
    """A file of a newer schema is refused by name with both versions, and is not touched."""
    await fill(path, build, "node1")
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")
    database.close()
    before = path.read_bytes()
    with pytest.raises(BadConfigurationError) as refused:
        await EmbeddedStore(path).list("Node")
    for word in (str(path), f"schema version = {VERSION + 1}", f"version {VERSION},"):
        assert word in str(refused.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"this is no database at all" * 100, b"\x00" * 5000], ids=["text", "zeros"]
)
async def test_a_file_that_is_no_database_is_refused(path, content):
    """A file with other content is refused by name, and is not touched."""
    path.write_bytes(content)
    with pytest.raises(BadConfigurationError, match=str(path)):
        await EmbeddedStore(path).list("Node")
    assert path.read_bytes() == content


async def test_another_programs_database_is_refused(path):
    """A database that somebody else made is refused, and gets no table from us."""
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE theirs (x)")
    with pytest.raises(BadConfigurationError, match="another program"):
        await EmbeddedStore(path).list("Node")
    assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]
    database.close()


async def test_a_damaged_file_is_refused(path, build):
    """A file whose pages are overwritten is refused as damaged, not answered wrongly."""
    await fill(path, build, *(f"node{number}" for number in range(100)))
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with pytest.raises(BadConfigurationError, match="not a usable store"):
        await EmbeddedStore(path).list("Node")


async def test_a_missing_directory_is_refused(tmp_path):
    """A path in a directory that is not there is a wrong configuration."""
    with pytest.raises(BadConfigurationError, match="is not there"):
        await EmbeddedStore(tmp_path / "missing" / "store.db").list("Node")


async def test_a_directory_is_no_store(tmp_path):
    """A path that is a directory cannot be opened, and says so as one of our errors."""
    with pytest.raises(UnavailableError, match="unable to open"):
        await EmbeddedStore(tmp_path).list("Node")


@pytest.mark.parametrize("pragma", ["max_page_count = 1", "query_only = 1"], ids=["full", "read-only"])
async def test_a_file_that_takes_no_more_is_unavailable(path, build, pragma):
    """When SQLite can't write, a write is unavailable, changes nothing, and reading goes on."""
    async with EmbeddedStore(path) as store:
        await store.create("Node", build("node1"))
        store._tables._db.execute(f"PRAGMA {pragma}")
        with pytest.raises(UnavailableError, match=r"full|readonly"):
            await store.create("Node", {"metadata": {"name": "node2"}, "spec": "x" * 100_000})
        assert len((await store.list("Node")).objects) == 1


async def test_a_short_lock_is_waited_for(path, build):
    """A write waits while another process holds the file, without blocking the loop for over 100 ms."""
    async with EmbeddedStore(path) as store:
        await store.create("Node", build("node1"))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        clock = asyncio.get_running_loop().time
        write = asyncio.create_task(store.create("Node", build("node2")))
        turns = [clock()]
        while turns[-1] < turns[0] + 0.2:
            await asyncio.sleep(0.001)
            turns.append(clock())
        other.execute("ROLLBACK")
        other.close()
        assert (await write)["metadata"]["name"] == "node2"
    pauses = sorted(later - earlier for earlier, later in pairwise(turns))
    assert len(turns) > 3
    assert pauses[len(pauses) // 2] < 0.1


async def test_a_long_lock_makes_it_unavailable(path, build, monkeypatch):
    """A file that stays locked is unavailable in the end, and says why."""
    monkeypatch.setattr(embedded, "PATIENCE", 0.1)
    async with EmbeddedStore(path) as store:
        await store.create("Node", build("node1"))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UnavailableError, match="locked"):
            await store.create("Node", build("node2"))
        other.close()


async def test_a_file_that_vanished_is_not_made_again(path, build):
    """When the file is deleted, the store is unavailable: an empty one would read as an empty cluster."""
    async with EmbeddedStore(path) as store:
        await store.create("Node", build("node1"))
        path.unlink()
        with pytest.raises(UnavailableError, match="is gone"):
            await store.list("Node")
    assert not path.exists()


async def test_another_file_in_its_place_ends_watches(path, tmp_path, build, following, monkeypatch):
    """When another file takes its place, reads and watches say so instead of following the other file."""
    monkeypatch.setattr(embedded, "LOOK", 0.05)
    await fill(tmp_path / "other.db", build, "a", "b")
    async with EmbeddedStore(path) as store:
        await store.create("Node", build("node1"))
        waiting = asyncio.create_task(following(store.watch("Node", 1), 1))
        await asyncio.sleep(0.01)
        (tmp_path / "other.db").rename(path)
        with pytest.raises(UnavailableError, match="another file"):
            await waiting
        with pytest.raises(UnavailableError, match="another file"):
            await store.list("Node")


async def test_stores_can_be_opened_at_once(path, build):
    """Many stores that make one new file at once agree on it."""
    stores = [EmbeddedStore(path) for _ in range(10)]
    await asyncio.gather(*(store.create("Node", build(f"n{n}")) for n, store in enumerate(stores)))
    assert (await stores[0].list("Node")).revision == 10
    await asyncio.gather(*(store.close() for store in stores))
