from pathlib import Path

import pytest

from octet.choose import requirements
from octet.choose.questions import QUESTIONS
from octet.choose.requirements import FIELDS, Requirements
from octet.errors import BadConfigurationError


def test_what_is_not_said_is_not_known() -> None:
    """A requirements file without a line below [requirements] answers every question with "don't know"."""
    found = requirements.parse("[requirements]\n", "r.toml").requirements
    assert [getattr(found, field) for field in FIELDS] == [None] * len(FIELDS)


@pytest.mark.parametrize(
    ("text", "field", "told"),
    [
        ('[requirements]\nnodes = "many"\n', "requirements.nodes", "'many'"),
        ("[requirements]\nnodes = 0\n", "requirements.nodes", "a whole number from 1"),
        ("[requirements]\nnode = 5\n", "requirements.node", "nodes_in_two_years"),
        ('[requirements]\ncloud = "moon"\n', "requirements.cloud", "bare-metal"),
        ('[requirements]\nkernel = "new"\n', "requirements.kernel", 'such as "1.33"'),
        ('[requirements]\nwindows = "yes"\n', "requirements.windows", "true or false"),
        ("nodes = 5\n", "table", "a table [requirements]"),
        ("[requirements]\n[wishes]\n", "wishes", "weights"),
        ("[requirements]\nnodes = = 5\n", "line 2", "nodes = = 5"),
        ('[requirements]\nkernel = "5\n', "line 2", "is no TOML"),
        ('[requirements]\n[weights]\nupkeep = "much"\n', "weights", "much"),
    ],
)
def test_a_wrong_file_is_refused_by_file_field_and_value(text: str, field: str, told: str) -> None:
    """What cannot be read is refused with the file, the field or line, its value, and what would do."""
    with pytest.raises(BadConfigurationError) as caught:
        requirements.parse(text, "r.toml")
    assert caught.value.source == "r.toml"
    assert caught.value.field.startswith(field)
    assert told in str(caught.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are refused with the file's name."""
    path = tmp_path / "r.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadConfigurationError, match=r"r\.toml.*UTF-8"):
        requirements.read(path)


@pytest.mark.parametrize(
    ("field", "typed", "meant"),
    [
        ("windows", "yes", True),
        ("windows", "No", False),
        ("windows", "true", True),
        ("nodes", "60", 60),
        ("kernel", " 5.15 ", "5.15"),
        ("cloud", "aws", "aws"),
        ("leaving", "weave", "weave"),
        ("windows", "?", None),
        ("nodes", "don't know", None),
        ("kernel", "", None),
    ],
)
def test_answers_are_read_as_typed(field: str, typed: str, meant: object) -> None:
    """On a command line yes and no, numbers and names are typed plainly; nothing and ? are "don't know"."""
    assert requirements.answer(field, typed, "--flag") == meant


@pytest.mark.parametrize(("field", "typed"), [("windows", "maybe"), ("nodes", "-3"), ("cloud", "moon")])
def test_an_answer_that_cannot_be_read_names_its_flag(field: str, typed: str) -> None:
    """A typed answer that a field doesn't take is refused with the flag and what would do."""
    with pytest.raises(BadConfigurationError) as caught:
        requirements.answer(field, typed, f"--{field}")
    assert f"--{field}" in str(caught.value)
    assert requirements.spoken(field).partition(" or ")[0] in str(caught.value)


def test_every_field_has_its_question() -> None:
    """Each field is asked for once, in the order of the fields, and each question says why it is asked."""
    assert tuple(question.field for question in QUESTIONS) == FIELDS
    assert all(len(question.why.split()) >= 3 for question in QUESTIONS)


def test_the_larger_number_of_nodes_counts() -> None:
    """Of today's nodes and those of in two years, the larger number is what must be possible."""
    assert Requirements(nodes=60, nodes_in_two_years=20).most_nodes == 60
    assert Requirements(nodes_in_two_years=20).most_nodes == 20
    assert Requirements().most_nodes is None


def test_a_form_s_unknown_answer_names_the_answers() -> None:
    """What a form may hold are requirements, not the tables of a file."""
    with pytest.raises(BadConfigurationError) as caught:
        requirements.checked({"windoze": True}, Requirements, "the form")
    assert "windows" in caught.value.hint
    assert "weights" not in caught.value.hint
