"""What a lab refuses as an API server with Calico's kinds would."""

import pytest

from block_world import config, pool
from octet.errors import BadConfigurationError
from octet.lab.admission import TIERED, admit
from octet.lab.directory import Directory
from octet.store.memory import MemoryStore


@pytest.fixture
async def directory():
    """A lab's objects, with one pool."""
    async with MemoryStore() as store:
        made = Directory(store)
        await made.put("IPPool", pool("old", "10.0.0.0/16", 26))
        yield made


@pytest.mark.parametrize(
    ("item", "field"),
    [
        (pool("new", "10.0.128.0/17", 26), "cidr"),
        (pool("old", "10.1.0.0/16", 26), "cidr"),
        (pool("old", "10.0.0.0/16", 28), "blockSize"),
        (pool("six", "fd00::/48", 122, ipipMode="Always"), "ipipMode"),
        (config(autoAllocateBlocks=False), "autoAllocateBlocks"),
    ],
)
async def test_pools_that_contradict_are_refused(directory, item, field):
    """A pool over another one, one that would change its CIDR or block size, or cannot be, is not taken."""
    with pytest.raises(BadConfigurationError, match=field):
        await admit(item["kind"], item, directory)


async def test_what_is_right_is_taken(directory):
    """Other pools, and other fields of the same pool, are taken; so is every other kind as it comes."""
    await admit("IPPool", pool("new", "10.1.0.0/16", 26), directory)
    await admit("IPPool", pool("old", "10.0.0.0/16", 26, natOutgoing=True), directory)
    await admit("Pod", {"metadata": {"name": "x"}}, directory)


@pytest.mark.parametrize("kind", TIERED)
async def test_a_policys_tier_is_there_before_the_policy(directory, kind):
    """A policy of no tier is refused: the specification has no answer for it."""
    item = {"kind": kind, "metadata": {"name": "p", "namespace": "shop"}, "spec": {"tier": "security"}}
    with pytest.raises(BadConfigurationError, match=r"spec.tier = 'security': is no tier's name.*default"):
        await admit(kind, item, directory)
    await admit(kind, {**item, "spec": {}}, directory)
    await directory.put("Tier", {"kind": "Tier", "metadata": {"name": "security"}, "spec": {"order": 1}})
    await admit(kind, item, directory)
