"""The agent's configuration: TOML, parsed once at the door into frozen values.

What lives here: ``Config`` and ``load``. What it must not know: what any model's options mean (the model
reads them, ``Model.parse``), whether the kernel can (``main`` asks the probes).
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import msgspec

from octet import models
from octet.cluster.reading import Network
from octet.errors import BadConfigurationError
from octet.models.model import Running

RUN = "/run/octet"


class _Node(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    register: bool = False


class _Cluster(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pod_cidrs: tuple[str, ...]
    service_cidrs: tuple[str, ...] = ()


class _Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    options: dict[str, Any] = msgspec.field(default_factory=dict)


class _Store(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    path: str
    kind: str = "embedded"


class _Paths(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    run: str = RUN


class _Underlay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    interface: str = ""


class _Health(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    port: int = 0


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    node: _Node
    cluster: _Cluster
    model: _Model
    store: _Store
    paths: _Paths = _Paths()
    underlay: _Underlay = _Underlay()
    health: _Health = _Health()


@dataclass(frozen=True, slots=True)
class Config:
    """Everything an agent is told.

    Attributes:
        register: make and keep our own Node object, where no kubelet does.
        model: the row's name, with its variant, for people.
        run: directory of sockets, journal and lock.
        interface: the underlay's; empty is the one with the node's address or the default route.
        health_port: also answer health requests on this loopback TCP port; 0 is no.
    """

    node: str
    register: bool
    pod_cidrs: tuple[Network, ...]
    service_cidrs: tuple[Network, ...]
    model: str
    running: Running
    store: Path
    run: Path
    interface: str = ""
    health_port: int = 0


def load(path: Path, overrides: Mapping[str, Mapping[str, object]] | None = None) -> Config:
    """Read a file; ``overrides`` (section to fields) come from flags and win.

    Raises:
        BadConfigurationError: naming file, field, value and what would do.
    """
    source = str(path)
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfigurationError(source, "file", source, f"cannot be read: {error}") from error
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadConfigurationError(source, "syntax", "TOML", str(error)) from error
    for section, fields in (overrides or {}).items():
        document.setdefault(section, {}).update(fields)
    return parse(document, source)


def parse(document: Mapping[str, object], source: str) -> Config:
    """Return the configuration that a TOML document means. Raises BadConfigurationError."""
    try:
        file = msgspec.convert(document, _File)
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at `")
        field = where.rstrip("`").removeprefix("$.") or "document"
        raise BadConfigurationError(source, field, _at(document, field), problem) from error
    if file.store.kind != "embedded":
        hint = 'kind = "embedded"'
        raise BadConfigurationError(source, "store.kind", file.store.kind, "no such store", hint=hint)
    if not file.node.name:
        raise BadConfigurationError(
            source, "node.name", "", "is empty", hint="the node's name in the cluster"
        )
    return Config(
        node=file.node.name,
        register=file.node.register,
        pod_cidrs=_networks(file.cluster.pod_cidrs, source, "cluster.pod_cidrs"),
        service_cidrs=_networks(file.cluster.service_cidrs, source, "cluster.service_cidrs"),
        model=file.model.name,
        running=_running(file.model, source),
        store=Path(file.store.path),
        run=Path(file.paths.run),
        interface=file.underlay.interface,
        health_port=_port(file.health.port, source),
    )


def _running(model: _Model, source: str) -> Running:
    return models.find(model.name).parse(model.options, source=f"{source} [model.options]")


def _networks(texts: tuple[str, ...], source: str, field: str) -> tuple[Network, ...]:
    found: list[Network] = []
    for text in texts:
        try:
            found.append(ip_network(text))
        except ValueError as error:
            hint = "such as 10.244.0.0/16"
            raise BadConfigurationError(source, field, text, str(error), hint=hint) from error
    if field.endswith("pod_cidrs") and len({each.version for each in found}) != len(found):
        raise BadConfigurationError(source, field, texts, "has two networks of one family")
    return tuple(found)


def _port(port: int, source: str) -> int:
    if not 0 <= port < 1 << 16:
        raise BadConfigurationError(source, "health.port", port, "is no TCP port", hint="0 is none")
    return port


def _at(document: Mapping[str, object], field: str) -> object:
    """Return the value at a dotted path, for the message; None where there is none."""
    value: object = document
    for part in field.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
