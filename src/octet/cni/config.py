"""The network configuration as our plugin understands it: what a runtime may ask of one attachment.

What lives here: NetworkConfig and the capabilities (portMappings, bandwidth, ips, ipRanges, mac, dns).
What it must not know: the environment's rules, who fulfils the requests.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface, ip_network

from octet.cluster.endpoint import Attachment, Bandwidth, HostPort
from octet.cni.spec import conversion, environment
from octet.cni.spec.failures import CniError, Code
from octet.cni.spec.reading import Fields, bad, parsed, shown
from octet.cni.spec.result import Address, Dns, Network, Result

PROTOCOLS = ("tcp", "udp", "sctp")
VALID_ATTACHMENTS = ("cni.dev/valid-attachments", "cni.dev/attachments")
"""Both spellings: the specification renamed the key in 2024 and libcni sends both."""

ANNOTATIONS = "io.kubernetes.cri.pod-annotations"
"""containerd's capability that carries the pod's annotations."""

NO_LIMITS = Bandwidth()
NO_DNS = Dns()

_KNOWN = frozenset(
    key.lower()
    for key in (
        *("cniVersion", "cniVersions", "name", "type", "socket", "capabilities", "runtimeConfig", "args"),
        *("prevResult", "dns", "disableCheck", "disableGC", "loadOnlyInlinedPlugins"),
    )
)
"""Keys of one plugin's configuration that we have a meaning for; keys with a slash belong to runtimes."""


@dataclass(frozen=True, slots=True)
class IpRange:
    """Addresses a runtime wants chosen from (capability ``ipRanges``, host-local's form).

    Attributes:
        start, end: first and last address; None is the subnet's own.
    """

    subnet: Network
    start: Address | None = None
    end: Address | None = None
    gateway: Address | None = None


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """One plugin's configuration, parsed.

    Attributes:
        previous: result of the plugins before us in the chain, or of the whole chain on CHECK and DEL.
        ips: addresses requested (capability ``ips``, ``args.cni.ips``, ``CNI_ARGS`` IP), in that order.
        ip_ranges: sets of ranges; one address is wanted from each set.
        mac: requested for the pod's end; empty is any.
        valid: the attachments that a GC must keep; None where the command is not GC.
        annotations: of the pod, where the runtime passes them.
    """

    version: str
    name: str
    previous: Result | None = None
    host_ports: tuple[HostPort, ...] = ()
    bandwidth: Bandwidth = NO_LIMITS
    ips: tuple[Address, ...] = ()
    ip_ranges: tuple[tuple[IpRange, ...], ...] = ()
    mac: str = ""
    dns: Dns = NO_DNS
    valid: frozenset[Attachment] | None = None
    annotations: Mapping[str, str] | None = None


def full(fields: Fields, version: str, name: str, arguments: Mapping[str, str]) -> NetworkConfig:
    """Return everything a configuration asks for. Raises CniError (2, 6, 7) naming key and value."""
    _refuse_unknown(fields)
    runtime = fields.fields("runtimeConfig")
    legacy = fields.fields("args").fields("cni")
    return NetworkConfig(
        version=version,
        name=name,
        previous=previous(fields, version),
        host_ports=_host_ports(runtime),
        bandwidth=_bandwidth(runtime.fields("bandwidth")),
        ips=_ips(runtime, legacy, arguments),
        ip_ranges=_ip_ranges(runtime),
        mac=_mac(runtime, legacy, arguments),
        dns=_dns(fields, runtime),
        annotations=_annotations(runtime),
    )


def _refuse_unknown(fields: Fields) -> None:
    for key, value in fields:
        if key.lower() not in _KNOWN and "/" not in key:
            problem = f"{shown(key)[1:-1]} = {shown(value)}: this plugin has no such field"
            raise CniError(Code.UNSUPPORTED_FIELD, problem)


def previous(fields: Fields, version: str) -> Result | None:
    """Return the prevResult, None where there is none. Raises CniError (1, 6, 7)."""
    held = fields.raw("prevResult")
    if held is None:
        return None
    return conversion.from_json(held, version=version, source="prevResult")


def valid_attachments(fields: Fields, name: str) -> frozenset[Attachment]:
    """Return the attachments that a GC must keep, under either key.

    Raises:
        CniError: 7 where neither key is there: taking that for "none" would remove every pod's network.
    """
    keys = [key for key in VALID_ATTACHMENTS if key in fields]
    if not keys:
        raise CniError(Code.INVALID_CONFIG, f"{VALID_ATTACHMENTS[0]} is missing: GC must say what to keep")
    return frozenset(_attachment(one, name) for key in keys for one in fields.each(key))


def _attachment(fields: Fields, name: str) -> Attachment:
    container, interface = fields.text("containerID"), fields.text("ifname")
    if not environment.is_identifier(container):
        bad(fields.at("containerID"), container, "is not a container id")
    problem = environment.interface_problem(interface)
    if problem:
        bad(fields.at("ifname"), interface, problem)
    return Attachment(name, container, interface)


def _host_ports(runtime: Fields) -> tuple[HostPort, ...]:
    found: dict[tuple[str, int, Address | None], HostPort] = {}
    for fields in runtime.each("portMappings"):
        port = _host_port(fields)
        known = found.setdefault((port.protocol, port.host_port, port.address), port)
        if known != port:
            bad(fields.at("hostPort"), port.host_port, f"already leads to port {known.container_port}")
    return tuple(found.values())


def _host_port(fields: Fields) -> HostPort:
    protocol = (fields.text("protocol") or "tcp").lower()
    if protocol not in PROTOCOLS:
        bad(fields.at("protocol"), protocol, f"must be one of {', '.join(PROTOCOLS)}")
    address = fields.parsed("hostIP", ip_address, "an address")
    return HostPort(
        host_port=_port(fields, "hostPort"),
        container_port=_port(fields, "containerPort"),
        protocol=protocol,
        address=None if address is None or address.is_unspecified else address,
    )


def _port(fields: Fields, key: str) -> int:
    found = fields.number_or_none(key, low=1, high=65535)
    return bad(fields.at(key), None, "must be 1 to 65535") if found is None else found


def _bandwidth(fields: Fields) -> Bandwidth:
    return Bandwidth(
        ingress_rate=_rate(fields, "ingressRate"),
        ingress_burst=fields.number("ingressBurst"),
        egress_rate=_rate(fields, "egressRate"),
        egress_burst=fields.number("egressBurst"),
    )


def _rate(fields: Fields, key: str) -> int:
    """Return a rate in bit/s. The kernel counts bytes: less than one would be no limit at all."""
    found = fields.number(key)
    return bad(fields.at(key), found, "must be 0 (no limit) or at least 8 bit/s") if 0 < found < 8 else found


def _ips(runtime: Fields, legacy: Fields, arguments: Mapping[str, str]) -> tuple[Address, ...]:
    """Collect requests from the three places, each address once; a prefix length is the network's to set."""
    said = [
        *((runtime.at("ips"), text) for text in runtime.texts("ips")),
        *((legacy.at("ips"), text) for text in legacy.texts("ips")),
        *(("CNI_ARGS IP", text.strip()) for text in arguments.get("IP", "").split(",") if text.strip()),
    ]
    found = (parsed(path, text, ip_interface, "an address").ip for path, text in said)
    return tuple(dict.fromkeys(found))


def _ip_ranges(runtime: Fields) -> tuple[tuple[IpRange, ...], ...]:
    sets = []
    for number, held in enumerate(runtime.items("ipRanges")):
        path = f"{runtime.at('ipRanges')}[{number}]"
        wrapped = Fields({"": held}, path)
        sets.append(
            tuple(_ip_range(Fields(one, f"{path}[{at}]")) for at, one in enumerate(wrapped.items("")))
        )
    return tuple(held for held in sets if held)


def _ip_range(fields: Fields) -> IpRange:
    subnet = fields.parsed("subnet", lambda text: ip_network(text, strict=False), "a network")
    if subnet is None:
        bad(fields.at("subnet"), None, "is required")
    start, end, gateway = (
        fields.parsed(key, ip_address, "an address") for key in ("rangeStart", "rangeEnd", "gateway")
    )
    for key, address in (("rangeStart", start), ("rangeEnd", end), ("gateway", gateway)):
        if address is not None and address not in subnet:
            bad(fields.at(key), str(address), f"is not in {subnet}")
    if start is not None and end is not None and int(start) > int(end):
        bad(fields.at("rangeEnd"), str(end), f"is before rangeStart {start}")
    return IpRange(subnet, start, end, gateway)


def _mac(runtime: Fields, legacy: Fields, arguments: Mapping[str, str]) -> str:
    """Return the request that counts: the capability before ``args`` before CNI_ARGS, as in ``bridge``."""
    said = ((runtime.at("mac"), runtime.text("mac")), (legacy.at("mac"), legacy.text("mac")))
    path, value = next((one for one in said if one[1]), ("CNI_ARGS MAC", arguments.get("MAC", "")))
    return parsed(path, value, unicast_mac, "a unicast MAC address") if value else ""


def unicast_mac(text: str) -> str:
    """Return a MAC address in the form of ``ip link``. Raises ValueError if no interface can have it."""
    octets = text.replace("-", ":").split(":")
    if len(octets) != 6 or not all(len(one) == 2 for one in octets):
        raise ValueError(text)
    numbers = bytes.fromhex("".join(octets))
    if len(numbers) != 6 or numbers[0] & 1 or not any(numbers):
        raise ValueError(text)
    return numbers.hex(":")


def _dns(fields: Fields, runtime: Fields) -> Dns:
    """The runtime's capability, where it was given, replaces what the configuration says."""
    if "dns" not in runtime:
        return conversion.read_dns(fields.fields("dns"))
    held = runtime.fields("dns")
    return Dns(
        nameservers=held.texts("servers"),
        search=held.texts("searches"),
        options=held.texts("options"),
    )


def _annotations(runtime: Fields) -> dict[str, str]:
    held = runtime.raw(ANNOTATIONS)
    if not isinstance(held, dict):
        return {}
    return {key: value for key, value in held.items() if isinstance(value, str)}
