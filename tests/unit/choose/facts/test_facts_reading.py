import datetime as dt
import tomllib
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from octet.choose import facts
from octet.choose.facts import reading
from octet.errors import BadConfigurationError

FLANNEL = tomllib.loads((facts.DIRECTORY / "flannel.toml").read_text())


@pytest.fixture
def document() -> dict[str, Any]:
    return deepcopy(FLANNEL)


def refusal(document: dict[str, Any]) -> BadConfigurationError:
    with pytest.raises(BadConfigurationError) as caught:
        reading.provider(document, "flannel.toml")
    assert caught.value.source == "flannel.toml"
    return caught.value


def test_a_fact_without_a_day(document: dict[str, Any]) -> None:
    """A fact whose day is missing is refused by file and field."""
    del document["facts"]["bgp"]["as-of"]
    error = refusal(document)
    assert error.field.startswith("facts")
    assert "as-of" in str(error)


@pytest.mark.parametrize("source", ["", "  "])
def test_a_fact_with_an_empty_source(document: dict[str, Any], source: str) -> None:
    """A fact whose source is empty is refused by file and field."""
    document["facts"]["bgp"]["source"] = source
    assert refusal(document).field == "facts.bgp.source"


def test_a_fact_without_a_source(document: dict[str, Any]) -> None:
    """A fact without a source is refused."""
    del document["facts"]["bgp"]["source"]
    assert "source" in str(refusal(document))


def test_a_key_that_nobody_asked_for(document: dict[str, Any]) -> None:
    """An answer to no question of the catalogue is refused, and the questions are named."""
    document["facts"]["bpg"] = document["facts"]["bgp"]
    error = refusal(document)
    assert error.field == "facts.bpg"
    assert "ipv6-only" in error.hint


def test_a_question_without_an_answer(document: dict[str, Any]) -> None:
    """A question that is not answered, not even by unknown, is refused, with what would do."""
    del document["facts"]["multicast"]
    error = refusal(document)
    assert error.field == "facts.multicast"
    assert "unknown = true" in error.hint


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("bgp", "yes"),
        ("bgp", 1),
        ("status", "lively"),
        ("transports", "vxlan"),
        ("transports", ["vxlan", "pigeon"]),
        ("latest-release-date", "2026-08-07"),
        ("latest-release-date", dt.datetime(2026, 8, 7, 12)),  # noqa: DTZ001 - as TOML has it: a local time
        ("largest-cluster", True),
        ("largest-cluster", -1),
        ("largest-cluster", 2.5),
        ("kernel-minimum", "new"),
        ("licence", ""),
    ],
)
def test_an_answer_of_the_wrong_kind(document: dict[str, Any], key: str, value: object) -> None:
    """An answer that is not of its question's kind is refused by field and value."""
    entry = document["facts"][key]
    entry.pop("unknown", None)
    entry["value"] = value
    assert refusal(document).field == f"facts.{key}.value"


def test_both_a_value_and_unknown(document: dict[str, Any]) -> None:
    """A fact is known or not: a value with unknown is refused, and so is neither."""
    document["facts"]["bgp"]["unknown"] = True
    assert refusal(document).field == "facts.bgp.value"
    del document["facts"]["bgp"]["value"]
    del document["facts"]["bgp"]["unknown"]
    assert refusal(document).field == "facts.bgp.value"


def test_a_file_that_says_computed(document: dict[str, Any]) -> None:
    """What Octet computes of its own models can't be written into a file."""
    document["facts"]["bgp"]["certainty"] = "computed"
    error = refusal(document)
    assert (error.field, error.value) == ("facts.bgp.certainty", "computed")


def test_a_word_that_is_no_field(document: dict[str, Any]) -> None:
    """An unknown field anywhere is refused by its name."""
    document["facts"]["bgp"]["sauce"] = "tomato"
    assert "sauce" in refusal(document).field


def test_a_limit_without_its_reason(document: dict[str, Any]) -> None:
    """A limit that doesn't say why it is one is refused."""
    del document["limits"][0]["note"]
    assert refusal(document).field == "limits[0].note"


def test_a_limit_that_is_no_limit(document: dict[str, Any]) -> None:
    """A limit under the key of an ordinary fact is refused."""
    document["limits"][0]["key"] = "bgp"
    assert refusal(document).field == "limits[0].key"


@pytest.mark.parametrize(
    ("field", "value"),
    [("installer", "kubespray"), ("version", "new"), ("kubernetes", "one"), ("source", "")],
)
def test_a_wrong_step(document: dict[str, Any], field: str, value: str) -> None:
    """A step of an unknown installer, without a version or a source is refused by field and value."""
    document["steps"][0][field] = value
    error = refusal(document)
    assert (error.field, error.value) == (f"steps[0].{field}", value)


def test_a_state_that_does_not_exist(document: dict[str, Any]) -> None:
    """A state that no installer has is refused by its place and value."""
    document["steps"][1]["state"] = "beloved"
    error = refusal(document)
    assert error.value == "beloved"


def test_a_broken_file(tmp_path: Path) -> None:
    """A file that is no TOML is refused by its name and the line."""
    path = tmp_path / "flannel.toml"
    path.write_text("name = flannel\n")
    with pytest.raises(BadConfigurationError, match=r"flannel\.toml.*is no TOML.*line 1"):
        facts.load(tmp_path)


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    """A file of bytes that are no text is refused, not a traceback."""
    (tmp_path / "flannel.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadConfigurationError, match=r"flannel\.toml"):
        facts.load(tmp_path)


def test_an_empty_directory(tmp_path: Path) -> None:
    """A directory without a provider's file is refused, with what would do."""
    with pytest.raises(BadConfigurationError, match=r"NAME\.toml"):
        facts.load(tmp_path)


def test_a_file_under_another_name(tmp_path: Path) -> None:
    """A file whose name is not the provider's is refused: both would be found otherwise."""
    (tmp_path / "weave.toml").write_text((facts.DIRECTORY / "flannel.toml").read_text())
    with pytest.raises(BadConfigurationError, match="is not the file's name"):
        facts.load(tmp_path)


def test_providers_of_ones_own(tmp_path: Path) -> None:
    """A directory of one's own may hold a provider that Octet never heard of."""
    text = (facts.DIRECTORY / "flannel.toml").read_text().replace('name = "flannel"', 'name = "ours"', 1)
    (tmp_path / "ours.toml").write_text(text)
    known = facts.load(tmp_path)
    assert [provider.name for provider in known.providers] == ["ours"]
    assert known.get("ours").counts == ()
