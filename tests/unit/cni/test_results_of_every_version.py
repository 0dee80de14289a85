"""One result in the form of every version: written and read by the same list of cases."""

from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network

import pytest

from octet.cni.spec import CniError, Code, Dns, Interface, Ip, Result, Route, from_json, to_json
from octet.cni.spec.versions import READABLE, agreed, at_least

FULL = Result(
    interfaces=(
        Interface("cni0", "02:00:00:00:00:01"),
        Interface("eth0", "02:00:00:00:00:02", 1450, "/run/netns/a", "/run/vhost.sock", "0000:01:00.0"),
    ),
    ips=(
        Ip(ip_interface("10.1.0.2/24"), ip_address("10.1.0.1"), 1),
        Ip(ip_interface("fd00::2/64"), ip_address("fd00::1"), 1),
    ),
    routes=(
        Route(ip_network("0.0.0.0/0"), ip_address("10.1.0.1"), 1400, 1360, 10, 254, 253),
        Route(ip_network("::/0")),
    ),
    dns=Dns(("10.96.0.10",), "cluster.local", ("svc.cluster.local",), ("ndots:5",)),
)
DNS = {
    "nameservers": ["10.96.0.10"],
    "domain": "cluster.local",
    "search": ["svc.cluster.local"],
    "options": ["ndots:5"],
}
BRIDGE = {"name": "cni0", "mac": "02:00:00:00:00:01"}
POD = {"name": "eth0", "mac": "02:00:00:00:00:02", "sandbox": "/run/netns/a"}
V4 = {"interface": 1, "address": "10.1.0.2/24", "gateway": "10.1.0.1"}
V6 = {"interface": 1, "address": "fd00::2/64", "gateway": "fd00::1"}
ROUTE4, ROUTE6 = {"dst": "0.0.0.0/0", "gw": "10.1.0.1"}, {"dst": "::/0"}

NO_EXTRAS = replace(
    FULL,
    interfaces=(FULL.interfaces[0], Interface("eth0", "02:00:00:00:00:02", sandbox="/run/netns/a")),
    routes=(Route(ip_network("0.0.0.0/0"), ip_address("10.1.0.1")), Route(ip_network("::/0"))),
)
NO_INTERFACES = replace(NO_EXTRAS, interfaces=(), ips=tuple(replace(ip, interface=None) for ip in FULL.ips))

NUMBERED = {
    "interfaces": [BRIDGE, POD],
    "ips": [{"version": "4", **V4}, {"version": "6", **V6}],
    "routes": [ROUTE4, ROUTE6],
    "dns": DNS,
}
BY_FAMILY = {
    "ip4": {"ip": "10.1.0.2/24", "gateway": "10.1.0.1", "routes": [ROUTE4]},
    "ip6": {"ip": "fd00::2/64", "gateway": "fd00::1", "routes": [ROUTE6]},
    "dns": DNS,
}
CASES = {
    "0.1.0": (BY_FAMILY, NO_INTERFACES),
    "0.2.0": (BY_FAMILY, NO_INTERFACES),
    "0.3.0": (NUMBERED, NO_EXTRAS),
    "0.3.1": (NUMBERED, NO_EXTRAS),
    "0.4.0": (NUMBERED, NO_EXTRAS),
    "1.0.0": ({**NUMBERED, "ips": [V4, V6]}, NO_EXTRAS),
    "1.1.0": (
        {
            **NUMBERED,
            "interfaces": [
                BRIDGE,
                {**POD, "mtu": 1450, "socketPath": "/run/vhost.sock", "pciID": "0000:01:00.0"},
            ],
            "ips": [V4, V6],
            "routes": [
                {**ROUTE4, "mtu": 1400, "advmss": 1360, "priority": 10, "table": 254, "scope": 253},
                ROUTE6,
            ],
        },
        FULL,
    ),
}
"""By version: the JSON of FULL, and what reading that JSON gives back."""


def test_every_version_that_we_read_has_a_case() -> None:
    """No version is left out of the cases below."""
    assert tuple(CASES) == READABLE


@pytest.mark.parametrize("version", CASES)
def test_a_result_is_written_in_the_form_of_the_version(version: str) -> None:
    """The document holds what the version can carry, and nothing that it cannot."""
    assert to_json(FULL, version) == {"cniVersion": version, **CASES[version][0]}


@pytest.mark.parametrize("version", CASES)
def test_a_result_of_any_version_is_read(version: str) -> None:
    """Reading loses nothing that the version carries."""
    document, meaning = CASES[version]
    assert from_json({"cniVersion": version, **document}) == meaning


@pytest.mark.parametrize("version", CASES)
def test_keys_are_read_in_any_case(version: str) -> None:
    """Plugins written in Go match keys without regard to case, and so do we."""

    def shout(value: object) -> object:
        if isinstance(value, dict):
            return {key.upper(): shout(held) for key, held in value.items()}
        return [shout(one) for one in value] if isinstance(value, list) else value

    document, meaning = CASES[version]
    loud = shout({"cniVersion": version, **document})
    assert isinstance(loud, dict)
    assert from_json(loud) == meaning


def test_a_result_without_version_has_that_of_its_configuration() -> None:
    """Plugins may leave cniVersion out; libcni then takes the configuration's."""
    assert from_json({"ips": [V4 | {"interface": 0}]}, version="1.0.0").ips[0].interface == 0


def test_old_versions_cannot_carry_a_result_without_address() -> None:
    """0.2.0 has no place for interfaces alone: code 1, as the versions do not fit."""
    with pytest.raises(CniError) as caught:
        to_json(Result(interfaces=(Interface("eth0"),)), "0.2.0")
    assert caught.value.code == Code.INCOMPATIBLE_VERSION


def test_old_versions_carry_one_address_of_each_family() -> None:
    """The first address of a family is the one that 0.2.0 knows."""
    twice = replace(FULL, ips=(*FULL.ips, Ip(ip_interface("10.9.9.9/24"))))
    assert to_json(twice, "0.2.0")["ip4"] == BY_FAMILY["ip4"]


@pytest.mark.parametrize(
    ("document", "code", "words"),
    [
        ({"cniVersion": "3.0.0"}, 1, "result.cniVersion = '3.0.0'"),
        ({"cniVersion": 1}, 6, "result.cniVersion = 1"),
        ([], 6, "result = a JSON list"),
        ({"cniVersion": "1.0.0", "ips": {}}, 6, "result.ips"),
        ({"cniVersion": "1.0.0", "ips": [{"address": "10.0.0.300/24"}]}, 7, "result.ips[0].address"),
        ({"cniVersion": "1.0.0", "ips": [{}]}, 6, "result.ips[0].address"),
        ({"cniVersion": "1.0.0", "ips": [{"address": "10.0.0.3/24", "interface": 7}]}, 7, "interface = 7"),
        ({"cniVersion": "1.0.0", "routes": [{"gw": "10.0.0.1"}]}, 6, "result.routes[0].dst"),
        ({"cniVersion": "1.0.0", "interfaces": [{"mtu": -1}]}, 7, "result.interfaces[0].mtu = -1"),
        ({"cniVersion": "1.0.0", "dns": {"search": [1]}}, 6, "result.dns.search[0] = 1"),
    ],
)
def test_a_broken_result_is_refused_by_key_and_value(document: object, code: int, words: str) -> None:
    """Whoever wrote the result learns which key holds what wrong value."""
    with pytest.raises(CniError) as caught:
        from_json(document)  # type: ignore[arg-type]  # what a foreign plugin may print
    assert caught.value.code == code
    assert words in str(caught.value)


def test_the_newest_version_both_know_is_agreed() -> None:
    """Versions newer than ours are passed over; without a list the configuration's own counts."""
    assert agreed("0.4.0", ["1.0.0", "1.1.0", "2.0.0"]) == "1.1.0"
    assert agreed("1.0.0", []) == "1.0.0"
    assert agreed("", ["0.3.1"]) == "0.3.1"


def test_versions_compare_as_numbers() -> None:
    """0.10.0 is newer than 0.4.0; what is no version is refused."""
    assert at_least("0.10.0", "0.4.0")
    for wrong in ("1.0", "1.0.0.0", "1.0.x", "\uff11.0.0", ""):
        with pytest.raises(ValueError, match="not a version"):
            at_least(wrong, "0.4.0")
