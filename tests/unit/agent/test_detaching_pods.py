import errno

from agent_node import AgentNode
from octet.cluster.endpoint import Attachment

KEY = Attachment("octet", "c1", "eth0")


def cooling(node: AgentNode) -> int:
    assert node.endpoints.pool is not None
    return node.endpoints.pool.counts(4).cooling


def test_a_del_ends_traffic_and_keeps_the_address(here: AgentNode) -> None:
    """When DEL answers, the pod's link passes nothing; its address is nobody's until the link is gone."""
    here.add()
    assert here.call("DEL") == {}
    assert (here.links(), cooling(here)) == (set(), 1)
    here.reap()
    assert cooling(here) == 0
    assert here.journal.entries() == []


def test_a_del_is_idempotent(here: AgentNode) -> None:
    """DEL succeeds repeated, without a namespace, and for what was never attached."""
    here.add()
    assert [here.call("DEL"), here.call("DEL"), here.call("DEL", "never")] == [{}, {}, {}]


def test_a_del_works_before_there_is_a_network(here: AgentNode) -> None:
    """A restarted agent that does not know the cluster yet detaches all the same."""
    here.add()
    here.start()
    assert here.call("DEL") == {}
    assert not here.links()


def test_a_del_that_the_kernel_refuses_is_an_error(here: AgentNode) -> None:
    """When the pod's link could not be cut off DEL fails, and the runtime's next one finishes it."""
    here.add()
    here.kernel.refuse(("link", next(iter(here.links()))), errno.EBUSY)
    assert here.call("DEL")["code"] == 101
    assert here.add()["code"] == 104
    assert here.call("DEL") == {}
    assert not here.links()


async def test_a_del_left_half_done_is_finished(here: AgentNode) -> None:
    """A DEL that failed is finished at the next comparison even if the runtime never asks again."""
    here.add()
    here.kernel.refuse(("link", next(iter(here.links()))), errno.EBUSY)
    here.call("DEL")
    await here.repair.turn(compare=True)
    assert not here.links()
    assert len(here.endpoints) == 0


def test_the_same_attachment_comes_back_at_once(here: AgentNode) -> None:
    """DEL and ADD of one attachment in one namespace, before any reaping, give a working pod that stays."""
    namespace = here.world.create()
    first = here.add(namespace=namespace)
    here.call("DEL", namespace=namespace)
    reaped = here.endpoints.retired()
    second = here.add(namespace=namespace)
    assert first["ips"] != second["ips"]
    here.endpoints.settle(reaped)
    assert [entry.attachment for entry in here.journal.entries()] == [KEY]
    assert len(here.links()) == 1


def test_freed_addresses_are_used_last(here: AgentNode) -> None:
    """An address that was freed is given again only after all that never were; also after a restart."""
    here.add("c1")
    here.call("DEL", "c1")
    here.reap()
    assert here.add("c2")["ips"][0]["address"] == "10.244.1.3/24"
    assert [str(each) for each in here.journal.freed()] == ["10.244.1.2"]


def test_gc_keeps_what_is_listed(here: AgentNode) -> None:
    """GC detaches the attachments of its network that are not listed, and no other network's."""
    for container in ("keep", "drop"):
        here.add(container)
    here.call("ADD", "other", here.world.create(), name="other-network")
    valid = [{"containerID": "keep", "ifname": "eth0"}]
    assert here.call("GC", "", **{"cni.dev/valid-attachments": valid}) == {}
    assert {entry.attachment.container for entry in here.endpoints} == {"keep", "other"}


def test_gc_without_a_list_removes_nothing(here: AgentNode) -> None:
    """A GC that does not say what to keep is refused."""
    here.add()
    assert here.call("GC", "")["code"] == 7
    assert len(here.endpoints) == 1
