"""The pods of this node as policy asks for them: by attachment, by name, by address.

What lives here: ``Attached``. What it must not know: policies.
"""

from collections.abc import Iterable, Iterator

from octet.cluster.endpoint import Attachment, Endpoint
from octet.cluster.objects import Address, Pod
from octet.cluster.view import View


class Attached:
    """The endpoints of one node.

    Attributes:
        local: which pod (namespace, name) has an address of this node, whatever its status says yet.
    """

    def __init__(self) -> None:
        self.local: dict[Address, tuple[str, str]] = {}
        self._endpoints: dict[Attachment, Endpoint] = {}
        self._places: dict[tuple[str, str], dict[Attachment, None]] = {}

    def __iter__(self) -> Iterator[Attachment]:
        return iter(self._endpoints)

    def get(self, key: Attachment) -> Endpoint | None:
        """Return an endpoint, or None."""
        return self._endpoints.get(key)

    def keep(self, endpoint: Endpoint) -> None:
        """Take an endpoint in that is not known."""
        place = (endpoint.namespace, endpoint.pod)
        self._endpoints[endpoint.attachment] = endpoint
        self._places.setdefault(place, {})[endpoint.attachment] = None
        self.local |= dict.fromkeys(endpoint.addresses, place)

    def drop(self, key: Attachment) -> Endpoint | None:
        """Let an endpoint go; return it, or None where it is not known."""
        endpoint = self._endpoints.pop(key, None)
        if endpoint is None:
            return None
        place = (endpoint.namespace, endpoint.pod)
        del self._places[place][key]
        if not self._places[place]:
            del self._places[place]
        for address in endpoint.addresses:
            self.local.pop(address, None)
        return endpoint

    def of(self, pod: Pod) -> Iterable[Attachment]:
        """Return a pod's attachments."""
        return self._places.get(pod.key, ())

    def inside(self, namespace: str) -> Iterator[Attachment]:
        """Yield the attachments of a namespace's pods."""
        for (name, _), keys in self._places.items():
            if name == namespace:
                yield from keys

    def addresses(self, pod: Pod) -> Iterable[Address]:
        """Return a pod's addresses; of a pod of this node also those that its status does not say yet."""
        mine = (self._endpoints[key].addresses for key in self.of(pod))
        return dict.fromkeys((*pod.own_ips, *(address for each in mine for address in each)))

    def pod_of(self, endpoint: Endpoint, view: View) -> Pod | None:
        """Return an endpoint's pod, or None while the cluster has not told of it."""
        return view.pods.get((endpoint.namespace, endpoint.pod))

    def pod_at(self, address: Address, view: View) -> Pod | None:
        """Return who has an address: of this node, or else by the API's word."""
        return view.pods.get(self.local[address]) if address in self.local else view.pods.at(address)
