"""The agent's configuration: TOML, parsed once at the door into frozen values.

What lives here: ``Config`` and ``load``. What it must not know: what any model's options mean (the model
reads them, ``Model.parse``), whether the kernel can (``capable`` asks the probes).
"""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import msgspec

from octet import models
from octet.cluster.reading import Address, Network
from octet.cluster.resolvers import Resolvers
from octet.errors import BadConfigurationError
from octet.ipam.limits import Limits
from octet.models.model import Running

RUN = "/run/octet"
SECRETS = "/etc/octet/secrets"

NODE_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", re.ASCII)
"""Names of Kubernetes nodes (RFC 1123 subdomain, at most 253 bytes)."""

NODE_RESOLVERS = "node"
"""The word for the resolvers that the node itself uses (resolv.conf)."""

RUN_LIMIT = 107 - len("/health.sock")
"""Bytes of the run directory's path: sockets in it must fit into sun_path (unix(7))."""


class _Node(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    register: bool = False


class _Cluster(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pod_cidrs: tuple[str, ...] = ()
    service_cidrs: tuple[str, ...] = ()


class _Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    options: dict[str, Any] = msgspec.field(default_factory=dict)


class _Store(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    path: str
    kind: str = "embedded"


class _Paths(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    run: str = RUN
    secrets: str = SECRETS


class _Underlay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    interface: str = ""


class _Ipam(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    ranges: tuple[str, ...] = ()
    reserved: tuple[str, ...] = ()


class _Health(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    port: int = 0


class _Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    resolvers: tuple[str, ...] = ("kube-system/kube-dns", NODE_RESOLVERS)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    node: _Node
    model: _Model
    store: _Store
    cluster: _Cluster = _Cluster()
    paths: _Paths = _Paths()
    underlay: _Underlay = _Underlay()
    health: _Health = _Health()
    ipam: _Ipam = _Ipam()
    policy: _Policy = _Policy()


@dataclass(frozen=True, slots=True)
class Config:
    """Everything an agent is told.

    Attributes:
        register: make and keep our own Node object, where no kubelet does.
        model: the row's name, with its variant, for people.
        run: directory of sockets, journal and lock.
        secrets: directory of what is mounted of Secrets, ``NAMESPACE/NAME/KEY`` (passwords of BGP sessions).
        interface: the underlay's; empty is the one with the node's address or the default route.
        health_port: also answer health requests on this loopback TCP port; 0 is no.
        limits: which of the node's addresses pods get.
        resolvers: whose answers about names policies believe.
        node_resolvers: are those among them that the node uses?
    """

    node: str
    register: bool
    pod_cidrs: tuple[Network, ...]
    service_cidrs: tuple[Network, ...]
    model: str
    running: Running
    store: Path
    run: Path
    secrets: Path = Path(SECRETS)
    interface: str = ""
    health_port: int = 0
    limits: Limits = field(default_factory=Limits)
    resolvers: Resolvers = field(default_factory=Resolvers)
    node_resolvers: bool = True


_MISSING = re.compile(r"Object missing required field `(.+)`")

Overrides = Mapping[str, Mapping[str, object]]
"""Sections to fields, as flags give them."""

FLAGS = {
    "node": ("node", "name"),
    "register": ("node", "register"),
    "pod_cidr": ("cluster", "pod_cidrs"),
    "service_cidr": ("cluster", "service_cidrs"),
    "model": ("model", "name"),
    "store": ("store", "path"),
    "run": ("paths", "run"),
    "interface": ("underlay", "interface"),
}
"""Flags of the command line, and the section and field that each one stands for."""


def overrides(given: Mapping[str, object]) -> dict[str, dict[str, object]]:
    """Return what flags say, by section and field; a flag without a value says nothing."""
    told: dict[str, dict[str, object]] = {}
    for flag, value in given.items():
        if value not in (None, "", (), [], False):
            section, field = FLAGS[flag]
            told.setdefault(section, {})[field] = value
    return told


def load(path: Path | None, overrides: Overrides | None = None) -> Config:
    """Read a file, or without one only flags; ``overrides`` come from flags and win.

    Raises:
        BadConfigurationError: naming file, field, value and what would do.
    """
    source = str(path) if path is not None else "flags"
    document = _read(path, source) if path is not None else {}
    for section, fields in (overrides or {}).items():
        held = document.setdefault(section, {})
        if not isinstance(held, dict):
            raise BadConfigurationError(source, section, held, "must be a section")
        held.update(fields)
    return parse(document, source)


def _read(path: Path, source: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode())
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfigurationError(source, "file", source, f"cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise BadConfigurationError(source, "syntax", "TOML", str(error)) from error


def parse(document: Mapping[str, object], source: str) -> Config:
    """Return the configuration that a TOML document means. Raises BadConfigurationError."""
    try:
        file = msgspec.convert(document, _File)
    except msgspec.ValidationError as error:
        raise _wrong_shape(error, document, source) from error
    if file.store.kind != "embedded":
        hint = 'kind = "embedded"'
        raise BadConfigurationError(source, "store.kind", file.store.kind, "no such store", hint=hint)
    if not NODE_NAME.fullmatch(file.node.name):
        problem = "must be a lower-case DNS name of at most 253 bytes"
        raise BadConfigurationError(source, "node.name", file.node.name, problem, hint="the Node's name")
    running = _running(file.model, source)
    if running.interface not in ("", file.underlay.interface or running.interface):
        problem = f"the model's options say {running.interface}"
        raise BadConfigurationError(source, "underlay.interface", file.underlay.interface, problem)
    config = Config(
        node=file.node.name,
        register=file.node.register,
        pod_cidrs=_networks(file.cluster.pod_cidrs, source, "cluster.pod_cidrs"),
        service_cidrs=_networks(file.cluster.service_cidrs, source, "cluster.service_cidrs"),
        model=file.model.name,
        running=running,
        store=_path(file.store.path, source, "store.path"),
        run=_path(file.paths.run, source, "paths.run", RUN_LIMIT),
        secrets=_path(file.paths.secrets, source, "paths.secrets"),
        interface=file.underlay.interface or running.interface,
        health_port=_port(file.health.port, source),
        limits=Limits.read(file.ipam.ranges, file.ipam.reserved, source),
        resolvers=_resolvers(file.policy.resolvers, source),
        node_resolvers=NODE_RESOLVERS in file.policy.resolvers,
    )
    _refuse_contradictions(config, source)
    return config


def _wrong_shape(
    error: msgspec.ValidationError, document: Mapping[str, object], source: str
) -> BadConfigurationError:
    """Return msgspec's words as ours: field and value first."""
    problem, _, where = str(error).partition(" - at `")
    field = where.rstrip("`").removeprefix("$").removeprefix(".")
    missing = _MISSING.match(problem)
    if missing:
        field, problem = f"{field}.{missing[1]}".lstrip("."), "is missing"
    return BadConfigurationError(source, field or "document", _at(document, field), problem)


def _running(model: _Model, source: str) -> Running:
    if model.name not in models.names():
        hint = f"one of {', '.join(models.names())}"
        raise BadConfigurationError(source, "model.name", model.name, "is no model", hint=hint)
    return models.find(model.name).parse(model.options, source=f"{source} [model.options]")


def _networks(texts: tuple[str, ...], source: str, field: str) -> tuple[Network, ...]:
    found: list[Network] = []
    for text in texts:
        try:
            found.append(ip_network(text))
        except ValueError as error:
            hint = "such as 10.244.0.0/16"
            raise BadConfigurationError(source, field, text, str(error), hint=hint) from error
    if len({each.version for each in found}) != len(found):
        raise BadConfigurationError(source, field, list(texts), "has two networks of one family")
    return tuple(found)


def _resolvers(texts: tuple[str, ...], source: str) -> Resolvers:
    """Return whom to believe: addresses, and services as namespace/name."""
    addresses: list[Address] = []
    services: list[tuple[str, str]] = []
    for text in texts:
        namespace, slash, name = text.partition("/")
        if slash and all(NODE_NAME.fullmatch(each) for each in (namespace, name)):
            services.append((namespace, name))
        elif text != NODE_RESOLVERS:
            try:
                addresses.append(ip_address(text))
            except ValueError as error:
                hint = f"such as 10.96.0.10, kube-system/kube-dns, {NODE_RESOLVERS}"
                problem = "is no address, namespace/name of a service, or the word"
                raise BadConfigurationError(source, "policy.resolvers", text, problem, hint=hint) from error
    return Resolvers(tuple(addresses), tuple(services))


def _path(text: str, source: str, field: str, limit: int = 4095) -> Path:
    if not text.startswith("/") or len(os.fsencode(text)) > limit:
        problem = f"must be an absolute path of at most {limit} bytes"
        raise BadConfigurationError(source, field, text, problem)
    return Path(text)


def _port(port: int, source: str) -> int:
    if not 0 <= port < 1 << 16:
        raise BadConfigurationError(source, "health.port", port, "is no TCP port", hint="0 is none")
    return port


def _refuse_contradictions(config: Config, source: str) -> None:
    """Refuse what each field alone allows and all together do not."""
    stated = config.running.networks.stated
    if not config.pod_cidrs and not stated and config.running.blocks is None:
        problem = "is empty: what is inside the cluster must be known, as all else is outside"
        raise BadConfigurationError(
            source, "cluster.pod_cidrs", [], problem, hint='such as ["10.244.0.0/16"]'
        )
    for network in stated:
        if config.pod_cidrs and not _any_overlaps(network, config.pod_cidrs):
            problem = f"the model's options say {network}, which the cluster lacks"
            raise BadConfigurationError(source, "cluster.pod_cidrs", _texts(config.pod_cidrs), problem)
    for network in config.service_cidrs:
        if _any_overlaps(network, (*config.pod_cidrs, *stated)):
            problem = "overlaps the pods' network"
            raise BadConfigurationError(source, "cluster.service_cidrs", str(network), problem)


def _any_overlaps(network: Network, others: Iterable[Network]) -> bool:
    return any(each.version == network.version and each.overlaps(network) for each in others)


def _texts(networks: Iterable[Network]) -> list[str]:
    return [str(each) for each in networks]


def _at(document: Mapping[str, object], field: str) -> object:
    """Return the value at a dotted path, for the message; None where there is none."""
    value: object = document
    for part in field.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
