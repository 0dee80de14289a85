"""Everything that policy wants of one node, from scratch: the engine's answer without its memory.

What lives here: ``compile``. What it must not know: how any of it is decided.
"""

from collections.abc import Iterable

from octet.blueprint import Blueprint
from octet.blueprint.base import union
from octet.cluster.endpoint import Endpoint
from octet.cluster.view import View
from octet.policy.engine import Engine
from octet.policy.gates import Gate
from octet.policy.naming import Naming


def compile(  # noqa: A001 - the word of the field, and this module has no use for the built-in
    view: View, endpoints: Iterable[Endpoint], *, bridge: str = ""
) -> Blueprint:
    """Return everything that policy puts into the table of node ``view.me``.

    Args:
        view: what is known of the cluster.
        endpoints: the pods of this node.
        bridge: the link that they are all behind; empty where each has one of its own.
    """
    engine, naming = Engine(view, Gate(bridge)), Naming()
    engine.attach(*endpoints)
    named = naming.settle(view, engine.outgoing(), engine.local)
    return union([engine.blueprint(), *named.values()])
