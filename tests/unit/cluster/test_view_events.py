"""The View follows events and lists, says what changed, and finds objects by what one asks for."""

import dataclasses
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet.cluster.changes import NodeChanged, PodChanged, SliceChanged, UnderlayChanged
from octet.cluster.objects import KINDS, Node, Pod
from octet.cluster.view import Underlay, View
from octet.errors import BadConfigurationError

EMPTY = View("node1", Underlay("eth0", 1500))
LEAST = {
    "ClusterNetworkPolicy": {"tier": "Admin", "priority": 0, "subject": {"namespaces": {}}},
    "HostEndpoint": {"node": "node1", "interfaceName": "*"},
    "IPPool": {"cidr": "10.0.0.0/16"},
    "IPAMBlock": {"cidr": "10.0.0.0/32", "allocations": [None]},
    "BlockAffinity": {"cidr": "10.0.0.0/32", "node": "node1"},
    "BGPPeer": {"peerIP": "192.0.2.1", "asNumber": 65001},
}


def node(name, cidr="", labels=None, **status):
    spec = {"podCIDR": cidr} if cidr else {}
    return {"metadata": {"name": name, "labels": labels or {}}, "spec": spec, "status": status}


def pod(name, ip="", on="node1", labels=None, **metadata):
    status = {"podIP": ip} if ip else {}
    metadata = {"name": name, "namespace": "shop", "labels": labels or {}, **metadata}
    return {"metadata": metadata, "spec": {"nodeName": on}, "status": status}


def after(view, *events):
    for kind, happened, item in events:
        view, _ = view.with_event(kind, (happened, item))
    return view


def test_a_node_comes_changes_and_goes():
    """Each event about a node returns the next view and one change with the old and the new node."""
    view, (came,) = EMPTY.with_event("Node", ("ADDED", node("node2")))
    view, (changed,) = view.with_event("Node", ("MODIFIED", node("node2", "10.1.2.0/24")))
    view, (gone,) = view.with_event("Node", ("DELETED", node("node2", "10.1.2.0/24")))
    bare, whole = Node("node2"), Node("node2", pod_cidrs=(ip_network("10.1.2.0/24"),))
    assert (came, changed, gone) == (
        NodeChanged(None, bare),
        NodeChanged(bare, whole),
        NodeChanged(whole, None),
    )
    assert [came.verb, changed.verb, gone.verb] == ["added", "changed", "gone"]
    assert len(view.nodes) == 0


def test_a_heartbeat_is_no_change():
    """An event that changes nothing of interest returns the same view and no change."""
    view = after(EMPTY, ("Node", "ADDED", node("node2")))
    beat = node("node2", conditions=[{"type": "DiskPressure", "status": "False", "lastHeartbeatTime": "now"}])
    assert view.with_event("Node", ("MODIFIED", beat)) == (view, ())


def test_a_deletion_of_something_unknown_is_no_change():
    """Deleting what the view does not hold changes nothing."""
    assert EMPTY.with_event("Pod", ("DELETED", pod("ghost"))) == (EMPTY, ())


def test_a_deletion_does_not_need_a_readable_object():
    """An object whose last state cannot be read can still be deleted."""
    view = after(EMPTY, ("Pod", "ADDED", pod("web")))
    broken = {"metadata": {"name": "web", "namespace": "shop"}, "spec": 7}
    assert len(after(view, ("Pod", "DELETED", broken)).pods) == 0


def test_an_unreadable_event_leaves_the_view():
    """An event that cannot be read raises, and what was known before still stands."""
    view = after(EMPTY, ("Node", "ADDED", node("node2", "10.1.2.0/24")))
    with pytest.raises(BadConfigurationError):
        view.with_event("Node", ("MODIFIED", node("node2", "ten")))
    assert view.nodes["node2"].pod_cidrs == (ip_network("10.1.2.0/24"),)


def test_here_and_peers():
    """This node is here, once it is known; every other one is a peer, by name."""
    view = after(EMPTY, *[("Node", "ADDED", node(name)) for name in ("node3", "node1", "node2")])
    assert (EMPTY.here, view.here) == (None, Node("node1"))
    assert [peer.name for peer in view.peers] == ["node2", "node3"]


def test_a_node_is_found_by_an_address_of_its_pods():
    """An address leads to the node with the longest pod CIDR around it, and to none outside of all."""
    view = after(
        EMPTY,
        ("Node", "ADDED", node("wide", "10.1.0.0/16")),
        ("Node", "ADDED", node("narrow", "10.1.2.0/24")),
        ("Node", "ADDED", node("six", "fd00:1::/64")),
    )
    addresses = ("10.1.2.3", "10.1.3.3", "fd00:1::9", "10.2.0.1", "fd00:2::1")
    found = [view.node_of(ip_address(each)) for each in addresses]
    assert [each and each.name for each in found] == ["narrow", "wide", "six", None, None]


def test_a_node_is_not_found_by_a_cidr_it_lost():
    """After a node's CIDR changed only the new one leads to it."""
    view = after(
        EMPTY, ("Node", "ADDED", node("a", "10.1.1.0/24")), ("Node", "MODIFIED", node("a", "10.1.2.0/24"))
    )
    assert view.node_of(ip_address("10.1.1.1")) is None
    assert view.node_of(ip_address("10.1.2.1")).name == "a"


def test_pods_are_found_by_address_node_and_namespace():
    """A pod is found by its address, its node and its namespace."""
    view = after(
        EMPTY, ("Pod", "ADDED", pod("web", "10.1.1.2")), ("Pod", "ADDED", pod("db", "10.1.2.2", on="node2"))
    )
    assert view.pods.at(ip_address("10.1.1.2")).name == "web"
    assert list(view.pods.on("node2")) == [("shop", "db")]
    assert set(view.pods.inside("shop")) == {("shop", "web"), ("shop", "db")}
    assert (view.pods.at(ip_address("10.9.9.9")), dict(view.pods.on("node9"))) == (None, {})


def test_an_address_that_moved_leads_to_the_living_pod():
    """While the old pod still terminates, and when it is gone, an address leads to the new pod."""
    ending = pod("old", "10.1.1.2", deletionTimestamp="now")
    events = [("Pod", "ADDED", pod("old", "10.1.1.2")), ("Pod", "ADDED", pod("new", "10.1.1.2"))]
    view = after(EMPTY, *events, ("Pod", "MODIFIED", ending))
    assert view.pods.at(ip_address("10.1.1.2")).name == "new"
    assert after(view, ("Pod", "DELETED", ending)).pods.at(ip_address("10.1.1.2")).name == "new"


def test_a_pod_on_the_host_network_is_not_found_by_the_nodes_address():
    """The node's address does not lead to one of its host-network pods."""
    item = pod("proxy", "192.0.2.1")
    item["spec"]["hostNetwork"] = True
    assert after(EMPTY, ("Pod", "ADDED", item)).pods.at(ip_address("192.0.2.1")) is None


def test_slices_are_found_by_service():
    """The endpoint slices of a service are found by the service's key, also after they change service."""

    def item(service):
        labels = {"kubernetes.io/service-name": service}
        return {"metadata": {"name": "s1", "namespace": "shop", "labels": labels}, "addressType": "IPv4"}

    view, changes = EMPTY.with_event("EndpointSlice", ("ADDED", item("web")))
    assert isinstance(changes[0], SliceChanged)
    assert list(view.slices.behind(("shop", "web"))) == [("shop", "s1")]
    view = after(view, ("EndpointSlice", "MODIFIED", item("db")))
    assert [len(view.slices.behind(("shop", name))) for name in ("web", "db")] == [0, 1]


def test_every_kind_has_its_place():
    """An object of every kind can come, be found in a collection of its own, and go."""
    for kind in KINDS:
        item = {"metadata": {"name": "default", "namespace": "shop"}, "spec": LEAST.get(kind, {})}
        view, (came,) = EMPTY.with_event(kind, ("ADDED", item))
        assert (came.old, type(came.new).__name__) == (None, kind)
        assert view != EMPTY
        assert after(view, (kind, "DELETED", item)).with_event(kind, ("DELETED", item))[1] == ()


def test_a_list_says_what_differs():
    """A fresh list gives what is gone first, then what came or changed, and nothing for the rest."""
    before = after(EMPTY, *[("Pod", "ADDED", pod(name)) for name in ("gone", "same", "changed")])
    listed = [pod("same"), pod("changed", labels={"a": "b"}), pod("new")]
    relisted = before.with_listing("Pod", listed)
    assert [(each.verb, (each.new or each.old).name) for each in relisted.changes] == [
        ("gone", "gone"),
        ("changed", "changed"),
        ("added", "new"),
    ]
    assert relisted.view.with_listing("Pod", listed) == (relisted.view, (), ())


def test_an_unreadable_object_in_a_list_is_reported_and_kept():
    """What cannot be read in a list is reported; what was known of it stays, and others are not held up."""
    before = after(EMPTY, ("Node", "ADDED", node("node2", "10.1.2.0/24")))
    view, changes, refused = before.with_listing("Node", [node("node2", "ten"), node("node3"), {}])
    assert set(view.nodes) == {"node2", "node3"}
    assert (len(changes), [each.source for each in refused]) == (1, ["Node node2", "Node (no name)"])


def test_the_underlay_changes():
    """A new MTU of the own interface is a change; the same interface again is none."""
    lower = Underlay("eth0", 1400)
    view, changes = EMPTY.with_underlay(lower)
    assert (changes, view.underlay) == ((UnderlayChanged(EMPTY.underlay, lower),), lower)
    assert view.with_underlay(lower) == (view, ())


def test_plain_mappings_are_indexed():
    """A view made by hand from plain dictionaries finds things as any other."""
    two = Node("node2", pod_cidrs=(ip_network("10.1.2.0/24"),))
    web = Pod("web", "shop", node="node2", ips=(ip_address("10.1.2.2"),))
    view = dataclasses.replace(EMPTY, nodes={"node2": two}, pods={web.key: web})
    assert (view.node_of(ip_address("10.1.2.9")), view.pods.at(ip_address("10.1.2.2"))) == (two, web)


NAMES, HOSTS, ADDRESSES = (
    st.sampled_from("abc"),
    st.sampled_from(["n1", "n2"]),
    st.sampled_from(["10.0.0.1", "10.0.0.2"]),
)
POD_EVENTS = st.lists(
    st.tuples(st.sampled_from(["ADDED", "MODIFIED", "DELETED"]), NAMES, HOSTS, ADDRESSES), max_size=30
)


@given(POD_EVENTS)
@settings(deadline=None)
def test_indexes_never_drift_from_the_pods(events):
    """After any events every index is what a fresh list of the same pods would build."""
    view = after(EMPTY, *[("Pod", happened, pod(name, ip, on=on)) for happened, name, on, ip in events])
    fresh = type(view.pods).of(view.pods.values())
    for host in ("n1", "n2"):
        assert dict(view.pods.on(host)) == dict(fresh.on(host))
    for address in map(ip_address, ("10.0.0.1", "10.0.0.2")):
        assert set(_names(view.pods._addresses.get(address, ()))) == set(
            _names(fresh._addresses.get(address, ()))
        )


def _names(pods):
    return [each.name for each in pods]


def test_one_event_among_many_pods_copies_little():
    """A pod event among 20,000 pods shares nearly all of the view before."""
    items = {("shop", str(n)): Pod(str(n), "shop", node=f"n{n % 1000}") for n in range(20_000)}
    view = dataclasses.replace(EMPTY, pods=items)
    changed, changes = view.with_event("Pod", ("MODIFIED", pod("7", "10.0.0.7", on="n7")))
    assert isinstance(changes[0], PodChanged)
    old, new = (each.pods._named._items._shards for each in (view, changed))
    assert sum(one is not other for one, other in zip(old, new, strict=True)) == 1
