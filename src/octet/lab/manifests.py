"""Manifests as people keep them: a file, or a directory of files.

What lives here: which files of a directory are read, and in which order. What it must not know: what becomes
of the objects.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from octet.errors import BadConfigurationError
from octet.lab.objects import KINDS, Object, checked, raw_objects, read_manifest

ENDINGS = (".yaml", ".yml", ".json")
"""What a file of a directory is called that is read (kubectl's own list)."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was read of a cluster's objects.

    Attributes:
        others: the kinds that are there and say nothing about who may talk to whom.
    """

    objects: tuple[Object, ...]
    others: tuple[str, ...] = ()


def files(path: Path) -> list[Path]:
    """Return a file, or the manifests of a directory by name, as ``kubectl apply -f`` takes them.

    Raises:
        BadConfigurationError: there is no manifest in the directory.
    """
    if not path.is_dir():
        return [path]
    found = sorted(each for each in path.iterdir() if each.suffix in ENDINGS and each.is_file())
    if not found:
        hint = f"names end in {', '.join(ENDINGS)}"
        raise BadConfigurationError(str(path), "files", 0, "no manifest in this directory", hint=hint)
    return found


def read_path(path: Path) -> tuple[Object, ...]:
    """Return everything that is to be applied, all of it read before anything is done.

    Raises:
        BadConfigurationError: naming the file, the object and the field.
        OSError: a file cannot be read.
    """
    return tuple(item for each in files(path) for item in read_manifest(each.read_text(), str(each)))


def read_cluster(path: Path) -> Found:
    """Return the objects that decide who may talk to whom; other kinds are named, and left out.

    Raises:
        BadConfigurationError: naming the file, the object and the field.
        OSError: a file cannot be read.
    """
    objects: dict[tuple[str, str, str], Object] = {}
    others: dict[str, None] = {}
    for source, item in _raw(path):
        if isinstance(item, Mapping) and item.get("kind") and not _known(item):
            others[f"{item['kind']} ({item.get('apiVersion')})"] = None
            continue
        whole = checked(item, source)
        metadata = whole["metadata"]
        key = (whole["kind"], metadata.get("namespace", ""), metadata["name"])
        if key in objects:
            raise BadConfigurationError(source, "metadata.name", metadata["name"], "is there already")
        objects[key] = whole
    return Found(tuple(objects.values()), tuple(others))


def _raw(path: Path) -> Iterator[tuple[str, Any]]:
    for file in files(path):
        for number, item in enumerate(raw_objects(file.read_text(), str(file)), 1):
            yield f"{file}, object {number}", item


def _known(item: Mapping[str, Any]) -> bool:
    return any(item["kind"] in (kind.name, kind.name.removeprefix("Calico")) for kind in KINDS)
