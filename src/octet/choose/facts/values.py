"""What a fact is: a value that may be unknown, when it was seen, where, and how certain that is.

What lives here: frozen values. What it must not know: any provider, files, clocks.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

Value = bool | int | str | dt.date | tuple[str, ...]
"""What can be known. Which of these a key takes is said by the catalogue."""


class Truth(Enum):
    """Three-valued: what isn't known is neither yes nor no."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Certainty(Enum):
    """How a fact came to be known.

    ``VERIFIED``: read at its source. ``DERIVED``: computed from what was read, the note says how.
    ``COMPUTED``: Octet's own answer about its own models, from its table and its probes.
    ``UNVERIFIED``: remembered or second-hand; it decides nothing and is never shown as certain.
    """

    VERIFIED = "verified"
    DERIVED = "derived"
    COMPUTED = "computed"
    UNVERIFIED = "unverified"


class Bound(Enum):
    """What a number of nodes is.

    ``END``: a mechanism ends there. ``DEFAULT``: as shipped, and can be raised; the note says how.
    ``SEEN``: the largest that somebody has told of; what is beyond it nobody has shown.
    """

    END = "end"
    DEFAULT = "default"
    SEEN = "seen"


@dataclass(frozen=True, slots=True)
class Condition:
    """Where a fact holds, as its note says in words. A part that is empty asks for nothing.

    Attributes:
        since: the installer's version from which on it holds, of facts about what an installer allows.
        families: of pods' addresses with which it holds.
        clouds: where it holds.
        not_with: needs (fields of the requirements) beside which nobody has shown it.
        or_kernel: of an oldest kernel, an older line that some distribution has made fit.
    """

    since: str = ""
    families: tuple[str, ...] = ()
    clouds: tuple[str, ...] = ()
    not_with: tuple[str, ...] = ()
    or_kernel: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing about one provider.

    Attributes:
        key: a name of the catalogue.
        value: None is *unknown*, which is not *no*.
        as_of: the day on which the source said so.
        source: where a reader can look: an address without scheme, or repository and path, or a section.
        note: the mechanism behind a limit, or what a reader must know beside the value.
        when: where it holds; None is everywhere.
        bound: of a number of nodes, what it is.
    """

    key: str
    value: Value | None
    as_of: dt.date
    source: str
    certainty: Certainty = Certainty.VERIFIED
    note: str = ""
    when: Condition | None = None
    bound: Bound | None = None

    @property
    def truth(self) -> Truth:
        """What may be decided on: an unverified claim is as good as unknown."""
        if self.value is None or self.certainty is Certainty.UNVERIFIED:
            return Truth.UNKNOWN
        return Truth.NO if self.value is False else Truth.YES


class Support(Enum):
    """What an installer lets its users do with a provider, from a version on."""

    EXPERIMENTAL = "experimental"
    STABLE = "stable"
    DEFAULT = "default"
    DEPRECATED = "deprecated"
    REMOVED = "removed"
    RESTORED = "restored"


@dataclass(frozen=True, slots=True)
class Step:
    """One change of what an installer allows: from this version of it on, until the next step.

    Attributes:
        version: of the installer, such as "1.28".
        kubernetes: from which version of Kubernetes on it applies; empty for all.
        date: when that version came out; None is unknown.
    """

    installer: str
    version: str
    state: Support
    date: dt.date | None
    as_of: dt.date
    source: str
    certainty: Certainty = Certainty.VERIFIED
    kubernetes: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """One release of the original."""

    version: str
    date: dt.date
    source: str


@dataclass(frozen=True, slots=True)
class Count:
    """What a project's hosting site counted on one day; None is not counted, never zero."""

    provider: str
    date: dt.date
    source: str
    figures: Mapping[str, int | float | bool | None]


@dataclass(frozen=True, slots=True)
class Provider:
    """A CNI provider: the original, as its authors ship it. Our model of it is something else.

    Attributes:
        name: as in file names and on command lines.
        model: of our row that runs its network model, be it there yet or not (``octet.models`` knows); empty
            where we don't set out to have one.
        summary: what it is, in a sentence.
        packet: how a packet travels from pod to pod on another node, in a few sentences.
    """

    name: str
    title: str
    summary: str
    packet: str
    facts: Mapping[str, Fact]
    steps: tuple[Step, ...] = ()
    releases: tuple[Release, ...] = ()
    good_for: tuple[str, ...] = ()
    limits: tuple[Fact, ...] = ()
    model: str = ""
    counts: tuple[Count, ...] = field(default=(), repr=False)
