"""Who decides which pod gets which address. Pure state machines; whoever drives one keeps its state.

What lives here: one module per way. What it must not know: files, stores, CNI.
"""

from octet.ipam.node_cidr import Allocation, Counts, Pool, State, TakenError

__all__ = ["Allocation", "Counts", "Pool", "State", "TakenError"]
