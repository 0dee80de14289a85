"""What BIRD says of its sessions, as values: state, since when, the last error, prefixes in and out.

What lives here: reading ``show protocols all`` (checked: BIRD 2.0.12), tolerant of lines it does not know.
What it must not know: how BIRD is asked.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

PROTOCOL, DETAIL = 1002, 1006
"""Numbers of the lines that begin a protocol, and that go on about it (BIRD's doc/reply_codes)."""

UP = "Established"

_HEAD = re.compile(
    r"(?P<name>\S+)\s+(?P<kind>\S+)\s+\S+\s+(?P<state>\S+)"
    r"(?:\s+(?P<since>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?))?\s*(?P<info>.*)"
)
_ROUTES = re.compile(r"(\d+) (imported|filtered|exported|preferred)")


@dataclass(frozen=True, slots=True)
class Channel:
    """What a session says about one family.

    Attributes:
        state: UP, DOWN and so on.
        imported, exported: prefixes believed and told now.
        rejected: updates that import filters refused since the session came up.
    """

    family: int
    state: str = ""
    imported: int = 0
    exported: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class SessionState:
    """One session as it is.

    Attributes:
        name: of the peer, as it was configured.
        node: is it a node of the cluster?
        state: RFC 4271's, or BIRD's word where there is none (``down``).
        since: since when it is up or down (UTC); None where BIRD does not say.
        error: the last one; empty where there was none since the session came up.
        kept: are these routes of a peer that is restarting (RFC 4724)?
    """

    name: str
    node: bool
    state: str
    since: datetime | None = None
    address: str = ""
    asn: int = 0
    local_asn: int = 0
    error: str = ""
    kept: bool = False
    channels: tuple[Channel, ...] = ()

    @property
    def up(self) -> bool:
        """Is it established?"""
        return self.state == UP

    def seconds(self, now: datetime) -> float | None:
        """Return for how long it has been so."""
        return None if self.since is None else max((now - self.since).total_seconds(), 0.0)


@dataclass
class _Draft:
    """What has been read of one protocol."""

    head: re.Match[str]
    fields: dict[str, str] = field(default_factory=dict)
    channels: list[Channel] = field(default_factory=list)


def sessions(lines: Iterable[tuple[int, str]]) -> tuple[SessionState, ...]:
    """Return every BGP session in an answer to ``show protocols all``, in its order.

    Args:
        lines: (number, text), without what BIRD puts before the text.
    """
    return tuple(_state(draft) for draft in _drafts(lines) if draft.head["kind"] == "BGP")


def _drafts(lines: Iterable[tuple[int, str]]) -> Iterator[_Draft]:
    draft: _Draft | None = None
    for code, text in lines:
        head = _HEAD.match(text) if code == PROTOCOL else None
        if head is not None:
            if draft is not None:
                yield draft
            draft = _Draft(head)
        elif code == DETAIL and draft is not None:
            _detail(draft, text.strip())
    if draft is not None:
        yield draft


def _detail(draft: _Draft, text: str) -> None:
    """Take one line: of the session, or of the family that was named last."""
    if text.startswith("Channel "):
        family = {"ipv4": 4, "ipv6": 6}.get(text.split()[1], 0)
        draft.channels.append(Channel(family))
        return
    name, _, value = text.partition(":")
    if not draft.channels:
        draft.fields.setdefault(name, value.strip())
        return
    draft.channels[-1] = _with(draft.channels[-1], name, value.strip())


def _with(held: Channel, name: str, value: str) -> Channel:
    if name == "State":
        return replace(held, state=value)
    if name == "Routes":
        counts = {word: int(number) for number, word in _ROUTES.findall(value)}
        return replace(held, imported=counts.get("imported", 0), exported=counts.get("exported", 0))
    if name == "Import updates":
        words = value.split()  # received, rejected, filtered, ignored, accepted
        rejected = int(words[2]) if len(words) > 2 and words[2].isdecimal() else 0
        return replace(held, rejected=rejected)
    return held


def _state(draft: _Draft) -> SessionState:
    kind, _, short = draft.head["name"].partition(":")
    held = draft.fields
    return SessionState(
        name=held.get("Description") or short or kind,
        node=kind == "node",
        state=held.get("BGP state") or draft.head["state"],
        since=_time(draft.head["since"]),
        address=held.get("Neighbor address", ""),
        asn=_number(held.get("Neighbor AS")),
        local_asn=_number(held.get("Local AS")),
        error=held.get("Last error", ""),
        kept="Neighbor graceful restart active" in held,
        channels=tuple(each for each in draft.channels if each.family),
    )


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() else 0


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None


_TELLER = re.compile(r"\[(?P<kind>node|peer):(?P<name>\S+) ")


def tellers(lines: Iterable[str]) -> Iterator[str]:
    """Yield the names of peers in an answer to ``show route``, in its order, each once."""
    seen: set[str] = set()
    for line in lines:
        found = _TELLER.search(line)
        if found is not None and found["name"] not in seen:
            seen.add(found["name"])
            yield found["name"]
