"""Two judges of one world: the specification's oracle and Octet's compiled rules, and where they differ.

What lives here: asking both, and making a difference small and readable.
What it must not know: how worlds come about.
"""

from collections.abc import Iterator, Sequence

from octet.errors import OctetError
from octet.oracle import Flow, World, decide
from policy_shrinking import Item, report, shrunk
from policy_tracing import Cluster
from policy_worlds import Names, RandomWorld

NO_WORLD = (OctetError, KeyError, IndexError, TypeError, ValueError)
"""What a judge answers when shrinking has taken away something that it cannot do without."""


def differing(world: RandomWorld, bridge: str) -> Flow | None:
    """Return the first flow of a world that the compiled rules treat unlike the oracle says, or None."""
    spoken = World(world.objects, names=world.names)
    cluster = Cluster(world.objects, bridge=bridge, names=world.names)
    return next(
        (flow for flow in world.flows if cluster.allows(flow) is not decide(spoken, flow).allowed), None
    )


def smallest(world: RandomWorld, flow: Flow, bridge: str) -> list[Item]:
    """Return the smallest world in which they still differ about a flow."""

    def disagree(attempt: Sequence[Item], asked: Flow) -> bool:
        try:
            return (
                differing(RandomWorld(tuple(map(dict, attempt)), (asked,), world.names), bridge) is not None
            )
        except NO_WORLD:
            return False

    return shrunk(world.objects, flow, disagree)


def counterexample(world: RandomWorld, flow: Flow, bridge: str) -> str:
    """Return that world as a person reads it, with what each judge says."""
    small = smallest(world, flow, bridge)
    return report(small, flow, _said(small, flow, bridge, world.names))


def _said(objects: Sequence[Item], flow: Flow, bridge: str, names: Names) -> Iterator[tuple[str, object]]:
    yield "the specification", decide(World(objects, names=names), flow)
    for trace in Cluster(objects, bridge=bridge, names=names).traces(flow):
        yield "the rules", f"\n{trace}"
