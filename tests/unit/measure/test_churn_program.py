import json
from pathlib import Path

import pytest

from octet.errors import NotFoundError, OctetError
from octet.measure.churn import Call, Plugin, Pod, finish, versions

CONFLIST = {
    "cniVersion": "1.1.0",
    "name": "net",
    "plugins": [{"type": "speaker", "answer": 7}, {"type": "next"}],
}
SPEAKER = """#!/bin/sh
cat >"$0.stdin"; echo "$CNI_COMMAND $CNI_CONTAINERID $CNI_IFNAME $CNI_PATH" >"$0.called"
echo '{"cniVersion": "1.1.0", "ips": []}'
"""


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """A node's configuration directory and a plugin that notes what it was called with."""
    (tmp_path / "10-net.conflist").write_text(json.dumps(CONFLIST))
    (tmp_path / "speaker").write_text(SPEAKER)
    (tmp_path / "speaker").chmod(0o755)
    return tmp_path


def executed(program: str, stdin: bytes) -> bytes:
    """Run one program with this input and return its output."""
    call = Call.prepare(program, {}, stdin)
    call.start()
    finish([call])
    return call.answer()


def test_a_program_gets_its_input_and_its_output_comes_back() -> None:
    """What goes in on stdin and comes out on stdout is passed whole."""
    assert executed("/bin/cat", b"x" * 60000) == b"x" * 60000


def test_a_program_that_fails_is_quoted() -> None:
    """A plugin that ends with an error is an error here, in the plugin's own words."""
    with pytest.raises(OctetError, match="ls: no"):
        executed("/bin/sh", b"echo ls: no; exit 3")


def test_programs_started_together_run_together() -> None:
    """Ten programs of a fifth of a second each are done in less than half of the time they take in a row."""
    calls = [Call.prepare("/bin/sh", {}, b"sleep 0.2; echo $$") for _ in range(10)]
    for call in calls:
        call.start()
    end = finish(calls)
    assert len({call.answer() for call in calls}) == 10
    assert end - calls[0].begun < 1
    assert all(call.ended - call.begun >= 0.2 for call in calls)


def test_a_plugin_is_called_as_a_runtime_would(node: Path) -> None:
    """ADD passes the network's name and version with the plugin's own keys; the rest is environment."""
    plugin, pod = Plugin.find(node, [str(node)]), Pod("c1", 0)
    (alone,), together = plugin.call("ADD", [pod])
    assert 0 < alone <= together
    assert json.loads((node / "speaker.stdin").read_text()) == {
        "type": "speaker",
        "answer": 7,
        "cniVersion": "1.1.0",
        "name": "net",
    }
    assert (node / "speaker.called").read_text().split() == ["ADD", "c1", "eth0", str(node)]


def test_del_is_given_the_result_of_add(node: Path) -> None:
    """The result of ADD comes back as prevResult of DEL, and is then forgotten."""
    plugin, pod = Plugin.find(node, [str(node)]), Pod("c1", 0)
    plugin.call("ADD", [pod])
    plugin.call("DEL", [pod])
    assert json.loads((node / "speaker.stdin").read_text())["prevResult"] == {
        "cniVersion": "1.1.0",
        "ips": [],
    }
    assert pod.result is None


def test_versions_are_asked_one_by_one(node: Path) -> None:
    """Each VERSION call gives one time."""
    times = versions(Plugin.find(node, [str(node)]), 3)["version_ms"]
    assert isinstance(times, list)
    assert len(times) == 3
    assert min(times) > 0


@pytest.mark.parametrize("places", [[], ["/nonexistent"]])
def test_a_missing_plugin_is_named(node: Path, places: list[str]) -> None:
    """Where the plugin's program is nowhere, the error says where it was looked for."""
    with pytest.raises(NotFoundError, match="no network with a plugin in"):
        Plugin.find(node, places)
