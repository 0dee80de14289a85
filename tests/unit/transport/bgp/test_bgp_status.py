"""What BIRD 2.0.12 really said, read as values; and what it might say one day."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from octet.transport.bgp.status import DETAIL, PROTOCOL, Channel, SessionState, sessions, tellers

CAPTURED = Path(__file__).parent / "captured"


def captured(name: str) -> list[tuple[int, str]]:
    """Return what was captured: a number and a text in each line."""
    lines = (CAPTURED / name).read_text().splitlines()
    return [(int(found[1]), found[2]) for line in lines if (found := re.match(r"(\d+) (.*)", line))]


def by_name(name: str) -> dict[str, SessionState]:
    return {each.name: each for each in sessions(captured(name))}


def test_a_mesh_that_is_well() -> None:
    """Two sessions are up with one prefix in and out of each family; other protocols are no sessions."""
    found = by_name("up.txt")
    assert set(found) == {"node2", "node3"}
    one = found["node2"]
    assert (one.up, one.node, one.address, one.asn, one.local_asn) == (True, True, "10.0.0.2", 64512, 64512)
    assert one.channels == (Channel(4, "UP", 1, 1), Channel(6, "UP", 1, 1))
    assert (one.error, one.kept) == ("", False)
    assert one.since is not None
    assert one.seconds(one.since + timedelta(seconds=7)) == 7


def test_sessions_in_trouble_say_why() -> None:
    """Refused, unreachable, waiting, and a peer that restarts while its routes are kept."""
    found = by_name("trouble.txt")
    assert {name: (each.state, each.error) for name, each in found.items() if not each.node} == {
        "refused": ("Active", "Socket: Connection refused"),
        "silent": ("Active", "Socket: No route to host"),
        "waits": ("Passive", ""),
        "wrong as": ("Connect", ""),
    }
    assert found["node2"].kept
    assert not any(each.up for each in found.values())


def test_a_session_is_read_whatever_else_there_is() -> None:
    """Lines of a newer BIRD, missing times and odd numbers lose only what they are about."""
    lines = [
        (2002, "Name Proto Table State Since Info"),
        (PROTOCOL, "peer:x BGP --- down"),
        (DETAIL, "  A new field: 7"),
        (DETAIL, "  Neighbor AS: many"),
        (DETAIL, "  Channel mpls"),
        (DETAIL, "  Channel ipv6"),
        (DETAIL, "    Routes:  5 imported, 2 filtered, 9 exported, 1 preferred"),
        (DETAIL, "      Import updates: 1"),
        (0, ""),
    ]
    assert sessions(lines) == (SessionState("x", node=False, state="down", channels=(Channel(6, "", 5, 9),)),)


@given(st.lists(st.tuples(st.sampled_from([PROTOCOL, DETAIL, 0]), st.text(max_size=60))))
def test_no_answer_stops_the_reader(lines: list[tuple[int, str]]) -> None:
    """Whatever a daemon says, reading it ends with values."""
    for each in sessions(lines):
        assert each.seconds(datetime.now(UTC)) is None or each.since is not None


def test_whose_word_a_route_is() -> None:
    """Peers that told a route are named in BIRD's order, each once; what is our own has none."""
    lines = [
        "10.244.12.64/26 unicast [node:node3 07:01:11.1] * (100/0) [i]",
        "\tvia 172.31.1.254 on eth0",
        "                unicast [peer:tor1 07:01:12.2] (100) [AS64512i]",
        "                unicast [node:node3 07:01:11.1] (100) [i]",
        "10.244.1.0/26   unreachable [owned4 07:01:10.0] * (200)",
    ]
    assert list(tellers(lines)) == ["node3", "tor1"]
