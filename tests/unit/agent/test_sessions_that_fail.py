"""A BGP session that can't be made is told, and stops neither pods nor anything else."""

import errno
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent_node import AgentNode
from octet import models

ROUTER = {"peer-router-ips": "192.0.2.254", "peer-router-asns": "65001"}
PEER = ("config", "bgp", "peer.192.0.2.254.conf")
OWNED = ("config", "bgp", "owned.conf")


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[AgentNode]:
    """A node that has a session with one router, before its agent begins."""
    made = AgentNode(tmp_path, model="kube-router")
    made.running = models.find("kube-router").parse(ROUTER, source="test")
    made.start()
    yield made
    made.close()


async def test_one_session_that_cannot_be_made_does_not_close_the_node(here: AgentNode) -> None:
    """Its failure is told, and pods are attached: by an agent that runs and by one that begins with it."""
    here.kernel.refuse(PEER, errno.EINVAL, times=99)
    await here.sync()
    assert (here.endpoints.open, here.network.trouble) == (True, [])
    assert "peer.192.0.2.254.conf" in here.network.failures[0]
    assert "code" not in here.add()
    assert here.call("STATUS") == {}


async def test_what_all_sessions_need_still_closes_it(here: AgentNode) -> None:
    """A node that can't say which pods are its own takes no new ones."""
    here.kernel.refuse(OWNED, errno.EINVAL, times=99)
    await here.sync()
    assert not here.endpoints.open
    assert "owned.conf" in here.network.trouble[0]
    assert here.add()["code"] == 11
