"""What pretended namespaces hold, and what goes when something it stands on goes.

What lives here: ``World``, ``Namespace`` and their cascades. What it must not know: who asks; order; checks.
"""

import errno
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from ipaddress import IPv6Interface

from octet.blueprint import Address, KernelObject, Key, Link, Route, Shaper, Sysctl, Vxlan
from octet.kernel.plan import link_of_sysctl


@dataclass(slots=True)
class Device:
    """A link as it is now.

    Attributes:
        ours: does it bear our alias?
        retired: does it wait to be deleted, passing nothing?
        peer: namespace and name of a veth's other end.
    """

    link: Link
    ours: bool = True
    retired: bool = False
    peer: tuple["Namespace", str] | None = None


@dataclass(slots=True)
class Held:
    """Anything but a link or a setting, as it is now."""

    item: KernelObject
    ours: bool = True


@dataclass(slots=True)
class Refusal:
    """An error that somebody asked for.

    Attributes:
        times: how often it still happens.
    """

    errno: int
    times: int


@dataclass(slots=True)
class Namespace:
    """One pretended network namespace."""

    devices: dict[str, Device] = field(default_factory=dict)
    objects: dict[Key, Held] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    before: dict[str, str] = field(default_factory=dict)
    refusals: dict[Key, Refusal] = field(default_factory=dict)

    def refuse(self, key: Key) -> None:
        """Fail as somebody asked for. Raises OSError."""
        refusal = self.refusals.get(key)
        if refusal is None:
            return
        refusal.times -= 1
        if refusal.times <= 0:
            del self.refusals[key]
        raise OSError(refusal.errno, "refused because a test asked for it")

    def device(self, name: str) -> Device:
        """Return a link in use. Raises OSError (ENODEV)."""
        found = self.devices.get(name)
        if found is None or found.retired:
            raise OSError(errno.ENODEV, f"there is no link {name}")
        return found

    def on(self, link: str) -> Iterator[KernelObject]:
        """Yield everything that is on a link, whoever put it there."""
        for held in tuple(self.objects.values()):
            if getattr(held.item, "link", None) == link or _leads_from(held.item) == link:
                yield held.item

    def drop_device(self, name: str) -> None:
        """Delete a link with its other end, what is on it, and the devices whose lower link it is."""
        device = self.devices.pop(name, None)
        if device is None:
            return
        for item in self.on(name):
            self.objects.pop(item.key, None)
        for path in [path for path in self.settings if link_of_sysctl(Sysctl(path, "")) == name]:
            del self.settings[path]
        for other in list(self.devices.values()):
            if isinstance(other.link.detail, Vxlan) and other.link.detail.lower == name:
                self.drop_device(other.link.name)
            elif other.link.master == name:
                other.link = replace(other.link, master=None, port=None)
        if device.peer is not None:
            device.peer[0].drop_device(device.peer[1])

    def bring_down(self, name: str) -> None:
        """Take away what the kernel takes from a link that is set down: its routes and IPv6 addresses."""
        for item in self.on(name):
            inet6 = isinstance(item, Address) and isinstance(item.interface, IPv6Interface)
            if inet6 or isinstance(item, Route):
                self.objects.pop(item.key, None)

    def drop(self, key: Key) -> None:
        """Delete anything; an address takes the IPv4 routes along that have it as their source."""
        if key[0] == "link":
            self.drop_device(str(key[1]))
        gone = self.objects.pop(key, None)
        if gone is not None and isinstance(gone.item, Address) and gone.item.interface.version == 4:
            for held in tuple(self.objects.values()):
                if isinstance(held.item, Route) and held.item.source == gone.item.interface.ip:
                    self.objects.pop(held.item.key, None)


def _leads_from(item: KernelObject) -> str | None:
    """A shaper whose traffic comes from another link keeps its bucket; only the redirection is lost."""
    return item.redirect_from if isinstance(item, Shaper) else None


class World:
    """Several namespaces, by number, as descriptors would stand for them."""

    def __init__(self) -> None:
        self._namespaces: dict[int, Namespace] = {}
        self._last = 0

    def create(self) -> int:
        """Make an empty namespace and return its number."""
        self._last += 1
        self._namespaces[self._last] = Namespace()
        return self._last

    def destroy(self, number: int) -> None:
        """End a namespace; the other ends of its veths go with it."""
        ended = self._namespaces.pop(number)
        for name in list(ended.devices):
            ended.drop_device(name)

    def namespace(self, number: int) -> Namespace:
        """Return a namespace. Raises OSError (EINVAL) where the number stands for none."""
        if number not in self._namespaces:
            raise OSError(errno.EINVAL, "the descriptor is not a network namespace")
        return self._namespaces[number]
