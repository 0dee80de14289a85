"""UDP ports at which the kernel takes packets out of FOU and GUE (generic netlink family ``fou``).

What lives here: opening, closing and listing them, and the record of those that are ours: the kernel keeps no
mark on them. What it must not know: tunnels, who wants a port.
"""

import errno
import fcntl
import json
import os
import socket as sockets
import struct
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from octet.blueprint import Blueprint, Change, FouPort, KernelObject
from octet.kernel import namespaces
from octet.kernel.netlink import wire
from octet.kernel.netlink.jobs import Progress
from octet.kernel.netlink.kind import ABSENT, AF_INET, AF_INET6, family_of
from octet.kernel.netlink.wire import NETLINK_GENERIC, Message, Socket
from octet.kernel.port import Outcome

_CONTROL, _GET_FAMILY, _FAMILY_ID, _FAMILY_NAME = 0x10, 3, 1, 2  # linux/genetlink.h
_ADD, _DEL, _GET = 1, 2, 3  # linux/fou.h
_PORT, _AF, _PROTOCOL, _TYPE = 1, 2, 3, 4
_DIRECT, _GUE = 1, 2
_SIOCGIFFLAGS, _IFREQ_BYTES = 0x8913, 40  # netdevice(7)
_HEADER = struct.Struct("=BBxx")
_BE16 = struct.Struct("!H")
_TAKEN = frozenset({errno.EADDRINUSE, errno.EALREADY, errno.EEXIST})
_FAMILIES = {AF_INET: 4, AF_INET6: 6}


class Record:
    """Which ports we opened, in a file so that a restarted agent knows; without one, in this object only."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._held: set[tuple[int, int]] = set()

    def read(self) -> set[tuple[int, int]]:
        """Return (family, port) of ours, as of now: the agent has two readers of one namespace."""
        if self._path is not None and self._path.exists():
            self._held = {(family, port) for family, port in json.loads(self._path.read_text("ascii"))}
        return set(self._held)

    def write(self, held: set[tuple[int, int]]) -> None:
        """Remember these and no others."""
        self._held = held
        if self._path is None:
            return
        draft = self._path.with_suffix(".new")
        draft.write_text(json.dumps(sorted(held)), encoding="ascii")
        draft.replace(self._path)


def family(socket: Socket) -> int:
    """Return the number of the generic netlink family. Raises OSError (ENOENT: the kernel has no FOU)."""
    body = _HEADER.pack(_GET_FAMILY, 1) + wire.text(_FAMILY_NAME, "fou")
    answer = socket.ask(Message(_CONTROL, 0, body))
    if answer.errno:
        raise OSError(answer.errno, answer.reason or "the kernel has no FOU")
    return wire.as_int(wire.attributes(answer.replies[0][1], _HEADER.size)[_FAMILY_ID])


def add(socket: Socket, item: FouPort) -> None:
    """Open a port. Raises OSError (EADDRINUSE: somebody has it)."""
    _load("fou" if item.family == 4 else "fou6")
    _ask(socket, _ADD, item)


def _load(module: str) -> None:
    """Have the kernel load a module that it does not load by itself when its netlink family is asked for.

    Who asks for an interface that is not there has a module of its name loaded, if he may load modules
    (net/core/dev_ioctl.c, ``dev_load``); for anybody else, and where it is built in, this is nothing.
    """
    with sockets.socket(sockets.AF_INET, sockets.SOCK_DGRAM) as asking, suppress(OSError):
        fcntl.ioctl(asking, _SIOCGIFFLAGS, module.encode().ljust(_IFREQ_BYTES, b"\0"))


def present(socket: Socket) -> list[FouPort]:
    """Return every port of the socket's namespace, whoever opened it; none without FOU. Raises OSError."""
    try:
        number = family(socket)
    except OSError as error:
        if error.errno == errno.ENOENT:
            return []
        raise
    found = socket.dump(Message(number, 0, _HEADER.pack(_GET, 1)))
    return [_decode(wire.attributes(body, _HEADER.size)) for _, body in found]


def _ask(socket: Socket, command: int, item: FouPort) -> None:
    kind = _GUE if item.protocol is None else _DIRECT
    body = _HEADER.pack(command, 1) + wire.be16(_PORT, item.port) + wire.u8(_AF, family_of(item.family))
    body += wire.u8(_TYPE, kind) + (wire.u8(_PROTOCOL, item.protocol) if item.protocol is not None else b"")
    answer = socket.ask(Message(family(socket), 0, body))
    if answer.errno:
        raise OSError(answer.errno, answer.reason or os.strerror(answer.errno))


def _decode(found: dict[int, bytes]) -> FouPort:
    gue = wire.as_int(found.get(_TYPE, b"")) == _GUE
    return FouPort(
        _BE16.unpack(found[_PORT])[0],
        _FAMILIES.get(wire.as_int(found.get(_AF, b"")), 4),
        None if gue else wire.as_int(found.get(_PROTOCOL, b"")),
    )


class FouPorts:
    """The facility for these ports. A kernel without FOU holds none, and refuses to open one."""

    atomic = False

    def __init__(self, namespace: int, record: Path | None = None) -> None:
        self._record = Record(record)
        with namespaces.inside(namespace):
            self._socket = Socket(NETLINK_GENERIC)

    def handles(self, item: KernelObject) -> bool:
        """Is it such a port?"""
        return isinstance(item, FouPort)

    def read(self, _wanted: Blueprint) -> Iterator[KernelObject]:
        """Return the ports that are open and were opened by us."""
        ours = self._record.read()
        if ours:
            yield from (item for item in present(self._socket) if (item.family, item.port) in ours)

    def apply(self, change: Change) -> Outcome:
        """Open and close ports, one by one; a port of somebody else stays as it is."""
        progress = Progress()
        for old, new in change.alter:
            progress.attempt(new, partial(self._reopen, old, new))
        for item in change.add:
            progress.attempt(item, partial(self._open, item))
        for item in change.remove:
            progress.attempt(item, partial(self._close, item))
        return progress.outcome()

    def _reopen(self, old: KernelObject, new: KernelObject) -> None:
        self._close(old)
        self._open(new)

    def _open(self, item: KernelObject) -> None:
        """Remember first: a port that a crash leaves remembered and not open does no harm."""
        if not isinstance(item, FouPort):
            return
        before, place = self._record.read(), (item.family, item.port)
        self._record.write(before | {place})
        try:
            add(self._socket, item)
        except OSError as error:
            if error.errno in _TAKEN and place in before and item in present(self._socket):
                return
            self._record.write(before - {place})
            if error.errno in _TAKEN:
                raise OSError(errno.EEXIST, "something that is not ours has the port") from None
            raise

    def _close(self, item: KernelObject) -> None:
        if not isinstance(item, FouPort):
            return
        before, place = self._record.read(), (item.family, item.port)
        if place not in before:
            return
        try:
            _ask(self._socket, _DEL, item)
        except OSError as error:
            if error.errno not in ABSENT:
                raise
        self._record.write(before - {place})

    def close(self) -> None:
        """Close the socket; idempotent."""
        self._socket.close()
