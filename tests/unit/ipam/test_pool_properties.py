"""Whatever happens to a pool, in whatever order: no address twice, none lost, the right one next."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from octet.cluster.endpoint import Attachment
from octet.errors import ExhaustedError
from octet.ipam.node_cidr import Pool, TakenError

NETWORKS = (ip_network("10.1.1.0/28"), ip_network("fd00:1::/124"))
USABLE = {
    4: [ip_address(f"10.1.1.{n}") for n in range(2, 15)],
    6: [ip_address(f"fd00:1::{n:x}") for n in range(2, 16)],
}
OWNERS = st.integers(0, 15).map(lambda number: Attachment("octet", f"c{number}", "eth0"))
ADDRESSES = st.sampled_from(USABLE[4] + USABLE[6])


class PoolMachine(RuleBasedStateMachine):
    """A pool beside the plainest thing that says what it should do: two queues, one per family."""

    def __init__(self):
        super().__init__()
        self.pool = Pool(NETWORKS)
        self.queues = {family: list(addresses) for family, addresses in USABLE.items()}
        self.owned = {}
        self.cooling = []

    def take(self, owner, wanted):
        """Say what the pool must give: from the queues' heads, or by name."""
        chosen = {
            family: wanted.get(family, next(iter(queue), None)) for family, queue in self.queues.items()
        }
        if not all(chosen[family] in queue for family, queue in self.queues.items()):
            return None
        for family, queue in self.queues.items():
            queue.remove(chosen[family])
        self.owned[owner] = (chosen[4], chosen[6])
        return self.owned[owner]

    def free(self, addresses):
        for address in addresses:
            self.queues[address.version].append(address)

    @rule(owner=OWNERS)
    def allocate(self, owner):
        expected = self.owned.get(owner) or self.take(owner, {})
        if expected is None:
            with pytest.raises(ExhaustedError):
                self.pool.allocate(owner)
        else:
            assert self.pool.allocate(owner).addresses == expected

    @rule(owner=OWNERS, address=ADDRESSES)
    def ask(self, owner, address):
        if owner in self.owned:
            return
        expected = self.take(owner, {address.version: address})
        if expected is None:
            with pytest.raises((ExhaustedError, TakenError)):
                self.pool.allocate(owner, [address])
        else:
            assert self.pool.allocate(owner, [address]).addresses == expected

    @rule(owner=OWNERS)
    def release(self, owner):
        held = self.owned.pop(owner, ())
        given_up = self.pool.release(owner)
        assert (given_up.addresses if given_up else ()) == held
        self.free(held)

    @rule(owner=OWNERS)
    def hold(self, owner):
        if self.owned.pop(owner, None):
            self.cooling.append(self.pool.hold(owner))

    @rule(data=st.data())
    def settle(self, data):
        if self.cooling:
            given_up = self.cooling.pop(data.draw(st.integers(0, len(self.cooling) - 1)))
            self.pool.settle(given_up)
            self.free(given_up.addresses)

    @rule()
    def restart(self):
        self.pool = Pool(NETWORKS, state=self.pool.state())

    @invariant()
    def every_address_is_in_one_place(self):
        used = [address for each in self.pool for address in each.addresses]
        cooling = [address for each in self.cooling for address in each.addresses]
        free = self.queues[4] + self.queues[6]
        assert sorted(map(str, used + cooling + free)) == sorted(map(str, USABLE[4] + USABLE[6]))

    @invariant()
    def counts_add_up(self):
        for family, queue in self.queues.items():
            counts = self.pool.counts(family)
            assert (counts.used, counts.free, counts.cooling) == (
                len(self.owned),
                len(queue),
                len(self.cooling),
            )
            assert counts.total == counts.used + counts.free + counts.cooling + counts.reserved


def run(examples, steps):
    checks = [HealthCheck.too_slow]
    profile = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=checks
    )
    run_state_machine_as_test(PoolMachine, settings=profile)


def test_no_address_twice_and_none_lost():
    """Any sequence of requests, releases and restarts agrees with two plain queues of free addresses."""
    run(25, 30)


@pytest.mark.slow
def test_no_address_twice_and_none_lost_in_long_lives():
    """The same for many more and longer lives."""
    run(500, 100)
