import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner, Result

from octet.choose.decision import Decision, from_json
from octet.choose.page.html import Bundle
from octet.choose.requirements import FIELDS, kind_of
from octet.cli import asking, compare, decision, main
from octet.cli import choose as command
from octet.measure import machine, results
from octet.measure.results import Results

EXAMPLES = Path(__file__).parents[4] / "examples/choose"
PLAIN = Bundle("run()", "body{}")
Record = Callable[..., Results]


def run(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(command.app, arguments, input=typed)


def answered(result: Result) -> Decision:
    """Return the decision on stdout, behind what the test's own terminal echoes of what was typed."""
    return from_json(result.stdout[result.stdout.index("{") :].encode())


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, str]:
    """Return exit code and what is said when the whole command line is called."""
    with pytest.raises(SystemExit) as caught:
        main.main(["choose", *arguments])
    return caught.value.code, capsys.readouterr().err


def written(record: Record, path: Path, **facts: object) -> str:
    """Write figures of a machine that is this one but for some facts; return the file's name."""
    held = record({"bridge": 1, "flannel": 1.2, "bridge (A/A)": 1})
    results.write(msgspec.structs.replace(held, machine={**machine.facts(), **facts}), path)
    return str(path)


def test_flags_answer_questions() -> None:
    """Flags rule out, and the answer says what was asked for, what is out and by which fact."""
    result = run("--installer", "kops", "--cloud", "aws", "--private-topology", "yes", "--nodes", "60")
    assert result.exit_code == 0
    for title in (
        "For it",
        "Against it",
        "Ruled out",
        "What would change",
        "How to run it now",
        "Oldest fact",
    ):
        assert title in result.stdout
    assert "kubenet cannot work where" in " ".join(result.stdout.split())


def test_the_answer_comes_in_a_screenful() -> None:
    """The first answer is short and narrow, names three changes, and says what --all has besides."""
    asked = ("--installer", "kops", "--cloud", "aws", "--private-topology", "yes", "--nodes", "60")
    brief, whole = (run(*asked, *more).stdout for more in ((), ("--all",)))
    assert len(brief.splitlines()) < 50 < len(whole.splitlines())
    assert brief.count("were the answer to") == 3
    assert "--all shows" in brief
    assert "Who is left" not in brief
    for title in ("Who is left", 'Left open by "don\'t know"', "Missing", "aws-private-topology"):
        assert title in whole
    assert max(map(len, (*brief.splitlines(), *whole.splitlines()))) <= decision.WIDTH


def test_people_read_questions_not_fields() -> None:
    """Nothing that a person reads has the name of a field in it."""
    told = run("--installer", "kops", "--nodes", "60", "--all").stdout
    assert [field for field in FIELDS if "_" in field and field in told] == []


def test_json_is_the_whole_decision() -> None:
    """With --json stdout is the decision, which reads back as one."""
    result = run("--windows", "yes", "--json")
    found = from_json(result.stdout.encode())
    assert found.requirements.windows is True
    assert {each.provider for each in found.excluded} >= {"kubenet", "cilium"}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_worked_cases_can_be_asked(path: Path) -> None:
    """Each worked case is a file that the command reads; exit code 1 exactly where nobody is left."""
    result = run("--requirements", str(path), "--json")
    outcome = json.loads(result.stdout)["outcome"]
    assert result.exit_code == (1 if outcome == "nothing" else 0)


def test_a_flag_wins_over_the_file() -> None:
    """A flag beside a file replaces that answer, also with "don't know"."""
    path = str(EXAMPLES / "windows-workers.toml")
    asked = json.loads(run("--requirements", path, "--windows", "?", "--nodes", "7", "--json").stdout)
    assert "windows" not in asked["requirements"]
    assert asked["requirements"]["nodes"] == 7


def test_nothing_left_says_what_to_give_up() -> None:
    """Where everybody is ruled out the exit code is 1, and the smallest ways out are named."""
    result = run("--partial-mesh", "yes", "--maintained", "yes")
    assert result.exit_code == 1
    assert "Nothing is left" in result.stdout
    assert 'give up "get fixes from its authors": then Weave Net can be used' in result.stdout


def test_nobody_to_ask_is_said() -> None:
    """Without a terminal and without flags every answer is "don't know", and the command says so."""
    result = run()
    assert result.exit_code == 0
    assert "nobody was asked" in result.stderr


def test_every_field_has_its_flag() -> None:
    """The help names a flag for each field of the requirements."""
    result = CliRunner().invoke(command.app, ["--help"], terminal_width=200, env={"COLUMNS": "200"})
    assert [field for field in FIELDS if command.flag(field) not in result.stdout] == []


def test_a_person_is_asked_what_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal questions come in elimination order, each with its why; those without effect don't."""
    monkeypatch.setattr(asking, "on_a_terminal", lambda: True)
    result = run(typed="kops\n1.36\nno\n" + "?\n" * 30)
    assert result.exit_code == 0, result.output
    assert "What sets your cluster up?" in result.stderr
    assert "why: an installer brings some providers" in result.stderr
    assert "out: Romana, Weave Net" in result.stderr or "Weave Net" in result.stderr
    assert result.stderr.index("Which version of it?") < result.stderr.index("Where are your nodes?")
    assert "Which version of Kubernetes?" not in result.stderr, "kops 1.36 leaves nothing open there"
    assert "why:" not in result.stdout


def test_an_answer_that_cannot_be_read_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong answer is explained and asked for again, not lost and not taken; stdout is JSON alone."""
    monkeypatch.setattr(asking, "on_a_terminal", lambda: True)
    result = run("--json", typed="kopz\nkops\n" + "?\n" * 40)
    assert "invalid enum value 'kopz'" in result.stderr
    assert answered(result).requirements.installer == "kops"


@pytest.mark.parametrize("typed", ["", "kops\n"])
def test_leaving_the_questions_is_an_interruption(typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-D (and Ctrl-C, which typer makes the same) ends with 130, as the README's table says."""
    monkeypatch.setattr(asking, "on_a_terminal", lambda: True)
    result = run(typed=typed)
    assert result.exit_code == 130
    assert "interrupted" in result.stderr
    assert "For it" not in result.stdout


def test_a_page_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A directory after --page is named as what was given, not by a draft beside it."""
    monkeypatch.setattr("octet.cli.page.bundle", lambda: PLAIN)
    code, said = refused(capsys, "--windows", "yes", "--page", str(tmp_path))
    assert code == 2
    assert f"'{tmp_path}': is a directory" in said


@pytest.mark.parametrize(
    ("held", "told"),
    [
        (b"[requirements]\nleaving = '\xff'\n", r"byte 26 = b'\xff': is not UTF-8"),
        (b"nodes = 5\n", "table = 'requirements': is missing"),
    ],
)
def test_a_file_that_is_none_is_refused_for_what_it_is(
    held: bytes, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bytes that are no UTF-8 are named with their place, a missing table as missing, without a None."""
    path = tmp_path / "r.toml"
    path.write_bytes(held)
    code, said = refused(capsys, "--requirements", str(path))
    assert code == 2
    assert told in said
    assert "None" not in said


def test_a_person_says_what_matters_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Last comes the order of criteria, as improvements from worst to best; the answer weighs them so."""
    monkeypatch.setattr(asking, "on_a_terminal", lambda: True)
    monkeypatch.setattr(asking, "needs", lambda wanted, _facts: wanted)
    result = run("--json", typed="9,1\n2,1\n")
    assert "1. upkeep: from ended, or no release for 730 days to a release within 90 days" in result.stderr
    assert "order = '9'" in result.stderr
    weights = answered(result).weights
    assert sorted(weights, key=lambda name: -weights[name])[:2] == ["reserve", "upkeep"]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("--nodes", "many"), 2, "--nodes"),
        (("--leaving", "wave"), 2, "aws-vpc-cni"),
        (("--weights", "stars=1"), 2, "upkeep"),
        (("--requirements", "none.toml"), 4, "none.toml"),
        (("--results", "none.json"), 4, "octet compare"),
        (("--installer", "kops", "--installer-version", "1.30", "--kubernetes", "1.33"), 2, "1.33"),
        (("--installer", "aks", "--cloud", "gcp"), 2, "cloud = 'gcp': is no place where aks"),
        (("--installer", "eks", "--cloud", "azure"), 2, "(aws, or another installer)"),
        (("--installer", "kops", "--cloud", "laptop"), 2, "cloud = 'laptop'"),
        (("--cloud", "laptop", "--private-topology", "yes"), 2, "private_topology = True"),
        (("--installer-version", "1.36"), 2, "name the installer"),
        (("--windows", "maybe"), 2, "windows = 'maybe': is neither yes nor no (yes, no, or ?"),
        (("--nodes", "2000000"), 2, "from 1 to 1,000,000"),
    ],
)
def test_wrong_use_is_one_line(
    arguments: tuple[str, ...], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be is refused in one line that names it and what would do, with an exit code for it."""
    found, said = refused(capsys, *arguments)
    assert found == code
    assert told in said
    assert said.count("\n") == 1


def test_a_broken_file_is_refused_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """TOML that is broken is refused with file, line and what is there."""
    path = tmp_path / "r.toml"
    path.write_text("[requirements]\nnodes = = 5\n")
    code, said = refused(capsys, "--requirements", str(path))
    assert code == 2
    assert f"{path}: line 2 = 'nodes = = 5'" in said


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[requirements]\n[weights]\nstars = 1\n", "weights.stars"),
        ('[requirements]\nleaving = "wave"\n', "leaving = 'wave'"),
    ],
)
def test_what_a_file_says_is_refused_with_the_file(
    text: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A criterion or a provider that nobody knows is refused with the file that names it."""
    path = tmp_path / "r.toml"
    path.write_text(text)
    code, said = refused(capsys, "--requirements", str(path))
    assert code == 2
    assert f"{path}: {told}" in said


@pytest.mark.parametrize("fact", ["cpu", "kernel", "architecture"])
def test_figures_of_another_machine_are_refused(
    fact: str, tmp_path: Path, record: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    """Results of a machine with another processor, kernel or architecture are refused with file and field."""
    path = written(record, tmp_path / "results.json", **{fact: "another"})
    code, said = refused(capsys, "--results", path)
    assert code == 2
    assert f"{path}: machine.{fact} = 'another'" in said
    assert "--accept-other-machine" in said


def test_figures_of_another_machine_can_be_accepted(tmp_path: Path, record: Record) -> None:
    """With the flag they are taken, and the answer says that they are another machine's, and how."""
    path = written(record, tmp_path / "results.json", cpu="another")
    found = json.loads(run("--results", path, "--accept-other-machine", "--nodes", "5", "--json").stdout)
    assert found["measured"]["other_machine"].startswith("cpu is another, here ")
    assert "another machine" in found["notes"][0]


def test_figures_of_this_machine_are_taken(tmp_path: Path, record: Record) -> None:
    """Results of this machine count without a word."""
    path = written(record, tmp_path / "results.json")
    found = json.loads(run("--results", path, "--nodes", "5", "--json").stdout)
    assert found["measured"]["other_machine"] == ""
    assert found["measured"]["candidates"] == ["bridge", "flannel"]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"schema": 99}', "schema = 99"),
        ('{"schema": 1}', "document"),
        ("{}", "schema"),
        ("no json", "document"),
        ('{"schema": "new"}', "schema = 'new'"),
    ],
)
def test_results_of_another_schema_are_refused(
    text: str, field: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is no results.json of this schema is refused with file and field, whatever else is in it."""
    path = tmp_path / "results.json"
    path.write_text(text)
    code, said = refused(capsys, "--results", str(path))
    assert code == 2
    assert str(path) in said
    assert field in said
    assert "octet compare" in said


def test_a_comparison_ends_with_a_recommendation(
    tmp_path: Path, record: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    """After the table comes who is recommended for which case and why; the decision is beside the results."""
    held = record({"bridge": 1, "flannel": 1.2, "kopeio-vxlan": 1.2, "bridge (A/A)": 1})
    compare.recommend(held, tmp_path / "decision.json", PLAIN, as_json=False)
    said = capsys.readouterr().out
    found = from_json((tmp_path / "decision.json").read_bytes())
    assert found.headline in said
    assert found.reasons_for[0].text in said
    assert "kops 1.36" in said
    assert f"octet choose --results {tmp_path / 'results.json'}" in said
    assert "flannel" in {each.provider for each in found.excluded}


def test_json_of_a_comparison_stays_json(
    tmp_path: Path, record: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a program reads stdout, the recommendation is told on stderr."""
    held = record({"bridge": 1, "bridge (A/A)": 1})
    compare.recommend(held, tmp_path / "decision.json", PLAIN, as_json=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "Which one?" in err


def test_yes_and_no_are_the_answers_of_flags() -> None:
    """A yes-or-no flag takes yes and no, so that "don't know" can be said too."""
    assert {kind_of(field) for field in FIELDS} == {"bool", "name", "version", "number", "choice"}
    asked = json.loads(run("--windows", "no", "--bgp", "?", "--json").stdout)["requirements"]
    assert asked == {"windows": False}
