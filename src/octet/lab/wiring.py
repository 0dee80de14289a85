"""A fabric made real: ``ip`` commands from its values, run once per namespace.

What lives here: rendering of the few kinds of objects fabrics use, and their building.
What it must not know: which fabric, which provider.

Built with iproute2 rather than the kernel port, because that marks all it makes as Octet's and the agents on
the nodes would take the lab's own links and routes for their leftovers.
"""

import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from octet.blueprint import Address, Blueprint, Bridge, KernelObject, Link, Route, Sysctl, Veth
from octet.errors import OctetError
from octet.kernel import namespaces
from octet.lab.fabric import Fabric, Wire
from octet.lab.spaces import Spaces

_ORDER = (Link, Address, Route)


def render(blueprint: Iterable[KernelObject]) -> list[str]:
    """Return the ``ip -batch`` lines that make a blueprint so, where the ends of its wires exist."""
    items = [item for item in blueprint if not isinstance(item, Sysctl)]
    ordered = sorted(items, key=lambda item: _ORDER.index(type(item)))
    return ["link set lo up", *(line for item in ordered for line in _lines(item))]


def render_wires(wires: Iterable[Wire]) -> Iterator[tuple[str, str]]:
    """Return (namespace, ``ip -batch`` line) for each wire: the near end makes both."""
    for wire in wires:
        far = f"peer name {wire.far.link} netns {wire.far.space}"
        yield wire.near.space, f"link add {wire.near.link} type veth {far}"


def _lines(item: KernelObject) -> list[str]:
    match item:
        case Link():
            return _link(item)
        case Address():
            nodad = " nodad" if item.interface.version == 6 else ""
            return [f"address add {item.interface} dev {item.link}{nodad}"]
        case Route():
            via = f" via {item.via}" if item.via else ""
            return [f"route add {item.destination}{via} dev {item.link}"]
        case _:
            raise ValueError(f"a fabric cannot hold {item}")


def _link(link: Link) -> list[str]:
    lines = []
    match link.detail:
        case Bridge(multicast_snooping=snooping):
            lines.append(f"link add {link.name} type bridge mcast_snooping {int(snooping)}")
        case Veth():
            pass
        case _:
            raise ValueError(f"a fabric cannot hold {link}")
    lines += [] if link.ipv6_autoconf else [f"link set {link.name} addrgenmode none"]
    lines += [f"link set {link.name} mtu {link.mtu}"] if link.mtu else []
    lines += [f"link set {link.name} master {link.master}"] if link.master else []
    return [*lines, f"link set {link.name} up"]


def build(fabric: Fabric, spaces: Spaces) -> None:
    """Make every namespace of a fabric, what it holds, and the wires. Raises OctetError."""
    for name, blueprint in fabric.spaces.items():
        spaces.create(name)
        set_sysctls(spaces, name, blueprint)
    plans: dict[str, list[str]] = {name: [] for name in fabric.spaces}
    for name, line in render_wires(fabric.wires):
        plans[name].append(line)
    # All wires first: a namespace finds both ends in place.
    for name, lines in plans.items():
        run(spaces, name, lines)
    for name, blueprint in fabric.spaces.items():
        run(spaces, name, render(blueprint))


def set_sysctls(spaces: Spaces, name: str, blueprint: Blueprint) -> None:
    """Write a namespace's settings; those of ``default`` hold for links that come later."""
    with namespaces.inside(spaces.descriptor(name)):
        for sysctl in blueprint.of(Sysctl):
            path = Path("/proc/sys", sysctl.path)
            # A kernel without IPv6 has no IPv6 settings, and no need of them.
            if path.exists():
                path.write_text(sysctl.value)


def run(spaces: Spaces, name: str, lines: list[str]) -> None:
    """Run ``ip`` commands in a namespace, all or an error. Raises OctetError."""
    if not lines:
        return
    with namespaces.inside(spaces.descriptor(name)):
        done = subprocess.run(
            ["ip", "-batch", "-"], input="\n".join(lines), capture_output=True, text=True, check=False
        )
    if done.returncode != 0:
        raise OctetError(f"building {name}: {done.stderr.strip()}")
