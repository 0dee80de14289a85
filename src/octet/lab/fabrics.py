"""Every fabric a lab can have, by the word of ``--fabric``.

What lives here: the list, and the choice. What it must not know: what a fabric consists of.
"""

from octet.errors import BadConfigurationError
from octet.lab.fabric import Fabric
from octet.lab.names import Plan
from octet.lab.racks import Shape
from octet.lab.routed import routed
from octet.lab.switch import l2

SWITCHED, ROUTED = "l2", "routed"
FABRICS = (SWITCHED, ROUTED)


def build(name: str, nodes: tuple[str, ...], plan: Plan, shape: Shape | None = None) -> Fabric:
    """Return the fabric of this name.

    Args:
        name: one of ``FABRICS``.
        nodes: the names of all nodes.
        plan: the addresses that do not depend on the fabric.
        shape: of ``routed``; left out, two racks, two spines, an uplink to each. Others have none.

    Raises:
        BadConfigurationError: no such fabric, or a shape that it hasn't.
    """
    match name:
        case "l2":
            if shape is not None:
                hint = "--fabric routed"
                raise BadConfigurationError("lab", "fabric", name, "has no racks and routers", hint=hint)
            return l2(nodes, plan)
        case "routed":
            return routed(nodes, plan, shape or Shape())
    raise BadConfigurationError("lab", "fabric", name, "unknown", hint=f"one of {', '.join(FABRICS)}")
