"""What a policy's annotations add to it: what becomes of running connections, how a denied packet is told.

What lives here: the three annotations that every dialect of policy may have. What it must not know: dialects.
"""

import re

import msgspec

from octet.cluster.reading import Fields
from octet.errors import BadConfigurationError

ESTABLISHED = "policy.octet.dev/established"
"""``cut`` (default) or ``keep`` connections that the policy forbids from now on."""

DENIED = "policy.octet.dev/denied"
"""``drop`` (default) a denied packet, or ``reject`` it: TCP reset, ICMP "administratively prohibited"."""

DOMAINS = "policy.octet.dev/domains"
"""Names, separated by commas, that the selected pods may also reach: ``api.example.com, *.example.org``."""

DOMAIN = re.compile(r"(\*\.)?([a-z0-9]([-a-z0-9_]*[a-z0-9])?\.)+[a-z0-9]([-a-z0-9_]*[a-z0-9])?", re.ASCII)
"""As ClusterNetworkPolicy's ``domainNames`` (network-policy-api, v1alpha2, DomainName), in lower case."""


class Conduct(msgspec.Struct, frozen=True, gc=False):
    """How a policy treats what it forbids, and names that it allows.

    Attributes:
        keep: do running connections that it forbids go on?
        reject: is a denied packet answered?
        domains: names that egress is allowed to, in lower case without the last dot.
    """

    keep: bool = False
    reject: bool = False
    domains: tuple[str, ...] = ()


NORMAL = Conduct()


def read_conduct(metadata: Fields) -> Conduct:
    """Read the annotations of a policy; raises BadConfigurationError naming the annotation."""
    fields = metadata.child("annotations")
    if not any(each in fields for each in (ESTABLISHED, DENIED, DOMAINS)):
        return NORMAL
    names = (each.strip() for each in fields.text(DOMAINS).split(","))
    return Conduct(
        keep=fields.choice(ESTABLISHED, ("cut", "keep"), "cut") == "keep",
        reject=fields.choice(DENIED, ("drop", "reject"), "drop") == "reject",
        domains=tuple(domain(each, fields, DOMAINS) for each in names if each),
    )


def domain(text: str, fields: Fields, key: str) -> str:
    """Return a domain name in the form that answers are compared with; raises BadConfigurationError."""
    name = text.lower().removesuffix(".")
    if not DOMAIN.fullmatch(name) or len(name) > 253:
        raise refusal(fields, key, text)
    return name


def refusal(fields: Fields, key: str, text: str) -> BadConfigurationError:
    """Return the error for something that is no domain name."""
    return fields.refusal(key, f"{text!r} is no domain name", hint="such as api.example.com or *.example.com")
