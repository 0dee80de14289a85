"""The environment of a plugin: what each ``CNI_*`` variable may hold.

What lives here: the commands, and the rules of the specification (1.1.0, section 2) and of libcni.
What it must not know: the configuration on standard input.
"""

import re
from collections.abc import Mapping
from enum import StrEnum

from octet.cni.spec.failures import CniError, Code
from octet.cni.spec.reading import shown

IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]*\Z")
"""Container ids and network names (libcni ``pkg/utils``)."""

IDENTIFIER_LIMIT = 512
"""Characters of a container id or network name that we accept; the specification sets no limit."""

INTERFACE_LIMIT = 15
"""Bytes of an interface name (the kernel's IFNAMSIZ less its final zero)."""


class Command(StrEnum):
    """What a runtime asks of a plugin."""

    ADD = "ADD"
    DEL = "DEL"
    CHECK = "CHECK"
    GC = "GC"
    STATUS = "STATUS"
    VERSION = "VERSION"


OF_ATTACHMENT = frozenset({Command.ADD, Command.DEL, Command.CHECK})
"""Commands about one container's interface; the others are about a network."""

OF_NAMESPACE = frozenset({Command.ADD, Command.CHECK})
"""Commands that cannot work without the pod's network namespace."""


def command(environment: Mapping[str, str]) -> Command:
    """Return what CNI_COMMAND asks. Raises CniError (4)."""
    value = environment.get("CNI_COMMAND", "")
    try:
        return Command(value)
    except ValueError:
        known = ", ".join(Command)
        raise _refuse("CNI_COMMAND", value, f"must be one of {known}") from None


def is_identifier(value: str) -> bool:
    """Tell whether a text may be a container id or a network's name."""
    return len(value) <= IDENTIFIER_LIMIT and IDENTIFIER.match(value) is not None


def interface_problem(value: str) -> str:
    """Say what is wrong with an interface name; empty if nothing is (kernel ``dev_valid_name``)."""
    if not 1 <= len(value.encode("utf-8", "surrogateescape")) <= INTERFACE_LIMIT:
        return f"must have 1 to {INTERFACE_LIMIT} bytes"
    if value in {".", ".."}:
        return "names a directory"
    if any(character in "/: " or not character.isprintable() for character in value):
        return "must not hold a slash, a colon, a space or a control character"
    if "%" in value:
        return "must not hold a per cent sign, which the kernel replaces by a number"
    return ""


def container(environment: Mapping[str, str]) -> str:
    """Return CNI_CONTAINERID. Raises CniError (4)."""
    value = environment.get("CNI_CONTAINERID", "")
    if not is_identifier(value):
        raise _refuse("CNI_CONTAINERID", value, "must start with a letter or digit; then also . _ -")
    return value


def interface(environment: Mapping[str, str]) -> str:
    """Return CNI_IFNAME. Raises CniError (4)."""
    value = environment.get("CNI_IFNAME", "")
    problem = interface_problem(value)
    if problem:
        raise _refuse("CNI_IFNAME", value, problem)
    return value


def arguments(environment: Mapping[str, str]) -> dict[str, str]:
    """Return CNI_ARGS, ``K=V;K=V``, keys in upper case. Raises CniError (4) where an entry is no pair."""
    found: dict[str, str] = {}
    for pair in environment.get("CNI_ARGS", "").split(";"):
        key, equals, value = pair.partition("=")
        if pair.strip() and (not equals or not key):
            raise _refuse("CNI_ARGS", pair, "must be KEY=VALUE pairs between semicolons")
        if equals:
            found[key.strip().upper()] = value
    return found


def search_path(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the directories of CNI_PATH, empty ones left out."""
    return tuple(part for part in environment.get("CNI_PATH", "").split(":") if part)


def _refuse(name: str, value: str, problem: str) -> CniError:
    said = f"{name} = {shown(value)}" if value else f"{name} is missing"
    return CniError(Code.INVALID_ENVIRONMENT, f"{said}: {problem}")
