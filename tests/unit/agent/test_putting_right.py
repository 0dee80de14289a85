import errno
from concurrent.futures import Future

import pytest

from agent_node import AgentNode, cluster, node
from octet.blueprint import Blueprint, Bridge, Link, Sysctl
from octet.kernel.fake import FakeKernel

STRAY = Link("stray0", Bridge(), "left by an earlier model")


def held(here: AgentNode) -> Blueprint:
    return here.kernel.read(here.desired.blueprint())


async def drift(here: AgentNode) -> None:
    """Let the agent hear that something differs, and do what it does then."""
    here.repair.suspect()
    await here.repair.turn()


@pytest.mark.parametrize("kind", ["link", "address", "route", "neighbour", "fdb", "nft-chain"])
async def test_what_is_deleted_comes_back(here: AgentNode, kind: str) -> None:
    """Each kind of object that somebody deletes is back after one turn, with all that was on it."""
    await here.see(cluster(node(1), node(2)))
    here.add()
    before = held(here)
    for key in [each.key for each in before if each.key[0] == kind]:
        here.kernel.delete(key)
    assert held(here) != before
    await drift(here)
    assert held(here) == before
    assert 'octet_drift_repairs_total{kind="' + kind in here.metrics.text().decode()


async def test_a_setting_comes_back(here: AgentNode) -> None:
    """A sysctl that somebody changed is set again."""
    here.kernel.plant(Sysctl("net/ipv4/ip_forward", "0"))
    await drift(here)
    assert Sysctl("net/ipv4/ip_forward", "1") in set(held(here))


async def test_a_pods_pair_is_made_anew(here: AgentNode) -> None:
    """A pod whose link on the node was deleted gets its pair, address and route again."""
    namespace = here.world.create()
    here.add(namespace=namespace)
    before = here.kernel.enter(namespace).read(Blueprint())
    here.kernel.delete(("link", next(iter(here.links()))))
    assert not len(here.kernel.enter(namespace).read(Blueprint()))
    await drift(here)
    assert here.kernel.enter(namespace).read(Blueprint()) == before
    assert here.network.failures == []


async def test_a_pod_out_of_reach_is_named(here: AgentNode) -> None:
    """A pair whose pod's namespace cannot be opened any more is a failure that health tells."""
    here.add()
    here.world.destroy(next(iter(here.endpoints)).identity[1])
    await drift(here)
    assert any("lost its pair" in each for each in here.network.failures)
    here.call("DEL")
    await drift(here)
    assert here.network.failures == []


async def test_nothing_is_pruned_before_the_view_is_whole(fresh: AgentNode) -> None:
    """What an earlier agent left stays until every node was listed; then what is not wanted goes."""
    fresh.kernel.apply(Blueprint([STRAY]).change_from(Blueprint()))
    fresh.network.see(fresh.view, ())
    await fresh.repair.turn(compare=True)
    assert fresh.kernel.holds(STRAY.key)
    await fresh.sync()
    assert not fresh.kernel.holds(STRAY.key)
    fresh.close()


async def test_a_restart_changes_nothing(here: AgentNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent that starts again over a kernel that is as it should be makes no change at all."""
    await here.see(cluster(node(1), node(2)))
    here.add()
    made: list[object] = []
    here.start()
    monkeypatch.setattr(here.kernel, "apply", made.append)
    await here.sync()
    assert made == []
    assert "code" not in here.call("STATUS", "")


async def test_what_the_kernel_refuses_is_told_and_tried_again(here: AgentNode) -> None:
    """A refusal makes health red with the kernel's reason; when the kernel gives in, it is green."""
    here.kernel.delete(("link", "cni0"))
    here.kernel.refuse(("link", "cni0"), errno.ENOMEM)
    await drift(here)
    assert any("cni0" in each for each in here.network.failures)
    await here.repair.turn(compare=True)
    assert here.network.failures == []


async def test_a_kernel_that_lies_is_found_out(here: AgentNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the kernel accepted and still does not hold is a failure too."""
    silent = FakeKernel(here.world, here.world.create())
    monkeypatch.setattr(here.applier, "_kernel", silent)
    here.kernel.delete(("nft-chain", "masquerade-pods"))
    await drift(here)
    assert any("accepted it" in each for each in here.network.failures)


async def test_pods_that_come_during_the_reading_are_not_drift(here: AgentNode) -> None:
    """A pod that is attached while the kernel is being read is neither repaired nor removed."""
    reads: list[Future[object]] = []

    def slow(wanted: Blueprint) -> Blueprint:
        found = FakeKernel(here.world, here.number).read(wanted)
        here.add("meanwhile")
        reads.append(Future())
        return found

    here.repair._reader.read = slow
    here.repair.suspect()
    await here.repair.turn()
    assert len(reads) == 1, "nothing differed, so nothing is read again"
    assert len(here.links()) == 1
    assert "octet_drift_repairs_total{" not in here.metrics.text().decode()


async def test_a_kernel_that_cannot_be_read_is_tried_later(
    here: AgentNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the reading fails nothing is changed, and the next turn does it."""
    here.kernel.delete(("link", "cni0"))

    def fail(_: Blueprint) -> Blueprint:
        raise OSError(errno.ENOBUFS, "no room")

    with monkeypatch.context() as broken:
        broken.setattr(here.repair._reader, "read", fail)
        await drift(here)
    assert not here.kernel.holds(("link", "cni0"))
    await here.repair.turn(compare=True)
    assert here.kernel.holds(("link", "cni0"))


async def test_what_the_kernel_takes_is_timed(here: AgentNode) -> None:
    """Each change of the kernel is counted, with the time that it took."""
    counts = []
    for number in (2, 3):
        await here.see(cluster(node(1), node(number)))
        lines = here.metrics.text().decode().splitlines()
        counts += [
            float(each.split()[1]) for each in lines if each.startswith("octet_kernel_change_seconds_count")
        ]
    assert 0 < counts[0] < counts[1]
