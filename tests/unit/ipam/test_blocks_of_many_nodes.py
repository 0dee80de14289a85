"""Nodes that claim, give out, die anywhere and come back, all at once over one store."""

from ipaddress import ip_network

import pytest
from block_world import Machine, World, config, node, pool
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from octet.cluster.blocks import Block, Handle
from octet.errors import OctetError
from octet.ipam.blocks import holdings
from octet.ipam.blocks.stock import is_stock


NAMES = ("a", "b", "c")


class Cluster(RuleBasedStateMachine):
    """Three nodes, a pool of a few small blocks, and everything that can go wrong between two requests."""

    @initialize(
        blocks=st.sampled_from([2, 3, 4, 8]),
        size=st.sampled_from([30, 31, 32, 29]),
        strict=st.booleans(),
        cooldown=st.sampled_from([0, 0, 90]),
    )
    def begin(self, blocks, size, strict, cooldown):
        length = size - (blocks - 1).bit_length()
        spec = {"strictAffinity": strict, "ipCooldownSeconds": cooldown}
        items = [pool(cidr=f"10.0.0.0/{length}", block=size), config(**spec), *map(node, NAMES)]
        self.world, self.number, self.pending = World(*items), 0, 0
        self.machines = [Machine(self.world, name) for name in NAMES]
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
        if not hasattr(self, "machines"):
            return
        held = [address for machine in self.machines for address in machine.addresses]
        assert len(set(held)) == len(held)

    @invariant()
    def every_live_address_is_routed(self):
        if not hasattr(self, "machines"):
            return
        view = self.world.view()
        for machine in self.machines:
            for address in machine.addresses:
                assert holdings.node_of(view, address) == machine.name

    def teardown(self):
        """In the end everybody is alive and has time: nothing is lost, nothing is left."""
        if not hasattr(self, "machines"):
            return
        for machine in self.machines:
            self.come_back_and_end(machine)
        for _ in range(8):
            self.world.now += 61
            for machine in self.machines:
                assert machine.settle()
                machine.tender.judge(self.world.now, set(machine.addresses).__contains__)
        self.no_address_twice()
        self.every_live_address_is_routed()
        assert_books(self.world, self.machines)

    def come_back_and_end(self, machine):
        if not machine.alive:
            machine.start()
        machine.reap()


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
    assert counted == {handle: 1 for _, handle in wanted.values()}
    blocks = {name for kind, name in world.objects if kind == "IPAMBlock"}
    claims = [name for kind, name in world.objects if kind == "BlockAffinity"]
    assert {name.split("-", 1)[1] for name in claims} <= blocks
    for machine in machines:
        assert machine.ledger.lost == {}
        assert not machine.shelf.parting


Cluster.TestCase.settings = settings(
    max_examples=60, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
)
test_cluster = Cluster.TestCase
