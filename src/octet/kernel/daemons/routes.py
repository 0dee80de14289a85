"""Routes that a daemon of ours put into the kernel: found and taken away when the daemon goes for good.

What lives here: ``KernelRoutes``. What it must not know: which daemon, why there are routes.
"""

import errno
import os
import struct
from collections.abc import Iterator

from octet.blueprint.daemons import ROUTE_METRIC
from octet.kernel import namespaces
from octet.kernel.daemons import bird
from octet.kernel.netlink import wire
from octet.kernel.netlink.kind import AF_INET, AF_INET6
from octet.kernel.netlink.wire import Message, Socket

_RTM_DELROUTE, _RTM_GETROUTE = 25, 26
_HEADER = struct.Struct("=BBBBBBBBI")
_DST, _PRIORITY, _TABLE = 1, 6, 15
_GONE = frozenset({0, errno.ESRCH, errno.ENOENT})


class KernelRoutes:
    """``port.Routes`` of a namespace, by descriptor, or of the calling thread's."""

    def __init__(self, namespace: int | None = None) -> None:
        descriptor = namespaces.held(namespace)
        try:
            with namespaces.inside(descriptor):
                self._socket = Socket()
        finally:
            os.close(descriptor)

    def present(self) -> bool:
        """Are there any?"""
        return any(True for _ in self._removals())

    def remove(self) -> None:
        """Take them away; one that has gone meanwhile is as good."""
        for answer in self._socket.batch(list(self._removals())):
            if answer.errno not in _GONE:
                raise OSError(answer.errno, answer.reason or os.strerror(answer.errno))

    def _removals(self) -> Iterator[Message]:
        """Yield the message that removes each; the kernel lists only what bears the daemon's number."""
        for family in (AF_INET, AF_INET6):
            request = _HEADER.pack(family, 0, 0, 0, 0, bird.ROUTE_PROTOCOL, 0, 0, 0)
            for _, body in self._socket.dump(Message(_RTM_GETROUTE, 0, request)):
                _, prefix, _, _, table, protocol, _, _, _ = _HEADER.unpack_from(body)
                found = wire.attributes(body, _HEADER.size)
                metric = wire.as_int(found.get(_PRIORITY, b""))
                if protocol != bird.ROUTE_PROTOCOL or metric != ROUTE_METRIC:
                    continue
                header = _HEADER.pack(family, prefix, 0, 0, table, protocol, 255, 0, 0)
                parts = [header, wire.u32(_PRIORITY, metric)]
                parts += [wire.attribute(_DST, found[_DST])] if _DST in found else []
                parts += [wire.attribute(_TABLE, found[_TABLE])] if _TABLE in found else []
                yield Message(_RTM_DELROUTE, 0, b"".join(parts))

    def close(self) -> None:
        """Close the socket; idempotent."""
        self._socket.close()
