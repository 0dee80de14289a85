"""Values as kube-router's annotations and flags spell them, each refused by name.

What lives here: ``Said``: one text, and where it stands. What it must not know: what any annotation means.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address, ip_network

from octet.blueprint import Inline, Secret
from octet.cluster.objects import Address, Network
from octet.errors import BadConfigurationError
from octet.transport.bgp.speaker import Community

PREFIX = "kube-router.io/"

REFERENCE = "secret:"
"""A password that begins so names a mounted Secret, ``secret:NAMESPACE/NAME/KEY``; no base64 does."""

ASNS = ((1, 23455), (23457, 63999), (64512, 65534), (131072, 4294967294))
"""AS numbers that a peer may have: neither reserved nor for documentation (pkg/bgp/peer_config.go)."""

PRIVATE = ((64512, 65535), (4200000000, 4294967294))
"""AS numbers that a cluster may have (pkg/controllers/routing/network_routes_controller.go)."""

TRUE, FALSE = ("true", "True", "TRUE", "t", "T", "1"), ("false", "False", "FALSE", "f", "F", "0")
"""What Go's strconv.ParseBool takes, and with it the original's annotations of services."""

WELL_KNOWN = {
    "graceful-shutdown": (65535, 0),
    "no-export": (65535, 65281),
    "no-advertise": (65535, 65282),
    "no-export-subconfed": (65535, 65283),
    "no-peer": (65535, 65284),
}
"""Communities with names (RFC 1997; RFC 8326; RFC 3765)."""


@dataclass(frozen=True, slots=True)
class Said:
    """One text, and where it stands, so that a refusal can say it.

    Attributes:
        source: the object or file.
        field: in it.
        secret: must the text itself stay out of every refusal?
    """

    source: str
    field: str
    text: str
    secret: bool = False

    def refusal(self, problem: str, hint: str = "") -> BadConfigurationError:
        """Return the error; the caller raises it."""
        shown = "(not shown)" if self.secret else self.text
        return BadConfigurationError(self.source, self.field, shown, problem, hint=hint)

    def parts(self) -> Iterator["Said"]:
        """Yield what commas separate, each by its place; nothing of an empty text."""
        for index, text in enumerate(self.text.split(",")) if self.text.strip() else ():
            yield Said(self.source, f"{self.field}[{index}]", text.strip(), self.secret)

    def number(self, low: int, high: int) -> int:
        """Return a whole number between two bounds, both included. Raises BadConfigurationError."""
        text = self.text.strip()
        if not text.isdecimal() or not text.isascii() or not low <= int(text) <= high:
            raise self.refusal("is no number in bounds", f"{low} to {high}")
        return int(text)

    def asn(self, ranges: tuple[tuple[int, int], ...] = ASNS) -> int:
        """Return an AS number within ranges. Raises BadConfigurationError."""
        number = self.number(1, 2**32 - 1)
        if not any(low <= number <= high for low, high in ranges):
            hint = ", ".join(f"{low} to {high}" for low, high in ranges)
            raise self.refusal("is an AS number that cannot be used here", hint)
        return number

    def flag(self) -> bool:
        """Return true or false. Raises BadConfigurationError."""
        if self.text not in ("true", "false"):
            raise self.refusal("must be true or false")
        return self.text == "true"

    def parsed(self) -> bool:
        """Return true or false as Go's strconv.ParseBool takes them. Raises BadConfigurationError."""
        if self.text not in (*TRUE, *FALSE):
            raise self.refusal("must be true or false")
        return self.text in TRUE

    def present(self) -> bool:
        """Return what an annotation says that the original only looks for: all but ``false`` is true."""
        return self.text == "" or self.flag()

    def address(self) -> Address:
        """Return an address. Raises BadConfigurationError."""
        try:
            return ip_address(self.text)
        except ValueError:
            raise self.refusal("is no IP address") from None

    def network(self) -> Network:
        """Return a prefix. Raises BadConfigurationError."""
        try:
            return ip_network(self.text)
        except ValueError as error:
            raise self.refusal(f"is no prefix: {error}", "such as 10.244.1.0/24") from None

    def cluster_id(self) -> IPv4Address:
        """Return a reflector's cluster id, address or number (RFC 4456, 7). Raises BadConfigurationError."""
        if self.text.isdecimal():
            return IPv4Address(self.number(1, 2**32 - 1))
        try:
            return IPv4Address(self.text)
        except ValueError:
            raise self.refusal("is no cluster id", "a number from 1 on, or 10.0.0.1") from None

    def community(self) -> Community:
        """Return a community: ``65000:100``, ``65000:1:2``, one number, or its name. Raises the same."""
        if self.text in WELL_KNOWN:
            return WELL_KNOWN[self.text]
        if self.text.isdecimal():
            return divmod(self.number(0, 2**32 - 1), 1 << 16)
        numbers = self.text.split(":")
        limit = {2: 1 << 16, 3: 1 << 32}.get(len(numbers), 0)
        if not all(each.isdecimal() and int(each) < limit for each in numbers):
            raise self.refusal("is no community", "65000:100, 65000:1:2, or a name such as no-export")
        return tuple(map(int, numbers))

    def password(self) -> Secret | Inline | None:
        """Return a password: base64, or the name of a mounted Secret; None of an empty text.

        Raises:
            BadConfigurationError: it is neither; the text is not in the error.
        """
        hidden = Said(self.source, self.field, self.text, secret=True)
        if self.text.startswith(REFERENCE):
            names = self.text.removeprefix(REFERENCE).split("/")
            if len(names) != 3 or not all(names):
                raise self.refusal("names no key of a Secret", f"{REFERENCE}NAMESPACE/NAME/KEY")
            return Secret(*names)
        try:
            text = base64.b64decode(self.text, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            hint = f"base64, or {REFERENCE}NAMESPACE/NAME/KEY"
            raise hidden.refusal("is no password in base64", hint) from None
        return Inline(text, f"{self.source}, {self.field}") if text else None


def annotation(source: str, annotations: Mapping[str, str], key: str) -> Said | None:
    """Return what an object says under one of kube-router's keys, None where it does not."""
    text = annotations.get(PREFIX + key)
    return None if text is None else Said(source, f"metadata.annotations[{PREFIX}{key}]", text)
