"""Which service addresses a node tells routers: flags, annotations, ranges, readiness, traffic policies."""

from ipaddress import ip_address, ip_network

import pytest
from msgspec.structs import replace

from kube_nodes import node, seen
from octet.cluster.indexes import Named, Slices
from octet.cluster.objects import EndpointSlice, Service
from octet.cluster.view import View
from octet.service.vips import frontends
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
        "endpoints": [
            {"addresses": [f"10.244.1.{ord(name[0])}"], "nodeName": on, "conditions": {"ready": ready}}
        ],
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


def test_a_bad_annotation_costs_what_it_is_about_only() -> None:
    """Addresses of that kind are not told, the service's others and other services' are; it is named."""
    bad = service("bad", "10.96.0.2", externalIPs=["192.0.2.7"], says={"service.advertise.clusterip": "yes"})
    held = view(bad, service(), slices=(slice_of(), slice_of("bad")))
    assert announced(held) == ["10.96.0.1", "192.0.2.7"]
    (why,) = offers(held, ALL).remarks
    assert "Service shop/bad: metadata.annotations[kube-router.io/service.advertise.clusterip] = 'yes'" in why


def test_an_unreadable_annotation_has_no_more_told() -> None:
    """The original asks only whether ``service.local`` is there: so it is, and named."""
    web = service(externalIPs=["192.0.2.7"], says={"service.local": "yes"})
    assert announced(view(web, slices=(slice_of(on="node1"),), me=2)) == []
    (why,) = offers(view(web), ALL).remarks
    assert "service.local] = 'yes'" in why


@pytest.mark.parametrize(("text", "wanted"), [("TRUE", ["10.96.0.1"]), ("t", ["10.96.0.1"]), ("0", [])])
def test_true_and_false_are_gos(text: str, wanted: list[str]) -> None:
    """The original reads whether an address is told as Go does (strconv.ParseBool)."""
    web = service(says={"service.advertise.clusterip": text})
    held = view(web, slices=(slice_of(),))
    assert announced(held, Advertised(cluster=not wanted)) == wanted
    assert offers(held, ALL).remarks == ()


def test_annotations_for_a_service_proxy_are_named() -> None:
    """What asks for IPVS' schedulers, DSR or hairpins changes nothing here, and is not passed over."""
    keys = ("dsr", "scheduler", "schedflags", "hairpin", "hairpin.externalips")
    asking = service(says={f"service.{each}": "x" for each in keys})
    held = view(asking, slices=(slice_of(),))
    assert announced(held) == ["10.96.0.1"]
    remarks = offers(held, ALL).remarks
    assert len(remarks) == len(keys)
    for key, remark in zip(keys, remarks, strict=True):
        assert f"Service shop/web: kube-router.io/service.{key} says nothing here" in remark


def test_the_oldest_service_has_an_address_that_several_share() -> None:
    """By ``creationTimestamp``, then by name, as far as somebody answers; others keep the rest."""
    shared: dict[str, object] = {"externalIPs": ["192.0.2.7"]}
    lone = replace(service("lone", "10.96.0.5", **shared), created="2025-12-31T00:00:00Z")
    old = replace(service("z", "10.96.0.2", **shared), created="2026-01-01T00:00:00Z")
    same = replace(service("y", "10.96.0.3", **shared), created="2026-01-01T00:00:00Z")
    new = replace(service("a", "10.96.0.4", **shared), created="2026-01-02T00:00:00Z")
    held = view(lone, new, old, same, slices=tuple(slice_of(each) for each in "ayz"))
    vips = offers(held, ALL).vips
    first = dict.fromkeys(each.service.name for each in vips)
    assert [*first] == ["lone", "y", "z", "a"]
    fronts = frontends(held, vips)
    answers = [slice_of(each).endpoints[0].addresses[0] for each in "yza"]
    assert {str(each.address): each.targets[0][0] for each in fronts} == {
        "192.0.2.7": answers[0],
        "10.96.0.3": answers[0],
        "10.96.0.2": answers[1],
        "10.96.0.4": answers[2],
    }


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
