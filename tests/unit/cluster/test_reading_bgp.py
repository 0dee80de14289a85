"""BGPConfiguration, BGPPeer, BGPFilter, FelixConfiguration: read as Calico writes them, refused by name."""

from ipaddress import ip_address, ip_network

import pytest

from octet.cluster.bgp import BGPConfiguration, BGPFilter, BGPPeer, SecretKey
from octet.cluster.felix import FelixConfiguration
from octet.errors import BadConfigurationError


def configuration(name="default", **spec):
    return BGPConfiguration.from_object({"metadata": {"name": name}, "spec": spec})


def peer(**spec):
    return BGPPeer.from_object({"metadata": {"name": "p"}, "spec": spec})


def filtered(**spec):
    return BGPFilter.from_object({"metadata": {"name": "f"}, "spec": spec})


def felix(name="default", **spec):
    return FelixConfiguration.from_object({"metadata": {"name": name}, "spec": spec})


def test_the_defaults_are_calicos():
    """A configuration that says nothing is a mesh of AS 64512 on port 179 that announces no service."""
    held = configuration()
    assert (held.mesh, held.asn, held.port, held.bound, held.aggregated) == (True, 64512, 179, False, True)
    assert (held.cluster_ips, held.external_ips, held.load_balancer_ips, held.password) == ((), (), (), None)


def test_communities_have_names():
    """A prefix is given communities by name and as they are."""
    held = configuration(
        communities=[{"name": "gold", "value": "64512:7"}],
        prefixAdvertisements=[{"cidr": "10.0.0.0/8", "communities": ["gold", "64512:1:2"]}],
    )
    assert held.advertised[0].communities == ((64512, 7), (64512, 1, 2))


@pytest.mark.parametrize(
    ("field", "spec"),
    [
        ("asNumber", {"asNumber": 0}),
        ("asNumber", {"asNumber": "1.70000"}),
        ("asNumber", {"asNumber": 1 << 32}),
        ("listenPort", {"listenPort": 0}),
        ("bindMode", {"bindMode": "All"}),
        ("nodeMeshPassword.secretKeyRef.key", {"nodeMeshPassword": {"secretKeyRef": {"name": "x"}}}),
        ("nodeMeshMaxRestartTime", {"nodeMeshMaxRestartTime": "5000s"}),
        ("nodeMeshMaxRestartTime", {"nodeMeshMaxRestartTime": "soon"}),
        (
            r"prefixAdvertisements\[0\].communities",
            {"prefixAdvertisements": [{"cidr": "10.0.0.0/8", "communities": ["silver"]}]},
        ),
        (r"communities\[0\].value", {"communities": [{"name": "x", "value": "70000:1"}]}),
        ("programClusterRoutes", {"programClusterRoutes": "Disabled"}),
        ("ignoredInterfaces", {"ignoredInterfaces": ["a b"]}),
        ("localWorkloadPeeringIPV4", {"localWorkloadPeeringIPV4": "169.254.1.2"}),
    ],
)
def test_a_configuration_is_refused_by_the_fields_name(field, spec):
    """What cannot be, and what has no meaning here, is refused naming the field."""
    with pytest.raises(BadConfigurationError, match=rf"BGPConfiguration default: spec\.{field}\b"):
        configuration(**spec)


def test_one_nodes_configuration_cannot_say_what_all_agree_on():
    """The mesh and the AS number are of all nodes; a node's own AS number is an annotation."""
    assert configuration("node.a", listenPort=1790).port == 1790
    with pytest.raises(BadConfigurationError, match=r"projectcalico\.org/ASNumber"):
        configuration("node.a", asNumber=65001)
    with pytest.raises(BadConfigurationError, match=r"metadata\.name"):
        configuration("other")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("192.0.2.1", ("192.0.2.1", "", 0)),
        ("192.0.2.1:1790", ("192.0.2.1", "", 1790)),
        ("2001:db8::1", ("2001:db8::1", "", 0)),
        ("[2001:db8::1]:1790", ("2001:db8::1", "", 1790)),
        ("fe80::1%eth0", ("fe80::1", "eth0", 0)),
    ],
)
def test_where_a_router_is(text, where):
    """An address, one with a port, or a link-local one with its interface."""
    held = peer(peerIP=text, asNumber=65001)
    assert (held.address, held.interface, held.port) == (ip_address(where[0]), *where[1:])


def test_a_peer_says_everything_about_its_session():
    """Every field has its place."""
    held = peer(
        node="node1",
        peerIP="192.0.2.1",
        asNumber="65001",
        keepOriginalNextHop=True,
        sourceAddress="None",
        password={"secretKeyRef": {"name": "bgp", "key": "p"}},
        maxRestartTime="1m30s",
        ttlSecurity=2,
    )
    assert (held.node, held.asn, held.next_hop, held.bound) == ("node1", 65001, "Keep", False)
    assert (held.password, held.restart_time, held.hops) == (SecretKey("bgp", "p"), 90, 2)


@pytest.mark.parametrize(
    ("field", "spec"),
    [
        ("peerIP", {}),
        ("peerIP", {"peerIP": "tor1", "asNumber": 1}),
        ("peerIP", {"peerIP": "192.0.2.1:99999", "asNumber": 1}),
        ("peerIP", {"peerIP": "fe80::1", "asNumber": 1}),
        *(
            ("peerIP", {"peerIP": each, "asNumber": 1})
            for each in ("127.0.0.1", "::1", "0.0.0.0:179", "224.0.0.1", "ff02::1", "255.255.255.255")
        ),
        ("asNumber", {"peerIP": "192.0.2.1"}),
        ("peerIP", {"peerIP": "192.0.2.1", "peerSelector": "all()", "asNumber": 1}),
        ("node", {"node": "a", "nodeSelector": "all()", "peerSelector": "all()"}),
        ("peerSelector", {"peerSelector": "all()", "asNumber": 1}),
        ("nodeSelector", {"nodeSelector": "rack = 1", "peerSelector": "all()"}),
        (
            "password.secretKeyRef.optional",
            {
                "peerSelector": "all()",
                "password": {"secretKeyRef": {"name": "a", "key": "b", "optional": True}},
            },
        ),
        ("localWorkloadSelector", {"localWorkloadSelector": "all()"}),
        ("keepaliveTime", {"peerIP": "192.0.2.1", "asNumber": 1, "keepaliveTime": "8h"}),
        ("reachableBy", {"peerIP": "192.0.2.1", "asNumber": 1, "reachableBy": "2001:db8::1"}),
        ("peerIP", {"peerIP": "fe80::1%eth 0", "asNumber": 1}),
    ],
)
def test_a_peer_is_refused_by_the_fields_name(field, spec):
    """What Calico refuses, and what has no meaning here, is refused naming the field."""
    with pytest.raises(BadConfigurationError, match=rf"BGPPeer p: spec\.{field}\b"):
        peer(**spec)


def test_a_filters_rules():
    """A rule has its prefix, lengths, communities and what an accepted route gets."""
    (rule,) = filtered(
        exportV4=[
            {
                "action": "Accept",
                "cidr": "10.0.0.0/8",
                "matchOperator": "In",
                "prefixLength": {"min": 24},
                "peerType": "eBGP",
                "communities": {"values": ["1:2"]},
                "asPathPrefix": [65001],
                "operations": [
                    {"addCommunity": {"value": "3:4"}},
                    {"prependASPath": {"prefix": [64512, 64512]}},
                ],
            }
        ]
    ).export_v4
    assert (rule.cidr, rule.lengths, rule.peer) == (ip_network("10.0.0.0/8"), (24, 32), "eBGP")
    assert (rule.communities, rule.path, rule.add) == (((1, 2),), (65001,), ((3, 4),))
    assert rule.prepend == (64512, 64512)


@pytest.mark.parametrize(
    ("field", "rule"),
    [
        ("action", {}),
        ("cidr", {"action": "Accept", "cidr": "fd00::/8", "matchOperator": "In"}),
        ("matchOperator", {"action": "Accept", "cidr": "10.0.0.0/8"}),
        (
            "prefixLength",
            {"action": "Accept", "cidr": "10.0.0.0/8", "matchOperator": "Equal", "prefixLength": {"min": 9}},
        ),
        (
            "prefixLength",
            {"action": "Accept", "cidr": "10.0.0.0/8", "matchOperator": "In", "prefixLength": {"max": 7}},
        ),
        ("source", {"action": "Accept", "source": "Pods"}),
        ("priority", {"action": "Accept", "priority": 512}),
        (r"operations\[0\].setPriority", {"action": "Accept", "operations": [{"setPriority": {"value": 1}}]}),
        ("asPathPrefix", {"action": "Accept", "asPathPrefix": ["x"]}),
        ("asPathPrefix", {"action": "Accept", "asPathPrefix": [True]}),
        ("interface", {"action": "Accept", "interface": "eth0 "}),
    ],
)
def test_a_rule_is_refused_by_the_fields_name(field, rule):
    """What Calico refuses, and what has no meaning here, is refused naming rule and field."""
    with pytest.raises(BadConfigurationError, match=rf"BGPFilter f: spec\.importV4\[0\]\.{field}\b"):
        filtered(importV4=[rule])


def test_what_calico_installs_of_felix_is_taken():
    """Fields about logs, reports and the BPF data plane come with every installation, and change nothing."""
    held = felix(
        bpfConnectTimeLoadBalancing="TCP",
        logSeverityScreen="Info",
        reportingInterval="0s",
        floatingIPs="Disabled",
        removeExternalRoutes=True,
        nftablesMode="Disabled",
    )
    assert held == FelixConfiguration("default")
    assert [felix(serviceLoopPrevention=each).loops for each in ("Drop", "Reject")] == ["Drop", "Reject"]
    assert (felix(vxlanVNI=7, vxlanPort=4789).vni, felix("node.a", vxlanMTU=1400).vxlan_mtu) == (7, 1400)


@pytest.mark.parametrize(
    ("field", "spec"),
    [
        ("bpfEnabled", {"bpfEnabled": True}),
        ("wireguardEnabled", {"wireguardEnabled": True}),
        ("vxlanPort", {"vxlanPort": 8472}),
        ("vxlanEnabled", {"vxlanEnabled": False}),
        ("interfacePrefix", {"interfacePrefix": "tap"}),
        ("serviceLoopPrevention", {"serviceLoopPrevention": "Perhaps"}),
        ("failsafeInboundHostPorts", {"failsafeInboundHostPorts": []}),
        ("vxlanMTU", {"vxlanMTU": 500}),
        ("routeTableRanges", {"routeTableRanges": [{"min": 1, "max": 250}]}),
    ],
)
def test_what_felix_would_do_and_we_do_not_is_refused(field, spec):
    """A field that would promise what is not so is refused by name."""
    with pytest.raises(BadConfigurationError, match=rf"FelixConfiguration default: spec\.{field}\b"):
        felix(**spec)
