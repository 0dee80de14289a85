"""Options that several models have.

What lives here: ``masquerade``. What it must not know: any particular model.
"""

from octet.errors import BadConfigurationError
from octet.models.model import Options

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
