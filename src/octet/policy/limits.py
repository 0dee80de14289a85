"""How much one policy, and all of a node, may come to; more is refused by name, and its pods are shut.

What lives here: the numbers. What it must not know: how anything is counted, who is refused.
"""

MOST_OF_ONE = 200_000
"""Addresses and ports that the policies of one pod and direction may come to, some 150 MiB of the agent."""

MOST_ON_NODE = 400_000
"""The same of all policies of a node together."""

MOST_WORK = 2_000_000
"""Ranges of ports that are looked at to find out what overlapping networks with ports come to."""


class TooLargeError(Exception):
    """Policies come to more than may be.

    Attributes:
        program: whose; empty is all of the node.
    """

    def __init__(self, program: str = "") -> None:
        super().__init__(program)
        self.program = program

    @property
    def words(self) -> str:
        """What is said of the policy that is refused for it."""
        if self.program:
            return f"it comes to more than {MOST_OF_ONE:,} addresses and ports"
        return f"this node's policies come to more than {MOST_ON_NODE:,} addresses and ports"
