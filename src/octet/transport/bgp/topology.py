"""Which nodes of a cluster have sessions with each other, and who reflects to whom.

What lives here: the decision for one pair of nodes; both sides come to the same one, so that no session waits
for a peer that doesn't want it. What it must not know: where cluster ids and AS numbers are written, BIRD.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from octet.blueprint import Secret
from octet.cluster.objects import Address
from octet.transport.bgp.sessions import FAR, Bfd, Session, Timers
from octet.transport.bgp.speaker import BGP_PORT, Speaker


@dataclass(frozen=True, slots=True)
class Member:
    """A node as the cluster's BGP sees it.

    Attributes:
        asn: its AS number; nodes of different AS speak eBGP with each other.
        v4, v6: where its sessions are; None where it has none of that family.
        cluster_id: it is a reflector of this cluster id (RFC 4456).
        client_of: it has sessions with reflectors of this cluster id only (kube-router's rr.client).
    """

    name: str
    asn: int
    v4: IPv4Address | None = None
    v6: IPv6Address | None = None
    cluster_id: IPv4Address | None = None
    client_of: IPv4Address | None = None
    port: int = BGP_PORT

    def address(self, family: int) -> Address | None:
        """Return its address of a family."""
        return self.v4 if family == 4 else self.v6


@dataclass(frozen=True, slots=True)
class Mesh:
    """How the nodes of a cluster find each other without being told pair by pair.

    Attributes:
        full: do plain nodes have a session with every other? (nodeToNodeMeshEnabled, --nodes-full-mesh)
        reflectors_join: do reflectors have sessions by their role alone (kube-router)? Otherwise they are out
            of the mesh, and what peers with them is named pair by pair (Calico).
        own_as_only: only nodes of one AS peer with each other (kube-router without full mesh).
        nodes_only: reflectors pass on what nodes told them, and nothing that they heard from routers.
        graceful, restart_time, password, timers, bfd: of every session between nodes.
    """

    full: bool = True
    reflectors_join: bool = True
    own_as_only: bool = False
    nodes_only: bool = False
    graceful: bool = True
    restart_time: int | None = None
    password: Secret | None = None
    timers: Timers = field(default_factory=Timers)
    bfd: Bfd | None = None


def between(speaker: Speaker, me: Member, other: Member, mesh: Mesh) -> Iterator[Session]:
    """Yield this node's sessions with another: one for all common families, or none."""
    if joined(me, other, mesh):
        yield from internal(speaker, me, other, mesh)


def internal(speaker: Speaker, me: Member, other: Member, mesh: Mesh) -> Iterator[Session]:
    """Yield the session of a pair that has one by decision of the mesh or of an operator.

    It runs over IPv4 where both nodes have it, and speaks about every family that both have. Within one AS
    several paths to one prefix pass (RFC 7911), as in Calico: ECMP outlives reflection, and a peer that
    becomes a reflector is no reason for this end to begin its session anew.
    """
    families = tuple(each for each in (4, 6) if me.address(each) and other.address(each))
    if not families or me.name == other.name:
        return
    address = other.address(families[0])
    if address is None:
        return
    yield Session(
        other.name,
        address,
        other.asn,
        node=True,
        families=families,
        port=other.port,
        local_asn=me.asn if me.asn != speaker.asn else None,
        source=me.address(families[0]),
        password=mesh.password,
        hops=FAR,
        client_of=me.cluster_id if reflects(me, other) else None,
        transit=me.cluster_id is not None and me.asn == other.asn,
        nodes_only=mesh.nodes_only,
        add_paths=me.asn == other.asn,
        bfd=mesh.bfd,
        timers=mesh.timers,
        graceful=mesh.graceful,
        restart_time=mesh.restart_time,
    )


def joined(me: Member, other: Member, mesh: Mesh) -> bool:
    """Tell whether two nodes have a session without being named as a pair."""
    if me.name == other.name or (mesh.own_as_only and me.asn != other.asn):
        return False
    if me.cluster_id is None and other.cluster_id is None:
        return mesh.full and me.client_of is None and other.client_of is None
    return mesh.reflectors_join and _served(me, other) and _served(other, me)


def _served(client: Member, reflector: Member) -> bool:
    """A client is served by reflectors of its cluster id; who is no client takes any."""
    return client.client_of is None or client.client_of == reflector.cluster_id


def reflects(me: Member, other: Member) -> bool:
    """Tell whether I reflect routes to another: to every peer within my AS but reflectors of my own cluster.

    Reflectors of one cluster id tell each other what their clients say as to any peer, and ignore what their
    own cluster id has seen already (RFC 4456, 8); one of another cluster is a client, as in Calico.
    """
    return me.cluster_id is not None and me.asn == other.asn and other.cluster_id != me.cluster_id
