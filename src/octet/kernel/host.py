"""The real kernel: one network namespace, through its facilities.

What lives here: ``HostKernel``, which lets each facility do its part in the planned order.
What it must not know: what any facility does; models, pods, nodes.
"""

import contextlib
import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from octet.blueprint import Blueprint, Change
from octet.cluster.changes import Underlay
from octet.cluster.objects import Address
from octet.kernel import execution, inuse, namespaces, peers
from octet.kernel.daemons import Daemons
from octet.kernel.facility import Facility
from octet.kernel.fou import FouPorts
from octet.kernel.netlink import interfaces, links
from octet.kernel.netlink.linking import Linking
from octet.kernel.netlink.rtnetlink import Rtnetlink
from octet.kernel.netlink.wire import Socket
from octet.kernel.nft.facility import NftFacility
from octet.kernel.port import Outcome
from octet.kernel.shaping import Shaping
from octet.kernel.sysctl import Memory, Sysctls
from octet.kernel.underlay import NodeAddresses, observe
from octet.kernel.ways import Way, way


class HostKernel:
    """``port.Kernel`` of a real namespace. Not thread-safe."""

    def __init__(
        self,
        namespace: int | None = None,
        *,
        memory: Path | None = None,
        home: "HostKernel | None" = None,
        daemons: Daemons | None = None,
    ) -> None:
        """Open a namespace by descriptor (kept open here too), or the calling thread's.

        Args:
            namespace: None is the namespace of the calling thread.
            memory: file that keeps the values sysctls had before ours, across restarts.
            home: the kernel whose namespace holds the other ends of veths that are made here.
            daemons: holds this namespace's daemons; without it, there are none.
        """
        self._daemons = daemons
        self._namespace = namespaces.held(namespace)
        with namespaces.inside(self._namespace):
            self._socket = Socket()
        self._linking = Linking(self._socket, self._namespace, home.doorway() if home else None)
        self._facilities = self._parts(memory, pod=home is not None)

    def doorway(self) -> tuple[int, Linking]:
        """Return what a kernel entered from here needs to send veth peers here: namespace and links."""
        return self._namespace, self._linking

    def _parts(self, memory: Path | None, *, pod: bool) -> Sequence[Facility]:
        """Return what this kernel can hold, in the order in which additions are made."""
        netlink = Rtnetlink(self._socket, self._linking)
        settings = Sysctls(self._namespace, Memory(memory), of_links=False)
        link_settings = Sysctls(self._namespace, of_links=True)
        basic: list[Facility] = [settings, netlink, link_settings]
        if pod:
            return basic
        daemons = [self._daemons] if self._daemons is not None else []
        fou = FouPorts(self._namespace, memory.with_name("fou.json") if memory is not None else None)
        return [fou, *basic, Shaping(self._socket), NftFacility(self._namespace), *daemons]

    def read(self, wanted: Blueprint) -> Blueprint:
        """Return what the namespace holds of ours, as ``port.Kernel.read``."""
        return execution.read(self._facilities, wanted)

    def apply(self, change: Change) -> Outcome:
        """Make a change true, as ``port.Kernel.apply``."""
        return execution.carry_out(change, self._facilities)

    def enter(self, namespace: int) -> "HostKernel":
        """Return the kernel of another namespace, whose veths have their peers here."""
        return HostKernel(namespace, home=self)

    def reap(self) -> int:
        """Delete all retired links in one operation, as ``port.Kernel.reap``."""
        return self._linking.reap()

    def set_peer_mtu(self, host_link: str, mtu: int) -> None:
        """Set the MTU of the other end of a pair, wherever it lives. Raises OSError.

        ENODEV when there is no such link here, ENOENT when the other end's namespace can't be found.
        """
        found = interfaces.lookup(self._socket, [host_link]).get(host_link)
        if found is None or not found.lower:
            raise OSError(errno.ENODEV, f"there is no pair {host_link}")
        with contextlib.ExitStack() as stack:
            socket = self._socket
            if found.peer_namespace is not None:
                descriptor = peers.find(self._socket, found.peer_namespace)
                if descriptor is None:
                    raise OSError(errno.ENOENT, f"the namespace behind {host_link} can't be found")
                stack.callback(os.close, descriptor)
                with namespaces.inside(descriptor):
                    socket = stack.enter_context(Socket())
            answer = socket.ask(links.set_mtu(found.lower, mtu))
        if answer.errno:
            raise OSError(answer.errno, answer.reason or os.strerror(answer.errno))

    def underlay(self, interface: str = "", node_addresses: NodeAddresses = ()) -> Underlay:
        """Return the interface that carries what leaves this node, as ``underlay.observe``."""
        return observe(self._socket, interface, node_addresses)

    def way(self, address: Address) -> Way:
        """Return the way that a packet to an address takes, as ``ways.way``. Raises OSError."""
        return way(self._socket, address)

    def in_use(self) -> inuse.Addresses:
        """Return the addresses that this namespace has or routes out of an interface. Raises OSError."""
        return inuse.in_use(self._socket)

    def close(self) -> None:
        """Let go of sockets; idempotent."""
        for facility in self._facilities:
            facility.close()
        if self._namespace >= 0:
            os.close(self._namespace)
            self._namespace = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
