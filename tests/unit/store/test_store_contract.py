"""What every store promises: one suite, run over each."""

import asyncio

import pytest

from octet.errors import BadConfigurationError, NotFoundError
from octet.store.contract import ConflictError, EventType, ExpiredError, UnavailableError


def revision(item):
    return int(item["metadata"]["resourceVersion"])


async def test_what_is_created_can_be_read(store):
    """A created object is found by kind, name and namespace, and has identity and revision."""
    item = {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"ports": [1, 2.5, None, True]}}
    made = await store.create("Service", item)
    assert await store.get("Service", "web", "shop") == made
    assert made["spec"] == item["spec"]
    assert (made["kind"], revision(made), len(made["metadata"]["uid"])) == ("Service", 1, 36)


async def test_what_is_not_there_is_not_found(store, build):
    """Reading, updating or deleting what is not there says so."""
    await store.create("Node", build("node1"))
    with pytest.raises(NotFoundError, match="Node node2"):
        await store.get("Node", "node2")
    with pytest.raises(NotFoundError):
        await store.get("Node", "node1", "shop")
    with pytest.raises(NotFoundError):
        await store.update("Node", build("node2"))
    with pytest.raises(NotFoundError):
        await store.delete("Node", "node2")


async def test_a_name_can_be_created_once(store, build):
    """Creating what exists is a conflict, and changes nothing."""
    made = await store.create("Node", build("node1"))
    with pytest.raises(ConflictError):
        await store.create("Node", build("node1", a="b"))
    assert await store.get("Node", "node1") == made


async def test_an_update_replaces_and_keeps_the_identity(store, build):
    """An update replaces the content, not identity and time of creation, at a new revision."""
    made = await store.create("Node", build("node1", a="b"))
    changed = await store.update("Node", build("node1", c="d"))
    assert changed["metadata"]["labels"] == {"c": "d"}
    assert revision(changed) > revision(made)
    for field in ("uid", "creationTimestamp"):
        assert changed["metadata"][field] == made["metadata"][field]


async def test_compare_and_swap(store, build):
    """Of two updates made from one revision the second is a conflict."""
    made = await store.create("Node", build("node1"))
    made["metadata"]["labels"] = {"first": "yes"}
    won = await store.update("Node", made)
    with pytest.raises(ConflictError, match="revision 2"):
        await store.update("Node", {**made, "metadata": {**made["metadata"], "labels": {"second": "yes"}}})
    assert await store.get("Node", "node1") == won


async def test_an_update_of_another_identity_is_a_conflict(store, build):
    """An update that names another uid meant an object that is gone."""
    await store.create("Node", build("node1"))
    with pytest.raises(ConflictError, match="uid"):
        await store.update("Node", {"metadata": {"name": "node1", "uid": "other"}})


async def test_equal_content_is_no_change(store, build):
    """Storing what is stored keeps the revision, and no watcher hears of it."""
    made = await store.create("Node", build("node1", a="b"))
    assert await store.update("Node", build("node1", a="b")) == made
    assert (await store.list("Node")).revision == 1


async def test_a_deletion_can_be_bound_to_a_revision(store, build):
    """A deletion at an old revision is a conflict; at the right one, or at none, it deletes."""
    made = await store.create("Node", build("node1"))
    changed = await store.update("Node", build("node1", a="b"))
    with pytest.raises(ConflictError):
        await store.delete("Node", "node1", revision=revision(made))
    await store.delete("Node", "node1", revision=revision(changed))
    assert len((await store.list("Node")).objects) == 0


async def test_a_list_has_one_kind_by_name(store, build):
    """A list holds the objects of its kind only, in the order of their names, at one revision."""
    for name in ("node2", "node1"):
        await store.create("Node", build(name))
    await store.create("Namespace", build("shop"))
    listing = await store.list("Node")
    assert ([each["metadata"]["name"] for each in listing.objects], listing.revision) == (
        ["node1", "node2"],
        3,
    )


async def test_a_list_is_a_sequence(store, build):
    """A list can be indexed, cut and gone through again."""
    for name in ("a", "b", "c"):
        await store.create("Node", build(name))
    objects = (await store.list("Node")).objects
    assert [each["metadata"]["name"] for each in (*objects[1:], objects[0], *objects[-1:])] == [
        "b",
        "c",
        "a",
        "c",
    ]


async def test_a_watch_tells_everything_in_order(store, build, following):
    """A watch from a revision yields every later change of its kind; a deletion carries the last state."""
    await store.create("Node", build("before"))
    start = (await store.list("Node")).revision
    await store.create("Node", build("node1"))
    await store.create("Namespace", build("shop"))
    await store.update("Node", build("node1", a="b"))
    await store.delete("Node", "node1")
    events = await following(store.watch("Node", start), 3)
    assert [(event.type, event.revision) for event in events] == [
        (EventType.ADDED, 2),
        (EventType.MODIFIED, 4),
        (EventType.DELETED, 5),
    ]
    assert events[2].object["metadata"]["labels"] == {"a": "b"}
    assert [revision(event.object) for event in events] == [2, 4, 5]


async def test_a_watch_wakes_on_a_change(store, build, following):
    """A watch that waits yields a change made later, within 50 ms at the median."""
    clock, delays = asyncio.get_running_loop().time, []
    for number in range(11):
        seen = asyncio.create_task(following(store.watch("Node", number), 1))
        await asyncio.sleep(0.005)
        start = clock()
        await store.create("Node", build(f"node{number}"))
        await seen
        delays.append(clock() - start)
    assert sorted(delays)[5] < 0.05


async def test_a_list_and_a_watch_miss_nothing(store, build, following):
    """Events after a list bring its copy to the truth, whatever happened in between."""
    await store.create("Node", build("node1"))
    listing = await store.list("Node")
    await store.delete("Node", "node1")
    await store.create("Node", build("node2"))
    known = {each["metadata"]["name"]: each for each in listing.objects}
    for event in await following(store.watch("Node", listing.revision), 2):
        name = event.object["metadata"]["name"]
        known = {key: value for key, value in known.items() if key != name}
        if event.type is not EventType.DELETED:
            known[name] = event.object
    assert list(known.values()) == list((await store.list("Node")).objects)


async def test_an_old_revision_expires(store, build, following):
    """A watch from before the log's memory, or from a future that never was, has expired."""
    for number in range(25):
        await store.create("Node", build(f"node{number}"))
    for start in (0, 4, 26, 1000):
        with pytest.raises(ExpiredError):
            await following(store.watch("Node", start), 1)
    assert len(await following(store.watch("Node", 5), 20)) == 20


async def test_an_idle_watch_does_not_expire(store, build, following):
    """A watch of a quiet kind outlives any number of changes of other kinds."""
    quiet = asyncio.create_task(following(store.watch("Service", 0), 1))
    for number in range(60):
        await store.create("Node", build(f"node{number}"))
        await asyncio.sleep(0.001)
    await store.create("Service", build("web"))
    assert (await quiet)[0].revision == 61


async def test_several_watches_see_the_same(store, build, following):
    """Watches of one store do not take events from each other."""
    streams = [asyncio.create_task(following(store.watch("Node", 0), 3)) for _ in range(3)]
    await asyncio.sleep(0)
    for number in range(3):
        await store.create("Node", build(f"node{number}"))
    first, second, third = await asyncio.gather(*streams)
    assert first == second == third


async def test_what_goes_in_and_comes_out_are_copies(store, build):
    """Changing an object that was given or returned does not change what is stored."""
    given = build("node1", a="b")
    returned = await store.create("Node", given)
    given["metadata"]["labels"]["a"] = returned["metadata"]["labels"]["a"] = "changed"
    assert (await store.get("Node", "node1"))["metadata"]["labels"] == {"a": "b"}


@pytest.mark.parametrize(
    "name", ["", "Node", "a b", "-a", "a-", "a/b", "../x", "a\n", "ä", "x" * 254, 7, None]
)
async def test_a_name_follows_rfc_1123(store, name):
    """A name that is no lower-case DNS name of 253 bytes is refused."""
    with pytest.raises(BadConfigurationError, match=r"metadata\.name"):
        await store.create("Node", {"metadata": {"name": name}})


@pytest.mark.parametrize("namespace", ["Shop", "a.b", "x" * 64, 7])
async def test_a_namespace_is_a_dns_label(store, namespace):
    """A namespace that is no DNS label is refused."""
    with pytest.raises(BadConfigurationError, match=r"metadata\.namespace"):
        await store.create("Pod", {"metadata": {"name": "web", "namespace": namespace}})


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"metadata": "x"},
        {"kind": "Pod", "metadata": {"name": "node1"}},
        {"metadata": {"name": "node1"}, "spec": object()},
        {"metadata": {"name": "node1"}, "spec": "\ud800"},
        {"metadata": {"name": "node1"}, "spec": "x" * 1_572_864},
    ],
    ids=["empty", "metadata", "kind", "not-json", "surrogate", "large"],
)
async def test_what_is_no_object_is_refused(store, item):
    """What has no metadata, another kind, no JSON form or more than 1.5 MiB is refused, and not stored."""
    with pytest.raises(BadConfigurationError):
        await store.create("Node", item)
    assert (await store.list("Node")).revision == 0


@pytest.mark.parametrize("kind", ["node", "", "No de", "N;--"])
async def test_a_kind_is_a_kind(store, build, kind):
    """A kind that is no CamelCase word is refused."""
    with pytest.raises(BadConfigurationError):
        await store.create(kind, build("node1"))


async def test_a_large_object_fits(store):
    """An object just below 1.5 MiB is stored and read back whole."""
    text = "x" * 1_500_000
    await store.create("Node", {"metadata": {"name": "node1"}, "spec": text})
    assert (await store.get("Node", "node1"))["spec"] == text


async def test_closing_ends_watches(store):
    """A closed store ends its watches without an error, and answers nothing more; closing again is fine."""
    stream = store.watch("Node", 0)
    waiting = asyncio.create_task(anext(stream, "ended"))
    await asyncio.sleep(0.01)
    await store.close()
    await store.close()
    assert await waiting == "ended"
    with pytest.raises(UnavailableError):
        await store.list("Node")
