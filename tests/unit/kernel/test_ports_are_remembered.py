from pathlib import Path

from octet.kernel.fou import Record


def test_a_restarted_agent_knows_its_ports(tmp_path: Path) -> None:
    """The kernel keeps no mark on a FOU port: what we opened is in a file, and ours after a restart."""
    Record(tmp_path / "fou.json").write({(4, 5555), (6, 5555)})
    assert Record(tmp_path / "fou.json").read() == {(4, 5555), (6, 5555)}


def test_two_readers_of_one_namespace_agree(tmp_path: Path) -> None:
    """The agent compares with another kernel object than it applies with; both read the same file."""
    one, other = Record(tmp_path / "fou.json"), Record(tmp_path / "fou.json")
    one.write({(4, 5555)})
    assert other.read() == {(4, 5555)}
    other.write(set())
    assert one.read() == set()


def test_without_a_file_it_lasts_as_long_as_the_object() -> None:
    """Nothing is written anywhere."""
    record = Record()
    record.write({(4, 5555)})
    assert record.read() == {(4, 5555)}
    assert Record().read() == set()
