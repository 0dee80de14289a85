"""What a shell may offer as values: from the tables that say what there is, and from the labs that are up.

What lives here: one function for each kind of value. What it must not know: commands.

Each is called anew for every press of Tab: a table is imported when it is asked for, and whatever fails
offers nothing, for there is nobody to tell.
"""

import contextlib
import json
from collections.abc import Iterable, Iterator

import typer

from octet.errors import OctetError


def models(incomplete: str) -> list[str]:
    """Offer models and their variants."""
    from octet.models import names

    return _begun(names(), incomplete)


def candidates(incomplete: str) -> list[str]:
    """Offer one more of the names that are separated by commas."""
    from octet.measure import candidates as table

    before, comma, last = incomplete.rpartition(",")
    left = (each.name for each in table.candidates() if each.name not in before.split(","))
    return [f"{before}{comma}{name}" for name in _begun(left, last)]


def families(incomplete: str) -> list[str]:
    """Offer v4, v6 and dual."""
    from octet.lab.names import FAMILIES

    return _begun(FAMILIES, incomplete)


def fabrics(incomplete: str) -> list[str]:
    """Offer what connects nodes."""
    from octet.lab.fabrics import FABRICS

    return _begun(FABRICS, incomplete)


def kinds(incomplete: str) -> list[str]:
    """Offer the kinds of objects, in the plural."""
    from octet.lab.objects import KINDS

    return _begun((kind.words[0] for kind in KINDS), incomplete)


def protocols(incomplete: str) -> list[str]:
    """Offer the protocols that a fault may name."""
    from octet.lab.faults import PROTOCOLS

    return _begun(PROTOCOLS, incomplete)


def labs(incomplete: str) -> list[str]:
    """Offer the labs that are up."""
    from octet.lab.registry import Registry

    with _quiet():
        return _begun((entry.name for entry in Registry().entries()), incomplete)
    return []


def nodes(context: typer.Context, incomplete: str) -> list[str]:
    """Offer the nodes of the lab that the command line names, or of the only one."""
    with _quiet():
        return _begun(_nodes(context), incomplete)
    return []


def routers(context: typer.Context, incomplete: str) -> list[str]:
    """Offer the routers of the lab's fabric."""
    with _quiet():
        return _begun(_routers(context), incomplete)
    return []


def machines(context: typer.Context, incomplete: str) -> list[str]:
    """Offer what a cable leads to: nodes and routers."""
    with _quiet():
        return _begun((*_nodes(context), *_routers(context)), incomplete)
    return []


def targets(context: typer.Context, incomplete: str) -> list[str]:
    """Offer whatever a program can be run in: nodes, routers, the host outside, the switch, pods."""
    from octet.lab.names import OUTSIDE, SWITCH

    with _quiet():
        return _begun(
            (*_nodes(context), *_routers(context), OUTSIDE, SWITCH, *_named(context, "pods")), incomplete
        )
    return []


def speakers(context: typer.Context, incomplete: str) -> list[str]:
    """Offer whatever has a log: nodes, routers, pods, the lab itself."""
    from octet.lab.names import LAB

    with _quiet():
        return _begun((*_nodes(context), *_routers(context), LAB, *_named(context, "pods")), incomplete)
    return []


def items(context: typer.Context, incomplete: str) -> list[str]:
    """Offer the objects of the kind that was written before."""
    with _quiet():
        return _begun(_named(context, context.params.get("kind") or "pods"), incomplete)
    return []


def namespaces(context: typer.Context, incomplete: str) -> list[str]:
    """Offer the lab's Kubernetes namespaces."""
    with _quiet():
        return _begun(_named(context, "namespaces"), incomplete)
    return []


def _nodes(context: typer.Context) -> tuple[str, ...]:
    from octet.lab.names import node_names
    from octet.lab.registry import SPEC, Registry

    entry = Registry().find(context.params.get("name"))
    return node_names(json.loads((entry.path / SPEC).read_bytes())["nodes"])


def _routers(context: typer.Context) -> list[str]:
    from octet.lab import Lab

    return [router["name"] for router in Lab.find(context.params.get("name")).routers()]


def _named(context: typer.Context, kind: str) -> list[str]:
    from octet.lab import Lab

    wanted = context.params.get("namespace") or "default"
    found = Lab.find(context.params.get("name")).get(kind, namespace=wanted)
    return [item["metadata"]["name"] for item in found]


def _begun(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Offer nothing where the registry or a lab cannot be read."""
    with contextlib.suppress(OctetError, OSError, ValueError, KeyError):
        yield
