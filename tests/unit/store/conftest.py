"""Stores to test: every one that keeps the contract, and builders of small objects."""

import asyncio
import contextlib

import pytest

from octet.store.embedded import EmbeddedStore
from octet.store.memory import MemoryStore


@pytest.fixture
def path(tmp_path):
    """Where a test's embedded store is."""
    return tmp_path / "store.db"


@pytest.fixture(params=["embedded", "memory"])
async def store(request, path):
    """One store of each kind, remembering 20 events."""
    made = EmbeddedStore(path, keep=20) if request.param == "embedded" else MemoryStore(keep=20)
    async with made as opened:
        yield opened


def node(name, **labels):
    """Return a Node object."""
    return {"metadata": {"name": name, "labels": labels}}


async def take(stream, count, seconds=5.0):
    """Return the next events of a watch."""
    async with asyncio.timeout(seconds), contextlib.aclosing(stream):
        return [event async for event, _ in _counted(stream, count)]


async def _counted(stream, count):
    for number in range(count):
        yield await anext(stream), number


@pytest.fixture
def build():
    """Give the builders to tests."""
    return node


@pytest.fixture
def following():
    """Give the watch reader to tests."""
    return take
