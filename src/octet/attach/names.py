"""Names, purposes and MACs of pod links: computed, never remembered.

What lives here: the name of the node's end of a pair, the purpose by which it is found again, the pod's MAC.
What it must not know: which way pods are attached.
"""

from ipaddress import IPv4Address, IPv6Address

from octet.blueprint import mac
from octet.cluster.endpoint import Attachment
from octet.errors import BadConfigurationError

NAME_LIMIT = 15
"""Bytes of an interface name (IFNAMSIZ - 1)."""

PURPOSE_LIMIT = 240
"""Bytes of a purpose: an alias has at most 255 (IFALIASZ - 1) and begins with our own prefix."""


def link_name(prefix: str, digest: str) -> str:
    """Return a prefix with as many hexadecimal digits of a digest as a name may have."""
    return (prefix + digest)[:NAME_LIMIT]


def purpose(attachment: Attachment) -> str:
    """Return why a pod's link exists; from it the attachment is read again, unless it is too long."""
    text = f"pod {attachment}"
    return text if len(text.encode()) <= PURPOSE_LIMIT else f"pod {attachment.digest()}"


def is_of_a_pod(purpose: str) -> bool:
    """Is this the purpose of a pod's link?"""
    return purpose.startswith("pod ")


def pod_mac(v4: IPv4Address | None, v6: IPv6Address | None, requested: str = "") -> str:
    """Return the MAC of a pod's interface: the requested one, else one that follows from its address.

    Raises:
        BadConfigurationError: what was requested is no unicast MAC.
    """
    own = v4 or v6
    wanted = mac.unicast(requested) if requested or own is None else mac.of_address(own)
    if wanted is None:
        problem = (
            "is no unicast MAC address" if requested else "is missing, and there is no address to make one of"
        )
        raise BadConfigurationError(
            "runtimeConfig", "mac", requested, problem, hint="such as 0a:58:0a:f4:01:05"
        )
    return wanted
