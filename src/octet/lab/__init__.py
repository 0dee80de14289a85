"""Several machines on one: clusters of nodes in private namespaces, with real packets through real plugins.

What lives here: the names other floors use; everything is imported when first used, for the small programs of
a lab start often. What it must not know: measuring, choosing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from octet.lab.api import Lab, PodInfo
    from octet.lab.provider import Foreign, Octet, reference
    from octet.lab.registry import Registry

__all__ = ["Foreign", "Lab", "Octet", "PodInfo", "Registry", "reference"]

_HOMES = {
    "Lab": "octet.lab.api",
    "PodInfo": "octet.lab.api",
    "Foreign": "octet.lab.provider",
    "Octet": "octet.lab.provider",
    "reference": "octet.lab.provider",
    "Registry": "octet.lab.registry",
}


def __getattr__(name: str) -> Any:
    """Import a name's module when the name is first used (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
