"""Network configuration lists: which file counts, and what is in it.

What lives here: discovery by name and parsing. What it must not know: plugins, results.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from octet.cni.spec import versions
from octet.errors import BadConfigurationError, NotFoundError

SUFFIXES = (".conflist", ".conf", ".json")
"""What a configuration's file name ends with (libcni, ConfFiles)."""


@dataclass(frozen=True, slots=True)
class ConfList:
    """One network: a chain of plugins.

    Attributes:
        plugins: each plugin's own configuration, as in the file.
        disable_check, disable_gc: the runtime shall leave the operation out.
    """

    name: str
    version: str
    plugins: tuple[Mapping[str, Any], ...]
    disable_check: bool = False
    disable_gc: bool = False


def find(directory: Path) -> ConfList:
    """Return the first configuration of a directory in the order of names, as runtimes choose.

    Raises:
        NotFoundError: there is none.
        BadConfigurationError: it cannot be read; the next one is not tried, as that would be another network.
    """
    files = sorted(each for each in directory.glob("*") if each.suffix in SUFFIXES and each.is_file())
    if not files:
        raise NotFoundError(f"{directory} has no CNI configuration", hint=f"a file that ends with {SUFFIXES}")
    return load(files[0])


def load(path: Path) -> ConfList:
    """Return what a file says; one plugin's ``.conf`` is a list of one. Raises BadConfigurationError."""
    source = str(path)
    try:
        document = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise BadConfigurationError(source, "file", path.name, f"cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise BadConfigurationError(source, "document", document, "is not an object")
    plugins = document.get("plugins", [document])
    name, offered = document.get("name", ""), document.get("cniVersions", [])
    if not isinstance(name, str) or not name:
        raise BadConfigurationError(source, "name", name, "is not a name", hint="every network has one")
    if not isinstance(plugins, list) or not plugins:
        raise BadConfigurationError(source, "plugins", plugins, "is not a list with a plugin")
    for number, plugin in enumerate(plugins):
        if not isinstance(plugin, dict) or not isinstance(plugin.get("type"), str):
            raise BadConfigurationError(source, f"plugins[{number}].type", plugin, "is missing")
    try:
        version = versions.agreed(document.get("cniVersion", ""), offered) or versions.READABLE[0]
    except (ValueError, TypeError, AttributeError) as error:
        said = document.get("cniVersion")
        raise BadConfigurationError(source, "cniVersion", said, str(error)) from error
    no_check, no_gc = (_flag(document, key) for key in ("disableCheck", "disableGC"))
    return ConfList(name, version, tuple(plugins), no_check, no_gc)


def _flag(document: Mapping[str, Any], key: str) -> bool:
    """Return a boolean that libcni also takes as a text."""
    return document.get(key) in (True, "true", "True")
