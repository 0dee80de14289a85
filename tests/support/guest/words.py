"""What the rig tells a person: how it goes, and the one error that it has."""

import sys


class Trouble(Exception):  # noqa: N818 -- it is no bug of anybody: it says what a person has to do
    """The guest could not be made or did not do its work; the text says what failed and what would do."""


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"guest: {text}\n")
    sys.stdout.flush()
