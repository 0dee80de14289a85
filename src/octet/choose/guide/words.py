"""Values as a reader reads them: yes, no, unknown; lists; dates; what an installer allows.

What lives here: wording. What it must not know: footnotes, tables, templates.
"""

from collections.abc import Sequence

from octet.choose.facts.values import Certainty, Fact, Provider, Step, Support, Value
from octet.choose.guide.notes import UNVERIFIED, escaped

UNKNOWN = "*unknown*"
NAMES = {
    "aggregate-routes": "aggregate routes",
    "bgp": "BGP",
    "cloud-api": "the cloud's API",
    "cloud-routes": "the cloud's route tables",
    "cncf-graduated": "CNCF, graduated",
    "cncf-incubating": "CNCF, incubating",
    "cncf-sandbox": "CNCF, sandbox",
    "eni": "AWS interfaces",
    "fou": "FoU",
    "geneve": "Geneve",
    "gossip": "gossip between them",
    "gre": "GRE",
    "host-gateway": "plain routes",
    "ipip": "IPIP",
    "ipsec": "IPsec",
    "kubernetes": "Kubernetes",
    "layer-2": "one layer-2 network",
    "nacl": "NaCl",
    "own-database": "a database of its own",
    "stt": "STT",
    "udp": "UDP in user space",
    "vxlan": "VXLAN",
    "wireguard": "WireGuard",
}
"""Choices of the catalogue that read better with another spelling."""

STATES = {
    Support.EXPERIMENTAL: "experimental",
    Support.STABLE: "stable",
    Support.DEFAULT: "the default",
    Support.DEPRECATED: "deprecated",
    Support.REMOVED: "removed",
    Support.RESTORED: "restored",
}


def said(value: Value | None) -> str:
    """Return a value in words; None is *unknown*, which is never *no*."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return listed([said(each) for each in value]) if value else "none"
    text = str(value)
    return NAMES.get(text, escaped(text))


def shown(fact: Fact) -> str:
    """Return a fact's value in words; one that nobody verified says so."""
    text = said(fact.value)
    return f"{text} ({UNVERIFIED})" if fact.certainty is Certainty.UNVERIFIED else text


def listed(parts: Sequence[str]) -> str:
    """Return parts with commas and an *and* before the last."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def step(each: Step, *, brief: bool = False) -> str:
    """Return one change of what an installer allows, as ``stable since 1.26 (2023-03-08; its note)``."""
    text = f"{STATES[each.state]} since {each.version}"
    if each.kubernetes:
        text += f" for Kubernetes {each.kubernetes} and later"
    if each.certainty is Certainty.UNVERIFIED:
        text += f" ({UNVERIFIED})"
    beside = [part for part in (str(each.date or ""), "" if brief else noted(each.note)) if part]
    return f"{text} ({'; '.join(beside)})" if beside else text


def noted(note: str) -> str:
    """Return a note as the end of a sentence that goes on."""
    return escaped(note).strip().rstrip(".")


def steps(provider: Provider, installer: str) -> tuple[Step, ...]:
    """Return what one installer allowed over time, oldest first, as the provider's file lists it."""
    return tuple(each for each in provider.steps if each.installer == installer)
