"""Who has a session with whom, and who reflects: the same answer on both sides."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from itertools import product

import pytest

from octet.transport.bgp import Member, Mesh, Speaker, between, internal
from octet.transport.bgp.sessions import Session

ONE, TWO = IPv4Address("1.1.1.1"), IPv4Address("2.2.2.2")
V4, V6 = IPv4Address("10.0.0.1"), IPv6Address("fd00::1")

PLAIN = Member("plain", 64512, V4, V6)
REFLECTOR = Member("reflector", 64512, V4 + 1, V6 + 1, cluster_id=ONE)
CLIENT = Member("client", 64512, V4 + 2, V6 + 2, client_of=ONE)
OTHERS = Member("other-client", 64512, V4 + 3, V6 + 3, client_of=TWO)
SECOND = Member("second", 64512, V4 + 4, V6 + 4, cluster_id=TWO)
RACK = Member("rack", 64600, V4 + 5, V6 + 5)
EVERYBODY = (PLAIN, REFLECTOR, CLIENT, OTHERS, SECOND, RACK)


def sessions(me: Member, other: Member, mesh: Mesh) -> list[Session]:
    assert me.v4 is not None or me.v6 is not None
    return list(between(Speaker(ONE, me.asn, me.v4, me.v6), me, other, mesh))


@pytest.mark.parametrize(
    "mesh", [Mesh(), Mesh(full=False), Mesh(reflectors_join=False), Mesh(own_as_only=True)]
)
def test_both_sides_agree(mesh: Mesh) -> None:
    """No node waits for a peer that does not want the session, whatever their roles."""
    for me, other in product(EVERYBODY, EVERYBODY):
        assert len(sessions(me, other, mesh)) == len(sessions(other, me, mesh)), (me.name, other.name)


def test_a_full_mesh_is_everybody_with_everybody_else() -> None:
    """Plain nodes of one AS or several all have a session with each other, and none with themselves."""
    members = [Member(f"node{n}", 64512 + n % 2, V4 + n, V6 + n) for n in range(5)]
    for me in members:
        peers = [other.name for other in members if sessions(me, other, Mesh())]
        assert peers == [other.name for other in members if other is not me]


def test_cluster_ids_are_compared() -> None:
    """A client has sessions with reflectors of its own cluster id only (kube-router documents it so)."""
    assert [each.name for each in EVERYBODY if sessions(CLIENT, each, Mesh())] == ["reflector"]
    assert [each.name for each in EVERYBODY if sessions(OTHERS, each, Mesh())] == ["second"]


def test_a_reflector_reflects_to_clients_and_to_other_clusters() -> None:
    """Clients are its clients; a reflector of its own cluster id is not; another AS never is."""
    assert sessions(REFLECTOR, CLIENT, Mesh())[0].client_of == ONE
    assert sessions(REFLECTOR, SECOND, Mesh())[0].client_of == ONE
    twin = Member("twin", 64512, V4 + 9, cluster_id=ONE)
    assert sessions(REFLECTOR, twin, Mesh())[0].client_of is None
    assert sessions(REFLECTOR, RACK, Mesh())[0].client_of is None
    assert sessions(CLIENT, REFLECTOR, Mesh())[0].client_of is None


def test_only_reflectors_pass_on_what_others_told_them() -> None:
    """A plain node and a client tell what is theirs; a reflector tells its own AS everything."""
    assert sessions(REFLECTOR, CLIENT, Mesh())[0].transit
    assert not sessions(REFLECTOR, RACK, Mesh())[0].transit
    assert not sessions(CLIENT, REFLECTOR, Mesh())[0].transit
    assert not sessions(PLAIN, RACK, Mesh())[0].transit


def test_paths_stay_several_through_a_reflector() -> None:
    """Within one AS both ends speak add-path, so that ECMP outlives reflection (RFC 7911)."""
    assert sessions(REFLECTOR, CLIENT, Mesh())[0].add_paths
    assert sessions(CLIENT, REFLECTOR, Mesh())[0].add_paths
    assert not sessions(PLAIN, RACK, Mesh())[0].add_paths


def test_a_peer_that_becomes_a_reflector_changes_nothing_here() -> None:
    """A node's own session stays as it is when the peer begins to reflect, so that it need not begin anew."""
    before = Member("node", 64512, V4 + 7, V6 + 7)
    after = replace(before, cluster_id=ONE)
    assert sessions(PLAIN, before, Mesh()) == sessions(PLAIN, after, Mesh())


def test_a_reflector_leaves_calicos_mesh() -> None:
    """Annotated nodes are out of the mesh: their sessions are those that BGPPeers name pair by pair."""
    calico = Mesh(reflectors_join=False)
    assert not sessions(PLAIN, REFLECTOR, calico)
    speaker = Speaker(ONE, 64512, REFLECTOR.v4, REFLECTOR.v6)
    (named,) = internal(speaker, REFLECTOR, PLAIN, calico)
    assert named.client_of == ONE


def test_one_session_speaks_about_both_families() -> None:
    """It runs over IPv4 where both nodes have it; families are those that both have."""
    (both,) = sessions(PLAIN, REFLECTOR, Mesh())
    assert (both.address, both.families) == (REFLECTOR.v4, (4, 6))
    (only,) = sessions(PLAIN, Member("six", 64512, v6=V6 + 7), Mesh())
    assert (only.address, only.families) == (V6 + 7, (6,))
    assert sessions(Member("four", 64512, V4 + 8), Member("six", 64512, v6=V6 + 7), Mesh()) == []


def test_a_node_may_have_an_as_of_its_own() -> None:
    """Nodes of different AS speak eBGP; with own_as_only they have no session."""
    assert sessions(PLAIN, RACK, Mesh())[0].asn == 64600
    assert sessions(PLAIN, RACK, Mesh(own_as_only=True)) == []
