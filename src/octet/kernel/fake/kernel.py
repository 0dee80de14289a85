"""The fake kernel: the port of one pretended namespace, and what tests may do behind its back.

What lives here: ``FakeKernel``. What it must not know: how objects are checked and held.
"""

import errno
from collections.abc import Sequence
from dataclasses import replace
from typing import Self

from octet.blueprint import (
    Address,
    Blueprint,
    Change,
    ConfigFile,
    Daemon,
    FouPort,
    KernelObject,
    Key,
    Link,
    Route,
    Shaper,
    Sysctl,
)
from octet.blueprint.nft import NftObject, Packet
from octet.kernel import execution
from octet.kernel.facility import Facility
from octet.kernel.fake.devices import Devices
from octet.kernel.fake.facilities import Netlink, Nft, Objects, Settings
from octet.kernel.fake.world import Device, Held, Refusal, World
from octet.kernel.fake_nft import Machine, Trace, trace
from octet.kernel.port import Outcome


class FakeKernel:
    """``port.Kernel`` of a pretended namespace.

    Attributes:
        world: the namespaces there are; ``enter`` takes their numbers for descriptors.
    """

    def __init__(
        self, world: World | None = None, number: int | None = None, home: "FakeKernel | None" = None
    ) -> None:
        """Open a namespace of a world, by number; without one, a new namespace.

        Args:
            world: None is a new one.
            number: as ``World.create`` returned it.
            home: the kernel whose namespace holds the other ends of veths that are made here.
        """
        self.world = world or World()
        self._here = self.world.namespace(self.world.create() if number is None else number)
        self.devices: Devices = Devices(self._here, home.devices if home else None)
        self._facilities = self._parts(pod=home is not None)

    def _parts(self, *, pod: bool) -> Sequence[Facility]:
        """Return what it can hold, in the order of the real kernel."""
        basic: list[Facility] = [
            Objects(self._here, (FouPort,)),
            Settings(self._here, of_links=False),
            Netlink(self._here, self.devices),
            Settings(self._here, of_links=True),
        ]
        return basic if pod else [*basic, Objects(self._here, (Shaper, Daemon, ConfigFile)), Nft(self._here)]

    def read(self, wanted: Blueprint) -> Blueprint:
        """Return what the namespace holds of ours, as ``port.Kernel.read``."""
        return execution.read(self._facilities, wanted)

    def apply(self, change: Change) -> Outcome:
        """Make a change true, as ``port.Kernel.apply``."""
        return execution.carry_out(change, self._facilities)

    def enter(self, namespace: int) -> "FakeKernel":
        """Return the kernel of another namespace of this world, whose veths have their peers here."""
        return FakeKernel(self.world, namespace, home=self)

    def reap(self) -> int:
        """Delete all retired links, as ``port.Kernel.reap``."""
        return self.devices.reap()

    def set_peer_mtu(self, host_link: str, mtu: int) -> None:
        """Set the MTU of the other end of a pair. Raises OSError."""
        peer = self._here.device(host_link).peer
        if peer is None:
            raise OSError(errno.EINVAL, f"{host_link} is no end of a pair")
        end = peer[0].device(peer[1])
        end.link = replace(end.link, mtu=mtu)

    def plant(self, *items: KernelObject) -> None:
        """Put there what somebody else made; a setting is simply set."""
        for item in items:
            if isinstance(item, Sysctl):
                self._here.settings[item.path] = item.value
            elif isinstance(item, Link):
                self._here.devices[item.name] = Device(item, ours=False)
            else:
                self._here.objects[item.key] = Held(item, ours=False)

    def delete(self, key: Key) -> None:
        """Delete an object behind our back, ours or not, with all that goes with it."""
        self._here.drop(key)

    def refuse(self, key: Key, number: int, times: int = 1) -> None:
        """Let the next changes of an object fail with an errno."""
        self._here.refusals[key] = Refusal(number, times)

    def holds(self, key: Key) -> bool:
        """Is there an object of this key, whoever made it? Retired links don't count."""
        if key[0] == "link":
            device = self._here.devices.get(str(key[1]))
            return device is not None and not device.retired
        return key in self._here.objects

    def peek(self, key: Key) -> KernelObject | None:
        """Return what is there under a key, whoever made it, or None."""
        device = self._here.devices.get(str(key[1])) if key[0] == "link" else None
        held = self._here.objects.get(key)
        return device.link if device is not None else held.item if held is not None else None

    def trace(self, packet: Packet) -> Trace:
        """Tell where a packet goes through what our nftables table holds now."""
        held = [each.item for each in self._here.objects.values()]
        return trace([item for item in held if isinstance(item, NftObject)], packet, self._machine(held))

    def _machine(self, held: Sequence[KernelObject]) -> Machine:
        addresses = [item for item in held if isinstance(item, Address)]
        connected = {each.interface.network: each.link for each in addresses if each.prefix_route}
        routed = {each.destination: each.link for each in held if isinstance(each, Route) and each.link}
        links = {each.link for each in addresses}
        own = {link: tuple(each.interface.ip for each in addresses if each.link == link) for link in links}
        return Machine(own, connected | routed)

    def close(self) -> None:
        """Nothing is held open; idempotent."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
