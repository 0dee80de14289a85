"""How much one policy, and all of a node, may come to; more is refused by name, and its pods are shut.

What lives here: the numbers. What it must not know: how anything is counted, who is told.
"""

MOST_WORK = 2_000_000
"""Ranges of ports that are looked at to find out what overlapping networks with ports come to."""


class TooLargeError(Exception):
    """What is wanted is more than may be."""
