"""Environment and standard input become one typed request, or an error that names key and value."""

import json
from ipaddress import ip_address, ip_network

import pytest

from octet.cluster.endpoint import Attachment, Bandwidth, HostPort
from octet.cni.config import IpRange
from octet.cni.request import STDIN_LIMIT, Pod, Request, parse, version_of
from octet.cni.spec import CniError, Command, Dns

ENV = {
    "CNI_COMMAND": "ADD",
    "CNI_CONTAINERID": "c1",
    "CNI_IFNAME": "eth0",
    "CNI_NETNS": "/run/netns/c1",
    "CNI_PATH": "/opt/cni/bin",
}
RESULT = {"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.2/24"}]}
VALID = [{"containerID": "c1", "ifname": "eth0"}]
DEEP = 100_000


def call(_command: str = "ADD", _arguments: str = "", **keys: object) -> Request:
    """Parse a request whose configuration has these keys."""
    document = {"cniVersion": "1.1.0", "name": "net", "type": "octet-cni", **keys}
    environment = ENV | {"CNI_COMMAND": _command, "CNI_ARGS": _arguments}
    return parse(environment, json.dumps(document).encode(), namespace=9)


def runtime(**capabilities: object) -> Request:
    """Parse an ADD with these values of capabilities."""
    return call(runtimeConfig=capabilities)


def refusal(_command: str = "ADD", _arguments: str = "", **keys: object) -> tuple[int, str]:
    """Return code and text of the error that a request is refused with."""
    with pytest.raises(CniError) as caught:
        call(_command, _arguments, **keys)
    return caught.value.code, str(caught.value)


def test_an_add_is_understood() -> None:
    """Command, attachment, namespace and path come from the environment."""
    found = call()
    assert found.command is Command.ADD
    assert found.attachment == Attachment("net", "c1", "eth0")
    assert (found.namespace, found.netns, found.path) == (9, "/run/netns/c1", ("/opt/cni/bin",))


def test_the_kubernetes_pod_is_known() -> None:
    """containerd, CRI-O and podman say in CNI_ARGS which pod a sandbox is of."""
    args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;K8S_POD_UID=u-1;OTHER=x"
    assert call("ADD", args).pod == Pod("default", "web", "u-1")


def test_port_mappings_become_host_ports() -> None:
    """Protocols in any case, tcp by default; the unspecified address is every address; doubles are one."""
    found = runtime(
        portMappings=[
            {"hostPort": 80, "containerPort": 8080},
            {"hostPort": 53, "containerPort": 53, "protocol": "UDP", "hostIP": "192.0.2.1"},
            {"hostPort": 80, "containerPort": 8080, "protocol": "tcp", "hostIP": "0.0.0.0"},
        ]
    )
    assert found.config.host_ports == (HostPort(80, 8080), HostPort(53, 53, "udp", ip_address("192.0.2.1")))


def test_keys_of_capabilities_are_read_in_any_case() -> None:
    """The plugins' own test data says bandWidth, which works because Go ignores case."""
    found = runtime(bandWidth={"INGRESSRATE": 8000, "egressBurst": 16})
    assert found.config.bandwidth == Bandwidth(ingress_rate=8000, egress_burst=16)


def test_addresses_requested_in_three_ways_add_up() -> None:
    """The capability, args.cni.ips and CNI_ARGS IP are requests, each address once, without its prefix."""
    legacy = {"args": {"cni": {"ips": ["10.1.0.8"]}}}
    found = call("ADD", "IP=10.1.0.9, 10.1.0.7", runtimeConfig={"ips": ["10.1.0.7/24", "fd00::7"]}, **legacy)
    assert [str(ip) for ip in found.config.ips] == ["10.1.0.7", "fd00::7", "10.1.0.8", "10.1.0.9"]


def test_address_ranges_are_sets_of_ranges() -> None:
    """host-local's form: one address of each set; empty sets ask for nothing."""
    found = runtime(
        ipRanges=[[{"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.5", "gateway": "10.1.0.1"}], []],
    )
    wanted = IpRange(ip_network("10.1.0.0/24"), start=ip_address("10.1.0.5"), gateway=ip_address("10.1.0.1"))
    assert found.config.ip_ranges == ((wanted,),)


def test_the_capability_mac_counts_before_older_ways() -> None:
    """A MAC address may come in three ways; the capability wins, as in the bridge plugin."""
    legacy = {"args": {"cni": {"mac": "02:00:00:00:00:02"}}}
    env = "MAC=02-00-00-00-00-03"
    assert call("ADD", env).config.mac == "02:00:00:00:00:03"
    assert call("ADD", env, **legacy).config.mac == "02:00:00:00:00:02"
    assert call("ADD", env, runtimeConfig={"mac": "02:00:00:00:00:0A"}, **legacy).config.mac.endswith(":0a")


def test_dns_comes_from_the_capability_before_the_configuration() -> None:
    """The capability's keys are servers, searches and options; the configuration has its own."""
    plain = {"nameservers": ["10.0.0.1"], "domain": "local"}
    assert call(dns=plain).config.dns == Dns(("10.0.0.1",), "local")
    both = call(dns=plain, runtimeConfig={"dns": {"servers": ["10.0.0.2"], "searches": ["svc"]}})
    assert both.config.dns == Dns(("10.0.0.2",), search=("svc",))


def test_annotations_of_the_pod_are_kept() -> None:
    """The runtime containerd passes them in a capability with a dotted name; only texts count."""
    found = runtime(**{"io.kubernetes.cri.pod-annotations": {"a/b": "c", "n": 1}})
    assert found.config.annotations == {"a/b": "c"}


def test_what_runtimes_may_add_is_tolerated() -> None:
    """Unknown capabilities, declared capabilities and keys with a slash are no mistakes (spec 1.1.0)."""
    extra = {"cni.dev/later": 1, "capabilities": {"aliases": True}, "runtimeConfig": {"aliases": ["a"]}}
    assert call(**extra).config.host_ports == ()


def test_the_previous_result_is_read() -> None:
    """A plugin before us may have used any version; what it made is known to us."""
    found = call(prevResult={"cniVersion": "0.2.0", "ip4": {"ip": "10.1.0.2/24"}})
    assert found.config.previous is not None
    assert str(found.config.previous.ips[0].address) == "10.1.0.2/24"


@pytest.mark.parametrize(
    ("keys", "code", "words"),
    [
        ({"cniVersion": "0.2.0"}, 1, "cniVersion = '0.2.0'"),
        ({"cniVersion": None}, 1, "cniVersion = ''"),
        ({"cniVersion": 1.0}, 6, "cniVersion = 1.0"),
        ({"name": "../x"}, 7, "name = '../x'"),
        ({"name": 5}, 6, "name = 5"),
        ({"ipam": {"type": "host-local"}}, 2, "ipam = a JSON object"),
        ({"bridge": "cni0"}, 2, "bridge = 'cni0'"),
        ({"runtimeConfig": []}, 6, "runtimeConfig = a JSON list"),
        ({"args": {"cni": {"ips": ["x"]}}}, 7, "args.cni.ips = 'x'"),
        ({"prevResult": "x"}, 6, "prevResult = 'x'"),
        ({"prevResult": {"cniVersion": "7.0.0"}}, 1, "prevResult.cniVersion"),
        ({"dns": {"search": "x"}}, 6, "dns.search = 'x'"),
    ],
)
def test_a_wrong_configuration_is_refused(keys: dict[str, object], code: int, words: str) -> None:
    """Wrong version 1, unknown field 2, wrong type 6, wrong value 7; always with key and value."""
    found, text = refusal(**keys)
    assert found == code
    assert words in text


@pytest.mark.parametrize(
    ("capabilities", "code", "words"),
    [
        ({"portMappings": {}}, 6, "runtimeConfig.portMappings"),
        ({"portMappings": [{"hostPort": 0, "containerPort": 1}]}, 7, "portMappings[0].hostPort = 0"),
        ({"portMappings": [{"hostPort": 1}]}, 7, "portMappings[0].containerPort"),
        ({"portMappings": [{"hostPort": "80", "containerPort": 1}]}, 6, "hostPort = '80'"),
        ({"portMappings": [{"hostPort": True, "containerPort": 1}]}, 6, "hostPort = True"),
        ({"portMappings": [{"hostPort": 1, "containerPort": 1, "protocol": "icmp"}]}, 7, "protocol = 'icmp'"),
        ({"portMappings": [{"hostPort": 1, "containerPort": 1, "hostIP": "x"}]}, 7, "hostIP = 'x'"),
        (
            {"portMappings": [{"hostPort": 1, "containerPort": 1}, {"hostPort": 1, "containerPort": 2}]},
            7,
            "already leads to port 1",
        ),
        ({"bandwidth": {"ingressRate": -1}}, 7, "bandwidth.ingressRate = -1"),
        (
            {"bandwidth": {"ingressRate": 7}},
            7,
            "bandwidth.ingressRate = 7: must be 0 (no limit) or at least 8",
        ),
        ({"bandwidth": {"egressRate": 1}}, 7, "bandwidth.egressRate = 1: must be 0 (no limit) or at least 8"),
        ({"bandwidth": {"ingressRate": 1.5}}, 6, "bandwidth.ingressRate = 1.5"),
        ({"bandwidth": {"ingressRate": 2**64}}, 7, "bandwidth.ingressRate"),
        ({"ips": ["10.0.0.1/99"]}, 7, "ips = '10.0.0.1/99'"),
        ({"ips": "10.0.0.1"}, 6, "ips = '10.0.0.1'"),
        ({"ipRanges": [{}]}, 6, "ipRanges[0]"),
        ({"ipRanges": [[{}]]}, 7, "ipRanges[0][0].subnet"),
        ({"ipRanges": [[{"subnet": "10.0.0.0/24", "rangeEnd": "10.9.0.1"}]]}, 7, "is not in 10.0.0.0/24"),
        (
            {"ipRanges": [[{"subnet": "10.0.0.0/24", "rangeStart": "10.0.0.9", "rangeEnd": "10.0.0.8"}]]},
            7,
            "is before rangeStart",
        ),
        ({"mac": "01:00:00:00:00:01"}, 7, "runtimeConfig.mac = '01:00:00:00:00:01'"),
        ({"mac": "00:00:00:00:00:00"}, 7, "is not a unicast MAC"),
        ({"mac": "02:00:00:00:00"}, 7, "is not a unicast MAC"),
        ({"mac": "02:00:00:00:00:0 "}, 7, "is not a unicast MAC"),
        ({"dns": {"servers": [1]}}, 6, "runtimeConfig.dns.servers[0] = 1"),
    ],
)
def test_a_wrong_capability_is_refused(capabilities: dict[str, object], code: int, words: str) -> None:
    """Every capability's values are checked, and the message says where in the document the wrong one is."""
    found, text = refusal(runtimeConfig=capabilities)
    assert found == code
    assert words in text


def test_unknown_arguments_need_leave() -> None:
    """As in Go: an unknown CNI_ARGS key is refused (4) unless IgnoreUnknown is set."""
    assert refusal("ADD", "COLOUR=red") == (
        4,
        "CNI_ARGS COLOUR = 'red': unknown, and IgnoreUnknown is not set",
    )
    assert call("ADD", "COLOUR=red;IgnoreUnknown=true").args == {"COLOUR": "red", "IGNOREUNKNOWN": "true"}


@pytest.mark.parametrize(
    ("command", "version"), [("CHECK", "0.3.1"), ("GC", "1.0.0"), ("STATUS", "1.0.0"), ("STATUS", "0.4.0")]
)
def test_commands_exist_since_their_version(command: str, version: str) -> None:
    """CHECK came with 0.4.0, GC and STATUS with 1.1.0; before that the versions do not fit (1)."""
    code, text = refusal(command, cniVersion=version, prevResult=RESULT)
    assert code == 1
    assert command in text


def test_check_needs_a_result_to_compare_with() -> None:
    """A CHECK without prevResult is a wrong configuration (7)."""
    assert refusal("CHECK")[0] == 7
    assert call("CHECK", prevResult=RESULT).config.previous is not None


def test_an_add_needs_its_namespace() -> None:
    """Without CNI_NETNS it is code 4, without an open descriptor of it code 8."""
    stdin = b'{"cniVersion":"1.0.0","name":"n"}'
    for environment, code in ((ENV | {"CNI_NETNS": ""}, 4), (ENV, 8)):
        with pytest.raises(CniError, match="CNI_NETNS") as caught:
            parse(environment, stdin)
        assert caught.value.code == code


@pytest.mark.parametrize(
    "keys",
    [
        {"prevResult": "broken"},
        {"prevResult": {"cniVersion": "1.0.0", "ips": [{}]}},
        {"runtimeConfig": {"portMappings": 5}},
        {"unknown": 1},
    ],
)
def test_a_del_reads_only_what_it_needs(keys: dict[str, object]) -> None:
    """A container must be removable whatever became of its configuration, its namespace and its arguments."""
    found = parse(
        {"CNI_COMMAND": "DEL", "CNI_CONTAINERID": "c1", "CNI_IFNAME": "eth0", "CNI_ARGS": "broken"},
        json.dumps({"cniVersion": "1.0.0", "name": "net", **keys}).encode(),
    )
    assert found.attachment == Attachment("net", "c1", "eth0")
    assert found.config.previous is None


@pytest.mark.parametrize("key", ["cni.dev/valid-attachments", "cni.dev/attachments"])
def test_gc_knows_what_to_keep_under_both_keys(key: str) -> None:
    """The key was renamed in 2024; runtimes of before and after are understood."""
    found = call("GC", **{key: VALID})
    assert found.config.valid == {Attachment("net", "c1", "eth0")}
    assert found.attachment is None


def test_gc_keeps_what_either_key_lists() -> None:
    """Where the two keys differ, nothing that one of them lists is removed."""
    other = [{"containerID": "c2", "ifname": "eth0"}]
    found = call("GC", **{"cni.dev/valid-attachments": VALID, "cni.dev/attachments": other})
    assert {key.container for key in found.config.valid or ()} == {"c1", "c2"}


def test_gc_without_a_list_is_refused() -> None:
    """A missing list is not an empty one: taking it for that would remove every pod's network."""
    assert refusal("GC")[0] == 7
    assert call("GC", **{"cni.dev/valid-attachments": []}).config.valid == frozenset()


@pytest.mark.parametrize(
    ("listed", "code"),
    [
        ({}, 6),
        (["c1"], 6),
        ([{"containerID": 1, "ifname": "eth0"}], 6),
        ([{"containerID": "../c", "ifname": "eth0"}], 7),
        ([{"containerID": "c", "ifname": ""}], 7),
    ],
)
def test_gc_with_a_broken_list_is_refused(listed: object, code: int) -> None:
    """An entry that cannot be understood could be a pod that lives, so nothing is removed."""
    assert refusal("GC", **{"cni.dev/valid-attachments": listed})[0] == code


def test_version_needs_nothing() -> None:
    """VERSION is answered whatever the configuration is, with its own version where it has a known one."""
    assert parse({"CNI_COMMAND": "VERSION"}, b"").version == "1.1.0"
    assert parse({"CNI_COMMAND": "VERSION"}, b'{"cniVersion":"0.4.0"}').version == "0.4.0"
    assert version_of(b'{"cniVersion":"evil\\u0000"}') == "1.1.0"


@pytest.mark.parametrize(
    "stdin",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'{"name": "\xff"}',
        b" " * (STDIN_LIMIT + 1),
        b"[" * DEEP + b"]" * DEEP,
        b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    ],
    ids=["empty", "null", "list", "open", "not-utf8", "huge", "deep-lists", "deep-objects"],
)
def test_what_is_no_configuration_is_a_decoding_failure(stdin: bytes) -> None:
    """Too long, too deep, not JSON, not an object: code 6, and the process goes on."""
    with pytest.raises(CniError) as caught:
        parse(ENV, stdin, namespace=9)
    assert caught.value.code == 6
