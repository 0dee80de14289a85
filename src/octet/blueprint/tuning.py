"""Sysctls and shapers: how the kernel should treat what the other values describe.

What lives here: one-value settings and rate limits. What it must not know: what /proc holds, tc handles.
"""

from dataclasses import dataclass

from octet.blueprint.base import Key


@dataclass(frozen=True, slots=True)
class Sysctl:
    """A kernel setting under ``net``, by path: ``net/ipv4/ip_forward``. A path with ``..`` is refused.

    The value before ours is remembered by the kernel side and put back when the setting is removed.
    """

    path: str
    value: str

    def __post_init__(self) -> None:
        if not self.path.startswith("net/") or ".." in self.path.split("/"):
            raise ValueError(f"sysctl path {self.path!r} is not below net/")

    @property
    def key(self) -> Key:
        """Identity: the path."""
        return ("sysctl", self.path)

    def __str__(self) -> str:
        return f"sysctl {self.path} = {self.value}"


@dataclass(frozen=True, slots=True)
class Shaper:
    """A token bucket on what leaves through a link (tc-tbf(8)).

    A pod's *ingress* is what leaves through the host end of its pair; its *egress* is redirected from the
    host end's ingress hook to an ``Ifb`` link, and leaves through that: ``redirect_from`` names the host end.

    Attributes:
        rate: bits per second, as in the CNI ``bandwidth`` capability.
        burst: bits.
        redirect_from: the link whose incoming traffic is sent through this one first, or None.
    """

    link: str
    rate: int
    burst: int
    redirect_from: str | None = None

    @property
    def key(self) -> Key:
        """Identity: the link that shapes."""
        return ("shaper", self.link)

    def __str__(self) -> str:
        origin = f" for what enters {self.redirect_from}" if self.redirect_from else ""
        return f"shaper dev {self.link} rate {self.rate} bit/s burst {self.burst} bit{origin}"
