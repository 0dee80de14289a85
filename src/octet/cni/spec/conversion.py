"""Results as JSON, for every version of the specification, both ways.

What lives here: ``to_json`` and ``from_json``, and what each version can carry.
What it must not know: where the JSON comes from or goes.
"""

from collections.abc import Mapping
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

from octet.cni.spec.failures import CniError, Code
from octet.cni.spec.reading import Fields, bad, shown, wrong_type
from octet.cni.spec.result import Dns, Interface, Ip, Result, Route
from octet.cni.spec.versions import CURRENT, READABLE, at_least

_U32 = 2**32 - 1


def to_json(result: Result, version: str = CURRENT) -> dict[str, object]:
    """Return a result in the form of one version; what that version cannot carry is left out, as libcni does.

    Raises:
        CniError: 1 for a version nobody knows, or for 0.1.0 and 0.2.0 where the result has no address.
    """
    if version not in READABLE:
        raise CniError(Code.INCOMPATIBLE_VERSION, f"results of CNI version {shown(version)} are unknown")
    if not at_least(version, "0.3.0"):
        return _by_family(result, version)
    document: dict[str, object] = {"cniVersion": version}
    if result.interfaces:
        extras = at_least(version, "1.1.0")
        document["interfaces"] = [_interface(one, extras=extras) for one in result.interfaces]
    document["ips"] = [_ip(one, numbered=not at_least(version, "1.0.0")) for one in result.ips]
    if result.routes:
        document["routes"] = [_route(one, extras=at_least(version, "1.1.0")) for one in result.routes]
    document["dns"] = _dns(result.dns)
    return document


def _by_family(result: Result, version: str) -> dict[str, object]:
    """0.1.0 and 0.2.0: the first address of each family, its routes beside it, no interfaces."""
    document: dict[str, object] = {"cniVersion": version}
    for ip in result.ips:
        key = f"ip{ip.address.version}"
        if key in document:
            continue
        part: dict[str, object] = {"ip": str(ip.address)}
        if ip.gateway is not None:
            part["gateway"] = str(ip.gateway)
        same = [route for route in result.routes if route.destination.version == ip.address.version]
        if same:
            part["routes"] = [_route(route, extras=False) for route in same]
        document[key] = part
    if len(document) == 1:
        raise CniError(Code.INCOMPATIBLE_VERSION, f"CNI {version} cannot carry a result without an address")
    document["dns"] = _dns(result.dns)
    return document


def _interface(interface: Interface, *, extras: bool) -> dict[str, object]:
    out: dict[str, object] = {"name": interface.name}
    pairs: tuple[tuple[str, object], ...] = (("mac", interface.mac), ("sandbox", interface.sandbox))
    if extras:
        own = (("mtu", interface.mtu), ("socketPath", interface.socket_path), ("pciID", interface.pci_id))
        pairs += own
    out.update((key, value) for key, value in pairs if value)
    return out


def _ip(ip: Ip, *, numbered: bool) -> dict[str, object]:
    out: dict[str, object] = {"version": str(ip.address.version)} if numbered else {}
    if ip.interface is not None:
        out["interface"] = ip.interface
    out["address"] = str(ip.address)
    if ip.gateway is not None:
        out["gateway"] = str(ip.gateway)
    return out


def _route(route: Route, *, extras: bool) -> dict[str, object]:
    out: dict[str, object] = {"dst": str(route.destination)}
    if route.gateway is not None:
        out["gw"] = str(route.gateway)
    if not extras:
        return out
    numbers = (("mtu", route.mtu), ("advmss", route.advmss), ("priority", route.priority))
    out.update((key, value) for key, value in numbers if value)
    maybe = (("table", route.table), ("scope", route.scope))
    out.update((key, value) for key, value in maybe if value is not None)
    return out


def _dns(dns: Dns) -> dict[str, object]:
    pairs: tuple[tuple[str, Any], ...] = (
        ("nameservers", list(dns.nameservers)),
        ("domain", dns.domain),
        ("search", list(dns.search)),
        ("options", list(dns.options)),
    )
    return {key: value for key, value in pairs if value}


def from_json(document: Mapping[str, Any], *, version: str = "", source: str = "result") -> Result:
    """Return the result that a document of any known version says.

    Args:
        document: decoded JSON; keys in any case.
        version: the version if the document does not say (libcni then takes the configuration's).
        source: what to call the document in messages.

    Raises:
        CniError: 1 for an unknown version, 6 for a wrong type, 7 for a wrong value.
    """
    fields = Fields(document, source)
    said = fields.text("cniVersion") or version or "0.1.0"
    if said not in READABLE:
        problem = f"{source}.cniVersion = {shown(said)}: must be one of {', '.join(READABLE)}"
        raise CniError(Code.INCOMPATIBLE_VERSION, problem)
    dns = read_dns(fields.fields("dns"))
    if not at_least(said, "0.3.0"):
        return _from_families(fields, dns)
    interfaces = tuple(_read_interface(one) for one in fields.each("interfaces"))
    ips = tuple(_read_ip(one, len(interfaces)) for one in fields.each("ips"))
    return Result(interfaces, ips, tuple(_read_route(one) for one in fields.each("routes")), dns)


def _from_families(fields: Fields, dns: Dns) -> Result:
    parts = [fields.fields(key) for key in ("ip4", "ip6") if key in fields]
    ips = tuple(_read_ip(part, 0, key="ip") for part in parts)
    return Result((), ips, tuple(_read_route(one) for part in parts for one in part.each("routes")), dns)


def _read_interface(fields: Fields) -> Interface:
    return Interface(
        name=fields.text("name"),
        mac=fields.text("mac"),
        mtu=fields.number("mtu", high=_U32),
        sandbox=fields.text("sandbox"),
        socket_path=fields.text("socketPath"),
        pci_id=fields.text("pciID"),
    )


def _read_ip(fields: Fields, interfaces: int, *, key: str = "address") -> Ip:
    address = fields.parsed(key, ip_interface, "an address with a prefix length")
    if address is None:
        wrong_type(fields.at(key), None, "an address with a prefix length")
    index = fields.number_or_none("interface", low=-1, high=_U32)
    if index is not None and index >= max(interfaces, 1):
        bad(fields.at("interface"), index, f"there are {interfaces} interfaces")
    gateway = fields.parsed("gateway", ip_address, "an address")
    return Ip(address, gateway, None if index == -1 else index)


def _read_route(fields: Fields) -> Route:
    destination = fields.parsed("dst", lambda text: ip_network(text, strict=False), "a network")
    if destination is None:
        wrong_type(fields.at("dst"), None, "a network")
    return Route(
        destination=destination,
        gateway=fields.parsed("gw", ip_address, "an address"),
        mtu=fields.number("mtu", high=_U32),
        advmss=fields.number("advmss", high=_U32),
        priority=fields.number("priority", high=_U32),
        table=fields.number_or_none("table", high=_U32),
        scope=fields.number_or_none("scope", high=_U32),
    )


def read_dns(fields: Fields) -> Dns:
    """Return the well-known ``dns`` object of results and configurations."""
    return Dns(
        nameservers=fields.texts("nameservers"),
        domain=fields.text("domain"),
        search=fields.texts("search"),
        options=fields.texts("options"),
    )
