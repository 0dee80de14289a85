import sqlite3
import stat
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import pytest

from octet.agent.journal import Journal
from octet.agent.records import Entry, State
from octet.cluster.endpoint import Attachment, Bandwidth, Endpoint, HostPort
from octet.errors import BadConfigurationError

KEY = Attachment("octet", "c1", "eth0")
ENTRY = Entry(
    Endpoint(
        KEY,
        "veth1",
        "0a:58:0a:f4:01:02",
        1450,
        IPv4Address("10.244.1.2"),
        IPv6Address("fd00::2"),
        host_ports=(HostPort(80, 8080, "udp", ip_address("::1")),),
        bandwidth=Bandwidth(1, 2, 3, 4),
        default_route=False,
    ),
    State.ADDING,
    "/run/netns/x",
    (4, 5, 6),
)


def test_an_entry_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Every field of an endpoint survives the journal."""
    journal = Journal(tmp_path / "j.db")
    journal.write(ENTRY)
    assert Journal(tmp_path / "j.db").entries() == [ENTRY]


def test_states_are_remembered(tmp_path: Path) -> None:
    """How far an endpoint has come is known after a restart."""
    journal = Journal(tmp_path / "j.db")
    journal.write(ENTRY)
    journal.mark(KEY, State.READY)
    assert Journal(tmp_path / "j.db").entries() == [ENTRY.now(State.READY)]


def test_freed_addresses_queue_in_the_order_of_their_freeing(tmp_path: Path) -> None:
    """A forgotten entry's addresses join the end of the queue, and leave it when taken again."""
    journal = Journal(tmp_path / "j.db")
    journal.write(ENTRY)
    journal.forget([ENTRY])
    assert journal.freed() == ENTRY.endpoint.addresses
    journal.write(ENTRY)
    assert journal.freed() == ()


def test_another_boots_journal_is_discarded(tmp_path: Path) -> None:
    """Pods do not survive a boot, so what an earlier one wrote is not believed."""
    journal = Journal(tmp_path / "j.db")
    journal.write(ENTRY)
    journal.close()
    with sqlite3.connect(tmp_path / "j.db") as base:
        base.execute("UPDATE meta SET value = 'another' WHERE name = 'boot'")
    base.close()
    assert Journal(tmp_path / "j.db").entries() == []


def test_what_names_mean_is_remembered_for_each_endpoint(tmp_path: Path) -> None:
    """Learned, prolonged, let go, dropped with the endpoint; an earlier agent's journal gets room for it."""
    path, pairs = tmp_path / "j.db", [("a.b", ip_address("192.0.2.7")), ("a.b", ip_address("2001:db8::7"))]
    Journal(path).close()
    with sqlite3.connect(path) as base:
        base.execute("DROP TABLE learned")
    journal = Journal(path)
    journal.learn(KEY, {pairs[0]: 10.0, pairs[1]: 10.5})
    journal.learn(KEY, {pairs[0]: 20.0}, gone=[pairs[1]])
    other = Attachment("octet", "c2", "eth0")
    journal.learn(other, {pairs[1]: 5.0})
    assert Journal(path).learned() == {KEY: {pairs[0]: 20.0}, other: {pairs[1]: 5.0}}
    journal.unlearn(KEY)
    assert journal.learned() == {other: {pairs[1]: 5.0}}


def test_another_schema_is_refused_by_name(tmp_path: Path) -> None:
    """A journal of a newer agent is left alone, and the error names file and schema."""
    Journal(tmp_path / "j.db").close()
    with sqlite3.connect(tmp_path / "j.db") as base:
        base.execute("UPDATE meta SET value = '99' WHERE name = 'schema'")
    base.close()
    with pytest.raises(BadConfigurationError, match=r"j\.db: schema = '99'"):
        Journal(tmp_path / "j.db")


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    """A damaged file is not overwritten."""
    (tmp_path / "j.db").write_bytes(b"not a database, but long enough to be taken for one" * 40)
    with pytest.raises(BadConfigurationError, match="file"):
        Journal(tmp_path / "j.db")


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    """The file's mode is 0600."""
    Journal(tmp_path / "j.db").close()
    assert stat.S_IMODE((tmp_path / "j.db").stat().st_mode) == 0o600
