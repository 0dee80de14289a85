"""The six decisions that a pod network is made of.

What lives here: their names, the question each one answers. What it must not know: how a model answers.
"""

from collections.abc import Mapping

DECISIONS: Mapping[str, str] = {
    "attach": "how does a pod's interface join its node?",
    "ipam": "who decides which pod gets which address?",
    "transport": "how does a packet get to another node?",
    "policy": "who may talk to whom?",
    "service": "who turns a service address into a pod?",
    "store": "where do the nodes agree?",
}
"""Field of a model's row, and the question; ``-`` as an answer leaves it to somebody else."""
