"""Versions of the CNI specification, and what each one allows.

What lives here: the versions Octet speaks, how they compare, how two sides agree on one.
What it must not know: JSON, results.
"""

from collections.abc import Iterable

SUPPORTED = ("0.3.1", "0.4.0", "1.0.0", "1.1.0")
"""What our plugin and our runtime speak, oldest first."""

READABLE = ("0.1.0", "0.2.0", "0.3.0", *SUPPORTED)
"""Versions whose results we can read, because plugins of others still write them."""

CURRENT = SUPPORTED[-1]

CHECK_SINCE = "0.4.0"
"""The first version with CHECK, and with a prevResult on DEL."""

GC_SINCE = "1.1.0"
"""The first version with GC and STATUS."""


def numbers(version: str) -> tuple[int, int, int]:
    """Return (major, minor, patch). Raises ValueError if it is not of that form."""
    parts = version.split(".")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 6 for part in parts):
        raise ValueError(f"{version!r} is not a version of the form 1.2.3")
    major, minor, patch = (int(part) for part in parts)
    return major, minor, patch


def at_least(version: str, needed: str) -> bool:
    """Tell whether a version is the needed one or newer. Raises ValueError for malformed ones."""
    return numbers(version) >= numbers(needed)


def agreed(version: str, offered: Iterable[str]) -> str:
    """Return the newest version of a configuration that we know (libcni's rule for ``cniVersions``).

    Args:
        version: its ``cniVersion``; empty if it has none.
        offered: its ``cniVersions``; what is newer than CURRENT is for newer runtimes.
    """
    known = [one for one in (version, *offered) if one and numbers(one) <= numbers(CURRENT)]
    return max(known, key=numbers, default=version)
