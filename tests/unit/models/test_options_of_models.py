import re
from collections.abc import Mapping

import pytest

from octet.blueprint.nft import Chain
from octet.errors import BadConfigurationError
from octet.kernel.features import FEATURES
from octet.models import MODELS, Running, example, find, names
from octet.models.decisions import DECISIONS
from octet.models.model import Model
from octet.models.needs import needs
from octet.policy.gates import FROM, GUARD
from octet.transport.flannel.netconf import VxlanBackend


def backend(running: Running) -> VxlanBackend:
    return running.transport.flavour.backend


def test_names_that_run() -> None:
    """Models and their variants are known by these names."""
    known = (
        "flannel",
        "flannel:host-gw",
        "flannel:direct",
        "flannel:policy",
        "kopeio-vxlan",
        "canal",
        "calico",
        "calico:vxlan",
        "kube-router",
        "kube-router:no-overlay",
    )
    assert names() == known
    assert [find(name).name for name in names()] == list(names())


@pytest.mark.parametrize("name", ["", "weave", "flannel:", "flannel:udp", "kopeio-vxlan:direct"])
def test_an_unknown_model_is_refused_with_the_known_ones(name: str) -> None:
    """A wrong name is answered with all that would do."""
    with pytest.raises(BadConfigurationError, match=r"is no model \(one of flannel, flannel:host-gw"):
        find(name)


@pytest.mark.parametrize("name", names())
def test_every_row_answers_six_decisions(name: str) -> None:
    """No decision of a row is left open; a dash leaves it to somebody else on purpose."""
    model = find(name)
    assert all(getattr(model, decision) for decision in DECISIONS)
    assert model.summary
    assert model.about.endswith(".")


def test_rows_have_names_of_their_own() -> None:
    """No two rows are called alike."""
    assert len({model.name for model in MODELS}) == len(MODELS)


def test_a_variant_is_options_already_given() -> None:
    """flannel:direct is flannel with DirectRouting, and takes flannel's other options."""
    running = find("flannel:direct").parse({"backend": {"vni": 7}}, source="test")
    assert backend(running) == VxlanBackend(vni=7, direct_routing=True)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "flannel:direct",
            {"Backend": {"DirectRouting": False}},
            "Backend.DirectRouting = False: is given twice",
        ),
        ("flannel:host-gw", {"backend": {"type": "vxlan"}}, "backend.type = 'vxlan': is given twice"),
        ("flannel:host-gw", {"Backend": "vxlan"}, "Backend = 'vxlan': is given twice"),
        ("flannel", {"masquerade": "no"}, "masquerade = 'no': must be true or false"),
        ("flannel", {"net-conf.json": 5}, "net-conf.json = 5: must be the text"),
        ("flannel", {"net-conf.json": "{"}, "is no JSON object"),
        ("flannel", {"net-conf.json": "{}"}, "Network = None: is missing"),
        ("flannel", {"vni": 5}, r"vni = 5: is unknown \(known here: EnableIPv4"),
        ("kopeio-vxlan", {"masquerade": 1}, "masquerade = 1: must be true or false"),
        ("kopeio-vxlan", {"vni": 5}, r"vni = 5: is unknown \(known here: masquerade\)"),
    ],
)
def test_wrong_options_are_refused(name: str, options: dict[str, object], message: str) -> None:
    """Each wrong option is refused with the file, the field, its value and what would do."""
    with pytest.raises(BadConfigurationError, match=f"^agent.toml: .*{message}"):
        find(name).parse(options, source="agent.toml")


def test_the_text_of_flannels_config_map() -> None:
    """What is in flannel's ConfigMap can be given as it is, beside options of ours."""
    text = '{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan", "VNI": 5}}'
    running = find("flannel").parse({"net-conf.json": text, "masquerade": False}, source="test")
    assert (backend(running).vni, running.masquerade) == (5, False)
    assert [str(each) for each in running.networks.stated] == ["10.244.0.0/16"]


def test_the_text_and_a_variant_go_together() -> None:
    """A variant adds to the file, and contradicting it is refused."""
    text = '{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}'
    assert backend(find("flannel:direct").parse({"net-conf.json": text}, source="x")).direct_routing
    with pytest.raises(BadConfigurationError, match=re.escape("Backend.Type = 'vxlan': is given twice")):
        find("flannel:host-gw").parse({"net-conf.json": text}, source="x")


def test_the_same_options_are_the_same_model() -> None:
    """A running model is a value: equal options, equal models."""
    assert find("flannel").parse({"Network": "10.0.0.0/8"}, source="a") == find("flannel").parse(
        {"network": "10.0.0.0/8"}, source="b"
    )


@pytest.mark.parametrize(
    ("name", "families", "tunnels"),
    [
        ("flannel", (4,), {"vxlan"}),
        ("flannel", (4, 6), {"vxlan", "vxlan6"}),
        ("kopeio-vxlan", (6,), {"vxlan6"}),
        ("flannel:host-gw", (4, 6), set()),
    ],
)
def test_needs_are_read_off_the_objects(name: str, families: tuple[int, ...], tunnels: set[str]) -> None:
    """A model needs of the kernel what it makes for these families, and no more."""
    needed = set(needs(find(name).parse({}, source="test"), families))
    assert needed & {"vxlan", "vxlan6"} == tunnels
    assert ("ipv6" in needed) is (6 in families)
    assert {"bridge", "veth", "nftables", "nftables-nat", "nftables-fib", "tbf", "ifb", "redirect"} <= needed


@pytest.mark.parametrize("name", names())
def test_needs_are_features_that_are_probed(name: str) -> None:
    """What a model needs, octet doctor can answer."""
    assert set(needs(find(name).parse({}, source="test"))) <= {feature.name for feature in FEATURES}


def test_the_example_cluster_talks() -> None:
    """In the example every node says what its peers need, in every model and family."""
    for name in names():
        running = find(name).parse({}, source="test")
        for families in example.FAMILIES.values():
            view = example.view(running, families, nodes=3)
            assert all(running.obstacles(view, peer) == () for peer in view.peers), name


CONFIG_MAP = {
    "typha_service_name": "none",
    "canal_iface": "eth1",
    "masquerade": "false",
    "veth_mtu": "1400",
    "cni_network_config": "{}",
    "net-conf.json": '{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}',
}
"""The keys of canal-config in Calico's manifests/canal.yaml; a ConfigMap's values are all texts."""


def test_canals_config_map_is_read_whole() -> None:
    """Interface, masquerade, MTU and flannel's network come from canal's ConfigMap as it is."""
    running = find("canal").parse(CONFIG_MAP, source="test")
    assert (running.interface, running.masquerade, running.policy) == ("eth1", False, True)
    assert [str(each) for each in running.networks.stated] == ["10.244.0.0/16"]
    assert running.network(example.view(running)).mtu == 1400


@pytest.mark.parametrize(("stated", "mtu"), [("0", 1450), ("9000", 1450), ("1450", 1450), (1300, 1300)])
def test_canals_pods_never_get_more_than_the_tunnel_passes(stated: object, mtu: int) -> None:
    """Whatever veth_mtu says, the tunnel's 50 bytes are left free (rke2-charts#670)."""
    running = find("canal").parse({"veth_mtu": stated}, source="test")
    assert running.network(example.view(running)).mtu == mtu


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"veth_mtu": "big"}, "veth_mtu = 'big': must be 0 or 576 to 65535 bytes"),
        ({"veth_mtu": True}, "veth_mtu = True: must be 0 or 576 to 65535 bytes"),
        ({"masquerade": "maybe"}, "masquerade = 'maybe': must be true or false"),
        ({"canal_interface": "eth1"}, "canal_interface = 'eth1': is unknown"),
    ],
)
def test_canals_mistakes_are_named(options: dict[str, object], message: str) -> None:
    """A value that makes no sense, and a key that canal has not, are refused by name."""
    with pytest.raises(BadConfigurationError, match=re.escape(message)):
        find("canal").parse(options, source="test")


def test_policy_is_none_or_ordered() -> None:
    """Policy is off in flannel unless the options say so, and other words are refused."""
    assert find("flannel").parse({}, source="test").gate is None
    assert find("flannel:policy").parse({}, source="test").gate is not None
    with pytest.raises(BadConfigurationError, match="policy = 'some': must be one of none, ordered"):
        find("flannel").parse({"policy": "some"}, source="test")


@pytest.mark.parametrize("model", MODELS, ids=lambda each: each.name)
def test_every_option_that_is_shown_is_taken(model: Model) -> None:
    """The example of each option that ``octet models show`` lists is accepted, and says that option."""
    assert model.options
    for option in model.options:
        model.parse(option.example, source="test")
        held: object = option.example
        for part in option.name.split(".") if option.name.startswith("Backend.") else [option.name]:
            assert isinstance(held, Mapping)
            held = held[part]


@pytest.mark.parametrize("model", MODELS, ids=lambda each: each.name)
@pytest.mark.parametrize("inside", ["", "Backend"])
def test_every_option_that_is_taken_is_shown(model: Model, inside: str) -> None:
    """What the refusal of an unknown option says is known is listed, each name of it."""
    unknown: dict[str, object] = {"Nonsense": 1}
    with pytest.raises(BadConfigurationError) as refused:
        model.parse({inside: unknown} if inside else unknown, source="test")
    known = refused.value.hint.removeprefix("known here: ").split(", ")
    shown = {option.name for option in model.options} | {"Backend"}
    if not inside or any(name.startswith("Backend.") for name in shown):
        assert {f"{inside}.{name}".lstrip(".") for name in known} <= shown


@pytest.mark.parametrize("name", ["canal", "flannel:policy"])
def test_no_pod_may_speak_the_clusters_own_tunnel(name: str) -> None:
    """The port of packets between nodes is closed to pods where they come in, and again after translation."""
    running = find(name).parse({"Backend": {"Port": 9999}}, source="test")
    gate = running.gate
    assert gate is not None
    chains = {chain.name: chain for chain in gate.base().of(Chain)}
    for chain in (chains[GUARD], chains[FROM]):
        closed = [str(rule) for rule in chain.rules[:2]]
        assert any("9999" in text and "8472" in text and " drop" in text for text in closed), closed
        assert any("meta l4proto" in text and "41" in text and " drop" in text for text in closed), closed
