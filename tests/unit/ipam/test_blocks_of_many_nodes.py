"""Nodes that claim, give out, die anywhere and come back, all at once over one store."""

import random
from collections import Counter
from ipaddress import ip_network

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from block_world import Machine, World, config, node, pool
from octet.cluster.blocks import Allocation, Block, Handle, cidr_name
from octet.errors import OctetError
from octet.ipam.blocks import holdings
from octet.ipam.blocks.block import hand_over
from octet.ipam.blocks.selection import Defaults, Wish
from octet.ipam.blocks.stock import is_stock

NAMES = ("a", "b", "c")


class Cluster(RuleBasedStateMachine):
    """Three nodes, a pool of a few small blocks, and everything that can go wrong between two requests."""

    checked = None

    @initialize(
        blocks=st.sampled_from([2, 3, 4, 8]),
        size=st.sampled_from([30, 31, 32, 29]),
        strict=st.booleans(),
        cooldown=st.sampled_from([0, 0, 90]),
        dual=st.booleans(),
    )
    def begin(self, blocks, size, strict, cooldown, dual):
        length = size - (blocks - 1).bit_length()
        spec = {"strictAffinity": strict, "ipCooldownSeconds": cooldown}
        items = [pool(cidr=f"10.0.0.0/{length}", block=size), config(**spec), *map(node, NAMES)]
        items += [pool("six", f"fd00::/{length + 96}", size + 96)] if dual else []
        defaults = Defaults((4, 6) if dual else (4,))
        self.world, self.number, self.pending = World(*items), 0, 0
        self.machines = [Machine(self.world, name, defaults=defaults) for name in NAMES]
        for machine in self.machines:
            machine.start()

    @rule(at=st.integers(0, 2), count=st.integers(1, 30))
    def work(self, at, count):
        """A node does some of its requests."""
        for _ in range(count):
            if self.machines[at].alive and not self.machines[at].step():
                break

    @rule(at=st.integers(0, 2), happened=st.booleans())
    def silence(self, at, happened):
        """The store doesn't answer a node; what it asked for may have happened."""
        if self.machines[at].alive:
            self.machines[at].step(lose_answer=happened, silent=not happened)

    @rule(at=st.integers(0, 2))
    def look(self, at):
        """A node hears of what others did."""
        if self.machines[at].alive:
            self.machines[at].look()

    @rule(at=st.integers(0, 2), count=st.integers(1, 3))
    def attach(self, at, count):
        """Pods start on a node; those that there is no address for try again another time."""
        for _ in range(count if self.machines[at].alive else 0):
            self.number += 1
            try:
                self.machines[at].add(self.number)
            except OctetError:
                break

    @rule(at=st.integers(0, 2), which=st.integers(0, 9))
    def detach(self, at, which):
        """A pod ends; its link is reaped later."""
        owners = sorted(self.machines[at].journal)
        if owners:
            self.machines[at].delete(owners[which % len(owners)])

    @rule(at=st.integers(0, 2))
    def reap(self, at):
        if self.machines[at].alive:
            self.machines[at].reap()

    @rule(at=st.integers(0, 2))
    def die(self, at):
        """An agent is killed wherever it is; pods go on."""
        self.machines[at].die()

    @rule(at=st.integers(0, 2))
    def come_back(self, at):
        if not self.machines[at].alive:
            self.machines[at].start()

    @rule(seconds=st.sampled_from([1, 31, 61, 121]))
    def wait(self, seconds):
        self.world.now += seconds

    @invariant()
    def no_address_twice(self):
        held = [address for machine in self.known() for address in machine.addresses]
        assert len(set(held)) == len(held)

    @invariant()
    def every_live_address_is_routed(self):
        state = self.known() and self.world.revision, [machine.addresses for machine in self.known()]
        if state == self.checked:
            return
        self.checked = state
        view = self.world.view() if self.known() else None
        for machine in self.known():
            for address in machine.addresses:
                assert holdings.node_of(view, address) == machine.name

    def teardown(self):
        """In the end everybody is alive and has time: nothing is lost, nothing is left."""
        if not self.known():
            return
        for machine in self.machines:
            if not machine.alive:
                machine.start()
            machine.reap()
        for _ in range(8):
            self.world.now += 61
            for machine in self.machines:
                assert machine.settle()
                machine.tender.judge(self.world.now, set(machine.addresses).__contains__)
        self.no_address_twice()
        self.every_live_address_is_routed()
        assert_books(self.world, self.machines)

    def known(self):
        return getattr(self, "machines", [])


def assert_books(world, machines):
    """The store says of every address who has it, of nobody else, and each free one can be had."""
    said, free = {}, 0
    for (kind, _), item in world.objects.items():
        if kind != "IPAMBlock":
            continue
        block = Block.from_object(item)
        free += len(block.free)
        for at, slot in enumerate(block.slots):
            if slot is not None and not is_stock(slot, slot.node):
                said[block.address(at)] = (slot.node, slot.handle)
    wanted = {
        address: (machine.name, f"{owner.network}.{owner.container}")
        for machine in machines
        for owner, given in machine.journal.items()
        for address in given.addresses
    }
    assert said == wanted
    handles = [Handle.from_object(item) for (kind, _), item in world.objects.items() if kind == "IPAMHandle"]
    counted = {each.handle: sum(each.blocks.values()) for each in handles}
    assert counted == Counter(handle for _, handle in wanted.values())
    blocks = {name for kind, name in world.objects if kind == "IPAMBlock"}
    claims = [name for kind, name in world.objects if kind == "BlockAffinity"]
    assert {name.split("-", 1)[1] for name in claims} <= blocks
    for machine in machines:
        assert machine.ledger.lost == {}
        assert not machine.shelf.parting


def settled(examples, steps):
    """Hypothesis' settings: failures are shrunk, and not explained line by line, which takes minutes."""
    phases = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
    unhealthy = list(HealthCheck)
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        phases=phases,
        suppress_health_check=unhealthy,
    )


def test_nodes_at_once():
    """Whatever happens in between, no address is two pods', each is routed to its node, and nothing leaks."""
    run_state_machine_as_test(Cluster, settings=settled(12, 25))


@pytest.mark.slow
def test_nodes_at_once_for_long():
    """The same, with many more turns."""
    run_state_machine_as_test(Cluster, settings=settled(60, 60))


def walk(seed):
    """One random life of three nodes: cheaper than an example of Hypothesis, and repeatable by its seed."""
    dice = random.Random(seed)
    cluster = Cluster()
    blocks, size = dice.choice([2, 3, 4, 8]), dice.choice([29, 30, 31, 32])
    cluster.begin(blocks, size, dice.random() < 0.5, dice.choice([0, 0, 90]), dice.random() < 0.3)
    deeds = {
        "work": (7, lambda at: cluster.work(at, dice.choice([1, 1, 2, 3, 8, 30]))),
        "silence": (1, lambda at: cluster.silence(at, dice.random() < 0.5)),
        "look": (3, cluster.look),
        "attach": (3, lambda at: cluster.attach(at, dice.randint(1, 3))),
        "detach": (2, lambda at: cluster.detach(at, dice.randrange(9))),
        "reap": (2, cluster.reap),
        "die": (1, cluster.die),
        "come back": (2, cluster.come_back),
        "wait": (1, lambda _at: cluster.wait(dice.choice([1, 31, 61, 121]))),
    }
    names, weights = list(deeds), [weight for weight, _ in deeds.values()]
    for name in dice.choices(names, weights, k=dice.choice([20, 60, 200])):
        deeds[name][1](dice.randrange(3))
        cluster.no_address_twice()
        cluster.every_live_address_is_routed()
    cluster.teardown()


@pytest.mark.parametrize("seed", range(8))
def test_random_lives(seed):
    """Random lives keep the same promises."""
    walk(seed)


@pytest.mark.slow
def test_many_random_lives():
    """Many of them do."""
    for seed in range(8, 160):
        walk(seed)


def test_what_a_gone_node_had_is_collected():
    """A node whose Node is gone loses claims and blocks once its pods are gone too, after two looks."""
    world = World(pool(cidr="10.0.0.0/28", block=30), *map(node, NAMES))
    machines = [Machine(world, name, collecting=True) for name in NAMES]
    for machine in machines:
        machine.start()
        assert machine.settle()
    machines[0].add(1)
    (kept,) = machines[0].add(2)
    assert machines[0].settle()
    machines[0].die()
    del world.objects["Node", "a"]
    pods = [
        {
            "metadata": {"name": "p", "namespace": "n"},
            "spec": {"nodeName": "a"},
            "status": {"podIP": str(kept)},
        }
    ]
    for machine in machines[1:]:
        machine.pods = pods
    collect(world, machines[1:], rounds=1)
    assert said(world)["a"] >= 2
    collect(world, machines[1:], rounds=4)
    assert (said(world)["a"], holdings.node_of(world.view(), kept)) == (1, "a")
    for machine in machines[1:]:
        machine.pods = []
    collect(world, machines[1:], rounds=4)
    assert "a" not in said(world)
    assert not [name for kind, name in world.objects if kind == "BlockAffinity" and name.startswith("a-")]
    assert not [name for kind, name in world.objects if kind == "IPAMHandle"]


def collect(world, machines, rounds):
    for _ in range(rounds):
        world.now += 61
        for machine in machines:
            assert machine.settle()


def said(world):
    """How many addresses blocks say are on each node."""
    found = Counter()
    for (kind, _), item in world.objects.items():
        if kind == "IPAMBlock":
            found.update(slot.node for slot in Block.from_object(item).slots if slot is not None)
    return found


def test_a_node_that_comes_back_in_time_keeps_everything():
    """A node that is away for a while, with its Node object there, loses nothing, however long it takes."""
    world = World(pool(cidr="10.0.0.0/28", block=30), *map(node, NAMES))
    machines = [Machine(world, name, collecting=True) for name in NAMES]
    for machine in machines:
        machine.start()
        assert machine.settle()
    (address,) = machines[0].add(1)
    assert machines[0].settle()
    machines[0].die()
    collect(world, machines[1:], rounds=10)
    machines[0].start()
    assert machines[0].settle()
    assert holdings.node_of(world.view(), address) == "a"
    assert machines[0].ledger.lost == {}


def block_of(world, machine):
    """A node's first block, as the store has it."""
    return Block.from_object(world.objects["IPAMBlock", cidr_name(next(iter(machine.shelf.own)))])


def test_an_address_that_was_given_away_is_told():
    """Where the store gave a living pod's address to another node, the agent says so and takes nothing."""
    world = World(pool(cidr="10.0.0.0/27", block=30), *map(node, NAMES))
    machine = Machine(world, "a")
    machine.start()
    assert machine.settle()
    (address,) = machine.add(1)
    assert machine.settle()
    block = block_of(world, machine)
    stolen = hand_over(block, [(address, Allocation("net.x", {"node": "b"}))])
    world.put({**stolen.to_object(), "kind": "IPAMBlock"})
    world.now += 301
    assert machine.settle()
    assert machine.ledger.lost == {
        address: f"{address} is in use here, and by block {block.cidr} it is net.x's"
    }
    assert block_of(world, machine).at(address).handle == "net.x"
    machine.delete(next(iter(machine.journal)))
    machine.reap()
    world.now += 301
    assert machine.settle()
    assert machine.ledger.lost == {}


def test_addresses_of_nobody_are_given_up_once_the_kernel_was_asked():
    """After a reboot the journal is empty: what blocks say is here is kept while it is in use, then freed."""
    world = World(pool(cidr="10.0.0.0/27", block=30), *map(node, NAMES))
    machine = Machine(world, "a")
    machine.start()
    assert machine.settle()
    (alive,), (dead,) = machine.add(1), machine.add(2)
    assert machine.settle()
    machine.die()
    machine.journal.clear()
    machine.start()
    assert machine.settle()
    assert machine.tender.judge(world.now, {alive}.__contains__) == ()
    world.now += 61
    assert machine.tender.judge(world.now, {alive}.__contains__) == (dead,)
    assert machine.settle()
    block = block_of(world, machine)
    assert block.at(alive).handle.endswith("a-1")
    assert block.at(dead) is None or is_stock(block.at(dead), "a")
    assert [name for kind, name in world.objects if kind == "IPAMHandle"] == ["k8s-pod-network.a-1"]


def test_what_was_asked_for_once_is_not_kept_for_ever():
    """A node keeps a pool's addresses ready for minutes after a pod asked for it; then the block goes."""
    items = [pool(cidr="10.0.0.0/24", block=28), pool("rare", "10.1.0.0/24", 28, nodeSelector="x == 'y'")]
    world = World(*items, *map(node, NAMES))
    machine = Machine(world, "a")
    machine.start()
    machine.shelf.expect(Wish((4,), ((4, ("rare",)),)))
    assert machine.settle()
    assert len(machine.shelf.own) == 2
    for _ in range(14):
        world.now += 61
        assert machine.settle()
    assert [each in ip_network("10.1.0.0/24") for each in machine.shelf.stock] == [False] * 16
    assert len(machine.shelf.own) == 1
