"""Options that several models have.

What lives here: ``masquerade``, ``policy``. What it must not know: any particular model.
"""

from octet.errors import BadConfigurationError
from octet.models.model import Option, Options

MASQUERADE = "masquerade"
"""Shall traffic that leaves the cluster carry the node's address? Default true; flannel's ``--ip-masq``."""


def masquerade_option(options: Options, source: str) -> tuple[bool, dict[str, object]]:
    """Return ``masquerade`` and the options without it.

    Raises:
        BadConfigurationError: it is neither true nor false.
    """
    rest = dict(options)
    value = rest.pop(MASQUERADE, True)
    if not isinstance(value, bool):
        raise BadConfigurationError(source, MASQUERADE, value, "must be true or false")
    return value, rest


POLICY = "policy"
"""Who decides who may talk to whom: ``none``, or ``ordered``: every kind of policy that Octet knows."""

POLICIES = ("none", "ordered")


def policy_option(options: Options, source: str) -> tuple[bool, dict[str, object]]:
    """Return whether policies are enforced, by default not, and the options without ``policy``.

    Raises:
        BadConfigurationError: it is none of POLICIES.
    """
    rest = dict(options)
    value = rest.pop(POLICY, "none")
    if value not in POLICIES:
        raise BadConfigurationError(source, POLICY, value, f"must be one of {', '.join(POLICIES)}")
    return value == "ordered", rest


MASQUERADING = Option(
    MASQUERADE, "true: what leaves the cluster carries the node's address", {MASQUERADE: False}
)
POLICING = Option(POLICY, '"none": or "ordered", every kind of policy in force', {POLICY: "ordered"})
