"""Who may come in: the rules for hosts, tokens and origins, as pure answers.

What lives here: judgements on a request's headers. What it must not know: sockets, the server's library.
The dangers: another user of the machine (needs the token), a web page that the operator visits (its requests
carry its own Origin, and SameSite keeps the cookie from them), a name that is pointed at this address
(DNS rebinding: a page's own name in Host, which is refused).
"""

import ipaddress
import re
import secrets
from dataclasses import dataclass, field

LOCAL = "localhost"


@dataclass(frozen=True, slots=True)
class Asked:
    """What counts of a request; a header that is not there is empty."""

    method: str
    host: str
    origin: str = ""
    token: str = ""
    cookie: str = ""
    bearer: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """A status of HTTP and a sentence for who asked."""

    status: int
    why: str


@dataclass(frozen=True, slots=True)
class Door:
    """The rules of one server.

    Attributes:
        address: that it listens on.
        names: host names by which it may be reached besides addresses and localhost.
        token: in the address that is printed.
        pass_: what the cookie holds after the token was shown once; not the token, which stays in histories.
    """

    address: str
    port: int
    names: frozenset[str] = frozenset()
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    pass_: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def cookie(self) -> str:
        """The cookie's name: cookies are shared by all ports of a host, so the port is in it."""
        return f"octet-ui-{self.port}"

    @property
    def url(self) -> str:
        """The address to open, token included."""
        host = LOCAL if self.loopback else _bracketed(self.address)
        return f"http://{host}:{self.port}/?token={self.token}"

    @property
    def loopback(self) -> bool:
        """Can only this machine reach it?"""
        return ipaddress.ip_address(self.address).is_loopback

    def judge(self, asked: Asked) -> Refused | None:
        """Return why a request is refused; None lets it in."""
        if not self._knows(asked.host):
            return Refused(421, f"this server is not {asked.host or 'without a name'}")
        if not self._known(asked):
            return Refused(401, "open the address that octet ui has printed: it has the token")
        if asked.method not in {"GET", "HEAD"} and not self._from_here(asked):
            return Refused(403, f"requests from {asked.origin or 'nowhere'} change nothing here")
        return None

    def shown(self, token: str) -> bool:
        """Is this the token? Takes the same time for any wrong one."""
        return _same(token, self.token)

    def _known(self, asked: Asked) -> bool:
        return _same(asked.cookie, self.pass_) or self.shown(asked.bearer) or self.shown(asked.token)

    def _from_here(self, asked: Asked) -> bool:
        """Does a change come from our own page, or from a program that shows the token and has no Origin?"""
        if not asked.origin:
            return self.shown(asked.bearer)
        return asked.origin == f"http://{asked.host}"

    def _knows(self, host: str) -> bool:
        """Is a Host header ours: an address, for which no resolver was asked, or a name we know?"""
        name, port = _split(host)
        if port != self.port:
            return False
        if name == LOCAL or name in self.names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or not self.loopback


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode(), other.encode())


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


_HOST = re.compile(r"(?:\[(?P<six>[0-9a-f:.]+)\]|(?P<name>[^\[\]:]+))(?::(?P<port>[0-9]{1,5}))?")
"""A Host header (RFC 9110, 7.2)."""


def _split(host: str) -> tuple[str, int]:
    """Return name and port of a Host header; no port is HTTP's own, and what is no Host is port -1."""
    found = _HOST.fullmatch(host.lower())
    if found is None:
        return "", -1
    return found["six"] or found["name"], int(found["port"] or 80)
