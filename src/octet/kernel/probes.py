"""How each kernel feature is tried out, in a network namespace that is thrown away.

What lives here: one small function per feature that does the real thing and raises OSError where it can't.
What it must not know: what needs the feature, what the answers are used for (``features``).
"""

import ctypes
import errno
import fcntl
import itertools
import os
import platform
import socket as sockets
import struct
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

from octet.blueprint import Change, FouPort, Shaper
from octet.kernel import connections, conntrack, namespaces
from octet.kernel import fou as ports
from octet.kernel.netlink import interfaces, wire
from octet.kernel.netlink.interfaces import (
    GROUP,
    IFINFO,
    IFNAME,
    INFO_DATA,
    INFO_KIND,
    LINKINFO,
    RTM_DELLINK,
    RTM_GETLINK,
    RTM_NEWLINK,
    TARGET_NETNSID,
)
from octet.kernel.netlink.wire import CREATE, EXCL, NETLINK_GENERIC, NETLINK_NETFILTER, Message, Socket
from octet.kernel.nft.library import Nft
from octet.kernel.shaping import Shaping

Probe = Callable[[], None]

_NETLINK_XFRM = 6
TABLE = "inet probe"
"""The nftables table in which probes work."""


_numbers = itertools.count()


def _name() -> str:
    """Return a name that no link has yet: probes share their namespace."""
    return f"probe{next(_numbers)}"


def _refuse(number: int, text: str = "") -> OSError:
    return OSError(number, text or os.strerror(number))


def _asked(socket: Socket, message: Message) -> list[tuple[int, bytes]]:
    answer = socket.ask(message)
    if answer.errno:
        raise _refuse(answer.errno, answer.reason)
    return answer.replies


def _new_link(name: str, kind: str, data: bytes = b"", extra: bytes = b"") -> Message:
    info = wire.text(INFO_KIND, kind) + (wire.nested(INFO_DATA, data) if data else b"")
    body = IFINFO.pack(0, 0, 0, 0, 0) + wire.text(IFNAME, name) + extra + wire.nested(LINKINFO, info)
    return Message(RTM_NEWLINK, CREATE | EXCL, body)


def link(kind: str, *, local: int = 0, remote: int = 0, more: bytes = b"") -> Probe:
    """Return a probe that makes a link of a kind.

    Args:
        kind: as in ``ip link add type KIND``.
        local: attribute number of a tunnel's own address, if it must have one.
        remote: attribute number of its other end.
        more: other data attributes.
    """

    def make() -> None:
        ends = [(local, "192.0.2.1"), (remote, "192.0.2.2")]
        data = b"".join(wire.attribute(number, ip_address(text).packed) for number, text in ends if number)
        with Socket() as socket:
            _asked(socket, _new_link(_name(), kind, data + more))

    return make


def vxlan(local: str) -> Probe:
    """Return a probe that makes a VXLAN device with its own address of a family."""
    address = ip_address(local)
    number, port, of_family = 1, 15, {4: 4, 6: 17}  # IFLA_VXLAN_ID, _PORT, _LOCAL, _LOCAL6
    data = wire.u32(number, 7) + wire.be16(port, 4789)
    return link("vxlan", more=data + wire.attribute(of_family[address.version], address.packed))


def ip6_tunnel() -> None:
    """Make an IPv6 tunnel between two addresses."""
    ends = ((2, "2001:db8::1"), (3, "2001:db8::2"))  # IFLA_IPTUN_LOCAL, _REMOTE
    link("ip6tnl", more=b"".join(wire.attribute(number, ip_address(end).packed) for number, end in ends))()


def fou(family: int) -> Probe:
    """Return a probe that opens a port for packets in UDP, and makes a tunnel whose packets are in UDP."""

    def make() -> None:
        with Socket(NETLINK_GENERIC) as socket:
            ports.add(socket, FouPort(5555, family))
        kind, ends = (
            ("ipip", ("192.0.2.3", "192.0.2.4"))
            if family == 4
            else ("ip6tnl", ("2001:db8::3", "2001:db8::4"))
        )
        addresses = [ip_address(end).packed for end in ends]
        data = wire.attribute(2, addresses[0]) + wire.attribute(3, addresses[1])
        in_udp = wire.u16(15, 2) + wire.be16(18, 5555)  # IFLA_IPTUN_ENCAP_TYPE (GUE), _ENCAP_DPORT
        link(kind, more=data + in_udp)()

    return make


def link_groups() -> None:
    """Make a link in a group and delete the group."""
    with Socket() as socket:
        _asked(socket, _new_link(_name(), "bridge", extra=wire.u32(GROUP, 77)))
        _asked(socket, Message(RTM_DELLINK, 0, IFINFO.pack(0, 0, 0, 0, 0) + wire.u32(GROUP, 77)))


def locked_ports() -> None:
    """Lock a port of a bridge, and see that it is."""
    set_link, family, info, locked = (
        19,
        7,
        12,
        39,
    )  # RTM_SETLINK, AF_BRIDGE, IFLA_PROTINFO, IFLA_BRPORT_LOCKED
    bridge, port = _name(), _name()
    with Socket() as socket:
        _asked(socket, _new_link(bridge, "bridge"))
        held = interfaces.lookup(socket, [bridge]).index(bridge)
        _asked(socket, _new_link(port, "veth", extra=wire.u32(interfaces.MASTER, held)))
        index = interfaces.lookup(socket, [port]).index(port)
        wanted = wire.nested(info, wire.u8(locked, 1))
        _asked(socket, Message(set_link, 0, IFINFO.pack(family, 0, index, 0, 0) + wanted))
        found = interfaces.lookup(socket, [port]).get(port)
    settings = wire.attributes(found.port or b"") if found is not None else {}
    if wire.as_int(settings.get(locked, b"")) != 1:
        raise _refuse(errno.EOPNOTSUPP, "the port is not locked")


def target_namespace() -> None:
    """Ask for a link of another namespace without entering it."""
    new_nsid, nsid, descriptor = 88, 1, 3  # RTM_NEWNSID, NETNSA_NSID, NETNSA_FD
    other = namespaces.create()
    try:
        with Socket() as socket:
            where = wire.u32(nsid, 5) + wire.u32(descriptor, other)
            _asked(socket, Message(new_nsid, 0, bytes(4) + where))
            question = IFINFO.pack(0, 0, 1, 0, 0) + wire.u32(TARGET_NETNSID, 5)
            replies = _asked(socket, Message(RTM_GETLINK, 0, question))
    finally:
        os.close(other)
    if not any(TARGET_NETNSID in wire.attributes(body, IFINFO.size) for _, body in replies):
        raise _refuse(errno.EOPNOTSUPP, "the kernel answered for its own namespace")


def network_namespaces() -> None:
    """Make and enter one more."""
    os.close(namespaces.create())


def user_namespaces() -> None:
    """Make one. Changes the calling process for good: the caller must be expendable."""
    namespaces.unshare(namespaces.CLONE_NEWUSER)


def ipv6() -> None:
    """Open an IPv6 socket and see that new interfaces get IPv6."""
    sockets.socket(sockets.AF_INET6, sockets.SOCK_DGRAM).close()
    if not Path("/proc/sys/net/ipv6/conf/default").is_dir():
        raise _refuse(errno.EAFNOSUPPORT, "IPv6 is switched off (ipv6.disable=1)")


def sctp() -> None:
    """Open an SCTP socket."""
    sockets.socket(sockets.AF_INET, sockets.SOCK_STREAM, 132).close()


def tun() -> None:
    """Make a tun device."""
    set_interface, tun_without_header = 0x400454CA, 0x1001  # TUNSETIFF, IFF_TUN | IFF_NO_PI
    if not Path("/dev/net/tun").exists():
        raise _refuse(errno.EACCES, "there is no /dev/net/tun")
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, set_interface, struct.pack("16sH22x", _name().encode(), tun_without_header))
    finally:
        os.close(descriptor)


def esp() -> None:
    """Add a security association for ESP with AES-GCM (RFC 4106), as encrypted meshes use."""
    new_association, aead = 0x10, 18  # XFRM_MSG_NEWSA, XFRMA_ALG_AEAD
    here, there = ip_address("192.0.2.1").packed.ljust(16, b"\0"), ip_address("192.0.2.2").packed
    selector = struct.pack("=16s16s8xHBBB3xiI", b"", b"", sockets.AF_INET, 0, 0, 0, 0, 0)
    identity = struct.pack("=16sIB3x", there, 0x01020304, sockets.IPPROTO_ESP)
    limits = b"\xff" * 32 + bytes(32)  # as many bytes and packets as there may be; no limit of time
    rest = struct.pack("=32x12xIIHBBB7x", 0, 1, sockets.AF_INET, 0, 0, 0)
    algorithm = struct.pack("=64sII", b"rfc4106(gcm(aes))", 160, 128) + bytes(20)
    body = selector + identity + here + limits + rest + wire.attribute(aead, algorithm)
    with Socket(_NETLINK_XFRM) as socket:
        _asked(socket, Message(new_association, CREATE | EXCL, body))


def ipvs() -> None:
    """Ask for IPVS by its name among generic netlink families."""
    control, get_family, family_name = 0x10, 3, 2  # GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME
    with Socket(NETLINK_GENERIC) as socket:
        header = struct.pack("=BBH", get_family, 1, 0)
        _asked(socket, Message(control, 0, header + wire.text(family_name, "IPVS")))


def rules(*commands: str) -> Probe:
    """Return a probe that runs nft commands in a table of its own, made before."""

    def run() -> None:
        with Nft() as nft:
            nft.run(f"add table {TABLE}", *commands)
            nft.run(f"delete table {TABLE}")

    return run


def table_comment() -> None:
    """Make a table with a comment and see that it is kept: old kernels pass over what they don't know."""
    with Nft() as nft:
        nft.run(f'add table {TABLE} {{ comment "kept"; }}')
        listing = nft.run(f"list table {TABLE}")
        nft.run(f"delete table {TABLE}")
    if "kept" not in listing:
        raise _refuse(errno.EOPNOTSUPP, "the kernel took it and forgot it")


def conntrack_filter() -> None:
    """Delete conntrack entries by filter; there are none."""
    with Socket(NETLINK_NETFILTER) as socket:
        if not conntrack.by_filter(socket, [conntrack.Flow(4, 17, 53)]):
            raise _refuse(errno.EOPNOTSUPP, "the kernel deletes single entries only")


def conntrack_listing() -> None:
    """List the connections of one IPv4 address among others."""
    if not connections.filters(4):
        raise _refuse(errno.EOPNOTSUPP, "the kernel lists all connections, or wrong ones")


def token_bucket() -> None:
    """Put a token bucket on the loopback interface."""
    _shape(Shaper("lo", 8_000_000, 80_000))


def redirection() -> None:
    """Lead what enters one link through another."""
    name = _name()
    with Socket() as socket:
        _asked(socket, _new_link(name, "bridge"))
    _shape(Shaper(name, 8_000_000, 80_000, redirect_from="lo"))


def _shape(shaper: Shaper) -> None:
    with Socket() as socket:
        outcome = Shaping(socket).apply(Change(add=(shaper,)))
    for failure in outcome.failed:
        raise _refuse(failure.errno, failure.reason)


def bpf_on_traffic_control() -> None:
    """Load the smallest program there is and attach it to what enters a link."""
    program, name = _load_program(), _name()
    try:
        with Socket() as socket:
            _asked(socket, _new_link(name, "bridge"))
            index = interfaces.lookup(socket, [name]).index(name)
            header = struct.pack("=BBHiIII", 0, 0, 0, index, 0xFFFF0000, 0xFFFFFFF1, 0)
            _asked(socket, Message(36, CREATE | EXCL, header + wire.text(1, "clsact")))
            options = wire.u32(6, program) + wire.text(7, "probe") + wire.u32(8, 1)  # direct action
            header = struct.pack("=BBHiIII", 0, 0, 0, index, 0, 0xFFFFFFF2, 1 << 16 | 0x0300)
            body = header + wire.text(1, "bpf") + wire.nested(2, options)
            _asked(socket, Message(44, CREATE | EXCL, body))
    finally:
        os.close(program)


def _load_program() -> int:
    """Return the descriptor of a loaded classifier that returns 0 (bpf(2), BPF_PROG_LOAD)."""
    number = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "ppc64le": 361, "s390x": 351}.get(
        platform.machine()
    )
    if number is None:
        raise _refuse(errno.EPERM, f"the number of bpf(2) on {platform.machine()} is not known here")
    code = ctypes.create_string_buffer(
        struct.pack("=BBhi", 0xB7, 0, 0, 0) + struct.pack("=BBhi", 0x95, 0, 0, 0)
    )
    licence = ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack("=IIQQ", 3, 2, ctypes.addressof(code), ctypes.addressof(licence)).ljust(
        120, b"\0"
    )
    held = ctypes.create_string_buffer(attributes, len(attributes))
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.syscall(number, 5, held, len(attributes))
    if descriptor < 0:
        raise _refuse(ctypes.get_errno())
    return int(descriptor)
