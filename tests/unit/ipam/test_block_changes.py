"""One block: what can be done to it, and in which order its addresses come."""

from ipaddress import ip_address, ip_network

from octet.cluster.blocks import Allocation, Block
from octet.ipam.blocks import block as change

NOW = 1_700_000_000.0
POD = Allocation("net.c1", {"node": "node1", "pod": "web"})


def every(_address):
    return True


def new(cidr="10.0.0.0/29"):
    return change.new(ip_network(cidr), "node1", NOW)


def at(number):
    return ip_address("10.0.0.0") + number


def test_a_new_block_is_its_nodes_and_free():
    """A new block has the node's affinity, the time, and a sequence that no earlier block of its name had."""
    block = new()
    assert (block.host, block.claimed, block.empty) == ("node1", "2023-11-14T22:13:20Z", True)
    assert block.sequence == int(NOW * 1e9)
    assert Block.from_object(block.to_object()) == block.from_object(block.to_object())


def test_the_longest_free_address_comes_first():
    """Addresses are used again in the order in which they became free."""
    block, first = change.take(new(), 3, POD, every)
    assert first == (at(0), at(1), at(2))
    block = change.free(block, [at(2)], NOW)
    block = change.free(block, [at(0)], NOW)
    block, rest = change.take(block, 9, POD, every)
    assert rest == (*(at(n) for n in range(3, 8)), at(2), at(0))


def test_what_may_not_be_used_is_passed_over():
    """A reserved address keeps its place in the queue."""
    block, taken = change.take(new(), 2, POD, lambda address: address != at(0))
    assert (taken, block.free[0]) == ((at(1), at(2)), 0)


def test_an_address_by_name():
    """A free address can be had by name, one in use can not."""
    block = change.assign(new(), at(5), POD)
    assert block.at(at(5)).handle == "net.c1"
    assert 5 not in block.free
    assert change.assign(block, at(5), POD) is None


def test_giving_up_twice_is_no_error():
    """Freeing what is free changes nothing."""
    block = change.free(change.assign(new(), at(5), POD), [at(5)], NOW)
    assert change.free(block, [at(5)], NOW) == block
    assert block.free[-1] == 5


def test_an_address_cools_down():
    """With a cool-down a freed address is nobody's until it is over; the one freed first is free first."""
    block, taken = change.take(new(), 2, POD, every)
    block = change.free(block, [taken[1]], NOW, 60)
    block = change.free(block, [taken[0]], NOW + 10, 60)
    assert block.at(taken[1]).handle == ""
    assert change.assign(block, taken[1], POD) is None
    assert (change.cooled(block), block.empty) == (True, False)
    assert change.warmed(block, NOW + 59, 60) == block
    assert change.warmed(block, NOW + 60, 60).free[-1] == 1
    assert change.warmed(block, NOW + 100, 60).free[-2:] == (1, 0)


def test_what_nobody_used_goes_before_what_somebody_did():
    """Addresses that were only held ready are used before those that had a pod."""
    block, taken = change.take(new(), 3, POD, every)
    block = change.free(block, [taken[0]], NOW)
    assert change.give_back(block, taken[1:]).free == (1, 2, 3, 4, 5, 6, 7, 0)


def test_an_address_keeps_its_sequence_when_its_owner_changes():
    """Handing an address over is no new allocation; a new one is known by its number."""
    block, _ = change.take(new(), 1, POD, every)
    before = block.at(at(0)).sequence
    block = change.written(change.written(block))
    block = change.hand_over(block, [(at(0), Allocation("net.c2", {"node": "node1"}))])
    assert (block.at(at(0)).handle, block.at(at(0)).sequence) == ("net.c2", before)
    freed = change.free(block, [at(0)], NOW)
    assert change.assign(freed, at(0), POD).at(at(0)).sequence == before + 2
