"""What is told of packets that policies deny or log: the words that the kernel adds, and whom they mean.

What lives here: log prefixes, the chain that ends a packet, and what a prefix stands for.
What it must not know: which rules lead here, who listens.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from octet.blueprint.nft import DROP, Chain, Counter, Limit, Log, Part, Reject, Rule
from octet.policy.rules import Origin, digest

LOG_GROUP = 79
"""NFLOG group that denied packets, and those of Calico's ``Log``, are told to."""

TOLD = 10
"""Packets of one policy and direction that are told in a second; all that are denied are counted."""

DENIED, LOGGED = "deny", "log"

_LONGEST = 96  # characters of a log prefix that stay below nft's and NFLOG's 127, with room for the rest
_PLAIN = re.compile(r"[^A-Za-z0-9 ./_:-]")


@dataclass(frozen=True, slots=True)
class Told:
    """What a log prefix stands for.

    Attributes:
        action: DENIED or LOGGED.
        chain: of what is denied, the chain that counts it.
    """

    prefix: str
    action: str
    policy: Origin
    tier: str
    direction: str
    chain: str = ""


@lru_cache(1 << 16)
def denied(policy: Origin, tier: str, direction: str, *, reject: bool) -> tuple[Chain, Told]:
    """Return the chain that ends a packet, told a few times a second, counted, dropped or answered."""
    text = prefix(DENIED, policy, direction)
    answers = [Rule(Reject(tcp_reset=True)), Rule(Reject())] if reject else [Rule(DROP)]
    name = f"policy-deny-{digest((policy, direction, reject))}"
    counted = Rule(Counter(), comment=plain(str(policy)))
    chain = Chain(name, (Rule(*_telling(text)), counted, *answers))
    return chain, Told(text, DENIED, policy, tier, direction, name)


def logged(rule: Origin, tier: str, direction: str) -> tuple[tuple[Part, ...], Told]:
    """Return what tells a packet without deciding about it (Calico's ``Log``)."""
    text = prefix(LOGGED, rule, direction)
    return _telling(text), Told(text, LOGGED, rule, tier, direction)


def _telling(text: str) -> tuple[Part, ...]:
    return Limit(TOLD), Log(text, LOG_GROUP)


def prefix(what: str, origin: Origin, direction: str) -> str:
    """Return the words for a packet; a name that is too long, or not plain, ends in a digest of it."""
    whole = f"octet {what} {direction} {origin}"
    text = plain(whole)
    return text if text == whole and len(text) <= _LONGEST else f"{text[: _LONGEST - 13]}~{digest(whole)}"


def plain(text: str) -> str:
    """Return a text that may stand in a rule, whatever somebody has called a policy."""
    return _PLAIN.sub("?", text)[:100]
