"""Links: what creates one, what turns one that exists into the one wanted, what retires and reads one.

What lives here: what all kinds of devices share (``devices`` has each kind).
What it must not know: sockets, order, other objects on the link.
"""

from collections.abc import Sequence

from octet.blueprint import BridgePort, Link, Veth
from octet.kernel.netlink import interfaces, wire
from octet.kernel.netlink.devices import CODERS, ONE_QUEUE, birth_mtu, of_kind
from octet.kernel.netlink.interfaces import BORN_GROUP, IFF_UP, IFINFO, Interface, Interfaces
from octet.kernel.netlink.kind import AF_BRIDGE, AF_INET, AF_UNSPEC, MAC_BYTES, Wanted, as_mac, mac_bytes
from octet.kernel.netlink.wire import Message
from octet.kernel.port import ALIAS_PREFIX, RETIRED_GROUP

_BRPORT_STATE, _BRPORT_MODE, _BRPORT_ISOLATED = 1, 4, 33
_BRPORT_LEARNING, _BRPORT_FLUSH, _BRPORT_LOCKED, _BRPORT_FLOODS = 8, 24, 39, (9, 27, 30)
_SHUT = (
    *(wire.u8(flood, 0) for flood in _BRPORT_FLOODS),
    wire.u8(_BRPORT_LEARNING, 0),
    wire.u8(_BRPORT_LOCKED, 1),
    wire.attribute(_BRPORT_FLUSH, b""),
    wire.u8(_BRPORT_STATE, 0),
)
_INET_CONF, _CONF_FORWARDING, _CONF_RP_FILTER = 1, 1, 8


def _header(index: int = 0, *, up: bool | None = None, family: int = AF_UNSPEC) -> bytes:
    flags, mask = (0, 0) if up is None else (int(up), IFF_UP)
    return IFINFO.pack(family, 0, index, flags, mask)


def _info(kind: str, data: bytes) -> bytes:
    word = wire.attribute(interfaces.INFO_KIND, kind.encode())
    return wire.nested(interfaces.LINKINFO, word, wire.nested(interfaces.INFO_DATA, data) if data else b"")


def create(link: Link, known: Interfaces, home: int | None = None) -> Message:
    """Return the message that creates a link: down, and ours from birth by its group."""
    coder = CODERS[type(link.detail)]
    body = _header() + wire.text(interfaces.IFNAME, link.name) + wire.u32(interfaces.GROUP, BORN_GROUP)
    mtu = birth_mtu(link)
    body += wire.u32(interfaces.MTU, mtu) if mtu else b""
    body += wire.attribute(interfaces.ADDRESS, mac_bytes(link.mac)) if link.mac else b""
    body += ONE_QUEUE
    body += _info(coder.kind, coder.data(link.detail, link, known, home))
    return Message(interfaces.RTM_NEWLINK, wire.CREATE | wire.EXCL, body)


def replaceable(found: Interface, link: Link, known: Interfaces) -> bool:
    """Can the link that is there become the wanted one without being deleted first?"""
    coder = CODERS[type(link.detail)]
    if found.kind != coder.kind:
        return False
    return bool(coder.fixed(coder.read(found, known, link.detail)) == coder.fixed(link.detail))


def towards(link: Link, found: Interface, known: Interfaces) -> list[Message]:
    """Return the messages that make a link that exists the wanted one; none where it is."""
    messages = [Message(interfaces.RTM_NEWLINK, 0, body) for body in _changes(link, found, known)]
    port = link.port or BridgePort()
    if link.master and port != _port_under(found, known.index(link.master)):
        messages.append(_port_settings(port, found.index))
    return messages


def honour_carrier(link: Link, found: Interface, known: Interfaces) -> list[Message]:
    """Ask for both ends of a pair that came up, and its bridge: the kernel acts on carrier before it answers.

    Otherwise a worker of the kernel does so some time later (link_watch.c), and until then packets that
    leave the end which came up first, or pass the bridge, are dropped. Linux 6.8; harmless before.
    """
    if not link.up or found.flags & IFF_UP or not isinstance(link.detail, Veth):
        return []
    master = known.index(link.master) if link.master else 0
    where = b"" if found.peer_namespace is None else wire.u32(interfaces.TARGET_NETNSID, found.peer_namespace)
    ends = [_header(found.lower) + where, _header(found.index)]
    ends += [_header(master)] if master else []
    return [Message(interfaces.RTM_GETLINK, 0, end + interfaces.BRIEFLY) for end in ends]


def has_lost_mac(link: Link, replies: Sequence[tuple[int, bytes]], known: Interfaces) -> bool:
    """Do the kernel's answers tell another MAC of a link than the wanted one? Without an answer: no.

    systemd-udevd gives links that appear a MAC of its own choice, sometimes after we have set ours
    (projectcalico/calico's CNI plugin reads it back for the same reason).
    """
    if link.mac is None:
        return False
    for _, body in replies:
        found = wire.attributes(body, IFINFO.size)
        ours = IFINFO.unpack_from(body)[2] == known.index(link.name)
        if ours and interfaces.TARGET_NETNSID not in found:
            return found.get(interfaces.ADDRESS) != mac_bytes(link.mac)
    return False


def set_mac(link: Link, known: Interfaces) -> list[Message]:
    """Return the messages that set a link's MAC and read it back."""
    address = wire.attribute(interfaces.ADDRESS, mac_bytes(link.mac or ""))
    change = Message(interfaces.RTM_NEWLINK, 0, _header(known.index(link.name)) + address)
    return [change, interfaces.request(link.name)]


def _changes(link: Link, found: Interface, known: Interfaces) -> list[bytes]:
    """Return up to three bodies: how IPv6 behaves must be known before a link is brought up."""
    bodies: list[bytes] = []
    coder = CODERS[type(link.detail)]
    if coder.read(found, known, link.detail) != link.detail:
        bodies.append(_header(found.index) + _info(coder.kind, coder.changes(link.detail, known)))
    if found.autoconf not in {None, link.ipv6_autoconf}:
        bodies.append(_header(found.index) + interfaces.autoconf(link.ipv6_autoconf))
    settings = _settings(link, found, known)
    up = bool(found.flags & IFF_UP)
    if settings or up is not link.up:
        bodies.append(_header(found.index, up=None if up is link.up else link.up) + settings)
    return bodies


def _settings(link: Link, found: Interface, known: Interfaces) -> bytes:
    body = b""
    if found.group != 0:
        body += wire.u32(interfaces.GROUP, 0)
    if found.alias != ALIAS_PREFIX + link.purpose:
        body += wire.text(interfaces.IFALIAS, ALIAS_PREFIX + link.purpose)
    if link.mtu not in {None, found.mtu}:
        body += wire.u32(interfaces.MTU, link.mtu or 0)
    if link.mac is not None and mac_bytes(link.mac) != found.mac:
        body += wire.attribute(interfaces.ADDRESS, mac_bytes(link.mac))
    master = known.index(link.master) if link.master else 0
    return body + (wire.u32(interfaces.MASTER, master) if master != found.master else b"")


def _port(found: Interface) -> BridgePort | None:
    if found.port is None:
        return None
    data = wire.attributes(found.port)
    return BridgePort(
        hairpin=wire.as_int(data.get(_BRPORT_MODE, b"")) == 1,
        isolated=wire.as_int(data.get(_BRPORT_ISOLATED, b"")) == 1,
        locked=wire.as_int(data.get(_BRPORT_LOCKED, b"")) == 1,
    )


def _port_under(found: Interface, master: int) -> BridgePort:
    """Return how it behaves under this master: a link that joins starts with the kernel's defaults."""
    return (_port(found) if found.master == master else None) or BridgePort()


def _port_settings(port: BridgePort, index: int) -> Message:
    settings = wire.u8(_BRPORT_MODE, int(port.hairpin)) + wire.u8(_BRPORT_ISOLATED, int(port.isolated))
    settings += wire.u8(_BRPORT_LOCKED, int(port.locked))
    body = _header(index, family=AF_BRIDGE) + wire.nested(interfaces.PROTINFO, settings)
    return Message(interfaces.RTM_SETLINK, 0, body)


def delete(index: int) -> Message:
    """Return the message that deletes a link and everything on it."""
    return Message(interfaces.RTM_DELLINK, 0, _header(index))


def retire(found: Interface) -> list[Message]:
    """Return the messages after which a pod's link passes nothing, and waits for ``reap``.

    None of them waits for RCU, as bringing the link down would. A bridge port is disabled; because a change
    of carrier, which the pod can cause, would enable it again (br_port_carrier_check), it is also locked
    with nothing learned behind it, so that whatever comes is dropped, and nothing is flooded to it. Where
    there is no bridge, the link stops forwarding and its strict reverse-path check refuses every source,
    because the routes to the pod are removed before.
    """
    header = _header(found.index)
    mark = wire.u32(interfaces.GROUP, RETIRED_GROUP)
    if found.port is not None:
        shut = wire.nested(interfaces.PROTINFO, *_SHUT)
        port = Message(interfaces.RTM_SETLINK, 0, _header(found.index, family=AF_BRIDGE) + shut)
        return [Message(interfaces.RTM_SETLINK, 0, header + mark), port]
    settings = wire.u32(_CONF_FORWARDING, 0) + wire.u32(_CONF_RP_FILTER, 1)
    deaf = wire.nested(interfaces.AF_SPEC, wire.nested(AF_INET, wire.nested(_INET_CONF, settings)))
    return [Message(interfaces.RTM_SETLINK, 0, header + mark + deaf)]


def delete_retired() -> Message:
    """Return the message that deletes all retired links at once."""
    return Message(interfaces.RTM_DELLINK, 0, _header() + wire.u32(interfaces.GROUP, RETIRED_GROUP))


def set_mtu(index: int, mtu: int) -> Message:
    """Return the message that sets a link's MTU, whoever made the link."""
    return Message(interfaces.RTM_NEWLINK, 0, _header(index) + wire.u32(interfaces.MTU, mtu))


def read(found: Interface, known: Interfaces, wanted: Wanted) -> Link | None:
    """Return a link of ours as a value, with what the kernel chose left out where nobody asked; else None."""
    coder = of_kind(found.kind)
    if coder is None or not found.owned:
        return None
    asked = wanted.get(("link", found.name))
    want = asked if isinstance(asked, Link) else None
    same_kind = want is not None and CODERS[type(want.detail)] is coder
    return Link(
        name=found.name,
        detail=coder.read(found, known, want.detail if want and same_kind else None),
        purpose=found.alias.removeprefix(ALIAS_PREFIX),
        mtu=None if want and want.mtu is None else found.mtu,
        mac=_read_mac(found, want),
        master=known.name(found.master) or None,
        port=_read_port(found, want),
        up=bool(found.flags & IFF_UP),
        ipv6_autoconf=want.ipv6_autoconf if want and found.autoconf is None else found.autoconf is not False,
    )


def _read_mac(found: Interface, want: Link | None) -> str | None:
    """A tunnel's hardware address is its own IP address, which is no MAC and said elsewhere."""
    unasked = want is not None and want.mac is None
    return None if unasked or len(found.mac) != MAC_BYTES else as_mac(found.mac)


def _read_port(found: Interface, want: Link | None) -> BridgePort | None:
    port = _port(found)
    return None if want and want.port is None and port == BridgePort() else port
