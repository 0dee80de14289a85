"""CHECK: is everything there that ADD made, and does the runtime's memory of it agree?

What lives here: the comparison, a sentence for each difference. Pure: what the kernel holds is given.
What it must not know: how the kernel is read, what is done about a difference.
"""

from collections.abc import Iterator
from dataclasses import replace

from octet.attach import EndpointPlan
from octet.blueprint import Blueprint, KernelObject, Link, Route
from octet.blueprint.layer3 import MAIN_TABLE
from octet.cluster.endpoint import Endpoint
from octet.cni.spec.result import Interface, Result

Held = tuple[Blueprint, Blueprint]
"""What the pod's namespace and the node hold of ours."""


def differences(endpoint: Endpoint, plan: EndpointPlan, held: Held, previous: Result | None) -> Iterator[str]:
    """Yield what differs from what ADD made, and where prevResult contradicts what we know."""
    inner = _interface(endpoint, previous) if previous is not None else None
    if previous is not None:
        yield from _disagreements(endpoint, previous, inner)
    pod, node = held
    yield from _missing("the pod", _as_chained(plan.pod, pod, inner), pod)
    yield from _missing("the node", plan.node, node)


def _interface(endpoint: Endpoint, previous: Result) -> Interface | None:
    name = endpoint.attachment.interface
    return next((each for each in previous.interfaces if each.name == name and each.sandbox), None)


def _disagreements(endpoint: Endpoint, previous: Result, inner: Interface | None) -> Iterator[str]:
    """Chained plugins may add to a result, so only what is ours and is missing counts."""
    name = endpoint.attachment.interface
    if inner is None:
        yield f"prevResult has no interface {name} in a sandbox"
        return
    number = previous.interfaces.index(inner)
    said = {ip.address.ip for ip in previous.ips if ip.interface in {None, number}}
    for address in endpoint.addresses:
        if address not in said:
            yield f"prevResult lacks the address {address} of {name}"


def _as_chained(wanted: Blueprint, found: Blueprint, inner: Interface | None) -> Blueprint:
    """Return what is wanted, with what later plugins of the chain may have made of it.

    ``tuning`` gives the pod another MAC or MTU, ``sbr`` moves routes to a table of its own.
    """
    if inner is None:
        return wanted
    tables = {replace(route, table=MAIN_TABLE): route for route in found.of(Route)}
    return Blueprint(
        tables.get(item, item) if isinstance(item, Route) else _agreed(item, found.get(item.key), inner)
        for item in wanted
    )


def _agreed(item: KernelObject, there: KernelObject | None, inner: Interface) -> KernelObject:
    """Return a link as prevResult, which is the whole chain's, says that it is."""
    if not isinstance(item, Link) or not isinstance(there, Link) or item.name != inner.name:
        return item
    mac = there.mac if inner.mac and there.mac == inner.mac.lower() else item.mac
    return replace(item, mac=mac, mtu=there.mtu if _may_have(there.mtu, item.mtu, inner) else item.mtu)


def _may_have(mtu: int | None, ours: int | None, inner: Interface) -> bool:
    """May a plugin after us have set this MTU? No result before 1.1.0 says so; a smaller one is safe."""
    return mtu == inner.mtu if inner.mtu else 0 < (mtu or 0) <= (ours or 0)


def _missing(where: str, wanted: Blueprint, found: Blueprint) -> Iterator[str]:
    change = wanted.change_from(found)
    yield from (f"{where} lacks {item}" for item in change.add)
    yield from (f"{where} has {old}, not {new}" for old, new in change.alter)
