"""A request of a container runtime, parsed once at the door: environment and standard input to one value.

What lives here: Request and ``parse``, and how strict each command is.
What it must not know: sockets, the kernel, what the agent does with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from octet.cluster.endpoint import Attachment
from octet.cni import config
from octet.cni.config import NetworkConfig
from octet.cni.spec import environment as rules
from octet.cni.spec import versions
from octet.cni.spec.environment import Command
from octet.cni.spec.failures import CniError, Code
from octet.cni.spec.reading import Fields, bad, decode, shown
from octet.cni.spec.result import Result

STDIN_LIMIT = 1 << 20
"""Bytes of configuration that are read (ours; a Kubernetes object may have 1.5 MiB, a conflist a few KiB)."""

_ARGUMENTS = {"IGNOREUNKNOWN", "IP", "MAC"}
_POD = {f"K8S_POD_{key}" for key in ("NAMESPACE", "NAME", "UID", "INFRA_CONTAINER_ID")}


@dataclass(frozen=True, slots=True)
class Pod:
    """The Kubernetes pod that an attachment is for; empty texts where the runtime did not say."""

    namespace: str = ""
    name: str = ""
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """One call of the plugin.

    Attributes:
        attachment: what ADD, CHECK and DEL are about; None for the other commands.
        namespace: open descriptor of the pod's network namespace, or None; whoever gave it closes it.
        netns: the path the runtime gave for it, for results and messages; never opened by us.
        args: CNI_ARGS, keys in upper case.
        path: the directories of CNI_PATH.
    """

    command: Command
    version: str
    config: NetworkConfig
    attachment: Attachment | None = None
    namespace: int | None = None
    netns: str = ""
    args: Mapping[str, str] | None = None
    path: tuple[str, ...] = ()
    pod: Pod = Pod()


def parse(environment: Mapping[str, str], stdin: bytes, *, namespace: int | None = None) -> Request:
    """Return what a runtime asks.

    ADD, CHECK and STATUS are strict. DEL and GC read only what they need: a container must be removable
    whatever became of its configuration (spec 1.1.0, section 2: DEL should succeed if it can).

    Args:
        environment: the CNI_* variables of the plugin.
        stdin: its standard input.
        namespace: descriptor of the namespace that CNI_NETNS names, where it could be opened.

    Raises:
        CniError: 1, 2, 4, 6, 7 or 8, naming variable or key and its value.
    """
    command = rules.command(environment)
    if command is Command.VERSION:
        version = version_of(stdin)
        return Request(command, version, NetworkConfig(version, ""))
    fields = _document(stdin)
    version = _version(fields, command)
    name = _name(fields)
    args = _arguments(environment, command)
    attachment = _attachment(environment, command, name)
    if command in rules.OF_NAMESPACE:
        _need_namespace(environment, namespace)
    return Request(
        command=command,
        version=version,
        config=_config(fields, command, version, name, args),
        attachment=attachment,
        namespace=namespace,
        netns=environment.get("CNI_NETNS", ""),
        args=args,
        path=rules.search_path(environment),
        pod=Pod(*(args.get(f"K8S_POD_{key}", "") for key in ("NAMESPACE", "NAME", "UID"))),
    )


def version_of(stdin: bytes) -> str:
    """Return the cniVersion to answer with, whatever else is wrong with a configuration; never raises."""
    try:
        said = _document(stdin).text("cniVersion")
    except CniError:
        return versions.CURRENT
    return said if said in versions.READABLE else versions.CURRENT


def _document(stdin: bytes) -> Fields:
    if len(stdin) > STDIN_LIMIT:
        problem = f"the configuration has {len(stdin)} bytes, more than {STDIN_LIMIT}"
        raise CniError(Code.DECODING_FAILURE, problem)
    return Fields(decode(stdin, source="the configuration"))


def _version(fields: Fields, command: Command) -> str:
    said = fields.text("cniVersion")
    if said not in versions.SUPPORTED:
        known = ", ".join(versions.SUPPORTED)
        message = f"cniVersion = {shown(said)}: must be one of {known}"
        raise CniError(Code.INCOMPATIBLE_VERSION, message)
    needed = _SINCE.get(command, versions.SUPPORTED[0])
    if not versions.at_least(said, needed):
        message = f"cniVersion = {shown(said)}: {command} needs {needed} or newer"
        raise CniError(Code.INCOMPATIBLE_VERSION, message)
    return said


_SINCE = {
    Command.CHECK: versions.CHECK_SINCE,
    Command.GC: versions.GC_SINCE,
    Command.STATUS: versions.GC_SINCE,
}


def _name(fields: Fields) -> str:
    name = fields.text("name")
    if not rules.is_identifier(name):
        bad("name", name, "must start with a letter or digit; then also . _ -")
    return name


def _arguments(environment: Mapping[str, str], command: Command) -> dict[str, str]:
    try:
        args = rules.arguments(environment)
    except CniError:
        if command is Command.DEL:
            return {}
        raise
    unknown = sorted(args.keys() - _ARGUMENTS - _POD)
    strict = command in rules.OF_NAMESPACE and args.get("IGNOREUNKNOWN", "").lower() not in {"1", "true"}
    if unknown and strict:
        message = f"CNI_ARGS {unknown[0]} = {shown(args[unknown[0]])}: unknown, and IgnoreUnknown is not set"
        raise CniError(Code.INVALID_ENVIRONMENT, message)
    return args


def _attachment(environment: Mapping[str, str], command: Command, name: str) -> Attachment | None:
    if command not in rules.OF_ATTACHMENT:
        return None
    return Attachment(name, rules.container(environment), rules.interface(environment))


def _need_namespace(environment: Mapping[str, str], namespace: int | None) -> None:
    path = environment.get("CNI_NETNS", "")
    if not path:
        raise CniError(Code.INVALID_ENVIRONMENT, "CNI_NETNS is missing: it must name the pod's namespace")
    if namespace is None:
        raise CniError(Code.INVALID_NETNS, f"CNI_NETNS = {shown(path)}: came without an open descriptor")


def _config(
    fields: Fields, command: Command, version: str, name: str, args: Mapping[str, str]
) -> NetworkConfig:
    if command is Command.GC:
        return NetworkConfig(version, name, valid=config.valid_attachments(fields, name))
    if command is Command.DEL:
        return NetworkConfig(version, name, previous=_previous_if_readable(fields, version))
    found = config.full(fields, version, name, args)
    if command is Command.CHECK and found.previous is None:
        raise CniError(Code.INVALID_CONFIG, "prevResult is missing: CHECK compares with what ADD returned")
    return found


def _previous_if_readable(fields: Fields, version: str) -> Result | None:
    """A DEL does without a prevResult, so a broken one is no reason to fail."""
    try:
        return config.previous(fields, version)
    except CniError:
        return None
