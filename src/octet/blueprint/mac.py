"""Hardware addresses that follow from something else, so that nobody has to remember or agree on them.

What lives here: MACs from addresses and from texts, reading a MAC, link-local addresses from a MAC.
What it must not know: whose MAC it is.
"""

import hashlib
import re
from ipaddress import IPv4Address, IPv6Address

_MAC = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")
_GROUP, _LOCAL = 0x01, 0x02
"""Bits of the first octet: sent to many, locally administered (IEEE 802-2014, 8.2)."""


def written(octets: bytes) -> str:
    """Return six octets in lower-case colon form."""
    return octets.hex(":")


def unicast(text: str) -> str | None:
    """Return a MAC in lower-case colon form, or None where the text is none that one station may have."""
    if not _MAC.fullmatch(text):
        return None
    octets = bytes.fromhex(text.replace(":", ""))
    return written(octets) if any(octets) and not octets[0] & _GROUP else None


def of_text(text: str) -> str:
    """Return a locally administered unicast MAC that is always the same for one text (46 bits of SHA-1)."""
    octets = bytearray(hashlib.sha1(text.encode(), usedforsecurity=False).digest()[:6])
    octets[0] = octets[0] & ~_GROUP | _LOCAL
    return written(bytes(octets))


def of_address(address: IPv4Address | IPv6Address) -> str:
    """Return the MAC of who has an address: ``0a:58`` and the four bytes of IPv4, as the CNI plugins did.

    Sixteen bytes don't fit into four, so for IPv6 it is ``of_text``.
    """
    if address.version == 4:
        return written(b"\x0a\x58" + address.packed)
    return of_text(str(address))


def link_local(mac: str) -> IPv6Address:
    """Return the link-local address that a MAC's owner gives itself (RFC 4291, appendix A)."""
    octets = bytes.fromhex(mac.replace(":", ""))
    identifier = bytes([octets[0] ^ _LOCAL]) + octets[1:3] + b"\xff\xfe" + octets[3:]
    return IPv6Address(b"\xfe\x80" + bytes(6) + identifier)
