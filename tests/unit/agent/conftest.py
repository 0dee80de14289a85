from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent_node import AgentNode


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[AgentNode]:
    """A node whose agent is ready, IPv4 only."""
    made = AgentNode(tmp_path)
    await made.sync()
    yield made
    made.close()


@pytest.fixture
def fresh(tmp_path: Path) -> AgentNode:
    """A node whose agent does not know the cluster yet."""
    return AgentNode(tmp_path)
