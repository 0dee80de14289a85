from ipaddress import ip_address
from pathlib import Path

import pytest

from octet.agent import config
from octet.agent.resolvers import nameservers
from octet.cluster.resolvers import Resolvers
from octet.errors import BadConfigurationError

GOOD = """
[node]
name = "n1"
[cluster]
pod_cidrs = ["10.244.0.0/16"]
[model]
name = "flannel:host-gw"
[store]
path = "/tmp/store.db"
"""


def load(tmp_path: Path, text: str) -> config.Config:
    (tmp_path / "a.toml").write_text(text)
    return config.load(tmp_path / "a.toml")


def test_a_good_file_is_read(tmp_path: Path) -> None:
    """What is left out has its documented default."""
    told = load(tmp_path, GOOD)
    assert (told.node, told.register, str(told.run), told.interface) == ("n1", False, "/run/octet", "")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[node]", "[nodes]", "nodes"),
        ('name = "n1"', 'nmae = "n1"', "nmae"),
        ('name = "n1"', 'name = ""', r"node\.name = ''"),
        ('name = "n1"', "name = 7", r"node\.name = 7"),
        ("10.244.0.0/16", "10.244.0.1/16", r"cluster\.pod_cidrs = '10\.244\.0\.1/16'"),
        ('"10.244.0.0/16"', '"10.0.0.0/16", "10.1.0.0/16"', "two networks of one family"),
        ("flannel:host-gw", "flanel", "flanel"),
        ('path = "/tmp/store.db"', 'path = "/tmp/store.db"\nkind = "etcd"', r"store\.kind = 'etcd'"),
        ('name = "flannel:host-gw"', 'name = "flannel"\noptions = {Backnd = 1}', "Backnd"),
        ("[store]", "[health]\nport = 70000\n[store]", r"health\.port = 70000"),
        (
            "[store]",
            '[ipam]\nranges = ["10.244.1.9-10.244.1.3"]\n[store]',
            r"ipam\.ranges = .*lower to a higher",
        ),
        ("[store]", '[ipam]\nranges = ["10.244.1.9-fd00::1"]\n[store]', r"ipam\.ranges = .*of one family"),
        ("[store]", '[ipam]\nranges = ["all"]\n[store]', r"ipam\.ranges = 'all'.*such as 10\.244\.1\.16-"),
        ("[store]", '[ipam]\nreserved = ["10.244.1.300"]\n[store]', r"ipam\.reserved = '10\.244\.1\.300'"),
        ("[node]", "[node", "TOML"),
        ('name = "n1"', 'name = "N_1"', r"node\.name = 'N_1'.*lower-case DNS name"),
        ('path = "/tmp/store.db"', 'path = "store.db"', r"store\.path = 'store\.db'.*absolute"),
        ('path = "/tmp/store.db"', "", r"store\.path = None: is missing"),
        ("[store]", f'[paths]\nrun = "/{"x" * 100}"\n[store]', r"paths\.run = .*at most 95 bytes"),
        ('pod_cidrs = ["10.244.0.0/16"]', "", r"cluster\.pod_cidrs = \[\]: is empty"),
        (
            'pod_cidrs = ["10.244.0.0/16"]',
            'pod_cidrs = ["10.244.0.0/16"]\nservice_cidrs = ["10.244.8.0/24"]',
            r"cluster\.service_cidrs = '10\.244\.8\.0/24': overlaps",
        ),
        (
            'name = "flannel:host-gw"',
            'name = "flannel"\noptions = {Network = "10.9.0.0/16"}',
            r"cluster\.pod_cidrs = .*10\.9\.0\.0/16, which the cluster lacks",
        ),
        (
            'name = "flannel:host-gw"',
            'name = "flannel"\noptions = {EnableIPv6 = true, IPv6Network = "fd00::/48", EnableIPv4 = false}',
            r"fd00::/48, which the cluster lacks",
        ),
    ],
)
def test_a_mistake_is_named_with_its_file(tmp_path: Path, old: str, new: str, said: str) -> None:
    """Every mistake names the file, the field and the value, and nothing is started."""
    with pytest.raises(BadConfigurationError, match=said) as refused:
        load(tmp_path, GOOD.replace(old, new))
    assert str(refused.value)


def test_ranges_and_reserved_addresses_are_read(tmp_path: Path) -> None:
    """A range has two ends or is one address; reserved addresses are single."""
    text = GOOD + '[ipam]\nranges = ["10.244.1.16-10.244.1.31", "10.244.1.40"]\nreserved = ["10.244.1.20"]\n'
    told = load(tmp_path, text).limits
    ends = [(str(first), str(last)) for first, last in told.ranges]
    assert ends == [("10.244.1.16", "10.244.1.31"), ("10.244.1.40", "10.244.1.40")]
    assert [str(each) for each in told.reserved] == ["10.244.1.20"]


def test_resolvers_are_read(tmp_path: Path) -> None:
    """The cluster's DNS service and the node's resolvers are believed, unless the file says whom."""
    usual = load(tmp_path, GOOD)
    assert (usual.resolvers, usual.node_resolvers) == (Resolvers((), (("kube-system", "kube-dns"),)), True)
    told = load(tmp_path, GOOD + '[policy]\nresolvers = ["169.254.20.10", "dns/core", "fd00::a"]\n')
    addresses = tuple(map(ip_address, ("169.254.20.10", "fd00::a")))
    assert (told.resolvers, told.node_resolvers) == (Resolvers(addresses, (("dns", "core"),)), False)
    with pytest.raises(BadConfigurationError, match=r"policy\.resolvers = 'Node': is no address"):
        load(tmp_path, GOOD + '[policy]\nresolvers = ["Node"]\n')


def test_the_nodes_resolvers_are_those_that_pods_could_ask(tmp_path: Path) -> None:
    """Three of a file count, none that is the node's own loopback; a file that is not there says nothing."""
    usual, resolved = tmp_path / "resolv.conf", tmp_path / "resolved.conf"
    usual.write_text("# a comment\nnameserver 127.0.0.53\nsearch example.com\nnameserver\nnameserver 1.2.3\n")
    assert nameservers((usual, resolved)) == ()
    resolved.write_text("".join(f"nameserver 10.0.0.{number}\n" for number in range(1, 6)))
    assert [str(each) for each in nameservers((usual, resolved))] == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that is not there is an error of configuration, not a traceback."""
    with pytest.raises(BadConfigurationError, match=r"absent\.toml"):
        config.load(tmp_path / "absent.toml")


def test_flags_win_over_the_file(tmp_path: Path) -> None:
    """What is given on the command line replaces what the file says."""
    (tmp_path / "a.toml").write_text(GOOD)
    told = config.load(tmp_path / "a.toml", {"node": {"name": "n2"}})
    assert told.node == "n2"


def test_flags_alone_are_enough() -> None:
    """An agent starts without a file when flags say everything; what they leave out is named."""
    flags = {"node": "n1", "model": "flannel", "store": "/s.db", "pod_cidr": ["10.0.0.0/8"], "interface": ""}
    assert config.load(None, config.overrides(flags)).store == Path("/s.db")
    with pytest.raises(BadConfigurationError, match=r"flags: model = None: is missing"):
        config.load(None, config.overrides({**flags, "model": None}))
