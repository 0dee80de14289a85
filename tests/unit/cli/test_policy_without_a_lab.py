"""``octet policy`` and ``octet flows`` as far as they go without a lab."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from octet.cli import flows, output
from octet.cli.main import main
from octet.errors import NotReadyError

EXAMPLES = str(Path(__file__).parents[3] / "examples/policy")
LOCK = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: lock, namespace: guest}
spec: {podSelector: {}, policyTypes: [Egress]}
"""


def octet(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command."""
    code = 0
    try:
        main(words)
    except SystemExit as end:
        code = int(end.code or 0)
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.fixture
def lock(tmp_path: Path) -> str:
    """A manifest with a policy that locks a namespace in."""
    (tmp_path / "lock.yaml").write_text(LOCK)
    return str(tmp_path)


def test_explain_says_it_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    """The answer first, then each end: who decides, and which policies select it in which tier."""
    code, said, _ = octet(
        capsys, "policy", "explain", "shop/web", "db", "--port", "5432/tcp", "--files", EXAMPLES
    )
    assert code == 0
    rule = "NetworkPolicy shop/web-to-db rule 1 in tier default"
    assert said.splitlines()[:3] == [
        "shop/web -> shop/db, 5432/TCP: allowed",
        "  egress of shop/web: allowed",
        f"    {rule} allows 5432/TCP to pods with app=db of namespace shop",
    ]


def test_explain_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has the verdict, and of each step direction, tier, policy and rule."""
    words = ("policy", "explain", "visitor", "db", "--port", "5432", "--files", EXAMPLES, "--json")
    _, said, _ = octet(capsys, *words)
    (answer,) = json.loads(said)
    assert (answer["allowed"], answer["families"], answer["traffic"]) == (False, [4], "5432/TCP")
    step = answer["steps"][0]
    assert (step["direction"], step["tier"], step["policy"], step["rule"]) == (
        "Egress",
        "Admin",
        "ClusterNetworkPolicy guests-at-the-door",
        "ClusterNetworkPolicy guests-at-the-door rule 2",
    )


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["explain", "nobody", "db", "--files", EXAMPLES], output.NOT_FOUND),
        (["explain", "web", "db", "--port", "x", "--files", EXAMPLES], output.WRONG_USE),
        (["explain", "web", "db", "--files", "/nowhere"], output.FAILED),
        (["diff", EXAMPLES, EXAMPLES, EXAMPLES], output.WRONG_USE),
        (["diff"], output.WRONG_USE),
        (["diff", "--staged", EXAMPLES, EXAMPLES], output.WRONG_USE),
        (["diff", EXAMPLES, EXAMPLES], output.OK),
        (["diff", EXAMPLES, EXAMPLES, "--exit-code"], output.OK),
    ],
)
def test_exit_codes_mean_something(capsys: pytest.CaptureFixture[str], words: list[str], code: int) -> None:
    """What is not there, wrong use and no change each have their code, and an error is one line."""
    found, _, err = octet(capsys, "policy", *words)
    assert found == code
    assert len(err.splitlines()) <= 1


def test_diff_of_a_change(capsys: pytest.CaptureFixture[str], lock: str) -> None:
    """What would be denied is told by pods, traffic and policy; with --exit-code a change is 1, as in git."""
    words = ("policy", "diff", EXAMPLES, f"{lock}/lock.yaml", "--cluster", EXAMPLES, "--json")
    code, said, _ = octet(capsys, *words)
    assert code == 0
    row = next(each for each in json.loads(said)["changes"] if each["because"] == "NetworkPolicy guest/lock")
    assert (row["now"], row["from"]) == ("denied", "guest/visitor")
    assert octet(capsys, *words, "--exit-code")[0] == output.FAILED


def test_a_side_without_pods_has_those_of_the_other(capsys: pytest.CaptureFixture[str], lock: str) -> None:
    """Policies alone are compared about the pods that the other side has."""
    _, said, _ = octet(capsys, "policy", "diff", lock, EXAMPLES, "--json")
    found = json.loads(said)
    assert found["not_compared"] == []
    assert any(row["now"] == "allowed" and row["from"] == "guest/visitor" for row in found["changes"])


def test_staged_policies_are_reported(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """What a staged policy would do is told; it does nothing until then."""
    pods = "\n---\n".join(f"{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}}}" for name in "ab")
    (tmp_path / "a.yaml").write_text(
        f"{pods}\n---\napiVersion: projectcalico.org/v3\nkind: StagedNetworkPolicy\n"
        "metadata: {name: default.shut}\nspec: {selector: all(), types: [Ingress]}\n"
    )
    _, said, _ = octet(capsys, "policy", "diff", "--staged", str(tmp_path), "--json")
    (row,) = json.loads(said)["changes"]
    assert (row["now"], row["to"], row["traffic"]) == ("denied", "every pod", "everything")
    _, said, _ = octet(capsys, "policy", "diff", str(tmp_path), str(tmp_path))
    assert said == "no flow would change\n"


def test_what_is_left_out_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A kind that nobody judges is named on stderr."""
    (tmp_path / "a.yaml").write_text(
        "{apiVersion: v1, kind: Pod, metadata: {name: a}}\n---\n"
        "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: p}}"
    )
    _, _, err = octet(capsys, "policy", "explain", "a", "192.0.2.1", "--files", str(tmp_path))
    assert err == "left out: CiliumNetworkPolicy (cilium.io/v2)\n"


def test_no_name_does_anything_to_a_terminal() -> None:
    """Escape sequences, line ends and characters that turn text around are shown, not obeyed."""
    hostile = "\x1b[2J\r\n\u202eevil"
    line = {
        "time": 0.0, "node": hostile, "verdict": "denied", "direction": "Egress", "source": hostile,
        "source_address": "10.0.0.1", "destination": hostile, "destination_address": hostile,
        "protocol": hostile, "port": 0, "icmp": hostile, "policy": hostile, "tier": hostile, "count": 1,
    }  # fmt: skip
    text = "".join(map(str, flows._row(line)))
    assert text.isprintable()
    assert "\\x1b[2J\\r\\n\\u202eevil" in text


def test_agents_that_die_and_come_back_are_listened_to_again(capsys: pytest.CaptureFixture[str]) -> None:
    """One that is silent is named once; another one in its place is heard from its first line on."""
    answers = [["a", 1, 5.0], None, None, ["b", 2, 1.0], ["c", 1, 9.0], ["c", 1, 9.0]]

    def changing(path: str) -> str:
        answer = answers.pop(0)
        if answer is None:
            raise NotReadyError("gone")
        name, last, when = answer
        flows_since = [{"source": name, "time": when}] if int(path.partition("=")[2]) < last else []
        return json.dumps({"last": last, "flows": flows_since})

    steady = json.dumps({"last": 7, "flows": [{"source": "s", "time": 3.0}]})
    listening = flows._Listening({"n1": changing, "n2": lambda _path: steady})
    read = [[line["source"] for line in listening.lines()] for _ in range(5)]
    assert read == [["s", "a"], ["s"], ["s"], ["b", "s"], ["s", "c"]]
    assert capsys.readouterr().err == "gone\n"
    answers.append(None)
    with pytest.raises(NotReadyError, match="gone"):
        flows._Listening({"n1": changing}).lines()


def test_flows_of_an_agent_that_is_not_there(tmp_path: Path) -> None:
    """Without an agent or a lab the answer is not ready, or not found."""
    config = tmp_path / "agent.toml"
    config.write_text(
        f'[node]\nname = "n"\n[cluster]\npod_cidrs = ["10.0.0.0/16"]\n[model]\nname = "canal"\n'
        f'[store]\nkind = "embedded"\npath = "{tmp_path}/s"\n[paths]\nrun = "{tmp_path}"\n'
    )
    command = [sys.executable, "-m", "octet.cli.main", "flows", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == output.NOT_READY, done.stderr
    assert "no agent answers" in done.stderr
