"""A BGP session that can't be made, or not be decided, is told, and stops neither pods nor anything else."""

import errno
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent_node import UNDERLAY, AgentNode, cluster, node
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


PREPEND = {"kube-router.io/path-prepend.as": "64512"}  # half of what is needed


async def test_what_cannot_be_decided_stays_as_it_was(here: AgentNode) -> None:
    """A bad annotation changes no session with a router, and all else is decided on: here an address."""
    await here.sync()
    before = here.desired.objects[PEER]
    moved = replace(UNDERLAY, mtu=1400)
    await here.see(cluster(node(1, annotations=PREPEND), underlay=moved))
    assert here.desired.objects[PEER] is before
    assert here.endpoints.site is not None
    assert here.endpoints.site.network.mtu <= 1400
    assert here.network.problem == ""
    assert "path-prepend.as" in here.network.obstacles[0]


async def test_an_agent_that_begins_with_a_bad_annotation_has_a_network(here: AgentNode) -> None:
    """It starts without the sessions with routers, and makes them when the annotation is mended."""
    here.view = cluster(node(1, annotations=PREPEND))
    here.start()
    await here.sync()
    assert here.endpoints.open
    assert OWNED in here.desired.objects
    assert PEER not in here.desired.objects
    assert "peer.* stays as it was: Node node1" in here.network.obstacles[0]
    await here.see(cluster(node(1)))
    assert PEER in here.desired.objects
    assert here.network.obstacles == []
