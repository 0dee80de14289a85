"""Which routes are told and believed: BGPFilter (projectcalico.org/v3).

What lives here: values, refused where Calico's API would refuse, and where a field has no meaning here.
What it must not know: BIRD, which session uses which filter.
Source: api/pkg/apis/projectcalico/v3 (bgpfilter.go), libcalico-go/lib/validator/v3.
"""

import re
from collections.abc import Mapping
from typing import Any, Self

import msgspec

from octet.cluster.reading import Fields, Network, read

Community = tuple[int, ...]
"""Two numbers of 16 bits (RFC 1997), or three of 32 bits: a large community (RFC 8092)."""

OPERATORS = ("Equal", "NotEqual", "In", "NotIn")
WAYS = ("importV4", "exportV4", "importV6", "exportV6")
EXTERNAL, INTERNAL = "eBGP", "iBGP"
RULE = (
    *("cidr", "matchOperator", "prefixLength", "source", "interface", "action"),
    *("peerType", "communities", "asPathPrefix", "operations"),
)

_INTERFACES = re.compile(r"[A-Za-z0-9._:@*?-]+")


class FilterRule(msgspec.Struct, frozen=True, gc=False):
    """One rule: what is stated must match together; the first that matches decides.

    Attributes:
        accepts: what becomes of the route.
        operator: of OPERATORS, how a route's prefix is compared with ``cidr``.
        lengths: (shortest, longest) prefix length.
        learned: only routes that a peer told (``source: RemotePeers``).
        interface: only routes through it; ``*`` stands for anything.
        peer: EXTERNAL or INTERNAL, the session's kind; empty is both.
        communities: the route bears all of them.
        path: AS numbers that its path begins with.
        add, prepend: what an accepted route gets: communities, AS numbers before its path.
    """

    accepts: bool
    cidr: Network | None = None
    operator: str = "In"
    lengths: tuple[int, int] | None = None
    learned: bool = False
    interface: str = ""
    peer: str = ""
    communities: tuple[Community, ...] = ()
    path: tuple[int, ...] = ()
    add: tuple[Community, ...] = ()
    prepend: tuple[int, ...] = ()


class BGPFilter(msgspec.Struct, frozen=True, gc=False):
    """Rules by direction and family; a route that no rule matches is accepted."""

    name: str
    import_v4: tuple[FilterRule, ...] = ()
    export_v4: tuple[FilterRule, ...] = ()
    import_v6: tuple[FilterRule, ...] = ()
    export_v6: tuple[FilterRule, ...] = ()

    @classmethod
    def from_object(cls, item: Mapping[str, Any]) -> Self:
        """Read a BGPFilter; raises BadConfigurationError naming the field."""
        fields, metadata = read("BGPFilter", item)
        spec = fields.child("spec")
        spec.only(WAYS)
        return cls(
            metadata.text("name"),
            *(
                tuple(_rule(each, family) for each in spec.children(f"{way}V{family}"))
                for family in (4, 6)
                for way in ("import", "export")
            ),
        )

    @property
    def key(self) -> tuple[str, str]:
        """("", name): filters are in no namespace."""
        return "", self.name


def community(fields: Fields, key: str, text: str) -> Community:
    """Return the community that a text is, such as ``64512:100``; raises BadConfigurationError."""
    parts = text.split(":")
    limit = {2: 1 << 16, 3: 1 << 32}.get(len(parts), 0)
    if not all(part.isdecimal() and int(part) < limit for part in parts):
        raise fields.refusal(
            key, f"{text!r} is no community", hint="65000:100, or 65000:100:1 for a large one"
        )
    return tuple(map(int, parts))


def interfaces(fields: Fields, key: str, text: str) -> str:
    """Return a name or pattern of interfaces as it is; raises BadConfigurationError where it is none."""
    if not _INTERFACES.fullmatch(text):
        raise fields.refusal(key, f"{text!r} is no name or pattern of interfaces", hint="eth0, or eth*")
    return text


def _rule(fields: Fields, family: int) -> FilterRule:
    fields.only(RULE)
    if "action" not in fields:
        raise fields.refusal("action", "must be Accept or Reject")
    cidr = fields.network("cidr") if "cidr" in fields else None
    if cidr is not None and cidr.version != family:
        raise fields.refusal("cidr", f"is not IPv{family}")
    if ("matchOperator" in fields) != (cidr is not None):
        raise fields.refusal("matchOperator", "cidr and matchOperator go together")
    add, prepend = _operations(fields)
    return FilterRule(
        accepts=fields.choice("action", ("Accept", "Reject"), "") == "Accept",
        cidr=cidr,
        operator=fields.choice("matchOperator", OPERATORS, "In"),
        lengths=_lengths(fields, cidr),
        learned=fields.choice("source", ("RemotePeers", ""), "") == "RemotePeers",
        interface=interfaces(fields, "interface", held) if (held := fields.text("interface")) else "",
        peer=fields.choice("peerType", (EXTERNAL, INTERNAL, ""), ""),
        communities=_communities(fields, "communities"),
        path=_numbers(fields, "asPathPrefix"),
        add=add,
        prepend=prepend,
    )


def _lengths(fields: Fields, cidr: Network | None) -> tuple[int, int] | None:
    if "prefixLength" not in fields:
        return None
    if cidr is None or fields.text("matchOperator") not in {"In", "NotIn"}:
        raise fields.refusal("prefixLength", "needs a cidr, compared with In or NotIn")
    held = fields.child("prefixLength")
    low = held.number("min", cidr.prefixlen, high=cidr.max_prefixlen)
    high = held.number("max", cidr.max_prefixlen, high=cidr.max_prefixlen)
    if not cidr.prefixlen <= low <= high:
        hint = f"{cidr.prefixlen} to {cidr.max_prefixlen}, shortest first"
        raise fields.refusal("prefixLength", "no prefix has that length", hint=hint)
    return low, high


def _communities(fields: Fields, key: str) -> tuple[Community, ...]:
    return tuple(community(fields, key, text) for text in fields.child(key).texts("values"))


def _numbers(fields: Fields, key: str) -> tuple[int, ...]:
    held = fields.items(key)
    found = [each for each in held if isinstance(each, int) and each is not True and 1 <= each < 1 << 32]
    if len(found) < len(held):
        raise fields.refusal(key, "must be an array of AS numbers")
    return tuple(found)


def _operations(fields: Fields) -> tuple[tuple[Community, ...], tuple[int, ...]]:
    """Return what is added to an accepted route."""
    communities: list[Community] = []
    prepended: tuple[int, ...] = ()
    for each in fields.children("operations"):
        each.only(("addCommunity", "prependASPath"))
        if "addCommunity" in each:
            held = each.child("addCommunity")
            communities.append(community(held, "value", held.text("value")))
        if "prependASPath" in each:
            prepended = (*_numbers(each.child("prependASPath"), "prefix"), *prepended)
    return tuple(communities), prepended
