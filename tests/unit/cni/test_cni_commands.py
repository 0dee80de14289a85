"""``octet cni``: the command line over installing and calling plugins."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cni_recorder import Plugins
from octet.cli import cni, output

Octet = Callable[..., Result]


@pytest.fixture
def plugins(tmp_path: Path) -> Plugins:
    found = Plugins(tmp_path / "plugins", "first")
    document = {"cniVersion": "1.1.0", "name": "net", "plugins": [{"type": "first"}]}
    document["plugins"] = [{"type": "first", "capabilities": {"ips": True}}]
    (tmp_path / "net.conflist").write_text(json.dumps(document))
    return found


@pytest.fixture
def octet(tmp_path: Path, plugins: Plugins) -> Octet:
    """Run a command about plugins with our configuration, path and cache."""

    def run(*words: str) -> Result:
        places = ["--conf", str(tmp_path / "net.conflist"), "--path", str(plugins.path)]
        return CliRunner().invoke(cni.app, [*words, *places, "--cache", str(tmp_path / "cache")])

    return run


def test_add_prints_the_result(octet: Octet, plugins: Plugins) -> None:
    """Arguments and capabilities go to the plugin; a name without slash is one of ip netns."""
    done = octet("add", "c1", "web1", "--arg", "IgnoreUnknown=1", "--capability", 'ips=["10.0.0.9/24"]')
    assert json.loads(done.stdout)["ips"] == [{"address": "10.0.0.2/24"}]
    call = plugins.calls()[0]
    assert call.environment["CNI_NETNS"] == "/run/netns/web1"
    assert call.environment["CNI_ARGS"] == "IgnoreUnknown=1"
    assert call.config["runtimeConfig"] == {"ips": ["10.0.0.9/24"]}


def test_a_life_of_an_attachment(octet: Octet, plugins: Plugins) -> None:
    """Add, check, status, delete: silent where there is nothing to say."""
    lines = (["add", "c1", "/n"], ["check", "c1", "/n"], ["status"], ["del", "c1", "/n"], ["del", "c1"])
    done = [octet(*words) for words in lines]
    assert [one.exit_code for one in done] == [0] * 5
    assert [one.stdout for one in done[1:]] == [""] * 4
    assert plugins.order() == ["first ADD", "first CHECK", "first STATUS", "first DEL", "first DEL"]


@pytest.mark.parametrize(("code", "exit_code"), [(7, output.FAILED), (11, output.NOT_READY)])
def test_a_plugins_error_is_said_with_its_code(
    octet: Octet, plugins: Plugins, code: int, exit_code: int
) -> None:
    """On stderr, with the exit code of its kind."""
    plugins.answer("first", "STATUS", {"code": code, "msg": "not now"}, status=1)
    done = octet("status")
    assert done.exit_code == exit_code
    assert f"error: first: not now [CNI error {code}]" in done.stderr


def test_gc_wants_to_know_what_stays(octet: Octet, plugins: Plugins) -> None:
    """A forgotten option must not remove every container's network."""
    assert octet("gc").exit_code == output.WRONG_USE
    assert octet("gc", "--keep", "c1", "--keep-none").exit_code == output.WRONG_USE
    assert plugins.order() == []
    assert octet("gc", "--keep", "c1", "--keep", "c2:eth1").exit_code == 0
    listed = plugins.calls()[0].config["cni.dev/valid-attachments"]
    assert [(one["containerID"], one["ifname"]) for one in listed] == [("c1", "eth0"), ("c2", "eth1")]


def test_version_prints_a_table(octet: Octet, plugins: Plugins) -> None:
    """Each plugin's versions, for people and for programs."""
    plugins.answer("first", "VERSION", {"supportedVersions": ["0.4.0", "1.0.0"]})
    assert "0.4.0 1.0.0" in octet("version").stdout
    assert json.loads(octet("version", "--json").stdout) == [{"plugin": "first", "versions": "0.4.0 1.0.0"}]


@pytest.mark.parametrize("words", [["--arg", "novalue"], ["--capability", "ips=[", "--arg", "A=1"]])
def test_a_malformed_option_is_wrong_use(octet: Octet, plugins: Plugins, words: list[str]) -> None:
    """Said before anything is called."""
    assert octet("add", "c1", "/n", *words).exit_code == output.WRONG_USE
    assert plugins.order() == []


def test_install_and_uninstall_say_what_they_did(tmp_path: Path) -> None:
    """Each file on a line; a file that was changed is left, and that is said too."""
    places = [f"--{name}={tmp_path / name}" for name in ("bin-dir", "conf-dir", "state-dir")]
    run = CliRunner()
    installed = run.invoke(cni.app, ["install", "--twin", "--socket", "/run/x.sock", *places])
    files = [str(tmp_path / "bin-dir/octet-cni"), str(tmp_path / "conf-dir/10-octet.conflist")]
    assert installed.stdout.split() == files
    Path(files[0]).write_text("changed")
    removed = run.invoke(cni.app, ["uninstall", *places])
    assert removed.stdout.splitlines() == [f"removed {files[1]}"]
    assert f"left {files[0]}" in removed.stderr


def test_conflist_prints_what_install_writes() -> None:
    """All capabilities are declared, so that runtimes pass them on."""
    done = CliRunner().invoke(cni.app, ["conflist", "--socket", "/run/x.sock", "--name", "pods"])
    document = json.loads(done.stdout)
    assert (document["name"], document["cniVersion"]) == ("pods", "1.1.0")
    assert document["plugins"][0]["socket"] == "/run/x.sock"
    assert all(document["plugins"][0]["capabilities"].values())


def test_build_prints_where_the_program_is(tmp_path: Path) -> None:
    """The output option decides."""
    done = CliRunner().invoke(cni.app, ["build", "--output", str(tmp_path / "p")])
    assert done.stdout.strip() == str(tmp_path / "p")
    assert (tmp_path / "p").stat().st_mode & 0o111
