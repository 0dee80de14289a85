import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from types import ModuleType

import pytest
import typer

from octet import errors
from octet.cli import main as command_line
from octet.cli import output
from octet.lab.registry import ENVIRONMENT
from octet.models import names

STARTED = """
import sys
from octet.cli.main import main
try:
    main(["--help"])
except SystemExit:
    print(sorted(name for name in sys.modules), file=sys.stderr)
"""
COMPLETED = "import sys\nfrom octet.cli.main import main\ntry: main()\n"
HEAVY = {
    "asyncio",
    "ctypes",
    "octet.lab",
    "octet.models",
    "octet.kernel",
    "octet.measure",
    "pyroute2",
    "sqlite3",
}


class Broken:
    """A group ``broken`` whose only command raises what the test asks for."""

    error: BaseException = RuntimeError("not set")


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Broken]]:
    module = ModuleType("broken_group")
    module.app = typer.Typer()

    @module.app.command()
    def fails() -> None:
        raise Broken.error

    monkeypatch.setitem(sys.modules, "broken_group", module)
    monkeypatch.setattr(command_line, "GROUPS", (command_line.Group("broken", "broken_group", "Fails."),))
    return Broken


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        command_line.main(arguments)
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.OctetError("it broke"), output.FAILED),
        (errors.BadConfigurationError("a.toml", "x", 1, "is wrong"), output.WRONG_USE),
        (errors.NotReadyError("not yet"), output.NOT_READY),
        (errors.NotFoundError("no lab"), output.NOT_FOUND),
        (errors.RefusedByKernelError("link x", 1), output.FAILED),
        (FileNotFoundError(2, "No such file or directory", "policy.json"), output.FAILED),
        (KeyboardInterrupt(), output.INTERRUPTED),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_has_its_exit_code_and_no_traceback(
    broken: type[Broken], capsys: pytest.CaptureFixture[str], error: BaseException, code: int
) -> None:
    """Each kind of error ends the command with its own documented code, and nobody sees a traceback."""
    broken.error = error
    assert run("broken") == code
    assert code in output.EXIT_CODES
    assert "Traceback" not in capsys.readouterr().err


def test_an_error_is_one_line_on_stderr(broken: type[Broken], capsys: pytest.CaptureFixture[str]) -> None:
    """The error is a sentence with its hint on stderr; stdout stays empty."""
    broken.error = errors.NotFoundError("lab 'x' is not up", hint="octet lab ls")
    run("broken")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "error: lab 'x' is not up (octet lab ls)\n")


def test_a_file_error_names_the_file(broken: type[Broken], capsys: pytest.CaptureFixture[str]) -> None:
    """An error of the system about a file is said without errno and class names."""
    broken.error = PermissionError(13, "Permission denied", "/etc/shadow")
    run("broken")
    assert capsys.readouterr().err == "error: /etc/shadow: Permission denied\n"


def test_debugging_shows_where(
    broken: type[Broken], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With OCTET_DEBUG=1 the traceback is shown, with the same exit code."""
    monkeypatch.setenv("OCTET_DEBUG", "1")
    broken.error = errors.NotReadyError("not yet")
    assert run("broken") == output.NOT_READY
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize("arguments", [("nonsense",), ("--nonsense",), ("broken", "--nonsense")])
def test_wrong_words_are_wrong_use(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown command or option ends with code 2 and names the word."""
    assert run(*arguments) == output.WRONG_USE
    assert "nonsense" in capsys.readouterr().err


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    """``octet --version`` prints one line."""
    assert run("--version") == output.OK
    assert capsys.readouterr().out == "octet 0.1.0\n"


def test_a_table_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """A table has its title, headings, every cell whole, and - for nothing; markup in cells is only text."""
    wide = "x" * 150
    output.table("Pods", ["Name", "Pod IP"], [("[red]a", None), (wide, True)], as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].strip() == "Pods"
    assert lines[1].split() == ["Name", "Pod", "IP"]
    assert lines[2].split() == ["[red]a", "-"]
    assert lines[3].split() == [wide, "yes"]


def test_the_same_table_is_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON, headings are keys, None is null, numbers are numbers, addresses are texts."""
    output.table("Pods", ["Name", "Pod IP"], [("a", None), (1, IPv4Address("10.0.0.1"))], as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found == [{"name": "a", "pod_ip": None}, {"name": 1, "pod_ip": "10.0.0.1"}]


def test_json_may_hold_more_than_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    """What a command gives as JSON rows is printed instead of the cells."""
    output.table("", ["Name"], [("a",)], json_rows=[{"all": 1}], as_json=True)
    assert json.loads(capsys.readouterr().out) == [{"all": 1}]


def spent_by_children() -> float:
    """Seconds of processor time: on a busy machine the clock says how busy it is."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_help_loads_nothing_heavy_and_starts_at_once() -> None:
    """``octet --help`` imports no group and takes under 0.25 s of processor time (best of three)."""
    best = 9.0
    for _ in range(3):
        begin = spent_by_children()
        shown = subprocess.run([sys.executable, "-c", STARTED], capture_output=True, text=True, check=True)
        best = min(best, spent_by_children() - begin)
        loaded = set(shown.stderr.strip("[]\n").replace("'", "").split(", "))
        assert not HEAVY & loaded
    assert best < 0.25
    assert all(group.summary in " ".join(shown.stdout.split()) for group in command_line.GROUPS)


def test_completion_knows_the_groups() -> None:
    """A shell that asks what can follow ``octet`` gets every group."""
    request = {"_OCTET_COMPLETE": "complete_bash", "COMP_WORDS": "octet ", "COMP_CWORD": "1", "PATH": ""}
    code = "from octet.cli.main import main; main()"
    shown = subprocess.run(
        [sys.executable, "-c", code], env=request, capture_output=True, text=True, check=False
    )
    assert shown.stdout.split() == [group.name for group in command_line.GROUPS]


def asked(line: str) -> dict[str, str]:
    """What a shell puts into the environment when Tab is pressed behind these words."""
    words = line.split(" ")
    return {"_OCTET_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("octet lab up --model fl", [name for name in names() if name.startswith("fl")]),
        ("octet models show kopeio", ["kopeio-vxlan"]),
        (
            "octet compare --candidates bridge,flannel:",
            [f"bridge,{name}" for name in names() if name.startswith("flannel:")],
        ),
        ("octet lab up --family v", ["v4", "v6"]),
        ("octet lab get po", ["pods"]),
        ("octet lab fault drop --protocol icmp", ["icmp", "icmpv6"]),
        ("octet lab down ", []),
        ("octet lab fault cut node", []),
    ],
)
def test_completion_knows_values(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    line: str,
    values: list[str],
) -> None:
    """Tab offers what the tables have, and is silent where no lab is up."""
    for key, value in asked(line).items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "none"))
    run()
    assert capsys.readouterr().out.split() == values


def test_completion_loads_nothing_heavy() -> None:
    """For the names of models a shell waits for the table of models and for nothing else."""
    code = f"{COMPLETED}finally: print(*sys.modules, file=sys.stderr)"
    environment = {**os.environ, **asked("octet lab up --model fl")}
    shown = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert "flannel" in shown.stdout
    assert not {"asyncio", "octet.kernel", "pyroute2", "sqlite3"} & set(shown.stderr.split())


def test_what_others_wrote_does_nothing_to_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Escape sequences in cells and notes are shown and not obeyed; line ends stay; a title is no markup."""
    output.table("[a.b] of it", ["c"], [["\x1b]0;owned\x07\nsecond"]], as_json=False)
    output.note("one\x1b[2J\ntwo")
    found = capsys.readouterr()
    assert "\x1b" not in found.out + found.err
    assert "[a.b] of it" in found.out
    assert "\\x1b]0;owned\\x07" in found.out
    assert found.err == "one\\x1b[2J\ntwo\n"
