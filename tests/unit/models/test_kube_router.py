"""kube-router's flags: what each comes to, and how one is refused."""

import base64
from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_network

import pytest
from msgspec import structs

from octet.blueprint import ConfigFile, Inline
from octet.blueprint.nft import Chain, Element, Packet
from octet.cluster.indexes import Named, Slices
from octet.cluster.objects import EndpointSlice, Node, Service
from octet.errors import BadConfigurationError
from octet.kernel.fake_nft import Machine, Tracer
from octet.models import Running, example, find
from octet.models.kube_router import OPTIONS
from octet.transport.kube_router import Flags, KubeRouter, Router
from octet.transport.tunnelling import Mode

NODE = ip_address("192.0.2.1")
ROUTERS = {"peer-router-ips": ["10.0.0.254", "10.0.0.253"], "peer-router-asns": [65001, 65002]}


def running(**options: object) -> Running:
    spelled = {name.replace("_", "-"): value for name, value in options.items()}
    return find("kube-router").parse(spelled, source="agent.toml")


def transport(**options: object) -> KubeRouter:
    found = running(**options).transport
    assert isinstance(found, KubeRouter)
    return found


def test_without_a_flag_it_is_as_the_original() -> None:
    """A full mesh in AS 64512, tunnels between subnets, pods told to routers, and no service address."""
    assert transport().flags == Flags()
    assert transport().overlay.mode is Mode.CROSS_SUBNET
    assert running().policy
    assert running().masquerade


def test_ports_of_bgp_are_the_nodes_and_the_routers() -> None:
    """Where nodes listen, and routers of flags or annotations do; unreadable ones say nothing."""
    model = running(bgp_port=1790, **ROUTERS, peer_router_ports=[1791, 179])
    view = example.view(model)
    assert model.speaking(view) == (179, 1790, 1791)
    annotations = {"kube-router.io/peers": "- remoteip: 10.0.0.1\n  remoteasn: 65000\n  port: 1792"}
    here = structs.replace(view.here or Node(view.me), annotations=annotations)
    assert running().speaking(replace(view, nodes={view.me: here})) == (179, 1792)
    annotations["kube-router.io/peers"] = "- nobody: here"
    assert running().speaking(replace(view, nodes={view.me: here})) == (179,)


def test_what_flags_come_to() -> None:
    """Numbers, durations as Go writes them, words and lists, each to its own place."""
    flags = transport(
        cluster_asn=64513,
        nodes_full_mesh=False,
        enable_ibgp=False,
        bgp_holdtime="1m30s",
        bgp_graceful_restart_time="2m",
        bgp_port=1790,
        router_id="10.0.0.9",
        peer_router_multihop_ttl=3,
        injected_routes_sync_period="1h",
        service_cluster_ip_range="10.96.0.0/12",
        override_nexthop=True,
        advertise_pod_cidr=False,
    ).flags
    assert (flags.asn, flags.full_mesh, flags.internal) == (64513, False, False)
    assert (flags.hold, flags.restart_time, flags.port, flags.hops) == (90, 120, 1790, 3)
    assert (flags.router_id, flags.scan_time) == (IPv4Address("10.0.0.9"), 3600)
    assert flags.service_ranges == (ip_network("10.96.0.0/12"),)
    assert flags.override_next_hop
    assert not flags.tell_pods
    assert transport(bgp_graceful_restart=False).flags.restart_time is None
    assert transport(router_id="generate").flags.router_id is None


def test_routers_of_flags() -> None:
    """Lists, or one text with commas as on a command line; an empty place is a default."""
    secret = base64.b64encode(b"hush").decode()
    first, second = transport(**ROUTERS, peer_router_passwords=["", secret]).flags.routers
    assert first == Router(ip_address("10.0.0.254"), 65001)
    assert isinstance(second.password, Inline)
    joined = {name: ",".join(map(str, value)) for name, value in ROUTERS.items()}
    assert transport(**joined).flags.routers == transport(**ROUTERS).flags.routers


@pytest.mark.parametrize(
    ("options", "mode", "port"),
    [
        ({"enable_overlay": False}, Mode.NEVER, None),
        ({"overlay_type": "full"}, Mode.ALWAYS, None),
        ({"overlay_encap": "fou"}, Mode.CROSS_SUBNET, 5555),
        ({"overlay_encap": "fou", "overlay_encap_port": 5556}, Mode.CROSS_SUBNET, 5556),
    ],
)
def test_the_overlay(options: dict[str, object], mode: Mode, port: int | None) -> None:
    """To other subnets or to all nodes, in IP or in UDP; without one no byte is lost."""
    overlay = transport(**options).overlay
    assert (overlay.mode, overlay.in_udp) == (mode, port)
    view = example.view(running(**options))
    assert running(**options).network(view).mtu == 1500 - overlay.overhead(4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cluster-asn": 65536}, r"cluster-asn = '65536'.*cannot be used.*64512 to 65535"),
        ({"cluster-asn": "many"}, r"cluster-asn = 'many'"),
        ({"nodes-full-mesh": "perhaps"}, r"nodes-full-mesh = 'perhaps': must be true or false"),
        ({"bgp-holdtime": "2s"}, r"bgp-holdtime = '2s'.*3s to 65535s"),
        ({"bgp-holdtime": 90}, r"bgp-holdtime = '90'"),
        ({"router-id": "0.0.0.0"}, r"router-id = '0\.0\.0\.0': identifies nobody"),
        ({"overlay-type": "half"}, r"overlay-type = 'half': must be one of subnet, full"),
        ({"overlay-encap-port": 1}, r"overlay-encap-port = '1'.*overlay-encap is ipip"),
        ({"peer-router-ips": ["10.0.0.254"]}, r"peer-router-ips.*without AS numbers"),
        ({"peer-router-asns": [65001]}, r"peer-router-asns.*without the routers' addresses"),
        ({**ROUTERS, "peer-router-ports": [179]}, r"peer-router-ports = '179': has 1 values for 2 routers"),
        ({**ROUTERS, "peer-router-asns": [65001, 23456]}, r"peer-router-asns\[1\] = '23456'"),
        ({"service-external-ip-range": ["all"]}, r"service-external-ip-range\[0\] = 'all': is no prefix"),
        ({"peer-router-ips": {"a": 1}}, r"peer-router-ips.*must be a text or number, or a list"),
        ({"run-service-proxy": True}, r"run-service-proxy = True: leave it to kube-proxy"),
        ({"run-router": False}, r"run-router = False"),
        ({"auto-mtu": False}, r"auto-mtu = False: pods always have the MTU"),
        ({"ipvs-sync-period": "5m"}, r"ipvs-sync-period = '5m': has no meaning here \(in its place: nothing"),
        ({"cluster-cidr": "10.0.0.0/8"}, r"cluster-cidr.*in its place: \[cluster\] pod_cidrs"),
        ({"clusterasn": 1}, r"clusterasn = 1: is no option of kube-router"),
    ],
)
def test_a_bad_flag_is_refused_by_name(options: dict[str, object], message: str) -> None:
    """File, flag and value are named, and what would do; one without a meaning says what to use."""
    with pytest.raises(BadConfigurationError, match=rf"^agent\.toml: {message}"):
        find("kube-router").parse(options, source="agent.toml")


def test_no_refusal_shows_a_password() -> None:
    """What is no base64 is not repeated, for it may be the password itself."""
    with pytest.raises(BadConfigurationError) as refused:
        running(**ROUTERS, peer_router_passwords=["hush hush", ""])
    assert "hush" not in str(refused.value)
    with pytest.raises(BadConfigurationError) as refused:
        running(**ROUTERS, peer_router_passwords=["hush"])
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("peer-router-passwords", ["hush", 1.5]),
        ("peer-router-passwords", {"hush": 1}),
        ("peer-router-password", "hush"),
        ("Peer-Router-Passwords", ["hush"]),
        ("peer-router-passwords-file", "hush"),
    ],
)
def test_no_misspelling_shows_a_password(name: str, value: object) -> None:
    """What stands under any name that speaks of passwords is not repeated, whatever is wrong with it."""
    with pytest.raises(BadConfigurationError) as refused:
        find("kube-router").parse({**ROUTERS, name: value}, source="agent.toml")
    assert "hush" not in str(refused.value)
    assert name in str(refused.value)


def test_no_flag_is_listed_twice() -> None:
    """Each option that is shown is one."""
    assert len({option.name for option in OPTIONS}) == len(OPTIONS)


WEB = Service.from_object({
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"clusterIP": "10.96.0.1", "ports": [{"name": "http", "port": 80}, {"name": "dns", "port": 53}]},
})  # fmt: skip
BEHIND = EndpointSlice.from_object({
    "metadata": {"name": "web-1", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
    "addressType": "IPv4",
    "endpoints": [{"addresses": ["10.244.2.5"], "nodeName": "node2"}],
    "ports": [{"name": "http", "port": 8080}],
})  # fmt: skip


def test_an_advertised_service_is_told_and_answered() -> None:
    """One change of services is one file, and the rules for the ports that somebody serves."""
    model = running(advertise_cluster_ip=True, service_cluster_ip_range="10.96.0.0/16")
    view = example.view(model)
    served = replace(view, services=Named.of([WEB]), slices=Slices.of([BEHIND]))
    before, after = model.node(view), model.node(served)
    change = after.change_from(before)
    files = [each for each in change.add if isinstance(each, ConfigFile)]
    assert ["route 10.96.0.1/32 unreachable;" in each.text for each in files] == [True]
    assert files[0].name == "services.conf"
    assert change.alter == ()
    chains = [str(each) for each in change.add if isinstance(each, Chain)]
    assert any("dnat ip to 10.244.2.5:8080" in each for each in chains)
    ports = [
        each.values[2] for each in change.add if isinstance(each, Element) and each.of == "service-port4"
    ]
    assert ports == [80]


def test_a_load_balancers_address_answers_who_may_come() -> None:
    """LoadBalancerSourceRanges are asked at the load balancer's addresses, and at no other one's."""
    balanced, allowed = ip_address("192.0.2.200"), ip_network("198.51.100.0/24")
    told = {f"advertise_{each}_ip": True for each in ("cluster", "loadbalancer")}
    model = running(run_firewall=False, loadbalancer_ip_range="192.0.2.0/24", **told)
    limited = structs.replace(WEB, load_balancer_ips=(balanced,), source_ranges=(allowed,))
    view = replace(example.view(model), services=Named.of([limited]), slices=Slices.of([BEHIND]))
    machine = Machine(addresses={"eth0": (NODE,)}, routes={ip_network("0.0.0.0/0"): "eth0"})
    trace = Tracer(model.node(view), machine).trace
    for address, client, passes in (
        (balanced, "198.51.100.1", True),
        (balanced, "203.0.113.9", False),
        (ip_address("10.96.0.1"), "203.0.113.9", True),
    ):
        assert trace(Packet(ip_address(client), address, "tcp", 40000, 80, iif="eth0")).accepted is passes


def test_an_address_without_anybody_is_kept_out_of_circles() -> None:
    """It is not told; what comes for it all the same is refused."""
    model = running(advertise_cluster_ip=True)
    held = model.node(replace(example.view(model), services=Named.of([WEB])))
    assert not [each for each in held.of(ConfigFile) if each.name == "services.conf"]
    assert [each.values for each in held.of(Element) if each.of == "service-address4"]
