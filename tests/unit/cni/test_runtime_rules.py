"""Our runtime calls plugins by libcni's rules: order, results, capabilities, cache, errors."""

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cni_recorder import Plugins
from octet.cni.runtime import Runtime
from octet.cni.runtime.execute import execute
from octet.cni.runtime.locks import Locks
from octet.cni.spec import CniError
from octet.errors import BadConfigurationError

RESULT = {"cniVersion": "1.0.0", "ips": [{"address": "10.0.0.2/24"}]}
CHANGED = {"cniVersion": "1.0.0", "ips": [{"address": "10.0.0.3/24"}]}
PORTS = [{"hostPort": 80, "containerPort": 80}]
NETNS = "/run/netns/x"


class Host:
    """A runtime, its configuration, and two plugins that note their calls."""

    def __init__(self, place: Path) -> None:
        self.plugins = Plugins(place / "plugins", "first", "second")
        self.cache = place / "cache" / "results"
        self._file = place / "net.conflist"
        self.runtime = Runtime(self._file, ["/nowhere", str(self.plugins.path)], cache=place / "cache")
        self.configure()

    def configure(self, version: str = "1.0.0", **keys: object) -> None:
        second = {"type": "second", "capabilities": {"portMappings": True, "mac": False}}
        document = {"cniVersion": version, "name": "net", "plugins": [{"type": "first", "x": 1}, second]}
        self._file.write_text(json.dumps(document | keys))

    def configs(self, command: str) -> list[dict[str, Any]]:
        return [call.config for call in self.plugins.calls() if call.command == command]

    @property
    def file(self) -> Path:
        return self.cache / "net-c1-eth0"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_an_add_runs_the_chain(host: Host) -> None:
    """In the list's order; the first has no prevResult, each next one the result before it."""
    host.plugins.answer("second", "ADD", CHANGED)
    result = host.runtime.add("c1", NETNS)
    assert str(result.ips[0].address) == "10.0.0.3/24"
    assert host.plugins.order() == ["first ADD", "second ADD"]
    first, second = host.configs("ADD")
    assert first == {"type": "first", "x": 1, "name": "net", "cniVersion": "1.0.0"}
    assert second["prevResult"] == RESULT


def test_a_plugin_sees_exactly_the_specified_environment(host: Host) -> None:
    """CNI_ variables and PATH, and nothing of ours."""
    host.runtime.add("c1", NETNS, "eth1", args={"IgnoreUnknown": "1", "K8S_POD_NAME": "a"})
    assert host.plugins.calls()[0].environment == {
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": "c1",
        "CNI_NETNS": NETNS,
        "CNI_IFNAME": "eth1",
        "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAME=a",
        "CNI_PATH": f"/nowhere:{host.plugins.path}",
        "PATH": os.environ["PATH"],
    }


def test_capabilities_go_to_those_that_declare_them(host: Host) -> None:
    """Only a capability declared as true becomes runtimeConfig; the others are not the plugin's business."""
    host.runtime.add("c1", NETNS, capabilities={"portMappings": PORTS, "mac": "02:00:00:00:00:01"})
    first, second = host.configs("ADD")
    assert "runtimeConfig" not in first
    assert second["runtimeConfig"] == {"portMappings": PORTS}


def test_a_del_runs_the_chain_backwards_with_the_result(host: Host) -> None:
    """Every plugin gets the final result, capabilities and arguments of the ADD, without being told again."""
    host.runtime.add("c1", NETNS, args={"K8S_POD_NAME": "a"}, capabilities={"portMappings": PORTS})
    host.runtime.delete("c1", NETNS)
    assert host.plugins.order()[2:] == ["second DEL", "first DEL"]
    assert [config["prevResult"] for config in host.configs("DEL")] == [RESULT, RESULT]
    assert host.configs("DEL")[0]["runtimeConfig"] == {"portMappings": PORTS}
    assert host.plugins.calls()[-1].environment["CNI_ARGS"] == "K8S_POD_NAME=a"
    assert not host.file.exists()


def test_a_del_before_0_4_0_has_no_result(host: Host) -> None:
    """The result on DEL came with 0.4.0; older plugins would not expect it."""
    host.configure("0.3.1")
    host.runtime.add("c1", NETNS)
    host.runtime.delete("c1", NETNS)
    assert ["prevResult" in config for config in host.configs("DEL")] == [False, False]


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"kind":"cniCacheV1"}', b'{"kind":"x","result":{}}'])
def test_a_del_works_without_what_was_remembered(host: Host, content: bytes | None) -> None:
    """No cache, a broken one, or somebody else's: the plugins are called without a result."""
    host.runtime.add("c1", NETNS)
    host.file.unlink()
    if content is not None:
        host.file.write_bytes(content)
    host.runtime.delete("c1", NETNS)
    assert ["prevResult" in config for config in host.configs("DEL")] == [False, False]
    assert not host.file.exists()


def test_a_del_may_be_repeated(host: Host) -> None:
    """The plugins decide; the runtime calls them each time."""
    for _ in range(2):
        host.runtime.delete("c1")
    assert host.plugins.order() == ["second DEL", "first DEL"] * 2


def test_what_is_remembered_has_libcnis_form(host: Host) -> None:
    """Other tools read the file: cniCacheV1, private, with the configuration in base64."""
    host.runtime.add("c1", NETNS, args={"A": "1"}, capabilities={"mac": "x"})
    held = json.loads(host.file.read_text())
    assert host.file.stat().st_mode & 0o777 == 0o600
    assert held.pop("config")
    assert held == {
        "kind": "cniCacheV1",
        "networkName": "net",
        "containerId": "c1",
        "ifName": "eth0",
        "netns": NETNS,
        "cniArgs": [["A", "1"]],
        "capabilityArgs": {"mac": "x"},
        "result": RESULT,
    }


def test_a_check_gives_the_final_result_to_everyone(host: Host) -> None:
    """In the list's order, each plugin with the result of the last."""
    host.plugins.answer("second", "ADD", CHANGED)
    host.runtime.add("c1", NETNS)
    host.runtime.check("c1", NETNS)
    assert host.plugins.order()[2:] == ["first CHECK", "second CHECK"]
    assert [config["prevResult"] for config in host.configs("CHECK")] == [CHANGED, CHANGED]


def test_a_check_can_be_switched_off(host: Host) -> None:
    """With disableCheck no plugin is asked."""
    host.configure(disableCheck=True)
    host.runtime.add("c1", NETNS)
    host.runtime.check("c1", NETNS)
    assert host.plugins.order() == ["first ADD", "second ADD"]


def test_a_check_without_an_add_fails(host: Host) -> None:
    """There is nothing to compare with: code 3; before 0.4.0 there is no CHECK: code 1."""
    for version, code in (("1.0.0", 3), ("0.3.1", 1)):
        host.configure(version)
        with pytest.raises(CniError) as caught:
            host.runtime.check("c1", NETNS)
        assert caught.value.code == code
    assert host.plugins.order() == []


def test_a_plugins_error_is_passed_on(host: Host) -> None:
    """Code and details survive, the name stands before the sentence; nothing is remembered or undone."""
    host.plugins.answer("second", "ADD", {"code": 42, "msg": "no", "details": "why"}, status=1)
    with pytest.raises(CniError) as caught:
        host.runtime.add("c1", NETNS)
    assert (caught.value.code, caught.value.message, caught.value.details) == (42, "second: no", "why")
    assert host.plugins.order() == ["first ADD", "second ADD"]
    assert not host.file.exists()


def test_add_or_undo_takes_back_what_was_begun(host: Host) -> None:
    """As container runtimes do: a failed ADD is followed by a DEL of the whole chain, and still raises."""
    host.plugins.answer("second", "ADD", {"code": 42, "msg": "no"}, status=1)
    host.plugins.answer("second", "DEL", {"code": 43, "msg": "no DEL either"}, status=1)
    with pytest.raises(CniError) as caught:
        host.runtime.add_or_undo("c1", NETNS, capabilities={"portMappings": PORTS})
    assert caught.value.code == 42
    assert host.plugins.order() == ["first ADD", "second ADD", "second DEL"]
    assert host.configs("DEL")[0]["runtimeConfig"] == {"portMappings": PORTS}


BROKEN = {
    "prints no JSON": ("echo oops; exit 1", 999, "first ended with status 1 and printed no error (oops)"),
    "complains elsewhere": ("echo why >&2; exit 3", 999, "status 3 and printed no error (why)"),
    "says nothing": ("exit 1", 999, "status 1 and printed no error"),
    "is killed": ("kill -9 $$", 999, "first was ended by signal 9"),
    "succeeds with a list": ("echo '[]'", 6, "printed something else than an object"),
    "succeeds with nothing": ("exit 0", 6, "first printed no result"),
    "leaves a child behind": ("sleep 5 & exit 1", 999, "status 1"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_is_told_apart(host: Host, kind: str) -> None:
    """Whatever a plugin does instead of answering becomes one error that says so, at once."""
    script, code, words = BROKEN[kind]
    host.plugins.do("first", "ADD", script)
    with pytest.raises(CniError) as caught:
        host.runtime.add("c1", NETNS)
    assert caught.value.code == code
    assert words in str(caught.value)


def test_a_plugin_that_hangs_is_ended(host: Host) -> None:
    """After the limit it is killed, and the runtime may try again."""
    host.plugins.do("first", "STATUS", "exec sleep 60")
    with pytest.raises(CniError, match="did not end within") as caught:
        execute(str(host.plugins.path / "first"), {"CNI_COMMAND": "STATUS"}, {}, limit=0.05)
    assert caught.value.code == 11


def test_a_file_that_cannot_be_run_is_said(host: Host) -> None:
    """A program for another machine, say, is an I/O failure (5) with the plugin's name."""
    (host.plugins.path / "first").write_bytes(b"\x7fELF")
    with pytest.raises(CniError, match="first cannot be run") as caught:
        host.runtime.add("c1", NETNS)
    assert caught.value.code == 5


@pytest.mark.parametrize("kind", ["missing", "../first", ".", ""])
def test_plugins_come_from_the_path_only(host: Host, kind: str) -> None:
    """A type is a file's name; what is not on CNI_PATH does not exist."""
    host.configure(plugins=[{"type": kind}])
    with pytest.raises(CniError) as caught:
        host.runtime.add("c1", NETNS)
    assert caught.value.code == 7


@pytest.mark.parametrize(
    ("container", "interface"), [("../c", "eth0"), ("", "eth0"), ("c", "a/b"), ("c", "")]
)
def test_names_that_no_plugin_would_take_are_refused(host: Host, container: str, interface: str) -> None:
    """They would become file names of the cache: code 4 before any plugin is called."""
    calls: list[Callable[[], object]] = [
        lambda: host.runtime.add(container, NETNS, interface),
        lambda: host.runtime.delete(container, NETNS, interface),
        lambda: host.runtime.check(container, NETNS, interface),
    ]
    for call in calls:
        with pytest.raises(CniError) as caught:
            call()
        assert caught.value.code == 4
    assert host.plugins.order() == []


def test_status_asks_everyone_since_1_1_0(host: Host) -> None:
    """The first failure counts; plugins of before cannot be asked, which is no failure."""
    host.runtime.status()
    assert host.plugins.order() == []
    host.configure("1.1.0")
    host.runtime.status()
    host.plugins.answer("first", "STATUS", {"code": 50, "msg": "not yet"}, status=1)
    with pytest.raises(CniError, match="not yet"):
        host.runtime.status()
    assert host.plugins.order() == ["first STATUS", "second STATUS", "first STATUS"]


def test_collecting_removes_what_is_not_listed(host: Host) -> None:
    """Remembered attachments that are not valid get a DEL, then every plugin of 1.1.0 a GC with both keys."""
    host.configure("1.1.0")
    for container in ("c1", "c2"):
        host.runtime.add(container, NETNS)
    host.runtime.collect([("c1", "eth0")])
    assert host.plugins.order()[4:] == ["second DEL", "first DEL", "first GC", "second GC"]
    deleted = next(call for call in host.plugins.calls() if call.command == "DEL")
    assert (deleted.environment["CNI_CONTAINERID"], deleted.environment["CNI_NETNS"]) == ("c2", NETNS)
    valid = [{"containerID": "c1", "ifname": "eth0"}]
    for config in host.configs("GC"):
        assert config["cni.dev/valid-attachments"] == config["cni.dev/attachments"] == valid


def test_collecting_goes_on_after_errors(host: Host) -> None:
    """Everything is tried; the first error is raised and the others are in its details."""
    host.configure("1.1.0")
    host.runtime.add("c1", NETNS)
    for plugin, command in (("second", "DEL"), ("first", "GC")):
        host.plugins.answer(plugin, command, {"code": 100, "msg": f"no {command}"}, status=1)
    with pytest.raises(CniError) as caught:
        host.runtime.collect([])
    assert (caught.value.message, caught.value.details) == ("second: no DEL", "first: no GC")
    assert host.plugins.order()[2:] == ["second DEL", "first GC", "second GC"]


def test_collecting_concerns_one_network(host: Host) -> None:
    """A network whose name begins alike keeps its attachments."""
    host.configure(name="net-2")
    host.runtime.add("c1", NETNS)
    host.configure()
    host.runtime.collect([])
    assert host.plugins.order() == ["first ADD", "second ADD"]


def test_collecting_can_be_switched_off(host: Host) -> None:
    """With disableGC somebody else owns the network's garbage: nothing is called at all."""
    host.configure("1.1.0", disableGC=True)
    host.runtime.add("c1", NETNS)
    host.runtime.collect([])
    assert host.plugins.order() == ["first ADD", "second ADD"]


def test_versions_of_all_plugins_are_known(host: Host) -> None:
    """VERSION is asked of each plugin of the chain."""
    host.plugins.answer("first", "VERSION", {"cniVersion": "1.0.0", "supportedVersions": ["0.4.0", "1.0.0"]})
    assert host.runtime.versions() == {"first": ("0.4.0", "1.0.0"), "second": ()}


def test_calls_of_one_container_wait_for_each_other(host: Host) -> None:
    """ADDs of different containers overlap, those of one container do not (spec 1.1.0, section 2)."""
    host.configure(plugins=[{"type": "first"}])
    note = f"-$CNI_CONTAINERID >> {host.cache}.log"
    script = f"echo begin{note}; sleep 0.05; echo end{note}\n"
    host.plugins.do("first", "ADD", script + f"echo '{json.dumps(RESULT)}'")
    host.cache.parent.mkdir(exist_ok=True)
    names = [("a", "eth0"), ("a", "eth1"), ("b", "eth0")]
    threads = [threading.Thread(target=host.runtime.add, args=(c, NETNS, i)) for c, i in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log = Path(f"{host.cache}.log").read_text().split()
    assert [line for line in log if line.endswith("-a")] == ["begin-a", "end-a"] * 2
    assert log.index("begin-b") < max(at for at, line in enumerate(log) if line == "end-a")
    assert len(host.runtime._locks) == 0


def test_a_lock_is_freed_by_an_error() -> None:
    """A failing call does not hold up the next one of the same container, and locks do not pile up."""
    locks = Locks()
    with pytest.raises(ZeroDivisionError), locks.alone("c1"):
        raise ZeroDivisionError
    with locks.alone("c1"):
        assert len(locks) == 1
    assert len(locks) == 0


def test_a_network_is_read_anew_at_every_call(host: Host) -> None:
    """An operator's change counts at once, and a broken one is said."""
    host.runtime.add("c1", NETNS)
    host.configure(plugins=[])
    with pytest.raises(BadConfigurationError, match="plugins"):
        host.runtime.add("c2", NETNS)


def test_no_descriptor_is_left(host: Host) -> None:
    """Success and failure both close everything they opened."""
    before = list(Path("/proc/self/fd").iterdir())
    host.runtime.add("c1", NETNS)
    host.plugins.do("first", "ADD", "exit 1")
    with pytest.raises(CniError):
        host.runtime.add("c2", NETNS)
    assert list(Path("/proc/self/fd").iterdir()) == before


def test_a_plugin_is_answered_for_at_once() -> None:
    """The end of a plugin is noticed when it happens, not at the next look."""
    begin = time.perf_counter()
    for _ in range(10):
        execute("/bin/true", {}, {})
    assert (time.perf_counter() - begin) / 10 < 0.03
