"""Addresses from the store: Calico's order, claims in two phases, death at every step."""

from ipaddress import ip_address, ip_network

import pytest

from block_world import World, config, node, pool, reservation, usable
from octet.cluster.blocks import Affinity, Allocation, Block
from octet.errors import BadConfigurationError, OctetError
from octet.ipam.blocks import assigning, claiming, handles, holdings, steps
from octet.ipam.blocks.assigning import Want, owner_of
from octet.ipam.blocks.candidates import Taken, cidr_of, walk
from octet.ipam.blocks.selection import Rules

A, B = owner_of("net.a", "a"), owner_of("net.b", "b")


def world(*items, blocks=4, **spec):
    """Four blocks of four addresses, unless told otherwise."""
    length = 30 - (blocks - 1).bit_length()
    return World(pool(cidr=f"10.0.0.0/{length}", block=30), config(**spec), *map(node, "abc"), *items)


def rules(here, name):
    return Rules.of(here.view(name))


def assign(here, name, count, own=(), **more):
    """Let a node take addresses; return them as text."""
    want = Want(count, usable(here), owner_of(f"net.{name}", name), **more)
    got = here.do(assigning.auto_assign(rules(here, name), want, own, here.now))
    return [str(address) for address in got.addresses]


def blocks(here):
    """Every block: whose it is, and who has its addresses."""
    found = [Block.from_object(item) for (kind, _), item in here.objects.items() if kind == "IPAMBlock"]
    return {str(each.cidr): (each.host, [slot.node if slot else "" for slot in each.slots]) for each in found}


def claims(here):
    found = [
        Affinity.from_object(item) for (kind, _), item in here.objects.items() if kind == "BlockAffinity"
    ]
    return {(each.node, str(each.cidr)): each.state for each in found}


def test_own_blocks_first_then_a_claim_then_another_nodes():
    """Addresses come from the node's own blocks, then from one more block, then from other nodes' blocks."""
    here = world(blocks=2)
    own = assign(here, "a", 3)
    mine = next(cidr for cidr, (host, _) in blocks(here).items() if host == "a")
    assert {str(cidr_of(usable(here)[0], ip_address(each))) for each in own} == {mine}
    assign(here, "b", 1)
    assert assign(here, "a", 1, [ip_network(mine)]) == [str(ip_network(mine)[3])]
    borrowed = assign(here, "a", 1, [ip_network(mine)])
    theirs = next(cidr for cidr, (host, _) in blocks(here).items() if host == "b")
    assert ip_address(borrowed[0]) in ip_network(theirs)
    assert blocks(here)[theirs] == ("b", ["b", "a", "", ""])
    assert set(claims(here).values()) == {"confirmed"}


def test_strict_affinity_forbids_borrowing():
    """Where affinity is strict a node without a block to claim gets nothing."""
    here = world(blocks=1, strictAffinity=True)
    assign(here, "b", 1)
    assert assign(here, "a", 1) == []
    assert assign(world(blocks=1), "a", 1) != []


def test_a_node_has_as_many_blocks_as_it_may():
    """At its limit a node claims no more; where nodes may claim none, none does."""
    here = world(strictAffinity=True, maxBlocksPerHost=2)
    assert assign(here, "a", 1, blocks=1) != []
    assert assign(here, "a", 1, blocks=2) == []
    here = world(strictAffinity=True, autoAllocateBlocks=False)
    assert assign(here, "a", 1) == []


def test_nodes_try_blocks_in_orders_of_their_own():
    """The walk begins where the node's name says, is the same every time, and meets each block once."""
    (found,) = usable(world(blocks=64))
    orders = {name: list(walk(found, name)) for name in ("a", "b", "node-17")}
    assert len({order[0] for order in orders.values()}) == 3
    assert all(sorted(order) == sorted(orders["a"]) and len(order) == 64 for order in orders.values())
    assert list(walk(found, "a")) == orders["a"]


def test_a_large_pool_is_not_walked_through_for_nothing():
    """The next free block of a /48 of IPv6 is found at once, and a full pool is known to be full."""
    (found,) = usable(World(pool("six", "fd00::/48", 122)))
    assert next(Taken([]).unclaimed([found], "a")) == next(walk(found, "a"))
    (small,) = usable(world(blocks=2))
    assert list(Taken(walk(small, "x")).unclaimed([small], "a")) == []


def test_blocks_of_another_size_are_kept_off():
    """Where a pool that is gone had other blocks, nothing that they touch is claimed."""
    (found,) = usable(world(blocks=4))
    left = Taken([ip_network("10.0.0.0/29")]).unclaimed([found], "a")
    assert sorted(left) == [ip_network("10.0.0.8/30"), ip_network("10.0.0.12/30")]


def test_reserved_addresses_are_had_by_name_only():
    """A reservation keeps addresses and whole blocks from those who ask for any; by name they can be had."""
    here = world(reservation("10.0.0.0/29", "10.0.0.8/31", "10.0.0.12/32"), blocks=4)
    got = [assign(here, name, 4) for name in "ab"]
    assert sorted(got) == [["10.0.0.10", "10.0.0.11"], ["10.0.0.13", "10.0.0.14", "10.0.0.15"]]
    named = here.do(assigning.assign(rules(here, "a"), ip_address("10.0.0.1"), A, here.now))
    assert named.addresses == (ip_address("10.0.0.1"),)


def test_an_address_by_name():
    """An address of a new block claims it; one of another node's is borrowed, unless affinity is strict."""
    here = world()
    address, other = ip_address("10.0.0.5"), ip_address("10.0.0.6")
    assert here.do(assigning.assign(rules(here, "a"), address, A, here.now)).addresses == (address,)
    assert claims(here) == {("a", "10.0.0.4/30"): "confirmed"}
    assert here.do(assigning.assign(rules(here, "b"), address, B, here.now)).addresses == ()
    assert here.do(assigning.assign(rules(here, "b"), other, B, here.now)).addresses == (other,)
    here.put(config(strictAffinity=True))
    with pytest.raises(BadConfigurationError, match="a block of a, and affinity is strict"):
        here.do(assigning.assign(rules(here, "b"), ip_address("10.0.0.7"), B, here.now))
    with pytest.raises(BadConfigurationError, match="in no enabled pool"):
        here.do(assigning.assign(rules(here, "a"), ip_address("192.0.2.1"), A, here.now))


def test_a_handle_gives_everything_back_and_may_do_so_again():
    """Releasing a handle frees its addresses in all blocks and the handle; a second time nothing happens."""
    here = world(blocks=2)
    got = assign(here, "a", 6)
    counts = {}
    for each in got:
        cidr = cidr_of(usable(here)[0], ip_address(each))
        counts[cidr] = counts.get(cidr, 0) + 1
    here.do(handles.keep("net.a", counts))
    freed = here.do(assigning.release("net.a", here.now, 0))
    assert sorted(map(str, freed)) == sorted(got)
    assert all(not any(held) for _, held in blocks(here).values())
    assert not any(kind == "IPAMHandle" for kind, _ in here.objects)
    assert here.do(assigning.release("net.a", here.now, 0)) == ()


def test_an_empty_block_of_another_node_is_taken_after_a_minute():
    """Where no block is left, one that stands empty may be claimed, but not in its first minute."""
    here = world(blocks=1, strictAffinity=True)
    here.do(claiming.claim("b", ip_network("10.0.0.0/30"), here.now, lambda block: block))
    assert assign(here, "a", 1) == []
    here.now += 61
    assert assign(here, "a", 1) == ["10.0.0.0"]
    assert claims(here) == {("a", "10.0.0.0/30"): "confirmed"}


def test_a_block_in_use_is_released_to_nobody():
    """A block with addresses in use loses its node but not its addresses; the last one takes it along."""
    here = world(blocks=1)
    assign(here, "a", 2)
    cidr = ip_network("10.0.0.0/30")
    assert not here.do(claiming.release("a", cidr, lambda block: block, only_empty=True))
    assert here.do(claiming.release("a", cidr, lambda block: block, only_empty=False))
    assert (blocks(here), claims(here)) == ({"10.0.0.0/30": ("", ["a", "a", "", ""])}, {})
    assert holdings.holdings(here.view(), "a").blocks == ()
    assert holdings.node_of(here.view(), ip_address("10.0.0.1")) == "a"
    here.do(handles.keep("net.a", {cidr: 2}))
    here.do(assigning.release("net.a", here.now, 0))
    assert blocks(here) == {}


def die_after(here, work, count):
    """Do some requests, and no more."""
    try:
        request = next(work)
        for _ in range(count):
            try:
                request = work.send(here.answer(request))
            except OctetError as error:
                request = work.throw(error)
    except StopIteration:
        pass
    work.close()


CIDR = ip_network("10.0.0.0/30")


@pytest.mark.parametrize("steps_done", range(8))
def test_a_claim_can_be_taken_up_wherever_its_node_died(steps_done):
    """Whatever a node that died over a claim left, it finishes the claim, or another node gets the block."""

    def fill(block):
        return block

    here = world(blocks=1)
    die_after(here, claiming.claim("a", CIDR, here.now, fill), steps_done)
    view = here.view()
    assert holdings.holdings(view, "a").blocks in ((), (CIDR,))
    there = blocks(here)
    theirs = here.do(claiming.claim("b", CIDR, here.now, fill))
    if there:
        assert theirs is None
        assert here.do(claiming.claim("a", CIDR, here.now, fill)).host == "a"
        assert claims(here) == {("a", str(CIDR)): "confirmed"}
    else:
        assert theirs.host == "b"
        assert here.do(claiming.claim("a", CIDR, here.now, fill)) is None
        assert claims(here) == {("b", str(CIDR)): "confirmed"}


@pytest.mark.parametrize("steps_done", range(7))
def test_a_release_can_be_finished_wherever_its_node_died(steps_done):
    """Who died giving up a block gives it up again, or has it still: routed as long as it says so."""
    here = world(blocks=1)
    here.do(claiming.claim("a", CIDR, here.now, lambda block: block))
    die_after(here, claiming.release("a", CIDR, lambda block: block, only_empty=True), steps_done)
    held = here.do(steps.block(CIDR))
    if held is not None:
        assert holdings.holdings(here.view(), "a").blocks == (CIDR,)
        assert here.do(claiming.confirm("a", held))
        assert claims(here) == {("a", str(CIDR)): "confirmed"}
    assert here.do(claiming.release("a", CIDR, lambda block: block, only_empty=True))
    assert (blocks(here), claims(here)) == ({}, {})


@pytest.mark.parametrize("before", range(9))
def test_two_nodes_claim_one_block_at_once(before):
    """However two claims interleave, one node has the block, and the other's claim is gone."""
    here = world(blocks=1)
    works = {name: claiming.claim(name, CIDR, here.now, lambda block: block) for name in "ab"}
    results, pending = {}, {name: next(work) for name, work in works.items()}
    order = [*("a" * before), *("b" * 9), *("a" * 9)]
    for name in order:
        if name in results:
            continue
        try:
            try:
                answer = here.answer(pending[name])
            except OctetError as error:
                pending[name] = works[name].throw(error)
            else:
                pending[name] = works[name].send(answer)
        except StopIteration as done:
            results[name] = done.value
    winners = [name for name, made in results.items() if made is not None]
    assert len(winners) == 1
    assert claims(here) == {(winners[0], str(CIDR)): "confirmed"}
    assert blocks(here) == {str(CIDR): (winners[0], [""] * 4)}


def test_calicos_soft_deletes_are_finished():
    """An object that Calico marked as deleted is as good as gone, and whoever meets it deletes it."""
    here = world(blocks=1)
    here.do(claiming.claim("b", CIDR, here.now, lambda block: block))
    for kind, name in list(here.objects):
        if kind in ("IPAMBlock", "BlockAffinity"):
            item = here.objects[kind, name]
            deleted = True if kind == "IPAMBlock" else "true"
            here.put({**item, "spec": {**item["spec"], "deleted": deleted}})
    assert holdings.holdings(here.view(), "b").blocks == ()
    assert here.do(steps.block(CIDR)) is None
    assert here.do(steps.affinity("b", CIDR)) is None
    assert (blocks(here), claims(here)) == ({}, {})


def test_calicos_own_blocks_are_used():
    """A block that calico-ipam made is gone on with: its pods stay, its free addresses come in its order."""
    here = world(blocks=1)
    attribute = {"handle_id": "k8s-pod-network.x", "secondary": {"node": "a", "pod": "p", "namespace": "n"}}
    here.put(
        {
            "kind": "IPAMBlock",
            "apiVersion": "crd.projectcalico.org/v1",
            "metadata": {"name": "10-0-0-0-30"},
            "spec": {
                "cidr": "10.0.0.0/30",
                "affinity": "host:a",
                "allocations": [None, 0, None, None],
                "attributes": [attribute],
                "unallocated": [3, 0, 2],
                "deleted": False,
                "strictAffinity": False,
            },
        }
    )
    assert assign(here, "a", 2, [CIDR]) == ["10.0.0.3", "10.0.0.0"]
    held = Block.from_object(here.objects["IPAMBlock", "10-0-0-0-30"])
    assert held.at(ip_address("10.0.0.1")) == Allocation("k8s-pod-network.x", attribute["secondary"])


def test_blackholes_for_what_nobody_has():
    """Own blocks have a blackhole each, lest packets to free addresses go in circles; single ones not."""
    here = world(blocks=2)
    assign(here, "a", 1)
    view = here.view("a")
    (own,) = holdings.holdings(view, "a").prefixes
    assert [str(each) for each in holdings.blackholes(view)] == [f"route blackhole {own}"]
    single = World(pool(cidr="10.0.0.0/32", block=32), node("a"))
    assign(single, "a", 1)
    assert list(holdings.blackholes(single.view("a"))) == []


def test_borrowed_addresses_are_routed_one_by_one():
    """An address in use on another node is that node's as a /32; the rest of the block is its own node's."""
    here = world(blocks=1)
    assign(here, "a", 1)
    assign(here, "b", 1)
    view = here.view()
    assert [str(each) for each in holdings.holdings(view, "a").prefixes] == ["10.0.0.0/30"]
    assert [str(each) for each in holdings.holdings(view, "b").prefixes] == ["10.0.0.1/32"]
    nodes = [holdings.node_of(view, ip_address("10.0.0.0") + number) for number in range(4)]
    assert nodes == ["a", "b", "a", "a"]
    assert holdings.node_of(view, ip_address("192.0.2.1")) == ""


def test_what_lies_outside_of_every_pool_is_routed_to_nobody():
    """A block of no pool, whoever wrote it, draws no packets: no node can claim what isn't the pods'."""
    here = world(blocks=1)
    made = Block(ip_network("192.0.2.0/31"), "host:b", slots=(None, None), free=(0, 1))
    here.put(made.to_object())
    here.put(Affinity("b", made.cidr, "confirmed").to_object())
    assert holdings.holdings(here.view(), "b").prefixes == ()
