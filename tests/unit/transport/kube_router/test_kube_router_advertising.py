"""Which service addresses a node tells routers: flags, annotations, ranges, readiness, traffic policies."""

from ipaddress import ip_address, ip_network

import pytest

from kube_nodes import node, seen
from octet.cluster.indexes import Named, Slices
from octet.cluster.objects import EndpointSlice, Service
from octet.cluster.view import View
from octet.transport.kube_router import Advertised
from octet.transport.kube_router.advertising import offers, told

ALL = Advertised(
    cluster=True,
    external=True,
    load_balancer=True,
    external_ranges=(ip_network("192.0.2.0/25"),),
    load_balancer_ranges=(ip_network("192.0.2.128/25"),),
)


def service(name: str = "web", cluster: str = "10.96.0.1", **spec: object) -> Service:
    annotations = {f"kube-router.io/{key}": text for key, text in spec.pop("says", {}).items()}  # type: ignore[attr-defined]
    balanced = spec.pop("balanced", [])
    item = {
        "metadata": {"name": name, "namespace": "shop", "annotations": annotations},
        "spec": {"clusterIP": cluster, "ports": [{"port": 80}], **spec},
        "status": {"loadBalancer": {"ingress": balanced}},
    }
    return Service.from_object(item)


def slice_of(name: str = "web", *, on: str = "node1", ready: bool = True) -> EndpointSlice:
    item = {
        "metadata": {
            "name": f"{name}-{on}",
            "namespace": "shop",
            "labels": {"kubernetes.io/service-name": name},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.244.1.5"], "nodeName": on, "conditions": {"ready": ready}}],
        "ports": [{"port": 8080}],
    }
    return EndpointSlice.from_object(item)


def view(*services: Service, slices: tuple[EndpointSlice, ...] = (), me: int = 1) -> View:
    return seen(node(1), node(2), me=me, services=Named.of(services), slices=Slices.of(slices))


def announced(held: View, flags: Advertised = ALL) -> list[str]:
    found = told(held, offers(held, flags).vips, flags.aggregates)
    return [str(each).removesuffix("/32") for each in found]


EVERY_KIND = service(
    externalIPs=["192.0.2.7"], type="LoadBalancer", balanced=[{"ip": "192.0.2.200"}, {"hostname": "lb"}]
)


def test_flags_say_which_kinds_are_told() -> None:
    """Nothing by default; each flag adds its own kind of address."""
    held = view(EVERY_KIND, slices=(slice_of(),))
    assert announced(held, Advertised()) == []
    assert announced(held, Advertised(cluster=True)) == ["10.96.0.1"]
    assert announced(held) == ["10.96.0.1", "192.0.2.7", "192.0.2.200"]


def test_a_service_has_the_last_word() -> None:
    """Its annotations turn each kind on and off, whatever the flags say."""
    keys = {f"service.advertise.{kind}ip" for kind in ("cluster", "external", "loadbalancer")}
    off = service(externalIPs=["192.0.2.7"], says=dict.fromkeys(keys, "false"))
    assert announced(view(off, slices=(slice_of(),))) == []
    on = service(says={"service.advertise.clusterip": "true"})
    assert announced(view(on, slices=(slice_of(),)), Advertised()) == ["10.96.0.1"]


@pytest.mark.parametrize(
    ("ready", "on", "me", "wanted"),
    [
        (True, "node1", 1, ["10.96.0.1", "192.0.2.7"]),
        (True, "node1", 2, ["10.96.0.1", "192.0.2.7"]),
        (False, "node1", 1, []),
    ],
)
def test_every_node_tells_while_anybody_is_ready(ready: bool, on: str, me: int, wanted: list[str]) -> None:
    """Traffic policy Cluster: where the endpoint is does not matter, that it is ready does."""
    held = view(service(externalIPs=["192.0.2.7"]), slices=(slice_of(on=on, ready=ready),), me=me)
    assert announced(held) == wanted


@pytest.mark.parametrize(
    ("spec", "elsewhere"),
    [
        ({"externalTrafficPolicy": "Local"}, ["10.96.0.1"]),
        ({"internalTrafficPolicy": "Local"}, ["192.0.2.7"]),
        ({"says": {"service.local": ""}}, []),
        ({"says": {"service.local": "true"}}, []),
        ({"says": {"service.local": "false"}}, ["10.96.0.1", "192.0.2.7"]),
    ],
)
def test_local_addresses_are_told_where_a_pod_is_ready(spec: dict[str, object], elsewhere: list[str]) -> None:
    """The external policy is about external addresses, the internal one about cluster addresses."""
    web = service(externalIPs=["192.0.2.7"], **spec)
    both = ["10.96.0.1", "192.0.2.7"]
    assert announced(view(web, slices=(slice_of(on="node1"),), me=1)) == both
    assert announced(view(web, slices=(slice_of(on="node1"),), me=2)) == elsewhere
    unready = (slice_of(on="node1"), slice_of(on="node2", ready=False))
    assert announced(view(web, slices=unready, me=2)) == elsewhere


def test_a_service_without_slices_takes_nothing_from_others() -> None:
    """In the original one such Local service made the whole listing fail."""
    lonely = service("lonely", "10.96.0.9", internalTrafficPolicy="Local")
    assert announced(view(lonely, service(), slices=(slice_of(),))) == ["10.96.0.1"]


def test_a_shared_address_stays_until_the_last_lets_go() -> None:
    """Two services with one external address: it is told while one of them has somebody."""
    both = (
        service("a", "10.96.0.2", externalIPs=["192.0.2.7"]),
        service("b", "10.96.0.3", externalIPs=["192.0.2.7"]),
    )
    assert announced(view(*both, slices=(slice_of("b"),))) == ["10.96.0.3", "192.0.2.7"]


def test_addresses_out_of_all_ranges_are_left_out_and_named() -> None:
    """Who may make a service could claim any address; without strictness it is told all the same."""
    web = service(externalIPs=["203.0.113.1"])
    held = view(web, slices=(slice_of(),))
    assert announced(held) == ["10.96.0.1"]
    assert offers(held, ALL).remarks == (
        "Service shop/web: 203.0.113.1 is not told: it lies in none of the ranges",
    )
    assert announced(held, Advertised(external=True, strict=False)) == ["203.0.113.1"]


def test_a_bad_annotation_costs_its_service_only() -> None:
    """The service is named, none of its addresses is told, and the others are."""
    bad = service("bad", "10.96.0.2", says={"service.advertise.clusterip": "yes"})
    held = view(bad, service(), slices=(slice_of(), slice_of("bad")))
    assert announced(held) == ["10.96.0.1"]
    (why,) = offers(held, ALL).remarks
    assert "Service shop/bad: metadata.annotations[kube-router.io/service.advertise.clusterip] = 'yes'" in why


def test_what_is_no_address_of_ours() -> None:
    """Headless and ExternalName services, proxied load balancers, and those that ask to be skipped."""
    none = [
        service("headless", "None"),
        service("name", "", type="ExternalName", externalIPs=["192.0.2.7"]),
        service("skipped", "", balanced=[{"ip": "192.0.2.201"}], says={"service.skiplbips": ""}),
        service("proxied", "", balanced=[{"ip": "192.0.2.202", "ipMode": "Proxy"}]),
    ]
    assert announced(view(*none, slices=tuple(slice_of(each.name) for each in none))) == []


def test_a_range_is_told_for_what_every_node_answers() -> None:
    """Local addresses keep their own prefixes beside it; a range in which nothing is told is not told."""
    flags = Advertised(cluster=True, aggregates=(ip_network("10.96.0.0/24"), ip_network("10.97.0.0/24")))
    local = service("local", "10.96.0.2", internalTrafficPolicy="Local")
    held = view(service(), local, slices=(slice_of(), slice_of("local")))
    assert announced(held, flags) == ["10.96.0.0/24", "10.96.0.2"]
    assert ip_address("10.96.0.1") in ip_network(announced(held, flags)[0])
