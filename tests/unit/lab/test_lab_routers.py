"""What a router's software is told, judged by that software where it can check a file, and GoBGP's mirror."""

import shutil
import subprocess
import tomllib
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from octet.errors import BadConfigurationError, OctetError
from octet.lab import fabrics, routes
from octet.lab.names import Plan, node_names
from octet.lab.racks import Shape
from octet.lab.routers import Router, bird, frr, gobgp, mirror, process
from octet.lab.routes import GOBGP, Hop, Route

DEFAULT, RACK, LINK = (ip_network(each) for each in ("0.0.0.0/0", "172.31.1.0/24", "172.30.1.2/31"))


def router(name: str = "tor1", family: str = "dual") -> Router:
    return fabrics.build("routed", node_names(4), Plan.of(family), Shape(uplinks=3)).routers[name]


@pytest.mark.parametrize("family", ["v4", "v6", "dual"])
@pytest.mark.parametrize("name", ["tor1", "spine1", "outside"])
def test_bird_accepts_what_every_kind_of_router_is_told(tmp_path: Path, name: str, family: str) -> None:
    """The real parser reads each file without a complaint."""
    if shutil.which("bird") is None:
        pytest.skip("program missing: bird")
    (tmp_path / "extra").mkdir()
    file = tmp_path / "bird.conf"
    file.write_text(bird.configuration(router(name, family)))
    done = subprocess.run(["bird", "-p", "-c", str(file)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_bird_believes_nodes_neither_default_routes_nor_the_fabrics_networks() -> None:
    """One filter per family refuses both, and sessions from the rack have it."""
    text = bird.configuration(router())
    assert "if net ~ [ 0.0.0.0/0, 172.30.0.0/16+, 172.31.0.0/16+ ] then reject" in text
    assert "if net ~ [ ::/0, fd00:172:30::/48+, fd00:172:31::/48+ ] then reject" in text
    assert "neighbor range 172.31.1.0/24 external" in text
    assert text.count("import filter from_nodes4") == text.count("import filter from_nodes6") == 2


def test_only_a_tor_is_called_by_nodes() -> None:
    """A spine has no session that is not with a router it knows."""
    assert "range" not in bird.configuration(router("spine1"))
    assert "dynamic-neighbors" not in gobgp.configuration(router("spine1"))
    assert "listen range" not in frr.configuration(router("spine1"))


def test_frr_has_each_session_in_its_own_family() -> None:
    """A neighbour is active where its address belongs, nodes in both, and every name has its definition."""
    text = frr.configuration(router())
    v4, v6 = text.split("address-family ")[1:]
    assert v4.startswith("ipv4")
    assert "neighbor 172.30.1.2 activate" in v4
    assert "neighbor fd00:172:30:1::2 activate" in v6
    assert "neighbor fd00:172:30:1::2 activate" not in v4
    for version, word in ((4, "ip"), (6, "ipv6")):
        assert f"prefix-list FROM-NODES-{version} in" in text
        assert f"\n{word} prefix-list FROM-NODES-{version} seq 90 deny" in text


def test_gobgp_is_told_in_toml_of_every_neighbour() -> None:
    """The file is TOML, with each session, both ranges of nodes, and a policy whose sets are there."""
    held = tomllib.loads(gobgp.configuration(router()))
    assert len(held["neighbors"]) == 6
    assert [each["config"]["prefix"] for each in held["dynamic-neighbors"]] == [
        "172.31.1.0/24", "fd00:172:31:1::/64",
    ]  # fmt: skip
    sets = {each["prefix-set-name"] for each in held["defined-sets"]["prefix-sets"]}
    statements = held["policy-definitions"][0]["statements"]
    assert {each["conditions"]["match-prefix-set"]["prefix-set"] for each in statements} == sets


def test_software_that_is_not_there_is_refused_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is made, the error names the program and what installs it."""
    monkeypatch.setattr("octet.lab.routers.process.shutil.which", lambda *_, **__: None)
    with pytest.raises(BadConfigurationError, match="bird2"):
        process.check([router()])


def path(*asns: int, hop: str = "172.30.1.2") -> dict[str, Any]:
    """A path as gobgp prints it."""
    attributes = [{"type": 2, "as_paths": [{"num": len(asns), "asns": asns}]}, {"type": 3, "nexthop": hop}]
    return {"attrs": attributes}


def test_what_gobgp_has_learned_is_every_shortest_way() -> None:
    """Equal paths share a network's traffic, a longer one has none, the router's own is no way."""
    rib = {
        str(DEFAULT): [path(65100, 65200), path(65100, 65200, hop="172.30.1.4")],
        str(LINK): [path(65100), path(65100, 65002, hop="172.30.1.4")],
        str(RACK): [path(hop="0.0.0.0")],
    }
    assert mirror.learned(rib) == {DEFAULT: {"172.30.1.2", "172.30.1.4"}, LINK: {"172.30.1.2"}}
    assert mirror.originated(rib) == {RACK}


def test_an_ipv6_next_hop_is_in_another_attribute() -> None:
    """Multiprotocol BGP has next hops where RFC 4760 puts them."""
    attributes = [{"type": 2, "as_paths": []}, {"type": 14, "nexthop": "fd00::2"}]
    assert mirror.learned({"fd01::/64": [{"attrs": attributes}]}) == {ip_network("fd01::/64"): {"fd00::2"}}


def test_the_kernel_is_told_what_differs_and_nothing_else() -> None:
    """A changed way is replaced, a lost one goes, one that stays is left; others' routes are not touched."""
    held = [
        Route(DEFAULT, (Hop("172.30.1.2", "up1"),), GOBGP),
        Route(LINK, (Hop("172.30.1.2", "up1"),), GOBGP),
        Route(RACK, (Hop("", "rack"),), 2),
    ]
    wanted = {DEFAULT: frozenset({"172.30.1.2", "172.30.1.4"}), RACK: frozenset({"172.30.1.4"})}
    assert list(mirror.kernel_lines(held, wanted)) == [
        "route replace 0.0.0.0/0 proto 112 metric 20 nexthop via 172.30.1.2 nexthop via 172.30.1.4",
        "route del 172.30.1.2/31 proto 112 metric 20",
    ]
    assert list(mirror.kernel_lines(held[:1], {DEFAULT: frozenset({"172.30.1.2"})})) == []


def test_what_is_connected_or_set_by_hand_is_announced() -> None:
    """Connected and static networks go out, learned and default ones don't, what has gone is recalled."""
    held = [
        Route(RACK, (), 2),
        Route(LINK, (), GOBGP),
        Route(DEFAULT, (), 4),
        Route(ip_network("10.0.0.0/24"), (), 4),
    ]
    assert list(mirror.announcements(held, frozenset({LINK}))) == [
        ("add", ip_network("10.0.0.0/24")),
        ("add", RACK),
        ("del", LINK),
    ]


PRINTED = """[
 {"type":"1","dst":"default","protocol":"12","scope":"0","metric":32,"flags":[],"nexthops":[
   {"gateway":"172.30.1.2","dev":"up1","weight":1,"flags":[]},{"via":{"family":"inet6","host":"fe80::1"},"dev":"up2"}]},
 {"type":"1","dst":"172.31.1.0/24","dev":"rack","protocol":"2","scope":"253","flags":[]},
 {"type":"6","dst":"10.244.9.0/26","protocol":"12","metric":111,"table":"254","flags":[]},
 {"type":"2","dst":"172.31.1.1","dev":"rack","table":"255","protocol":"2","flags":[]},
 {"type":"1","dst":"10.1.0.0/16","gateway":"172.31.1.254","dev":"eth0","table":"77","protocol":"111","flags":[]}
]"""


def test_routes_are_read_with_their_owner_and_every_hop() -> None:
    """A number becomes a name, a shared-out route has all of its hops, local routes are left out."""
    assert [
        (str(each.destination), each.owner, each.table, each.kind) for each in routes.read(PRINTED, 4)
    ] == [
        ("0.0.0.0/0", "bird", 254, ""),
        ("172.31.1.0/24", "kernel", 254, ""),
        ("10.244.9.0/26", "octet (bird)", 254, "blackhole"),
        ("10.1.0.0/16", "octet", 77, ""),
    ]
    default = routes.read(PRINTED, 4)[0]
    assert [str(hop) for hop in default.hops] == ["via 172.30.1.2 dev up1", "via fe80::1 dev up2"]
    assert routes.read("[]", 6) == routes.read("", 6) == []


@pytest.mark.parametrize("text", ["oops", '[{"dst":"x"}]', '{"a":1}', '[{"type":"1","dst":"10.0.0.1/8"}]'])
def test_what_is_no_route_is_an_error_in_words(text: str) -> None:
    """Output that isn't what was asked for is told as such."""
    with pytest.raises(OctetError, match="ip route says"):
        routes.read(text, 4)


def test_a_protocol_nobody_knows_keeps_its_number() -> None:
    """An unknown owner is not guessed."""
    assert Route(DEFAULT, (), 99).owner == "protocol 99"
