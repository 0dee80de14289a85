"""What can be compared: our models, and the reference plugins that ratios are against.

What lives here: the list, and which device carries a candidate's packets between nodes.
What it must not know: probes, labs that are up.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from octet import models
from octet.errors import BadConfigurationError
from octet.lab.fabric import UPLINK
from octet.lab.fabrics import ROUTED
from octet.lab.provider import Foreign, Octet, reference
from octet.models import example
from octet.models.needs import between_nodes

BASELINE = "bridge"
"""The reference every ratio is against: plain routing between nodes, no overlay, no policy."""

TWIN = "bridge (A/A)"
"""An identical copy of the baseline, measured as if it were another candidate: the noise floor."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One pod network to measure.

    Attributes:
        summary: one sentence for the report.
        carrier: the link of a node through which its pods' packets to another node must go.
        usual: measured when no candidates are named.
    """

    name: str
    summary: str
    provider: Octet | Foreign
    carrier: str = UPLINK
    usual: bool = True


_CARRIERS: Mapping[str, str] = {
    "flannel": "flannel.1",
    "flannel:policy": "flannel.1",
    "canal": "flannel.1",
    "calico:vxlan": "vxlan.calico",
    "kopeio-vxlan": "vxlan1",
}
"""Models that tunnel to every peer, and their device; all others send through the uplink as it is."""


def _model(name: str) -> Candidate:
    summary = f"octet as {name}: {models.find(name).summary}"
    return Candidate(name, summary, Octet(model=name), _CARRIERS.get(name, UPLINK))


def _reference(kind: str) -> Candidate:
    summary = f"the reference {kind} plugin with host-local addresses and static routes"
    return Candidate(kind, summary, reference(kind))


def _masquerading() -> Candidate:
    """Return the reference as clusters run it: address translation makes the kernel track connections."""
    summary = "the reference bridge plugin that masquerades what leaves the cluster, with iptables"
    return Candidate("bridge+masq", summary, reference("bridge", masquerade=True), usual=False)


def candidates() -> tuple[Candidate, ...]:
    """Return everything that can be compared, the references first."""
    ours = (_model(name) for name in models.names())
    return (_reference("bridge"), _reference("ptp"), _masquerading(), *ours)


Lacking = Callable[[Iterable[str]], Sequence[str]]
"""Returns a sentence for each of the named kernel features that this machine lacks."""


def impossible(candidate: Candidate, fabric: str, lacking: Lacking) -> str:
    """Return why a candidate cannot work on a fabric of this machine; empty where nothing is against it."""
    provider = candidate.provider
    if not isinstance(provider, Octet):
        return ""
    routed = fabric == ROUTED
    running = models.find(provider.model).parse(provider.options, source=candidate.name)
    if routed and example.apart(running):
        return (
            "it routes straight to the other node's address, which takes one layer-2 segment, "
            f"and the nodes of the fabric {fabric} are in different subnets"
        )
    return "; ".join(lacking(between_nodes(running, routed=routed)))


def chosen(names: Sequence[str]) -> tuple[Candidate, ...]:
    """Return these candidates (the usual ones, if none are named), the baseline first and its twin last.

    Raises BadConfigurationError naming the one that is unknown.
    """
    known = {candidate.name: candidate for candidate in candidates()}
    for name in names:
        if name not in known:
            raise BadConfigurationError(
                "octet compare", "--candidates", name, "unknown", hint=f"known: {', '.join(known)}"
            )
    wanted = names or [candidate.name for candidate in known.values() if candidate.usual]
    asked = [known[name] for name in dict.fromkeys(wanted) if name != BASELINE]
    twin = replace(known[BASELINE], name=TWIN, summary=f"an identical copy of {BASELINE}: shows the noise")
    return (known[BASELINE], *asked, twin)
