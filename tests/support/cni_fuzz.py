"""Whatever a runtime, or somebody who pretends to be one, may send: strategies for hypothesis.

What lives here: environments and configurations, from sensible to absurd. What it must not know: who reads
them.
"""

import json

from hypothesis import strategies as st

from octet.cni.spec.versions import READABLE, SUPPORTED

KEYS = (
    *("cniVersion", "name", "type", "capabilities", "runtimeConfig", "prevResult", "args", "dns", "cni"),
    *("portMappings", "hostPort", "containerPort", "protocol", "hostIP", "bandwidth", "ingressRate", "mac"),
    *("ips", "ipRanges", "subnet", "rangeStart", "rangeEnd", "gateway", "servers", "interfaces", "address"),
    *("routes", "dst", "gw", "interface", "cni.dev/valid-attachments", "containerID", "ifname", "ip4", "ip"),
)
TEXTS = (
    *READABLE,
    "net",
    "10.0.0.1",
    "10.0.0.0/24",
    "10.0.0.5/24",
    "fd00::1",
    "tcp",
    "02:00:00:00:00:01",
    "",
)
OPEN = ("runtimeConfig", "prevResult", "args", "dns", "cni.dev/valid-attachments")
SCALARS = (
    st.sampled_from(TEXTS)
    | st.text(max_size=8)
    | st.integers(-2, 70000)
    | st.integers()
    | st.booleans()
    | st.none()
    | st.floats(allow_nan=False, allow_infinity=False)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)
VERSIONS = st.sampled_from(SUPPORTED)
CONFIGS = st.fixed_dictionaries(
    {"cniVersion": VERSIONS, "name": st.just("net")}, optional=dict.fromkeys(OPEN, JSON)
)
VALUES = st.sampled_from(["", "c1", "eth0", "/run/netns/x", "K8S_POD_NAME=a", "IP=10.0.0.1"]) | st.text(
    max_size=20
)
ENVIRONMENTS = st.fixed_dictionaries(
    {"CNI_COMMAND": st.sampled_from(["ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"]) | VALUES},
    optional={f"CNI_{name}": VALUES for name in ("CONTAINERID", "IFNAME", "NETNS", "ARGS", "PATH")},
)


def _deep(depth: int, opening: str, closing: str, key: str) -> bytes:
    inside = opening * depth + "1" + closing * depth
    return f'{{"cniVersion":"1.1.0","name":"net","{key}":{inside}}}'.encode()


DEEP = st.builds(
    lambda depth, pair, key: _deep(depth, *pair, key),
    st.integers(1, 20_000),
    st.sampled_from([("[", "]"), ('{"a":', "}"), ('{"cni":', "}"), ("[", "")]),
    st.sampled_from(OPEN),
)
STDIN = CONFIGS.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=64)

# What could be meant: each field right or nearly so, so that much of it is really done.
_ADDRESS = st.sampled_from(
    [
        "10.244.1.7",
        "10.244.1.0/24",
        "10.244.1.1",
        "10.244.1.255",
        "10.9.0.1",
        "fd00::5",
        "::",
        "x",
        "10.244.1.9/24",
    ]
)
_PORT = st.integers(1, 65535) | st.sampled_from([0, -1, 65536, 80])
_MAPPING = st.fixed_dictionaries(
    {"hostPort": _PORT, "containerPort": _PORT},
    optional={
        "protocol": st.sampled_from(["tcp", "UDP", "sctp", "icmp", ""]),
        "hostIP": st.sampled_from(["", "0.0.0.0", "127.0.0.1", "::1", "::", "172.31.0.1", "x"]),
    },
)
_BITS = st.sampled_from([0, 1, 7, 8, 8000, 12_000, 1_000_000, 2**31, 2**40, 2**63 - 1, 2**63, -1])
_BANDWIDTH = st.fixed_dictionaries(
    {}, optional={f"{way}{what}": _BITS for way in ("ingress", "egress") for what in ("Rate", "Burst")}
)
_RANGE = st.fixed_dictionaries(
    {"subnet": st.sampled_from(["10.244.1.0/24", "10.244.1.16/28", "10.0.0.0/8", "fd00::/64", "x"])},
    optional={"rangeStart": _ADDRESS, "rangeEnd": _ADDRESS, "gateway": _ADDRESS},
)
_MAC = st.sampled_from(
    ["02:00:00:00:00:42", "01:00:5e:00:00:01", "00:00:00:00:00:00", "AA-BB-CC-DD-EE-F0", "x"]
)
_TEXT_LISTS = st.lists(st.text(max_size=8), max_size=3)
RUNTIME = st.fixed_dictionaries(
    {},
    optional={
        "portMappings": st.lists(_MAPPING, max_size=4),
        "bandwidth": _BANDWIDTH,
        "ips": st.lists(_ADDRESS, max_size=2),
        "ipRanges": st.lists(st.lists(_RANGE, max_size=2), max_size=2),
        "mac": _MAC,
        "dns": st.fixed_dictionaries({}, optional={"servers": _TEXT_LISTS, "searches": _TEXT_LISTS}),
        "io.kubernetes.cri.pod-annotations": st.dictionaries(st.text(max_size=5), SCALARS, max_size=2),
    },
)
_INTERFACE = st.fixed_dictionaries(
    {"name": st.sampled_from(["eth0", "lo", "cni0", ""])},
    optional={"mac": _MAC, "sandbox": st.sampled_from(["", "/run/netns/x"]), "mtu": st.integers(-1, 70_000)},
)
_IP = st.fixed_dictionaries(
    {"address": _ADDRESS},
    optional={"interface": st.integers(-1, 3), "gateway": _ADDRESS, "version": st.just("4")},
)
_ROUTE = st.fixed_dictionaries(
    {"dst": st.sampled_from(["0.0.0.0/0", "::/0", "10.0.0.0/8", "x"])}, optional={"gw": _ADDRESS}
)
PREVIOUS = st.fixed_dictionaries(
    {},
    optional={
        "cniVersion": VERSIONS,
        "interfaces": st.lists(_INTERFACE, max_size=3),
        "ips": st.lists(_IP, max_size=3),
        "routes": st.lists(_ROUTE, max_size=3),
        "dns": JSON,
    },
)
_ATTACHMENT = st.fixed_dictionaries(
    {
        "containerID": st.sampled_from(["c1", "c2", "", "a/b"]),
        "ifname": st.sampled_from(["eth0", "eth1", "a b"]),
    }
)
PLAUSIBLE = st.fixed_dictionaries(
    {"cniVersion": VERSIONS, "name": st.just("net"), "type": st.just("octet-cni")},
    optional={
        "runtimeConfig": RUNTIME,
        "prevResult": PREVIOUS,
        "args": st.fixed_dictionaries(
            {},
            optional={
                "cni": st.fixed_dictionaries(
                    {}, optional={"ips": st.lists(_ADDRESS, max_size=2), "mac": _MAC}
                )
            },
        ),
        "dns": st.fixed_dictionaries(
            {}, optional={"nameservers": _TEXT_LISTS, "domain": st.text(max_size=5)}
        ),
        "cni.dev/valid-attachments": st.lists(_ATTACHMENT, max_size=2),
    },
)
PLAUSIBLE_ENVIRONMENTS = st.fixed_dictionaries(
    {
        "CNI_COMMAND": st.sampled_from(["ADD", "ADD", "ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"]),
        "CNI_CONTAINERID": st.sampled_from(["c1", "c2"]),
        "CNI_IFNAME": st.sampled_from(["eth0", "eth0", "eth1", "lo", "averyveryverylongname", "a b"]),
        "CNI_NETNS": st.just("/run/netns/x"),
    },
    optional={
        "CNI_ARGS": st.sampled_from(
            [
                "",
                "IgnoreUnknown=1;K8S_POD_NAME=a;K8S_POD_NAMESPACE=b",
                "IP=10.244.1.9",
                "MAC=02:00:00:00:00:07",
                "=;",
            ]
        )
    },
)
REQUESTS = st.one_of(
    st.tuples(PLAUSIBLE_ENVIRONMENTS, PLAUSIBLE.map(lambda value: json.dumps(value).encode())),
    st.tuples(PLAUSIBLE_ENVIRONMENTS, PLAUSIBLE.map(lambda value: json.dumps(value).encode())),
    st.tuples(PLAUSIBLE_ENVIRONMENTS | ENVIRONMENTS, STDIN | DEEP),
)
"""(environment, standard input): two of three could be meant."""
