"""Address blocks over real stores: several nodes at once, a task each, promise the same over each."""

import asyncio
import random
import time

import pytest

from block_world import config, node, pool
from octet.agent.blocks import carry_out
from octet.cluster.blocks import Block
from octet.cluster.endpoint import Attachment
from octet.cluster.objects import IPAM_KINDS
from octet.cluster.view import Underlay, View
from octet.errors import NotFoundError, OctetError
from octet.ipam.blocks import assigning, claiming, holdings, steps
from octet.ipam.blocks.ledger import Ledger
from octet.ipam.blocks.selection import Rules, Wish
from octet.ipam.blocks.shelf import Shelf
from octet.ipam.blocks.steps import Delete, RaceError, Update
from octet.ipam.blocks.stock import is_stock
from octet.ipam.blocks.tending import Tender
from octet.store.embedded import EmbeddedStore
from octet.store.memory import MemoryStore


@pytest.fixture(params=["embedded", "memory"])
async def opened(request, path):
    """One store of each kind, with a pool of eight blocks and three nodes."""
    made = EmbeddedStore(path) if request.param == "embedded" else MemoryStore()
    async with made as store:
        for item in (pool(cidr="10.0.0.0/27", block=30), config(), *map(node, "abc")):
            await store.create(item["kind"], item)
        yield store


async def view_of(store, me):
    view = View(me, Underlay("eth0", 1500))
    for kind in ("Node", *IPAM_KINDS):
        view = view.with_listing(kind, (await store.list(kind)).objects).view
    return view


class Node:
    """A node's share, driven by a store."""

    def __init__(self, store, name):
        self.store, self.name, self.shelf = store, name, Shelf(name)
        self.tender = Tender(self.shelf, Ledger(self.shelf))

    async def work(self):
        """Do what there is to do."""
        view = await view_of(self.store, self.name)
        self.shelf.obey(Rules.of(view))
        self.shelf.expect(Wish())
        while (work := self.tender.next(time.time())) is not None:
            await carry_out(self.store, work)
            await asyncio.sleep(0)

    async def live(self, dice, turns):
        """Attach and detach pods for a while; return what is left."""
        owners = []
        for number in range(turns):
            await self.work()
            try:
                owner = Attachment("net", f"{self.name}{number}", "eth0")
                self.shelf.allocate(owner)
                owners.append(owner)
            except OctetError:
                pass
            if owners and dice.random() < 0.5:
                self.shelf.release(owners.pop(dice.randrange(len(owners))))
        await self.work()
        return {address: self.name for each in self.shelf for address in each.addresses}


async def test_nodes_at_once(opened):
    """Three nodes that give out addresses at once give none twice, and the store says who has which."""
    nodes = [Node(opened, name) for name in "abc"]
    lives = [each.live(random.Random(each.name), 25) for each in nodes]
    held = await asyncio.gather(*lives)
    assert len({address for each in held for address in each}) == sum(map(len, held))
    view = await view_of(opened, "a")
    for each in held:
        for address, name in each.items():
            assert holdings.node_of(view, address) == name
    blocks = [Block.from_object(item) for item in (await opened.list("IPAMBlock")).objects]
    used = {
        block.address(at): slot.node
        for block in blocks
        for at, slot in enumerate(block.slots)
        if slot is not None and not is_stock(slot, slot.node)
    }
    assert used == {address: name for each in held for address, name in each.items()}
    handles = [item["spec"]["handleID"] for item in (await opened.list("IPAMHandle")).objects]
    assert len(handles) == len(used)


async def test_a_lost_race_is_a_race(opened):
    """Of two writes or deletions from one reading the second raises RaceError, over every store."""
    (only,) = await found_pools(opened)
    cidr = next(iter(only.cidr.subnets(new_prefix=30)))
    made = await carry_out(opened, claiming.claim("a", cidr, time.time(), lambda block: block))
    await carry_out(opened, once(Update("IPAMBlock", {**made.to_object(), "x": 1})))
    for request in (Update("IPAMBlock", made.to_object()), Delete("IPAMBlock", made.name, made.revision)):
        with pytest.raises(RaceError):
            await carry_out(opened, once(request))
    with pytest.raises(NotFoundError):
        await carry_out(opened, once(Delete("IPAMBlock", "10-9-9-0-30", "1")))


async def test_single_assignments(opened):
    """A tunnel's address is assigned and released by its handle, over every store."""
    rules = Rules.of(await view_of(opened, "a"))
    owner = assigning.owner_of("vxlan-tunnel-addr-a", "a", type="vxlanTunnelAddress")
    want = assigning.Want(1, await found_pools(opened), owner)
    got = await carry_out(opened, assigning.auto_assign(rules, want, (), time.time()))
    (address,) = got.addresses
    view = await view_of(opened, "b")
    assert holdings.node_of(view, address) == "a"
    assert await carry_out(opened, steps.block(got.blocks[0].cidr)) == got.blocks[0]


async def test_a_tunnel_keeps_its_address(opened):
    """A tunnel's handle has one address, the same one whenever it is asked for, and gives it back."""
    rules, now = Rules.of(await view_of(opened, "b")), time.time()

    def asked():
        return assigning.hold(rules, "vxlan-tunnel-addr-b", 4, "vxlanTunnelAddress", now)

    first = await carry_out(opened, asked())
    assert first is not None
    assert await carry_out(opened, asked()) == first
    assert await carry_out(opened, assigning.hold(rules, "v6", 6, "vxlanV6TunnelAddress", now)) is None
    assert await carry_out(opened, assigning.release("vxlan-tunnel-addr-b", now, 0)) == (first,)


async def found_pools(store):
    return tuple((await view_of(store, "a")).pools.values())


def once(request):
    yield request
