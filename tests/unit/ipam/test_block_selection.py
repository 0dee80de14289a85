"""Which pools a pod's addresses come from."""

from ipaddress import ip_address

import pytest

from block_world import World, config, node, pool, reservation
from octet.errors import BadConfigurationError, NotReadyError
from octet.ipam.blocks.selection import Defaults, Rules, defaults_from, wish

PREFIX = "cni.projectcalico.org/"


def pod(**annotations):
    said = {f"{PREFIX}{key}": value for key, value in annotations.items()}
    metadata = {"name": "web", "namespace": "shop", "annotations": said}
    return {"metadata": metadata, "spec": {"nodeName": "a"}}


def namespace(labels=None, **annotations):
    said = {f"{PREFIX}{key}": value for key, value in annotations.items()}
    return {"kind": "Namespace", "metadata": {"name": "shop", "labels": labels or {}, "annotations": said}}


def wished(own=None, home=None, defaults=None):
    world = World(home or namespace())
    return wish(world.view("a", [own or pod()]), "shop", "web", defaults or Defaults())


def names(*items, of=None, family=4, labels=None):
    """The pools that a pod of node a may use."""
    world = World(*items, node("a", labels))
    return [each.name for each in Rules.of(world.view("a")).qualified(of or wished(), family)]


def test_every_enabled_pool_by_name():
    """Who asks for nothing may have an address of every enabled pool of the family, in the order of names."""
    items = [
        pool("c", "10.2.0.0/16"),
        pool("a", "10.0.0.0/16"),
        pool("b", "10.1.0.0/16", disabled=True),
        pool("six", "fd00::/48", 122),
        pool("lb", "10.3.0.0/16", allowedUses=["LoadBalancer"]),
        pool("manual", "10.4.0.0/16", assignmentMode="Manual"),
    ]
    assert names(*items) == ["a", "c"]
    assert names(*items, family=6) == ["six"]


def test_selectors_of_nodes_and_namespaces():
    """A pool is for the nodes and namespaces that it selects; both must match."""
    items = [
        pool("rack1", "10.0.0.0/16", nodeSelector="rack == '1'"),
        pool("rack2", "10.1.0.0/16", nodeSelector="rack == '2'"),
        pool("red", "10.2.0.0/16", nodeSelector="rack == '1'", namespaceSelector="team == 'red'"),
    ]
    red = wished(home=namespace({"team": "red"}))
    assert names(*items, labels={"rack": "1"}) == ["rack1"]
    assert names(*items, labels={"rack": "1"}, of=red) == ["rack1", "red"]
    assert names(*items, of=red) == []


def test_a_pod_names_its_pools():
    """Pools that a pod names, by name or CIDR, are taken in its order, whatever they select."""
    items = [pool("a", "10.0.0.0/16"), pool("b", "10.1.0.0/16", nodeSelector="none == 'x'")]
    said = wished(pod(ipv4pools='["b", "10.0.0.0/16"]'))
    assert names(*items, of=said) == ["b", "a"]


def test_pod_before_namespace_before_defaults():
    """The pod's annotation wins over its namespace's, and that over the defaults."""
    defaults = Defaults((4,), {4: ("default",)})
    both = namespace(ipv4pools='["home"]')
    assert wished(pod(ipv4pools='["own"]'), both, defaults).named(4) == ("own",)
    assert wished(home=both, defaults=defaults).named(4) == ("home",)
    assert wished(defaults=defaults).named(4) == ("default",)


def test_families_and_addresses():
    """A pod may ask for families and for one address of each."""
    said = wished(pod(ipFamilies='["IPv6","IPv4"]', ipAddrs='["10.0.0.9","fd00::9"]'))
    assert said.families == (4, 6)
    assert said.addresses == (ip_address("10.0.0.9"), ip_address("fd00::9"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ipv4pools", "a"),
        ("ipv4pools", '{"a": 1}'),
        ("ipv6pools", "[1]"),
        ("ipAddrs", '["10.0.0.999"]'),
        ("ipAddrs", '["10.0.0.1","10.0.0.2"]'),
        ("ipFamilies", '["IPv5"]'),
        ("ipAddrsNoIpam", '["10.0.0.1"]'),
        ("floatingIPs", '["10.0.0.1"]'),
    ],
)
def test_an_annotation_that_cannot_be_is_refused(key, value):
    """A wrong annotation is an error that names pod, annotation and value; nothing is guessed."""
    with pytest.raises(BadConfigurationError, match=rf"Pod shop/web: {PREFIX}{key}"):
        wished(pod(**{key: value}))


def test_a_pool_that_is_not_there():
    """A pod that names a pool that is not there, or is disabled, gets no address at all."""
    for text in ('["b"]', '["10.9.0.0/16"]'):
        with pytest.raises(BadConfigurationError, match="no enabled pool"):
            names(
                pool("a", "10.0.0.0/16"),
                pool("b", "10.1.0.0/16", disabled=True),
                of=wished(pod(ipv4pools=text)),
            )


def test_nobody_knows_what_an_unknown_pod_asks_for():
    """Until pod and namespace are known it is too early; without Kubernetes the defaults are meant."""
    view = World(namespace()).view("a")
    with pytest.raises(NotReadyError, match="pod shop/web"):
        wish(view, "shop", "web", Defaults())
    with pytest.raises(NotReadyError, match="namespace shop"):
        wish(World().view("a", [pod()]), "shop", "web", Defaults())
    assert wish(view, "", "", Defaults((6,))).families == (6,)


def test_reserved_addresses():
    """Reservations keep addresses and ranges from those who don't ask for them by name."""
    rules = Rules.of(World(reservation("10.0.0.4/31", "10.0.0.9")).view("a"))
    assert [n for n in range(12) if not rules.usable(ip_address("10.0.0.0") + n)] == [4, 5, 9]


def test_the_configuration_is_found():
    """What the one IPAMConfiguration says holds; without it the defaults do."""
    assert Rules.of(World(config(strictAffinity=True)).view("a")).config.strict_affinity
    assert not Rules.of(World().view("a")).config.strict_affinity


def test_defaults_of_a_model():
    """A model's options become defaults, or are refused by name."""
    made = defaults_from([6, 4], {4: ["p", "10.0.0.0/16"]}, "test")
    assert (made.families, made.pools) == ((4, 6), {4: ("p", "10.0.0.0/16")})
    for families, pools in (([], {}), ([5], {}), ([4], {4: ["10.0.0.1/16"]})):
        with pytest.raises(BadConfigurationError, match="test"):
            defaults_from(families, pools, "test")
