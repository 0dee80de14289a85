"""BIRD's configuration as text: as it was agreed, byte for byte, and judged by BIRD itself."""

import shutil
import subprocess
import time
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octet.blueprint import Blueprint, ConfigFile, Secret
from octet.blueprint.base import union
from octet.errors import BadConfigurationError
from octet.transport.bgp import (
    Action,
    Bfd,
    Filter,
    Left,
    Member,
    Mesh,
    NextHop,
    Operator,
    Prepend,
    Rule,
    Session,
    Speaker,
    Tagged,
    between,
    daemon,
    filters,
    session,
)

GOLDEN = Path(__file__).parent / "golden"

needs_bird = pytest.mark.skipif(shutil.which("bird") is None, reason="program missing: bird")

TOR = Session(
    "tor 1",
    IPv4Address("10.0.0.254"),
    65001,
    families=(4, 6),
    local_asn=64999,
    password=Secret("kube-system", "bgp", "tor"),
    ttl_security=True,
    next_hop=NextHop.SELF,
    next_hop_address=(ip_address("10.0.0.100"),),
    extended_next_hop=True,
    bfd=Bfd(),
    own_as=1,
    prepend=Prepend(64999, 2),
    communities=((64512, 7), (64512, 1, 2)),
    imports=("racks",),
    exports=("racks",),
    passive=True,
    reached_by=ip_address("10.0.0.253"),
)
RACKS = Filter(
    "racks",
    import_v4=(
        Rule(Action.REJECT, ip_network("10.0.0.0/8"), Operator.IN, (27, 32)),
        Rule(
            Action.ACCEPT,
            ip_network("10.1.0.0/16"),
            Operator.NOT_EQUAL,
            learned=True,
            interface="eth*",
            communities=((1, 2), (1, 2, 3)),
            path_prefix=(65001, 65002),
            of_own_as=False,
        ),
    ),
    export_v6=(Rule(Action.ACCEPT, add_communities=((3, 4),), prepend=(5, 6)),),
)


def everything(speaker: Speaker) -> Blueprint:
    """Return a speaker with all there is: a reflector with a client, a router, a filter, tags, tunnels."""
    full = replace(
        speaker,
        port=1790,
        strict_bind=True,
        tagged=(Tagged(ip_network("10.244.0.0/16"), ((64512, 1), (64512, 2, 3))),),
        left=(Left(ip_network("10.244.0.0/16"), unless_near=True), Left(ip_network("10.245.0.0/16"))),
    )
    me = Member("node1", 64512, full.v4, full.v6, cluster_id=IPv4Address("1.1.1.1"))
    other = Member("node2", 64512, IPv4Address("10.0.0.2"), IPv6Address("fd00::2"))
    nodes = [session(full, each) for each in between(full, me, other, Mesh())]
    return union([daemon(full), filters([RACKS]), session(full, TOR), *nodes])


def texts(made: Blueprint) -> dict[str, str]:
    return {each.name: each.text for each in made.of(ConfigFile)}


def written(made: Blueprint, directory: Path) -> Path:
    directory.mkdir(exist_ok=True)
    for name, text in texts(made).items():
        (directory / name).write_text(text)
    return directory


def judged(directory: Path) -> str:
    """Return what BIRD has against a configuration."""
    command = ["bird", "-p", "-c", str(directory / "bird.conf")]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr + (str(done.returncode) if done.returncode else "")


def test_the_text_is_as_agreed(speaker: Speaker) -> None:
    """Every byte of every file is in tests/unit/transport/bgp/golden, for a person to read."""
    agreed = {path.name: path.read_text() for path in GOLDEN.iterdir()}
    assert texts(everything(speaker)) == agreed


@needs_bird
def test_bird_takes_what_was_agreed() -> None:
    """The golden files are a configuration that BIRD itself reads without a word."""
    assert judged(GOLDEN) == ""


@needs_bird
def test_bird_takes_every_family_and_the_plainest_speaker(speaker: Speaker, tmp_path: Path) -> None:
    """One family only, no ECMP, no graceful restart, nothing owned: all are configurations."""
    for number, each in enumerate(
        (
            replace(speaker, v6=None, ecmp=1, restart_time=None, owned=(), services=(), refused=(), near=()),
            replace(speaker, v4=None, owned=(), services=()),
        )
    ):
        assert judged(written(daemon(each), tmp_path / str(number))) == ""


def test_another_peer_is_another_file_only(speaker: Speaker) -> None:
    """A peer more, less or changed leaves every other file as it is."""
    before = texts(everything(speaker))
    after = texts(everything(speaker) | session(speaker, replace(TOR, name="tor2", reached_by=None)))
    assert {name for name in after if after[name] != before.get(name)} == {"peer.tor2.conf"}


def test_another_block_is_another_line_of_one_file(speaker: Speaker) -> None:
    """What this node owns is in one file, which no session's file repeats."""
    before, after = (
        texts(everything(each))
        for each in (speaker, replace(speaker, owned=(*speaker.owned, ip_network("10.244.2.64/26"))))
    )
    assert {name for name in after if after[name] != before[name]} == {"owned.conf"}
    assert set(after["owned.conf"].split("\n")) - set(before["owned.conf"].split("\n")) == {
        "  route 10.244.2.64/26 unreachable;"
    }


def test_order_of_what_is_given_does_not_matter(speaker: Speaker) -> None:
    """The same set of prefixes is the same text, so that nothing is reloaded for nothing."""
    turned = replace(speaker, owned=speaker.owned[::-1] * 2, refused=speaker.refused * 2)
    assert daemon(turned) == daemon(speaker)


def test_a_nodes_session_never_tells_services(speaker: Speaker) -> None:
    """Service addresses are for routers outside; an external peer may be told pods, services, or neither."""

    def told(peer: Session) -> str:
        (file,) = session(speaker, peer).of(ConfigFile)
        return file.text.split("export filter")[1]

    plain = Session("x", IPv4Address("10.0.0.9"), 65000)
    assert "services4" not in told(replace(plain, node=True))
    assert "services4" in told(plain)
    assert "owned4" not in told(replace(plain, tell_pods=False))
    assert "RTS_BGP" not in told(plain)
    nothing = told(replace(plain, tell_pods=False, tell_services=False))
    assert [line.strip() for line in nothing.splitlines()][1] == "reject;"


def test_a_family_without_an_address_is_refused(speaker: Speaker) -> None:
    """A session about IPv6 on a node that has none is an error that names the peer."""
    with pytest.raises(BadConfigurationError, match="peer x: families = '6'"):
        session(replace(speaker, v6=None), Session("x", IPv4Address("10.0.0.9"), 65000, families=(4, 6)))


@given(st.lists(st.text(min_size=1, max_size=300), min_size=2, max_size=6, unique=True))
def test_any_name_is_a_file_and_a_symbol_of_its_own(names: list[str]) -> None:
    """Names that people give peers neither meet nor leave their quotes, whatever is in them."""
    speaker = Speaker(IPv4Address("10.0.0.1"), 64512, IPv4Address("10.0.0.1"))
    made = [session(speaker, Session(name, IPv4Address("10.0.0.9"), 65000)) for name in names]
    assert len(union(made)) == len(names)
    for each in union(made).of(ConfigFile):
        (head,) = [line for line in each.text.splitlines() if line.startswith("protocol bgp")]
        assert head.count("'") == 2
        assert len(head.split("'")[1]) < 64
        assert each.text.count('"') == 6, "description, and two protocols that export filters name"


def test_a_name_that_looks_like_another_ones_form_is_still_another(speaker: Speaker) -> None:
    """What a name was changed into can't be taken by somebody who calls a peer that."""
    (first,) = session(speaker, replace(TOR, name="tor 1", bfd=None)).of(ConfigFile)
    taken = first.name.removeprefix("peer.").removesuffix(".conf")
    (second,) = session(speaker, replace(TOR, name=taken, bfd=None)).of(ConfigFile)
    assert first.name != second.name


@pytest.mark.parametrize("bad", ['eth0"; } protocol', "", "eth 0", "a'b"])
def test_an_interface_is_a_pattern_or_nothing(speaker: Speaker, bad: str) -> None:
    """What could become configuration is refused by field."""
    with pytest.raises(BadConfigurationError, match="ignored_interfaces"):
        daemon(replace(speaker, ignored_interfaces=(bad,)))


@needs_bird
@pytest.mark.slow
def test_500_nodes_are_rendered_and_validated_in_two_seconds(speaker: Speaker, tmp_path: Path) -> None:
    """A mesh of 500 nodes in both families takes less than two seconds from values to BIRD's word."""
    me = Member("node1", 64512, speaker.v4, speaker.v6)
    others = [
        Member(f"node{n}", 64512, IPv4Address("10.0.0.0") + n, IPv6Address("fd00::") + n)
        for n in range(2, 502)
    ]
    begin = time.perf_counter()
    peers = [session(speaker, each) for other in others for each in between(speaker, me, other, Mesh())]
    made = union([daemon(speaker), *peers])
    directory = written(made, tmp_path / "all")
    assert judged(directory) == ""
    took = time.perf_counter() - begin
    assert len(texts(made)) == 504
    assert took < 2


def test_a_router_hears_of_other_nodes_what_does_not_come_back(speaker: Speaker) -> None:
    """Passed on is what nodes told with a next hop near by, kept as it is, or what a tunnel takes."""
    peer = replace(TOR, bfd=None, passes_on=True, next_hop=NextHop.AUTO)
    (text,) = texts(session(speaker, peer)).values()
    near = "(bgp_next_hop ~ 10.0.0.0/24 || bgp_next_hop ~ fd00::/64)"
    assert f'(proto ~ "node:*" && (left4() || {near}))' in text
    assert f'if proto ~ "node:*" && {near} then bgp_next_hop = bgp_next_hop;' in text
    alone = replace(speaker, near=())
    assert "(left4() || false)" in "".join(texts(session(alone, peer)).values())


def test_a_session_may_begin_at_any_address(speaker: Speaker) -> None:
    """An operator may leave the source to the kernel; next hops are the node's own address all the same."""
    (text,) = texts(session(speaker, replace(TOR, bfd=None, source=None, bound=False))).values()
    assert "\n  local as " in text
    assert "next hop address fd00::1;" in text
