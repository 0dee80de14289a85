"""Pretended links: made in order, never taken from somebody else, retired like real ones.

What lives here: the facility for links alone. What it must not know: what is on links, other facilities.
"""

import errno
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from octet.blueprint import (
    Blueprint,
    Bridge,
    BridgePort,
    Change,
    Ifb,
    Ip6Tunnel,
    Ipip,
    KernelObject,
    Link,
    Veth,
    Vxlan,
)
from octet.kernel.fake.checks import check_name
from octet.kernel.fake.world import Device, Namespace
from octet.kernel.netlink.devices import CODERS
from octet.kernel.netlink.jobs import Progress
from octet.kernel.plan import levels


class Devices:
    """Links of one namespace.

    Attributes:
        retired: how many have been retired since the last ``reap``.
    """

    def __init__(self, here: Namespace, home: "Devices | None" = None) -> None:
        self._here = here
        self._home = home
        self.retired = 0

    def read(self, wanted: Blueprint) -> Iterator[Link]:
        """Return our links that are in use."""
        for device in self._here.devices.values():
            if device.ours and not device.retired:
                yield _as_wanted(device.link, wanted.get(device.link.key))

    def make(self, change: Change, progress: Progress) -> None:
        """Make links so, lower ones first."""
        altered = {new.key for _, new in change.alter}
        arriving = (*change.add, *(new for _, new in change.alter))
        for level in levels(item for item in arriving if isinstance(item, Link)):
            for link in level:
                progress.attempt(link, partial(self._make, link, anew=link.key in altered))

    def _make(self, link: Link, *, anew: bool) -> None:
        self._here.refuse(link.key)
        found = self._here.devices.get(link.name)
        if found is not None and found.retired:
            self.reap()
            found = None
        if found is not None and not found.ours:
            raise OSError(errno.EEXIST, f"there is a link {link.name} that is not ours")
        if found is not None and not _replaceable(found.link, link):
            if not anew:
                raise OSError(errno.EEXIST, f"{link.name} is there as another kind of device")
            self._here.drop_device(link.name)
            found = None
        self._configure(found or self._create(link), link)

    def _create(self, link: Link) -> Device:
        check_name(link.name)
        device = Device(replace(link, purpose="", up=False, master=None, port=None))
        if isinstance(link.detail, Veth):
            self._create_peer(device, link.detail)
        if isinstance(link.detail, Vxlan):
            self._check_vxlan(link.detail)
        if isinstance(link.detail, Ipip | Ip6Tunnel):
            self._check_tunnel(link.detail)
        self._here.devices[link.name] = device
        return device

    def _create_peer(self, device: Device, detail: Veth) -> None:
        """Make the end in the home namespace: ours from birth; that side gives it its purpose later."""
        if self._home is None:
            raise OSError(errno.ENODEV, f"{device.link.name} is made from its pod's end, which is not there")
        self._home.receive(device, detail, self._here)

    def receive(self, device: Device, detail: Veth, origin: Namespace) -> None:
        """Take in the other end of a pair that is made in another namespace."""
        check_name(detail.peer)
        clash = self._here.devices.get(detail.peer)
        if clash is not None and clash.retired:
            self.reap()
        elif clash is not None:
            raise OSError(errno.EEXIST, f"there is a link {detail.peer} already")
        link = device.link
        end = Link(detail.peer, Veth(link.name, link.mac), "", mtu=link.mtu, mac=detail.peer_mac, up=False)
        self._here.devices[detail.peer] = Device(end, peer=(origin, link.name))
        device.peer = (self._here, detail.peer)

    def _check_vxlan(self, detail: Vxlan) -> None:
        if detail.lower is not None:
            self._here.device(detail.lower)
        others = (device.link.detail for device in self._here.devices.values())
        if any(isinstance(each, Vxlan) and _tells_apart(each) == _tells_apart(detail) for each in others):
            raise OSError(errno.EEXIST, "a VXLAN device with this VNI and port is there already")

    def _check_tunnel(self, detail: Ipip | Ip6Tunnel) -> None:
        ends = [
            (device.link.detail.local, device.link.detail.remote)
            for device in self._here.devices.values()
            if isinstance(device.link.detail, type(detail))
        ]
        if (detail.local, detail.remote) in ends:
            raise OSError(errno.EEXIST, "a tunnel between these addresses is there already")

    def _configure(self, device: Device, link: Link) -> None:
        if link.master is not None:
            master = self._here.device(link.master)
            if not master.ours:
                raise OSError(errno.EEXIST, f"its master {link.master} is not ours")
            if not isinstance(master.link.detail, Bridge):
                raise OSError(errno.EOPNOTSUPP, f"{link.master} is no bridge")
        if device.link.up and not link.up:
            self._here.bring_down(link.name)
        device.link = link

    def remove(self, link: Link) -> None:
        """Retire a pod's link, delete another; what is absent or not ours is left as it is."""
        self._here.refuse(link.key)
        found = self._here.devices.get(link.name)
        if found is None or not found.ours or found.retired:
            return
        if self._home is None and isinstance(link.detail, Veth | Ifb):
            found.retired = True
            self.retired += 1
        else:
            self._here.drop_device(link.name)

    def reap(self) -> int:
        """Delete all retired links; return how many had been retired since the last time."""
        for name in [name for name, device in self._here.devices.items() if device.retired]:
            self._here.drop_device(name)
        count, self.retired = self.retired, 0
        return count


def _tells_apart(detail: Vxlan) -> tuple[int, int, int]:
    """Return what two devices of a namespace cannot share (vxlan_core.c, vxlan_config_validate)."""
    return detail.vni, detail.port, detail.local.version


def _replaceable(found: Link, link: Link) -> bool:
    if type(found.detail) is not type(link.detail):
        return False
    fixed = CODERS[type(link.detail)].fixed
    return bool(fixed(found.detail) == fixed(link.detail))


def _as_wanted(link: Link, want: KernelObject | None) -> Link:
    """Leave out what nobody asked for, as the real one does."""
    if not isinstance(want, Link):
        return link
    mtu = None if want.mtu is None else link.mtu
    mac = None if want.mac is None else link.mac
    plain = want.port is None and link.port in {None, BridgePort()}
    return replace(link, mtu=mtu, mac=mac, port=None if plain else link.port)
