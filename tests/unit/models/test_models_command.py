import json
from typing import Any

import pytest
from typer.testing import CliRunner

from octet.cli import main, output
from octet.cli.models import app
from octet.errors import BadConfigurationError
from octet.models import MODELS, example, find, names


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def as_json(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json"))


def test_the_table_has_every_row() -> None:
    """Octet models prints a line for each model, with its six decisions."""
    shown = run()
    assert all(model.name in shown and model.transport in shown for model in MODELS)


def test_the_table_as_json() -> None:
    """The same table for programs: one object a model."""
    rows = as_json()
    assert [row["model"] for row in rows] == [model.name for model in MODELS]
    assert set(rows[0]) == {"model", "attach", "ipam", "transport", "policy", "service", "store"}


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("family", example.FAMILIES)
def test_what_is_drawn_is_what_would_be_made(name: str, family: str) -> None:
    """The objects shown are the blueprint of the code, line by line."""
    running = find(name).parse({}, source="test")
    view = example.view(running, example.FAMILIES[family])
    shown = as_json("show", name, "--family", family)["objects"]
    assert shown["peer"] == str(running.peer(view, view.peers[0])).splitlines()
    assert len(shown["node"]) >= len(running.node(view))


def test_a_row_is_explained() -> None:
    """For a person: what it is, the questions with answers, and the objects under headings."""
    shown = run("show", "flannel")
    for part in (
        "how does a packet get to another node?",
        "On node1, for its peer node2:",
        "flannel.1 onlink",
    ):
        assert part in shown


def test_without_annotations_there_is_no_such_heading() -> None:
    """A model whose nodes tell each other nothing has no section about it."""
    assert "Annotations" not in run("show", "kopeio-vxlan")


def test_an_unknown_model_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong name ends with the exit code for wrong use and with the names that would do."""
    with pytest.raises(SystemExit) as ended:
        main.main(["models", "show", "nope"])
    assert ended.value.code == output.WRONG_USE
    assert "one of flannel, flannel:host-gw" in capsys.readouterr().err


def test_the_error_is_of_the_family() -> None:
    """The error has the name as its value, for programs."""
    with pytest.raises(BadConfigurationError) as caught:
        find("nope")
    assert caught.value.value == "nope"
