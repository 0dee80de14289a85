"""GoBGP's way to the kernel: its best routes in, what is connected or set by hand out to it.

What lives here: what each side lacks, and the program that tells it. What it must not know: labs, sessions.

GoBGP itself reaches a kernel only through FRR's zebra, and GoBGP 3.10 ends with a panic at the first message
of Debian's FRR 8.4 (internal/pkg/zebra/zapi.go, interfaceUpdateBody). So a lab keeps both in step with their
own tools: ``python -m octet.lab.routers.mirror 4 6``, beside gobgpd in a router's namespace.
"""

import asyncio
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_network
from typing import Any

from octet.lab import routes
from octet.lab.names import Network
from octet.lab.routes import GOBGP, Route

METRIC = 20
"""Of the routes in the kernel: FRR's for what it learns from other ASes."""

_FAMILIES = {4: "ipv4", 6: "ipv6"}
_ANNOUNCED = frozenset({2, 4})
"""Routes by protocol that go out: the kernel's (connected) and those set by hand (static)."""

_AS_PATH, _NEXT_HOP, _MP_REACH = 2, 3, 14
"""Types of path attributes (RFC 4271 and RFC 4760)."""

_CALM, _PATIENCE = 0.03, 5.0

Ways = Mapping[Network, frozenset[str]]


def learned(rib: Mapping[str, Sequence[Mapping[str, Any]]]) -> Ways:
    """Return next hops by network from ``gobgp -j global rib``: all whose AS path is shortest."""
    found: dict[Network, frozenset[str]] = {}
    for prefix, paths in rib.items():
        if not any(_own(path) for path in paths):
            shortest = min(map(_distance, paths))
            found[ip_network(prefix)] = frozenset(
                _next_hop(path) for path in paths if _distance(path) == shortest
            )
    return found


def originated(rib: Mapping[str, Sequence[Mapping[str, Any]]]) -> frozenset[Network]:
    """Return the networks in a RIB that are this router's own."""
    return frozenset(ip_network(prefix) for prefix, paths in rib.items() if any(map(_own, paths)))


def _attribute(path: Mapping[str, Any], kind: int, key: str, default: Any) -> Any:
    for attribute in path["attrs"]:
        if attribute["type"] == kind:
            return attribute.get(key, default)
    return default


def _next_hop(path: Mapping[str, Any]) -> str:
    hop: str = _attribute(path, _NEXT_HOP, "nexthop", "") or _attribute(path, _MP_REACH, "nexthop", "")
    return hop


def _own(path: Mapping[str, Any]) -> bool:
    return _next_hop(path) in {"", "0.0.0.0", "::"}  # noqa: S104 - GoBGP's next hop of its own routes


def _distance(path: Mapping[str, Any]) -> int:
    return sum(int(part["num"]) for part in _attribute(path, _AS_PATH, "as_paths", []))


def kernel_lines(there: Iterable[Route], wanted: Ways) -> Iterator[str]:
    """Yield ``ip -batch`` lines that make the mirror's routes in the kernel these, additions first."""
    held = {
        each.destination: frozenset(hop.via for hop in each.hops) for each in there if each.protocol == GOBGP
    }
    taken = {each.destination for each in there if each.protocol != GOBGP}
    for network, hops in wanted.items():
        if network not in taken and held.get(network) != hops:
            ways = " ".join(f"nexthop via {hop}" for hop in sorted(hops))
            yield f"route replace {network} proto {GOBGP} metric {METRIC} {ways}"
    for network in held:
        if network not in wanted:
            yield f"route del {network} proto {GOBGP} metric {METRIC}"


def announcements(there: Iterable[Route], told: frozenset[Network]) -> Iterator[tuple[str, Network]]:
    """Yield ("add" or "del", network) that make what GoBGP tells others what the kernel holds."""
    own = {each.destination for each in there if each.protocol in _ANNOUNCED and each.destination.prefixlen}
    yield from (("add", network) for network in sorted(own - told, key=str))
    yield from (("del", network) for network in sorted(told - own, key=str))


async def _said(*command: str, text: str = "") -> str:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    out, _ = await process.communicate(text.encode())
    return out.decode() if process.returncode == 0 else ""


async def _mirror(version: int) -> None:
    """Make kernel and GoBGP agree in one family; who does not answer is asked again later."""
    family = _FAMILIES[version]
    said = await _said("gobgp", "-j", "global", "rib", "-a", family)
    if not said:
        return
    rib = json.loads(said)
    there = routes.read(await _said(*routes.command(version)), version)
    for verb, network in announcements(there, originated(rib)):
        await _said("gobgp", "global", "rib", verb, str(network), "-a", family)
    if lines := list(kernel_lines(there, learned(rib))):
        await _said("ip", "-force", f"-{version}", "-batch", "-", text="\n".join(lines))


async def _listen(changed: asyncio.Event, *command: str) -> None:
    """Note every line that a watching program says; start it again when it ends."""
    while True:
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        while process.stdout is not None and await process.stdout.readline():
            changed.set()
        await process.wait()
        await asyncio.sleep(_CALM)


async def main(versions: Sequence[int]) -> None:
    """Keep both in step for ever: at each change, and now and then."""
    changed = asyncio.Event()
    watchers: list[tuple[str, ...]] = [("ip", "monitor", "route")]
    watchers += [("gobgp", "monitor", "global", "rib", "-a", _FAMILIES[version]) for version in versions]
    tasks = [asyncio.create_task(_listen(changed, *command)) for command in watchers]
    while tasks:
        changed.clear()
        for version in versions:
            await _mirror(version)
        try:
            await asyncio.wait_for(changed.wait(), _PATIENCE)
        except TimeoutError:
            continue
        await asyncio.sleep(_CALM)


if __name__ == "__main__":
    asyncio.run(main([int(word) for word in sys.argv[1:]]))
