from contextlib import suppress
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octet.errors import BadConfigurationError
from octet.transport.flannel.netconf import (
    HostGatewayBackend,
    NetConf,
    VxlanBackend,
    decode,
    parse,
    parse_stated,
)

POD_NETWORK = ip_network("10.244.0.0/16")


def read(text: str) -> NetConf:
    return parse_stated(decode(text, source="net-conf.json"), source="net-conf.json")


def test_the_shipped_manifest() -> None:
    """The file of flannel's own manifest is read."""
    text = '{"Network": "10.244.0.0/16", "EnableNFTables": false, "Backend": {"Type": "vxlan"}}'
    assert read(text) == NetConf((POD_NETWORK,), VxlanBackend(vni=1, port=8472))


def test_dual_stack() -> None:
    """IPv6 is its own network and has to be enabled."""
    text = """{"Network": "10.244.0.0/16", "EnableIPv6": true, "IPv6Network": "fd00:10:244::/48",
               "Backend": {"Type": "host-gw"}}"""
    assert read(text) == NetConf((POD_NETWORK, ip_network("fd00:10:244::/48")), HostGatewayBackend())


def test_ipv6_only() -> None:
    """IPv4 can be switched off; a network given for it then does not count."""
    text = """{"Network": "10.244.0.0/16", "EnableIPv4": false, "EnableIPv6": true,
               "IPv6Network": "fd00:10:244::/48", "Backend": {"Type": "vxlan"}}"""
    assert read(text).networks == (ip_network("fd00:10:244::/48"),)


@pytest.mark.parametrize("key", ["VNI", "vni", "Vni"])
def test_keys_count_in_any_case(key: str) -> None:
    """Documentation writes VNI, code vni, and both are in the field."""
    assert parse({"backend": {"TYPE": "vxlan", key: 5}}, source="x").backend == VxlanBackend(vni=5)


def test_everything_that_vxlan_takes() -> None:
    """Each setting of the backend arrives."""
    backend = {
        "Type": "VXLAN",
        "VNI": 4096,
        "Port": 4789,
        "MTU": 1400,
        "Learning": True,
        "DirectRouting": True,
    }
    assert parse({"Backend": backend}, source="x").backend == VxlanBackend(4096, 4789, 1400, True, True)


def test_no_backend_is_vxlan_as_documented() -> None:
    """Flannel's code would choose udp; its documentation says vxlan."""
    assert read('{"Network": "10.244.0.0/16"}').backend == VxlanBackend()


def test_port_zero_is_the_kernels() -> None:
    """Port 0 means the port that Linux has had since before IANA gave one out."""
    assert parse({"Backend": {"Port": 0}}, source="x").backend == VxlanBackend(port=8472)


def test_subnets_of_etcd_mode_are_ignored() -> None:
    """Keys that flannel itself ignores with Kubernetes may stay in the file."""
    assert read('{"Network": "10.244.0.0/16", "SubnetLen": 24, "SubnetMin": "10.244.1.0"}').networks


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"Backend": {"Type": "udp"}}, r"Backend.Type = 'udp': is a backend of flannel .*vxlan or host-gw"),
        ({"Backend": {"Type": "magic"}}, r"Backend.Type = 'magic': is no backend"),
        ({"Backend": {"Type": 5}}, r"Backend.Type = 5: must be a string"),
        ({"Backend": "vxlan"}, r"Backend = 'vxlan': must be an object"),
        ({"Backend": {"VNI": "1"}}, r"Backend.VNI = '1': must be an integer from 1 to 16777215"),
        ({"Backend": {"VNI": 0}}, r"Backend.VNI = 0: must be"),
        ({"Backend": {"VNI": True}}, r"Backend.VNI = True: must be"),
        ({"Backend": {"VNI": 10000}}, r"Backend.VNI = 10000: at most 9999 fits"),
        ({"Backend": {"Port": 65536}}, r"Backend.Port = 65536"),
        ({"Backend": {"MTU": 100}}, r"Backend.MTU = 100: must be 0 .* or at least 576"),
        ({"Backend": {"GBP": True}}, r"Backend.GBP = True"),
        ({"Backend": {"Direct": True}}, r"Backend.Direct = True: is unknown \(known here: Type, GBP"),
        ({"Backend": {"Type": "host-gw", "VNI": 1}}, r"Backend.VNI = 1: is unknown \(known here: Type\)"),
        ({"Backend": {"VNI": 1, "vni": 2}}, r"Backend.vni = 2: is given twice"),
        ({"Netwrk": "10.0.0.0/8"}, r"Netwrk = '10.0.0.0/8': is unknown \(known here: EnableIPv4, Network"),
        ({"Network": "10.244"}, r"Network = '10.244': is no network"),
        ({"Network": "fd00::/48"}, r"Network = 'fd00::/48': must be an IPv4 network"),
        ({"IPv6Network": "10.0.0.0/8"}, r"IPv6Network = .*: must be an IPv6 network"),
        ({"IPv6Network": "fd00::/48"}, r"IPv6Network = .*: needs EnableIPv6 = true"),
        ({"Network": "10.0.0.0/8", "EnableIPv6": True}, r"EnableIPv6 = True: needs IPv6Network"),
        ({"EnableIPv4": "yes"}, r"EnableIPv4 = 'yes': must be true or false"),
    ],
)
def test_what_is_refused_is_named(values: dict[str, object], message: str) -> None:
    """Wrong values, wrong types and unknown keys are refused with the field, and never guessed at."""
    with pytest.raises(BadConfigurationError, match=f"^here: {message}"):
        parse(values, source="here")


def test_host_bits_of_the_network_are_cleared() -> None:
    """Flannel takes any address of the network for it."""
    assert read('{"Network": "10.244.3.1/16"}').networks == (POD_NETWORK,)


@pytest.mark.parametrize("text", ["", "[]", "{", '"x"', "[" * 100_000])
def test_what_is_no_object_is_refused(text: str) -> None:
    """A file that holds no JSON object is refused as such."""
    with pytest.raises(BadConfigurationError, match="is no JSON object"):
        decode(text, source="net-conf.json")


def test_a_file_must_state_a_network() -> None:
    """In flannel's own file the network is not optional."""
    with pytest.raises(BadConfigurationError, match=r"Network = None: is missing.*10\.244"):
        read('{"Backend": {"Type": "vxlan"}}')


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(["Network", "IPv6Network", "EnableIPv4", "EnableIPv6", "Backend", "backend"])


@given(st.dictionaries(KEYS | st.text(max_size=5), JSON, max_size=4))
def test_any_object_is_read_or_refused(values: dict[str, object]) -> None:
    """Whatever the object, the answer is a configuration or an error that names a field."""
    with suppress(BadConfigurationError):
        assert isinstance(parse(values, source="x"), NetConf)
