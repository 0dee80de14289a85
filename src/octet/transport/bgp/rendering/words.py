"""How values are spelled in BIRD's language: symbols, texts, prefixes, communities, blocks.

What lives here: spelling, and the refusal of what cannot be spelled: BIRD's texts know no escapes.
What it must not know: sessions, speakers.
"""

import re
from collections.abc import Iterable
from hashlib import sha256

from octet.blueprint import Key
from octet.errors import BadConfigurationError
from octet.transport.bgp.speaker import Community

DAEMON = "bgp"
"""The name of the node's BGP daemon."""

_SAFE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_DIGESTED = re.compile(r"_[0-9a-f]{8}$")
_PATTERN = re.compile(r"[A-Za-z0-9._:@*?-]+")

_ALONE = ("filter.", "node.", "peer.")

Lines = list[str]


def alone(key: Key) -> bool:
    """Is it a file about one session or one filter? Where it can't be in force, everything else still is."""
    return key[:2] == ("config", DAEMON) and str(key[-1]).startswith(_ALONE)


def slug(name: str, room: int = 40) -> str:
    """Return a name's own form where it can be part of a file's name and of a symbol, or one like it.

    What had to be changed carries a digest, so that two names never become one. A symbol has at most 63
    bytes (BIRD, SYM_MAX_LEN), with kind and direction.
    """
    if _SAFE.fullmatch(name) and len(name) <= room and not _DIGESTED.search(name):
        return name
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", name)[: room - 9]
    return f"{plain}_{sha256(name.encode()).hexdigest()[:8]}"


def symbol(kind: str, name: str, suffix: str = "") -> str:
    """Return a symbol: ``'node:node1'``."""
    return f"'{kind}:{slug(name)}{suffix}'"


def text(value: str) -> str:
    """Return a quoted text for people; what BIRD's lexer would end it at is replaced."""
    return '"' + "".join(each if each.isprintable() and each != '"' else "?" for each in value) + '"'


def pattern(source: str, field: str, value: str) -> str:
    """Return a quoted interface name or pattern. Raises BadConfigurationError."""
    if not _PATTERN.fullmatch(value):
        raise BadConfigurationError(source, field, value, "is no name or pattern of interfaces")
    return f'"{value}"'


def tagging(communities: tuple[Community, ...]) -> Lines:
    """Return statements that add communities to a route."""
    kinds = {2: "bgp_community", 3: "bgp_large_community"}
    return [f"{kinds[len(each)]}.add(({', '.join(map(str, each))}));" for each in communities]


def indented(lines: Iterable[str], by: int = 2) -> Lines:
    """Return lines moved to the right."""
    return [" " * by + line for line in lines]


def block(head: str, lines: Iterable[str], end: str = "}") -> Lines:
    """Return ``head { lines }``, over several lines."""
    return [f"{head} {{", *indented(lines), end]


def joined(lines: Iterable[str]) -> str:
    """Return lines as a text with its last newline."""
    return "".join(f"{line}\n" for line in lines)
