import pytest

from agent_node import AgentNode
from octet.agent.journal import Journal
from octet.blueprint import Link
from octet.errors import BadConfigurationError


def unwritable(here: AgentNode, *, so: bool = True) -> None:
    """Let the journal's disk be full, or have room again."""
    here.journal._base.execute(f"PRAGMA query_only = {'ON' if so else 'OFF'}")


def test_without_a_journal_no_pod_is_attached(here: AgentNode) -> None:
    """An ADD that cannot be noted is refused and leaves nothing, and the trouble is told until it is over."""
    before = here.links()
    unwritable(here)
    assert here.add()["code"] == 5
    assert here.links() == before
    assert "cannot be written" in here.endpoints.trouble[0]
    unwritable(here, so=False)
    here.journal.try_again()
    assert here.endpoints.trouble == []
    assert "ips" in here.add()


def test_without_a_journal_pods_can_end(here: AgentNode) -> None:
    """A DEL that cannot be noted cuts the pod off all the same; once there is room it is forgotten."""
    here.add()
    unwritable(here)
    assert here.call("DEL") == {}
    assert here.links() == set()
    with pytest.raises(OSError, match="readonly"):
        here.reap()
    unwritable(here, so=False)
    here.reap()
    here.start()
    assert list(here.endpoints) == []


async def test_an_attachment_that_came_back_is_not_forgotten(here: AgentNode) -> None:
    """A pod that ended on a full disk and was attached again stays attached when the old one is forgotten."""
    here.add()
    unwritable(here)
    here.call("DEL")
    unwritable(here, so=False)
    here.add()
    here.reap()
    here.start()
    assert [str(entry.attachment) for entry in here.endpoints] == ["octet/c1/eth0"]


def test_pods_that_the_journal_lacks_are_strangers(here: AgentNode) -> None:
    """Links of pods are named where a journal does not know them; nobody else's link is, nor a known one."""
    here.add()
    assert here.endpoints.strangers() == []
    here.journal.close()
    (here.directory / "journal.db").unlink()
    here.start()
    (stranger,) = here.endpoints.strangers()
    assert "pod octet/c1/eth0" in stranger
    assert any(stranger.startswith(link.name) for link in here.kernel.read(here.desired.blueprint()).of(Link))


def test_a_damaged_journal_says_what_would_do(here: AgentNode) -> None:
    """A file that is no journal is refused by its name, and no advice would cut off a pod."""
    here.journal.close()
    path = here.directory / "journal.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(BadConfigurationError, match="put back a good copy") as refused:
        Journal(path)
    assert str(path) in str(refused.value)
