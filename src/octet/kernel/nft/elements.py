"""Elements of sets and maps, from nft's JSON to values and from values to nft's text.

What lives here: both directions of one element, by the data types that its set declares.
What it must not know: chains, rules, transactions.
"""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import msgspec

from octet.blueprint.nft import Element, Map, NetworkAddress, Range, Set, Value, Verdict
from octet.blueprint.nft.objects import TABLE
from octet.blueprint.nft.values import PROTOCOLS, text

_NAMES = {number: name for name, number in PROTOCOLS.items()}
_NAMES_OF_SYSTEM = {"ipv6-icmp": "icmpv6"}


def decode(json: str, holders: Mapping[str, Set | Map]) -> Iterator[Element]:
    """Yield every element of the sets and maps in a JSON listing (libnftables-json(5)).

    Args:
        json: what ``list table`` prints with JSON output.
        holders: the declarations, by name; sets that are not here are passed over.
    """
    for entry in msgspec.json.decode(json)["nftables"]:
        body: Mapping[str, Any] = entry.get("set") or entry.get("map") or {}
        holder = holders.get(body.get("name", ""))
        if holder is not None:
            yield from (_element(raw, holder) for raw in body.get("elem", ()))


def _element(raw: Any, holder: Set | Map) -> Element:
    if isinstance(holder, Set):
        return Element(holder.name, *_values(raw, holder.type))
    key, target = raw
    return Element(holder.name, *_values(key, holder.type), target=_target(target, holder))


def _target(raw: Any, holder: Map) -> tuple[Value, ...] | Verdict:
    if holder.value != ("verdict",):
        return _values(raw, holder.value)
    ((kind, body),) = raw.items()
    return Verdict(kind, body["target"] if body else "")


def _values(raw: Any, kinds: tuple[str, ...]) -> tuple[Value, ...]:
    if isinstance(raw, dict) and "elem" in raw:
        raw = raw["elem"]["val"]
    parts = raw["concat"] if isinstance(raw, dict) and "concat" in raw else [raw]
    return tuple(_value(part, kind) for part, kind in zip(parts, kinds, strict=True))


def _value(raw: Any, kind: str) -> Value:
    if isinstance(raw, dict) and "range" in raw:
        first, last = (_value(end, kind) for end in raw["range"])
        return Range(_end(first), _end(last))
    if isinstance(raw, dict):
        return ip_network((raw["prefix"]["addr"], raw["prefix"]["len"]))
    if kind in {"ipv4_addr", "ipv6_addr"}:
        return ip_address(raw)
    if kind == "inet_proto":
        return _protocol(raw)
    return int(raw) if kind in {"mark", "inet_service"} else str(raw)


def _protocol(raw: str | int) -> str | int:
    if isinstance(raw, int):
        return _NAMES.get(raw, raw)
    return _NAMES_OF_SYSTEM.get(raw, raw)


def _end(value: Value) -> int | NetworkAddress:
    if isinstance(value, int | IPv4Address | IPv6Address):
        return value
    raise TypeError(f"{value!r} ends no range")


def encode(element: Element, holder: Set | Map) -> str:
    """Return one element as nft reads it between the braces."""
    key = _concatenated(element.values, holder.type)
    if element.target is None:
        return key
    if isinstance(element.target, Verdict) or isinstance(holder, Set):
        return f"{key} : {element.target}"
    return f"{key} : {_concatenated(element.target, holder.value)}"


def _concatenated(values: tuple[Value, ...], kinds: tuple[str, ...]) -> str:
    return " . ".join(text(value, kind) for value, kind in zip(values, kinds, strict=True))


def command(verb: str, element: Element, holder: Set | Map) -> str:
    """Return the command that adds or deletes one element."""
    body = encode(element, holder)
    if verb == "delete":
        body = _concatenated(element.values, holder.type)
    return f"{verb} element {TABLE} {element.of} {{ {body} }}"
