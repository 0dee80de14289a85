"""The plugin, C and Python alike: what it hands to the agent, and what it answers when there is none."""

import json
import os
import socket
import subprocess
import time
from pathlib import Path

import pytest

from cni_programs import HASTY, Done, Program, agent, environment, impostor, until_it_goes
from octet.cni import pending, wire
from octet.cni.request import STDIN_LIMIT
from octet.cni.scan import Config
from octet.cni.spec import SUPPORTED
from octet.cni.wire import Reply

NAMESPACE = "/proc/self/ns/net"
POD = {"CONTAINERID": "c1", "IFNAME": "eth0"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "cni.sock"


def config(path: Path, **keys: object) -> bytes:
    return json.dumps({"cniVersion": "1.0.0", "name": "net", "socket": str(path), **keys}).encode()


def error(done: Done) -> tuple[int, str]:
    """Return code and message of a plugin that failed as the specification says."""
    document = json.loads(done.stdout)
    assert done.returncode == 1
    assert document.keys() == {"cniVersion", "code", "msg"}
    return document["code"], document["msg"]


def test_the_agent_gets_what_the_runtime_gave(program: Program, path: Path) -> None:
    """Input, CNI_ variables and the namespace arrive; nothing else of the environment does."""
    status = Path(NAMESPACE).stat()
    with agent(path, Reply(0, b'{"a":1}')) as seen:
        done = program.run("ADD", config(path), NETNS=NAMESPACE, ARGS=b"A=\xff;B=2", **POD)
    assert (done.returncode, done.stdout, done.stderr) == (0, b'{"a":1}', b"")
    assert seen.seen[0].stdin == config(path)
    assert seen.seen[0].environment == {
        "CNI_COMMAND": "ADD",
        "CNI_NETNS": NAMESPACE,
        "CNI_ARGS": "A=\udcff;B=2",
        "CNI_CONTAINERID": "c1",
        "CNI_IFNAME": "eth0",
    }
    assert seen.namespaces == [(status.st_dev, status.st_ino)]


@pytest.mark.parametrize(
    "reply", [Reply(0), Reply(1, b'{"code":7}'), Reply(255, b"x\0y"), Reply(3, b"z" * 300_000)]
)
def test_the_runtime_gets_what_the_agent_said(program: Program, path: Path, reply: Reply) -> None:
    """Body and exit status pass unchanged, whatever they are."""
    with agent(path, reply):
        done = program.run("CHECK", config(path), NETNS=NAMESPACE, **POD)
    assert Reply(done.returncode, done.stdout) == reply


@pytest.mark.parametrize(("form", "size"), [("thin", STDIN_LIMIT), ("twin", 100_000)])
def test_a_large_configuration_passes(
    form: str, size: int, path: Path, request: pytest.FixtureRequest
) -> None:
    """Up to one mebibyte of input goes to the agent (Python needs a while to look through as much)."""
    text = config(path).ljust(size)
    with agent(path, Reply(0)) as seen:
        assert request.getfixturevalue(form).run("GC", text).returncode == 0
    assert seen.seen[0].stdin == text


@pytest.mark.parametrize("command", ["GC", "STATUS"])
def test_commands_about_a_network_bring_no_namespace(program: Program, path: Path, command: str) -> None:
    """GC and STATUS have none, whatever CNI_NETNS holds."""
    with agent(path, Reply(0)) as seen:
        program.run(command, config(path), NETNS=NAMESPACE)
        program.run(command, config(path), NETNS="/nowhere")
    assert [raw.namespace for raw in seen.seen] == [None, None]


@pytest.mark.parametrize("stdin", [b"", b"{}", b"garbage", b'{"cniVersion":"x"}', b'{"cniVersion":5}'])
def test_version_needs_no_agent(program: Program, stdin: bytes) -> None:
    """VERSION is answered at once, in the newest version where the configuration names none."""
    done = program.run("VERSION", stdin)
    document = {"cniVersion": "1.1.0", "supportedVersions": list(SUPPORTED)}
    assert (done.returncode, json.loads(done.stdout)) == (0, document)


def test_version_answers_in_the_configurations_version(program: Program) -> None:
    """The answer's cniVersion is that of the question (spec 1.1.0, section 2)."""
    assert json.loads(program.run("VERSION", b'{"cniVersion":"0.4.0"}').stdout)["cniVersion"] == "0.4.0"


@pytest.mark.parametrize(
    ("command", "code"), [("ADD", 11), ("CHECK", 11), ("GC", 11), ("STATUS", 50), ("X", 11)]
)
def test_without_an_agent_the_runtime_is_told_to_try_again(
    program: Program, path: Path, command: str, code: int
) -> None:
    """Code 11, for STATUS 50, in the configuration's version and naming the socket."""
    done = program.run(command, config(path), NETNS=NAMESPACE, **POD)
    assert error(done) == (code, f"{path}: the agent is not there")
    assert json.loads(done.stdout)["cniVersion"] == "1.0.0"


def test_without_an_agent_a_del_waits_for_it(program: Program, path: Path) -> None:
    """DEL succeeds silently; the agent finds the same request later, in order, private to root."""
    done = [program.run("DEL", config(path, n=number), NETNS=NAMESPACE, **POD) for number in range(3)]
    assert {(one.returncode, one.stdout, one.stderr) for one in done} == {(0, b"", b"")}
    waiting = path.parent / "pending"
    modes = {waiting.stat().st_mode & 0o777, *(one.stat().st_mode & 0o777 for one in waiting.iterdir())}
    assert modes == {0o700, 0o600}
    found = list(pending.drain(waiting))
    assert [raw.stdin for raw in found] == [config(path, n=number) for number in range(3)]
    assert {raw.environment["CNI_CONTAINERID"] for raw in found} == {"c1"}


def test_a_del_that_cannot_wait_is_tried_again(program: Program, path: Path) -> None:
    """If it can be neither done nor kept, the runtime must know: code 11."""
    path.parent.mkdir()
    (path.parent / "pending").write_text("in the way")
    code, message = error(program.run("DEL", config(path), **POD))
    assert code == 11
    assert "could not be kept" in message


HEADER = b"OCNR\1\0\0\0\0\0\0\5"
BROKEN = {
    "nothing": (b"", "did not answer"),
    "half a header": (HEADER[:7], "did not answer"),
    "half a body": (HEADER + b"12", "did not finish"),
    "something else": (b"HTTP/1.1 200 OK\r\n", "no agent"),
    "more than allowed": (b"OCNR\1\0\0\0\xff\0\0\0", "no agent"),
    "another version": (b"OCNR\2\0\0\0\0\0\0\0", "no agent"),
}
BREAKS = [(command, "nothing") for command in ("CHECK", "GC", "STATUS")]
BREAKS += [(command, kind) for command in ("ADD", "DEL") for kind in BROKEN]


@pytest.mark.parametrize(("command", "kind"), BREAKS)
def test_an_agent_that_fails_in_the_middle_is_as_none(
    program: Program, path: Path, command: str, kind: str
) -> None:
    """However the answer breaks off, the runtime gets 11 or 50, and no half answer is printed."""
    said, words = BROKEN[kind]
    with impostor(path, lambda plugin: void(plugin.recv(1 << 16), plugin.send(said))):
        done = program.run(command, config(path), NETNS=NAMESPACE, **POD)
    is_as_without_agent(done, path, command, words)


@pytest.mark.parametrize("command", ["ADD", "STATUS", "DEL"])
def test_an_agent_that_is_silent_is_as_none(hasty: Program, path: Path, command: str) -> None:
    """After the limit (60 s where it is installed) the plugin goes on without it."""
    with impostor(path, until_it_goes):
        done = hasty.run(command, config(path), NETNS=NAMESPACE, **POD)
    is_as_without_agent(done, path, command, "did not answer")


def test_the_limit_is_for_the_whole_answer(hasty: Program, path: Path) -> None:
    """An agent that trickles byte by byte cannot hold a plugin longer than a silent one."""

    def trickle(plugin: socket.socket) -> None:
        for at in range(len(HEADER)):
            plugin.send(HEADER[at : at + 1])
            time.sleep(HASTY / 4)

    with impostor(path, trickle):
        done = hasty.run("ADD", config(path), NETNS=NAMESPACE, **POD)
    is_as_without_agent(done, path, "ADD", "did not answer")


def test_a_full_queue_is_waited_for(hasty: Program, path: Path) -> None:
    """A listening socket that accepts nobody is given the limit to do so, and then is as none."""
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as first:
        listening.bind(str(path))
        listening.listen(0)
        first.connect(str(path))
        begin = time.monotonic()
        done = hasty.run("ADD", config(path), NETNS=NAMESPACE, **POD)
    assert time.monotonic() - begin >= HASTY
    is_as_without_agent(done, path, "ADD", "not there")


def is_as_without_agent(done: Done, path: Path, command: str, words: str) -> None:
    """Check what a runtime gets when no agent answers: for a DEL nothing, and it waits."""
    if command == "DEL":
        assert (done.returncode, done.stdout) == (0, b"")
        assert [raw.stdin for raw in pending.drain(path.parent / "pending")] == [config(path)]
    else:
        code, message = error(done)
        assert code == (50 if command == "STATUS" else 11)
        assert words in message


def void(*_values: object) -> None:
    """Take values and return none."""


@pytest.mark.parametrize("command", ["ADD", "CHECK"])
def test_a_namespace_that_cannot_be_opened_is_code_8(program: Program, path: Path, command: str) -> None:
    """The agent is not bothered, and what the path holds cannot break the JSON."""
    with agent(path, Reply(0)) as seen:
        code, message = error(program.run(command, config(path), NETNS='/no\n"\\\x7f\x1bé', **POD))
    assert (code, message) == (8, 'CNI_NETNS = /no\n"\\\x7f\x1b??: No such file or directory')
    assert seen.seen == []


def test_a_del_needs_no_namespace(program: Program, path: Path) -> None:
    """The pod may be long gone: the DEL reaches the agent without a descriptor."""
    with agent(path, Reply(0)) as seen:
        assert program.run("DEL", config(path), NETNS="/gone", **POD).returncode == 0
        assert program.run("DEL", config(path), **POD).returncode == 0
    assert [raw.namespace for raw in seen.seen] == [None, None]


def test_an_add_without_namespace_is_the_agents_to_judge(program: Program, path: Path) -> None:
    """A missing CNI_NETNS is a wrong environment (4), which the agent says."""
    with agent(path, Reply(1, b"said")) as seen:
        assert program.run("ADD", config(path), NETNS="", **POD).stdout == b"said"
    assert seen.seen[0].namespace is None


def test_a_pipe_for_a_namespace_does_not_hang(program: Program, path: Path) -> None:
    """Whatever the path names is opened without waiting; the agent recognises a namespace."""
    os.mkfifo(path.parent.parent / "pipe")
    with agent(path, Reply(0)) as seen:
        assert program.run("ADD", config(path), NETNS=str(path.parent.parent / "pipe"), **POD).returncode == 0
    assert len(seen.namespaces) == 1


NO_OBJECT = "standard input is not a JSON object of at most 1048576 bytes"
NO_SOCKET = "socket: must be an absolute path of at most 107 bytes"
NOT_JSON = [
    b"",
    b" \n",
    b"null",
    b"[]",
    b'"socket"',
    b"{",
    b'{"a"',
    b'{"a":',
    b'{"a":1',
    b'{"a":1,}',
    b'{"a" 1}',
    b"{a:1}",
    b'{"a":1}}',
    b'{"a":1} x',
    b'{"a":[1}',
    b'{"a":"b}',
    b'{"a":"b" "c":1}',
    b'{"a\n":1}',
    b'{"a":"\\',
    b"[" * 5000,
]


@pytest.mark.parametrize("stdin", NOT_JSON, ids=lambda stdin: repr(stdin[:16]))
def test_what_is_no_json_object_is_code_6(thin: Program, stdin: bytes) -> None:
    """A configuration that one cannot find one's way through has no socket to go to."""
    assert error(thin.run("ADD", stdin)) == (6, NO_OBJECT)
    assert Config().scan(stdin) == 6


def test_both_forms_refuse_what_is_no_object_or_too_long(program: Program) -> None:
    """The message names the limit, which both mistakes have to do with."""
    for stdin in (b"[]", b" " * (STDIN_LIMIT + 1)):
        assert error(program.run("ADD", stdin)) == (6, NO_OBJECT)


NO_PATHS = ['""', '"relative"', "5", "null", '{"a":"/b"}', '"/a\\u0000b"', '"/a\\nb"', '"/' + "a" * 107 + '"']


@pytest.mark.parametrize("value", NO_PATHS)
def test_a_socket_that_cannot_be_one_is_code_7(thin: Program, value: str) -> None:
    """The path must be absolute, fit into a socket address and need no escapes."""
    stdin = f'{{"socket":{value}}}'.encode()
    assert error(thin.run("STATUS", stdin)) == (7, NO_SOCKET)
    assert Config().scan(stdin) == 7


def test_both_forms_say_what_a_socket_must_be(program: Program) -> None:
    """The message names key and limit."""
    assert error(program.run("STATUS", b'{"socket":"x"}')) == (7, NO_SOCKET)


@pytest.mark.parametrize(
    "text",
    [
        '{"socket":"PATH"}',
        ' \t\r\n{ "socket" : "PATH" } \n',
        '{"SOCKET":"PATH"}',
        '{"socket":"/wrong","Socket":"PATH"}',
        '{"socket":"","socket":"PATH"}',
        '{"a":{"socket":"/wrong"},"socket":"PATH","b":[{"socket":"/wrong"}]}',
        '{"a":"\\"socket\\":\\"/wrong\\"","socket":"PATH"}',
        '{"a":[1,2,{"b":"]}"}],"socket":"PATH","c":-1.5e3,"d":null,"e":[],"f":{}}',
        '{"a":' + "[" * 9999 + "]" * 9999 + ',"socket":"PATH"}',
        '{"s\\u006fcket":"/wrong","socket":"PATH"}',
    ],
)
def test_the_socket_is_taken_from_the_top_level(program: Program, path: Path, text: str) -> None:
    """Any case, the last of several, with white space and escaped slashes; what is nested does not count."""
    escaped = str(path).replace("/", "\\/")
    with agent(path, Reply(0)) as seen:
        for shown in (str(path), escaped):
            assert program.run("STATUS", text.replace("PATH", shown).encode()).returncode == 0
    assert len(seen.seen) == 2


def test_a_configuration_without_socket_goes_to_the_default(program: Program) -> None:
    """There is one place where an agent is looked for if nothing else is said."""
    assert error(program.run("STATUS", b"{}")) == (50, f"{program.socket}: the agent is not there")


@pytest.mark.parametrize("version", ['"1.0.0\\n"', '"1.0.0-rc1"', '"' + "1" * 17 + '"', '""', "1", '"\\"}"'])
def test_a_strange_version_is_not_repeated(program: Program, version: str) -> None:
    """The plugin's own answers carry the newest version then, so that they are always JSON."""
    done = program.run("STATUS", f'{{"cniVersion":{version}}}'.encode())
    assert json.loads(done.stdout)["cniVersion"] == "1.1.0"


def test_too_much_environment_is_code_4(program: Program, path: Path) -> None:
    """64 KiB of CNI_ variables are more than any runtime has."""
    with agent(path, Reply(0)):
        code, message = error(program.run("GC", config(path), ARGS="A=" + "x" * 70_000))
    assert (code, message) == (4, "the CNI_ variables have more than 65535 bytes")


def test_a_person_who_runs_it_is_told(program: Program) -> None:
    """Without CNI_COMMAND it says at once what it is, and does not wait for input."""
    with subprocess.Popen(program.command, env={}, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        out = process.stdout.read() if process.stdout else b""
    document = json.loads(out)
    assert (process.returncode, document["code"]) == (1, 4)
    assert "octet cni --help" in document["msg"]


def test_input_that_never_ends_is_code_5(hasty: Program, path: Path) -> None:
    """A runtime that forgets to close the pipe gets an answer all the same."""
    begin = time.monotonic()
    env = environment("ADD", {})
    with subprocess.Popen(hasty.command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(config(path))
        process.stdin.flush()
        out = process.stdout.read() if process.stdout else b""
    assert json.loads(out)["code"] == 5
    assert time.monotonic() - begin < 50 * HASTY


def test_an_answer_that_nobody_takes_is_a_failure(program: Program, path: Path) -> None:
    """If standard output is full, the exit status says so."""
    env = environment("STATUS", {})
    with agent(path, Reply(0, b"{}")), Path("/dev/full").open("wb") as full:
        process = subprocess.run(
            program.command, input=config(path), env=env, stdout=full, timeout=20, check=False
        )
    assert process.returncode == 1


def test_both_forms_send_the_same_bytes(thin: Program, twin: Program, path: Path) -> None:
    """A journalled DEL is the request as it would have been sent; C and Python write the same."""
    kept = []
    for program in (thin, twin):
        program.run("DEL", config(path), NETNS="/x", **POD)
        (file,) = (path.parent / "pending").iterdir()
        kept.append(wire.decode_request(file.read_bytes()))
        file.unlink()
    assert kept[0] == kept[1]
