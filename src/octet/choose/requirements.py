"""What an operator asks for: every field may be "don't know", which is not "no".

What lives here: ``Requirements`` and how it is read from TOML. What it must not know: providers, facts,
questions as a person hears them (``questions``), terminals.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from octet.errors import BadConfigurationError

Installer = Literal["kops", "kubeadm", "k3s", "rke2", "kind", "eks", "aks", "gke", "other"]
Cloud = Literal["aws", "azure", "gcp", "other-cloud", "bare-metal", "laptop"]
Family = Literal["ipv4", "ipv6", "dual"]
Version = Annotated[str, msgspec.Meta(pattern=r"^\d+\.\d+(\.\d+)?$")]
MOST_NODES = 1_000_000
Nodes = Annotated[int, msgspec.Meta(ge=1, le=MOST_NODES)]

NOTHING_TO_LEAVE = "none"
"""The answer to ``leaving`` of who has no provider yet."""


class Requirements(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """An operator's answers. None is "don't know": it rules nothing out, and stays open in the decision.

    A feature that is asked for (True) must be there. False is "not needed": it asks for nothing.

    Attributes:
        installer: what sets the cluster up.
        installer_version: of the installer, as "1.36".
        kubernetes: its version, as "1.33".
        bring_your_own: would the operator install and look after a provider that the installer doesn't?
        cloud: where the nodes are.
        private_topology: are nodes in private subnets, each zone with a route table of its own?
        ip_family: of pods: IPv4, IPv6 only, or both.
        policy_ingress: NetworkPolicy for what reaches pods.
        policy_egress: NetworkPolicy for what pods reach.
        policy_cluster_wide: policies of the whole cluster, above those of namespaces.
        policy_by_name: policies that name DNS names instead of addresses.
        encryption: of pod traffic between nodes.
        multicast: between pods.
        windows: worker nodes that run Windows.
        layer2: are all nodes on one layer-2 segment?
        bgp: shall pod routes be announced to routers of the operator's own?
        udp_only: does only UDP pass between some of the nodes?
        partial_mesh: are there nodes that cannot reach each other directly?
        nodes: today.
        nodes_in_two_years: as expected.
        kernel: the oldest of any node, as "5.15".
        kube_proxy_replacement: shall the provider do the work of kube-proxy?
        outside_database: may the provider need a database that the operator runs (False: it must not)?
        paid_support: must somebody sell support for it?
        maintained: must its authors still publish fixes?
        leaving: the provider that is there now and has to go, or "none".
    """

    installer: Installer | None = None
    installer_version: Version | None = None
    kubernetes: Version | None = None
    bring_your_own: bool | None = None
    cloud: Cloud | None = None
    private_topology: bool | None = None
    ip_family: Family | None = None
    policy_ingress: bool | None = None
    policy_egress: bool | None = None
    policy_cluster_wide: bool | None = None
    policy_by_name: bool | None = None
    encryption: bool | None = None
    multicast: bool | None = None
    windows: bool | None = None
    layer2: bool | None = None
    bgp: bool | None = None
    udp_only: bool | None = None
    partial_mesh: bool | None = None
    nodes: Nodes | None = None
    nodes_in_two_years: Nodes | None = None
    kernel: Version | None = None
    kube_proxy_replacement: bool | None = None
    outside_database: bool | None = None
    paid_support: bool | None = None
    maintained: bool | None = None
    leaving: str | None = None

    @property
    def most_nodes(self) -> int | None:
        """The larger of today's and the expected number; None where neither is known."""
        return max(
            (count for count in (self.nodes, self.nodes_in_two_years) if count is not None), default=None
        )


FIELDS: tuple[str, ...] = Requirements.__struct_fields__
"""Every field, in the order in which questions are asked."""


class RequirementsFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A ``requirements.toml``.

    Attributes:
        title: a name for the case, for people.
        story: whose case it is, in a few sentences.
        weights: how much each criterion matters, any scale; None takes the usual ones.
        expect: what the answer must be: read by the tests of worked examples, not by ``octet choose``.
    """

    requirements: Requirements
    title: str = ""
    story: str = ""
    weights: dict[str, float] | None = None
    expect: dict[str, Any] = {}


def read(path: Path) -> RequirementsFile:
    """Read a requirements file. Raises BadConfigurationError naming file, field, value and what would do."""
    try:
        text = path.read_text()
    except UnicodeDecodeError as error:
        byte = error.object[error.start : error.start + 1]
        hint = "a file that is saved as UTF-8"
        raise BadConfigurationError(
            str(path), f"byte {error.start}", byte, "is not UTF-8", hint=hint
        ) from error
    return parse(text, str(path))


def parse(text: str, source: str) -> RequirementsFile:
    """Read the text of a requirements file. Errors as ``read``; a mistake in the TOML names its line."""
    try:
        held = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _broken(text, source, str(error)) from error
    if "requirements" not in held:
        hint = "a table [requirements], even an empty one"
        raise BadConfigurationError(source, "table", "requirements", "is missing", hint=hint)
    return checked(held, RequirementsFile, source)


T = TypeVar("T")


def checked(held: Any, kind: type[T], source: str) -> T:
    """Turn plain values into a typed one. Raises BadConfigurationError naming the field and its value."""
    try:
        return msgspec.convert(held, kind)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at ")
        unknown = re.search(r"unknown field `([^`]+)`", problem)
        steps = re.findall(r"[\w-]+", path)
        field = ".".join([*steps, unknown.group(1)] if unknown else steps) or "document"
        raise BadConfigurationError(
            source, field, _value(held, field), _lower(problem), hint=_would_do(field, kind)
        ) from error


def _broken(text: str, source: str, problem: str) -> BadConfigurationError:
    """Say which line of a text is no TOML."""
    found = re.search(r"\(at line (\d+), column \d+\)", problem)
    lines = text.splitlines()
    number = int(found.group(1)) if found else len(lines)
    line = lines[number - 1].strip() if 0 < number <= len(lines) else ""
    hint = 'lines such as installer = "kops" or nodes = 60 below [requirements]'
    return BadConfigurationError(source, f"line {number}", line, f"is no TOML: {problem}", hint=hint)


def _value(held: Any, field: str) -> Any:
    for name in field.split("."):
        held = held.get(name) if isinstance(held, dict) else None
    return held


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _would_do(field: str, kind: type) -> str:
    """Say what a field takes; for a name that is none, which names there are."""
    name = field.rpartition(".")[2]
    if name in FIELDS:
        return takes(name)
    if kind is Requirements or field.startswith("requirements"):
        return f"one of {', '.join(FIELDS)}"
    return f"one of {', '.join(RequirementsFile.__struct_fields__)}"


Kind = Literal["bool", "name", "version", "number", "choice"]

_KINDS: Mapping[Kind, str] = {
    "bool": "true or false",
    "name": "a name",
    "version": 'a version such as "1.33"',
    "number": f"a whole number from 1 to {MOST_NODES:,}",
}

_HINTS = get_type_hints(Requirements, include_extras=True)


def _annotation(field: str) -> Any:
    """Return what a field takes besides None."""
    return next(each for each in get_args(_HINTS[field]) if each is not NoneType)


def kind_of(field: str) -> Kind:
    """Return what a field takes: yes or no, a name, a version, a number, or one of ``choices``."""
    if choices(field):
        return "choice"
    kinds: Mapping[Any, Kind] = {bool: "bool", str: "name", Version: "version", Nodes: "number"}
    return kinds[_annotation(field)]


def choices(field: str) -> tuple[str, ...]:
    """Return the answers that a field of a closed list takes, in the order written; none for other fields."""
    annotation = _annotation(field)
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def takes(field: str) -> str:
    """Return, for a person, what may be written for a field."""
    listed = choices(field)
    return f"one of {', '.join(listed)}" if listed else _KINDS[kind_of(field)]


def spoken(field: str) -> str:
    """Return, for a person, what may be typed for a field."""
    return "yes or no" if kind_of(field) == "bool" else takes(field)


_YES_NO = {"yes": True, "y": True, "true": True, "no": False, "n": False, "false": False}
TYPED = "yes, no, or ? for don't know"


def answer(field: str, text: str, source: str) -> Any:
    """Read one answer as typed on a command line; "don't know" and nothing at all are None.

    Raises:
        BadConfigurationError: the field takes something else.
    """
    said = text.strip()
    if said.lower() in {"", "?", "unknown", "don't know", "dont-know", "dunno"}:
        return None
    value: Any = said
    if kind_of(field) == "bool":
        if said.lower() not in _YES_NO:
            raise BadConfigurationError(source, field, said, "is neither yes nor no", hint=TYPED)
        value = _YES_NO[said.lower()]
    elif kind_of(field) == "number":
        value = int(said) if said.isdecimal() else said
    return getattr(checked({field: value}, Requirements, source), field)
