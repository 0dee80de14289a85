"""Endpoints as the journal writes them: to JSON and back.

What lives here: Entry, State, their encoding. What it must not know: SQL, the kernel.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import msgspec

from octet.cluster.endpoint import Attachment, Bandwidth, Endpoint, HostPort
from octet.ipam.node_cidr import Allocation


class State(StrEnum):
    """How far an endpoint has come; written before the kernel is touched, so a crash finds its way."""

    ADDING = "adding"
    READY = "ready"
    DELETING = "deleting"


@dataclass(frozen=True, slots=True)
class Entry:
    """One endpoint with all that the agent must remember of it.

    Attributes:
        netns: path of the pod's namespace as the runtime gave it, or empty.
        identity: (device, inode, cookie) of that namespace, by which a path is known to be the same still.
    """

    endpoint: Endpoint
    state: State
    netns: str = ""
    identity: tuple[int, int, int] = (0, 0, 0)

    @property
    def attachment(self) -> Attachment:
        """The key of everything it owns."""
        return self.endpoint.attachment

    @property
    def allocation(self) -> Allocation:
        """Its addresses, as the pool knows them."""
        return Allocation(self.attachment, self.endpoint.v4, self.endpoint.v6)

    def now(self, state: State) -> "Entry":
        """Return the same entry in another state."""
        return replace(self, state=state)


_encoder = msgspec.json.Encoder(enc_hook=str)


def encode(entry: Entry) -> bytes:
    """Return an entry's JSON, without its state (a column of its own)."""
    endpoint = entry.endpoint
    body = {name: getattr(endpoint, name) for name in _PLAIN}
    body["ports"] = [asdict(port) for port in endpoint.host_ports]
    body["bandwidth"] = asdict(endpoint.bandwidth)
    key = endpoint.attachment
    body["attachment"] = (key.network, key.container, key.interface)
    return _encoder.encode({**body, "netns": entry.netns, "identity": entry.identity})


_PLAIN = ("host_link", "mac", "mtu", "v4", "v6", "namespace", "pod", "default_route")


def decode(state: str, body: bytes) -> Entry:
    """Return the entry that ``encode`` wrote. Raises ValueError for anything else."""
    held: Mapping[str, Any] = msgspec.json.decode(body)
    endpoint = Endpoint(
        attachment=Attachment(*held["attachment"]),
        host_link=held["host_link"],
        mac=held["mac"],
        mtu=held["mtu"],
        v4=IPv4Address(held["v4"]) if held["v4"] else None,
        v6=IPv6Address(held["v6"]) if held["v6"] else None,
        namespace=held["namespace"],
        pod=held["pod"],
        host_ports=tuple(_port(port) for port in held["ports"]),
        bandwidth=Bandwidth(**held["bandwidth"]),
        default_route=held["default_route"],
    )
    device, inode, cookie = held["identity"]
    return Entry(endpoint, State(state), held["netns"], (device, inode, cookie))


def _port(held: Mapping[str, Any]) -> HostPort:
    address = ip_address(held["address"]) if held["address"] else None
    return HostPort(held["host_port"], held["container_port"], held["protocol"], address)
