"""What two pods of a node cannot both have: host ports, names of links, an interface's place, default routes.

What lives here: ``Claims``, every question answered in constant time. Pure.
What it must not know: addresses (the pool's), the kernel.
"""

from octet.agent.records import Entry
from octet.agent.sandboxes import Identity
from octet.cluster.endpoint import Attachment, HostPort
from octet.cluster.reading import Address
from octet.cni.spec.failures import CniError, Code


class Claims:
    """Who holds what, by what is held."""

    def __init__(self) -> None:
        self._ports: dict[tuple[str, int], dict[Address | None, Attachment]] = {}
        self._links: dict[str, Attachment] = {}
        self._places: dict[tuple[Identity, str], Attachment] = {}
        self._defaults: dict[str, set[Attachment]] = {}

    def take(self, entry: Entry) -> None:
        """Note what an endpoint holds."""
        key, endpoint = entry.attachment, entry.endpoint
        self._links[endpoint.host_link] = key
        self._places[entry.identity, key.interface] = key
        if endpoint.default_route:
            self._defaults.setdefault(key.container, set()).add(key)
        for port in endpoint.host_ports:
            self._ports.setdefault((port.protocol, port.host_port), {})[port.address] = key

    def give_back(self, entry: Entry) -> None:
        """Forget what an endpoint held."""
        key, endpoint = entry.attachment, entry.endpoint
        self._links.pop(endpoint.host_link, None)
        self._places.pop((entry.identity, key.interface), None)
        defaults = self._defaults.get(key.container, set())
        defaults.discard(key)
        if not defaults:
            self._defaults.pop(key.container, None)
        for port in endpoint.host_ports:
            holders = self._ports.get((port.protocol, port.host_port), {})
            holders.pop(port.address, None)
            if not holders:
                self._ports.pop((port.protocol, port.host_port), None)

    def has_link(self, name: str) -> bool:
        """Does an endpoint hold this name for its end on the node?"""
        return name in self._links

    def has_default_route(self, container: str) -> bool:
        """Has a container its default route through an interface of ours?"""
        return container in self._defaults

    def refuse_place(self, identity: Identity, interface: str) -> None:
        """Raise CniError (104) where the namespace has that interface from us already."""
        holder = self._places.get((identity, interface))
        if holder is not None:
            raise CniError(Code.INTERFACE_EXISTS, f"{interface} of that namespace belongs to {holder}")

    def refuse_ports(self, wanted: tuple[HostPort, ...]) -> None:
        """Raise CniError (105) naming the pod that holds a host port already.

        A port of all addresses meets any other of its number, as in Kubernetes' scheduler.
        """
        for port in wanted:
            holders = self._ports.get((port.protocol, port.host_port), {})
            for address, holder in holders.items():
                if None in {address, port.address} or address == port.address:
                    where = f"host port {port.protocol} {port.host_port}"
                    raise CniError(Code.IN_USE, f"{where} belongs to {holder}")
