"""Network configuration lists: which file counts, and what is in it.

What lives here: discovery by name and parsing, as libcni does. What it must not know: plugins, results.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from octet.cni.spec import environment, versions
from octet.errors import BadConfigurationError, NotFoundError

SUFFIXES = (".conflist", ".conf", ".json")
"""What a configuration's file name ends with (libcni, ConfFiles)."""


@dataclass(frozen=True, slots=True)
class ConfList:
    """One network: a chain of plugins.

    Attributes:
        version: what the runtime and this configuration agree on.
        plugins: each plugin's own configuration, as in the file.
        disable_check, disable_gc: the runtime shall leave the operation out.
        text: the file.
    """

    name: str
    version: str
    plugins: tuple[Mapping[str, Any], ...]
    disable_check: bool = False
    disable_gc: bool = False
    text: bytes = b""


def find(directory: Path) -> ConfList:
    """Return the first configuration of a directory in the order of names, as runtimes choose.

    Raises:
        NotFoundError: there is none.
        BadConfigurationError: it cannot be read; the next one is not tried, as that would be another network.
    """
    files = sorted(each for each in directory.glob("*") if each.suffix in SUFFIXES and each.is_file())
    if not files:
        hint = f"a file that ends with {', '.join(SUFFIXES)}"
        raise NotFoundError(f"{directory} has no CNI configuration", hint=hint)
    return load(files[0])


def load(path: Path) -> ConfList:
    """Return what a file says; one plugin's ``.conf`` is a list of one. Raises BadConfigurationError."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise BadConfigurationError(
            str(path), "file", path.name, f"cannot be read: {error.strerror}"
        ) from error
    return parse(text, source=str(path), drop_ins=path.parent)


def parse(text: bytes, *, source: str, drop_ins: Path | None = None) -> ConfList:
    """Return what a configuration says.

    Args:
        text: its JSON.
        source: what to call it in messages.
        drop_ins: a directory whose ``NAME/*.conf`` are further plugins of the network NAME, unless the list
            says ``loadOnlyInlinedPlugins`` (libcni, 2024).

    Raises:
        BadConfigurationError: naming field and value.
    """
    document = _object(text, source)
    name = document.get("name")
    if not isinstance(name, str) or not environment.is_identifier(name):
        raise BadConfigurationError(source, "name", name, "is not a name", hint="every network has one")
    plugins = document.get("plugins", [document])
    if not isinstance(plugins, list):
        raise BadConfigurationError(source, "plugins", plugins, "is not a list")
    if (
        drop_ins is not None
        and "plugins" in document
        and not _flag(document, "loadOnlyInlinedPlugins", source)
    ):
        more = sorted((drop_ins / name).glob("*.conf"))
        plugins = [*plugins, *(_object(each.read_bytes(), str(each)) for each in more)]
    return ConfList(
        name=name,
        version=_version(document, source),
        plugins=_plugins(plugins, source),
        disable_check=_flag(document, "disableCheck", source),
        disable_gc=_flag(document, "disableGC", source),
        text=text,
    )


def _object(text: bytes, source: str) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise BadConfigurationError(source, "document", "...", f"is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise BadConfigurationError(source, "document", document, "is not an object")
    return document


def _plugins(plugins: list[Any], source: str) -> tuple[dict[str, Any], ...]:
    if not plugins:
        raise BadConfigurationError(source, "plugins", plugins, "has no plugin")
    for number, plugin in enumerate(plugins):
        if not isinstance(plugin, dict) or not isinstance(plugin.get("type"), str):
            raise BadConfigurationError(source, f"plugins[{number}].type", plugin, "is missing")
        if not isinstance(plugin.get("capabilities", {}), dict | None):
            field = f"plugins[{number}].capabilities"
            raise BadConfigurationError(source, field, plugin["capabilities"], "is not an object")
    return tuple(plugins)


def _version(document: Mapping[str, Any], source: str) -> str:
    """Return the newest version that the configuration offers and we know (libcni's rule)."""
    said, offered = document.get("cniVersion", ""), document.get("cniVersions", [])
    if not isinstance(said, str):
        raise BadConfigurationError(source, "cniVersion", said, "is not a text")
    if not isinstance(offered, list) or not all(isinstance(each, str) for each in offered):
        raise BadConfigurationError(source, "cniVersions", offered, "is not a list of texts")
    try:
        return versions.agreed(said, offered) or versions.READABLE[0]
    except ValueError as error:
        raise BadConfigurationError(source, "cniVersion", said, str(error)) from error


def _flag(document: Mapping[str, Any], key: str, source: str) -> bool:
    """Return a boolean, which libcni also takes as a text; one that is neither is refused."""
    value = document.get(key, False)
    texts = {"true": True, "false": False}
    found = texts.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(found, bool):
        raise BadConfigurationError(source, key, value, "is neither true nor false")
    return found
