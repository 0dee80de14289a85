"""What a person can do with a lab, through the command line."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from octet.lab import Lab

pytestmark = pytest.mark.lab

OCTET = str(Path(sys.executable).with_name("octet"))
NAME = "verbs"


def octet(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run ``octet lab`` as a person would."""
    command = [OCTET, "lab", *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)


def said(*arguments: str, text: str = "") -> str:
    """What a command prints that must succeed."""
    done = octet(*arguments, text=text)
    assert done.returncode == 0, done.stderr
    return done.stdout


def wait_for(true: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Two nodes with a pod each, brought up by the command line."""
    said("up", "--name", NAME, "--model", "flannel", "--nodes", "2", "--family", "dual")
    said("run", "a", "--node", "node1", "--label", "app=web", "--label", "tier=front")
    said("run", "b", "--node", "node2")
    yield Lab.find(NAME)
    said("down", NAME)


@pytest.fixture
def whole(lab: Lab) -> Iterator[Lab]:
    """The same, mended after the test."""
    yield lab
    lab.heal()


def named(lab: Lab, pod: str) -> dict[str, Any]:
    return next(item for item in lab.get("pods") if item["metadata"]["name"] == pod)


def address(lab: Lab, pod: str, version: int = 4) -> str:
    addresses = [ip["ip"] for ip in named(lab, pod)["status"]["podIPs"]]
    return next(each for each in addresses if (":" in each) == (version == 6))


def lost(lab: Lab, target: str, destination: str, count: int = 3) -> int:
    """How many of a hundred pings got no answer."""
    ping = lab.exec(target, ["ping", "-c", str(count), "-i", "0.01", "-W", "1", destination])
    return int(float(ping.stdout.partition("% packet loss")[0].split()[-1]))


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["true"], 0),
        (["sh", "-c", "exit 42"], 42),
        (["sh", "-c", "kill -KILL $$"], 137),
        (["no-such-program"], 127),
        (["/etc/hostname"], 126),
    ],
)
@pytest.mark.usefixtures("lab")
def test_execs_exit_code_is_the_programs(command: list[str], code: int) -> None:
    """Exit codes, signals and programs that can't be started end as in a shell."""
    assert octet("exec", "a", "--", *command).returncode == code


@pytest.mark.usefixtures("lab")
def test_execs_streams_are_ours() -> None:
    """stdin, stdout and stderr of the program are the caller's, untouched."""
    done = octet("exec", "a", "--", "sh", "-c", "cat; echo oops >&2", text="hello")
    assert (done.stdout, done.stderr) == ("hello", "oops\n")


def test_exec_is_where_it_says(lab: Lab) -> None:
    """A pod, a node and the outside each have their own links; /sys agrees with netlink."""
    for target, own in (("a", "eth0"), ("node1", "cni0"), ("switch", "node2"), ("outside", "eth0")):
        shown = lab.exec(target, ["sh", "-c", "ls /sys/class/net; ip -o link | wc -l"]).stdout.split()
        assert own in shown
        assert int(shown[-1]) == len(shown) - 1


def test_a_signal_for_the_client_reaches_the_program(lab: Lab) -> None:
    """Interrupting ping prints its statistics, as it does anywhere."""
    ping = lab.popen("a", ["ping", "-i", "0.2", "127.0.0.1"], stdout=subprocess.PIPE, text=True)
    assert ping.stdout is not None
    ping.stdout.readline()
    ping.send_signal(signal.SIGINT)
    assert "0% packet loss" in ping.communicate(timeout=5)[0]
    assert ping.returncode == 0


def test_a_killed_client_takes_the_program_along(lab: Lab) -> None:
    """Nothing stays in a pod when who started it is gone."""
    program = lab.popen("a", ["sleep", "61.7"])
    wait_for(lambda: "61.7" in lab.exec("a", ["ps", "ax"]).stdout)
    program.kill()
    program.wait()
    wait_for(lambda: "61.7" not in lab.exec("a", ["ps", "ax"]).stdout)


@pytest.mark.usefixtures("lab")
def test_exec_keeps_the_terminal() -> None:
    """A program on a terminal has that terminal, so shells and pagers work."""
    ours, theirs = pty.openpty()
    command = [OCTET, "lab", "exec", "a", "--", "sh", "-c", "test -t 0 && test -t 1 && exit 3"]
    done = subprocess.run(command, stdin=theirs, stdout=theirs, stderr=theirs, timeout=20, check=False)
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 3


@pytest.mark.parametrize("version", [4, 6])
def test_pods_reach_pods_and_the_outside(lab: Lab, version: int) -> None:
    """Another node's pod answers, and a host outside the cluster does, because the node's address is used."""
    beyond = {4: "198.51.100.1", 6: "2001:db8:ffff::1"}[version]
    assert lost(lab, "a", address(lab, "b", version)) == 0
    assert lost(lab, "a", beyond) == 0


def test_run_prints_the_pods_addresses(lab: Lab) -> None:
    """The addresses that ``run`` prints are those that the pod has; its labels are kept."""
    printed = said("run", "c", "--node", "node1", "--label", "app=c", "--", "sleep", "100").split()
    held = lab.exec("c", ["ip", "-o", "addr", "show", "dev", "eth0", "scope", "global"]).stdout
    assert len(printed) == 2
    assert all(f" {each}/" in held for each in printed)
    assert named(lab, "c")["metadata"]["labels"] == {"app": "c"}
    said("delete", "pod", "c")


def test_a_deleted_pod_is_gone_and_its_name_free(lab: Lab) -> None:
    """Object, namespace and link go; the same name runs again at once."""
    for _ in range(2):
        said("run", "again", "--node", "node2")
        said("delete", "pod", "again")
    assert "again" not in [item["metadata"]["name"] for item in lab.get("pods")]
    assert "default.again" not in lab.exec("node1", ["ls", "/run/netns"]).stdout


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["run", "a", "--node", "node1"], 1, "octet lab delete pod a"),
        (["run", "x", "--node", "node9"], 4, "nodes: node1, node2"),
        (["run", "X", "--node", "node1"], 2, "not a pod name"),
        (["run", "x", "--node", "node1", "--label", "app"], 2, "K=V"),
        (["exec", "zz", "--", "true"], 4, "default.a, default.b"),
        (["exec", "a"], 2, "octet lab exec a --"),
        (["get", "deployments"], 2, "nodes, pods"),
        (["logs", "zz"], 4, "logs:"),
        (["delete", "node", "node1"], 1, "octet lab fault cut"),
        (["run", "x", "--node", "node1", "--label", "bad label=1"], 2, "not a label's key"),
        (["run", "x", "--node", "node1", "--label", "app=a b"], 2, "not a label's value"),
        (["fault", "drop", "--percent", "200"], 2, "percent"),
        (["fault", "drop", "--percent", "nan"], 2, "percent = nan: outside 0.01 to 100"),
        (["fault", "drop", "--percent", "0.001"], 2, "percent"),
        (["fault", "drop", "node1", "node1"], 2, "the node itself"),
        (["fault", "kill-agent", "node9"], 4, "nodes: node1, node2"),
        (["up", "--name", NAME, "--model", "flannel"], 1, f"octet lab down {NAME}"),
        (["up", "--name", "o", "--model", "pigeon"], 2, "flannel"),
        (["up", "--name", "o", "--model", "flannel", "--nodes", "0"], 2, "1 to 200"),
        (["up", "--name", "o", "--model", "flannel", "--fabric", "l9"], 2, "l2"),
        (["down", "other"], 4, f"up: {NAME}"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.usefixtures("lab")
def test_a_mistake_is_told_with_what_would_do(arguments: list[str], code: int, told: str) -> None:
    """Each mistake has its exit code and a sentence that helps, and no traceback."""
    done = octet(*arguments)
    assert done.returncode == code, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_get_shows_objects_whole_or_as_a_table(lab: Lab) -> None:
    """--json is Kubernetes' objects; the table has one line for each."""
    nodes = json.loads(said("get", "nodes", "--json"))
    assert [node["metadata"]["name"] for node in nodes] == ["node1", "node2"]
    assert nodes[0]["lab"]["agent"]["state"] == "running"
    assert nodes == lab.get("nodes")
    table = said("get", "pods").splitlines()
    assert [line.split()[1] for line in table[1:]] == ["a", "b"]
    assert "app=web tier=front" in table[1]


def test_apply_creates_configures_and_starts(lab: Lab, tmp_path: Path) -> None:
    """A manifest's pods run, its other objects are stored; a second time nothing is made twice."""
    manifest = tmp_path / "shop.yaml"
    manifest.write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop, labels: {app: web}}\n"
        "spec: {containers: [{name: m, command: [sleep], args: ['99']}]}\n---\n"
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: deny, namespace: shop}\n"
        "spec: {podSelector: {}}\n"
    )
    results = [json.loads(said("apply", "-f", str(manifest), "--json")) for _ in range(2)]
    assert [[item["result"] for item in each] for each in results] == [
        ["started", "created"],
        ["configured", "configured"],
    ]
    assert [item["metadata"]["name"] for item in lab.get("netpol", namespace="shop")] == ["deny"]
    assert "shop" in [item["metadata"]["name"] for item in lab.get("namespaces")]
    assert lost(lab, "a", lab.get("pods", namespace="shop")[0]["status"]["podIP"]) == 0
    said("delete", "pod", "web", "-n", "shop")
    said("delete", "netpol", "deny", "-n", "shop")


def test_apply_reads_stdin_and_refuses_by_name(lab: Lab) -> None:
    """A kind that a lab does not know is named, and nothing of the manifest is applied."""
    text = json.dumps(
        [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}, {"kind": "Ingress"}]
    )
    done = octet("apply", "-f", "-", text=text)
    assert done.returncode == 2
    assert "Ingress" in done.stderr
    assert "n" not in [item["metadata"]["name"] for item in lab.get("namespaces")]


def test_logs_have_what_programs_say(lab: Lab) -> None:
    """A pod's output is in its log; following ends with the lab or the reader; an agent logs too."""
    said("run", "talk", "--node", "node1", "--", "sh", "-c", "echo one; sleep 0.3; echo two; exec sleep 99")
    follow = lab.log("talk", follow=True)
    held = ""
    while "two" not in held:
        held += next(follow)
    assert held == "one\ntwo\n"
    assert said("logs", "talk") == held
    assert "node1" in said("logs", "node1")
    said("delete", "pod", "talk")


def test_a_program_that_ended_shows_in_its_pod(lab: Lab) -> None:
    """The pod of a failed program is Failed, with its exit code, and keeps its network until deleted."""
    said("run", "brief", "--node", "node1", "--", "sh", "-c", "exit 5")
    wait_for(lambda: named(lab, "brief")["status"]["phase"] == "Failed")
    assert named(lab, "brief")["status"]["message"] == "exit code 5"
    assert lost(lab, "brief", address(lab, "b")) == 0
    said("delete", "pod", "brief")


def test_a_cut_node_is_alone_until_healed(whole: Lab) -> None:
    """Nothing passes a cut cable; the node's pods still reach each other; healed is as before."""
    said("fault", "cut", "node2")
    assert lost(whole, "a", address(whole, "b")) == 100
    assert "cut off" in said("get", "nodes")
    said("fault", "heal", "node2")
    wait_for(lambda: lost(whole, "a", address(whole, "b"), 1) == 0)
    assert "cut off" not in said("get", "nodes")


def test_two_nodes_cut_from_each_other_reach_the_rest(whole: Lab) -> None:
    """Only what passes between the two is lost."""
    said("fault", "cut", "node1", "node2")
    assert lost(whole, "a", address(whole, "b")) == 100
    assert lost(whole, "a", "198.51.100.1") == 0
    said("fault", "heal", "node2", "node1")
    wait_for(lambda: lost(whole, "a", address(whole, "b"), 1) == 0)


def test_loss_hits_what_it_names(whole: Lab) -> None:
    """Losing the overlay's port loses pod traffic and nothing of the nodes' own."""
    said("fault", "drop", "node1", "node2", "--protocol", "udp", "--port", "8472")
    assert lost(whole, "a", address(whole, "b")) == 100
    assert lost(whole, "node1", "172.31.0.2") == 0
    said("fault", "heal")
    said("fault", "drop", "--percent", "30", "--protocol", "icmp")
    assert 10 < lost(whole, "node1", "172.31.0.2", 200) < 90


def test_a_killed_agent_stays_dead_until_started(whole: Lab) -> None:
    """Traffic goes on without the agent, ADD says to try again, and a start makes it whole."""
    said("fault", "kill-agent", "node1")
    assert "killed (killed by SIGKILL)" in said("get", "nodes")
    assert lost(whole, "a", address(whole, "b")) == 0
    done = octet("run", "late", "--node", "node1")
    assert done.returncode == 3, "3 is 'trying again later is the answer'"
    assert "Traceback" not in done.stderr
    assert "late" not in [item["metadata"]["name"] for item in whole.get("pods")]
    assert octet("fault", "kill-agent", "node1").returncode == 1
    said("fault", "start-agent", "node1")
    said("run", "late", "--node", "node1")
    assert lost(whole, "late", address(whole, "b")) == 0
    said("delete", "pod", "late")


def test_an_agent_that_died_by_itself_is_shown(whole: Lab) -> None:
    """What nobody killed through the lab reads as died."""
    pid = whole.get("nodes")[1]["lab"]["agent"]["pid"]
    whole.exec("node2", ["kill", "-SEGV", str(pid)])
    wait_for(lambda: "died (killed by SIGSEGV)" in said("get", "nodes"))
    said("fault", "start-agent", "node2")


def test_a_pod_deleted_while_the_agent_is_dead_frees_its_address(whole: Lab) -> None:
    """DEL is remembered and done when the agent is back: no link stays on the node."""
    said("run", "gone", "--node", "node2")
    links = whole.exec("node2", ["ip", "-o", "link"]).stdout.count("veth")
    said("fault", "kill-agent", "node2")
    said("delete", "pod", "gone")
    said("fault", "start-agent", "node2")
    wait_for(lambda: whole.exec("node2", ["ip", "-o", "link"]).stdout.count("veth") < links)


def test_ls_lists_labs_and_json_has_them_whole(lab: Lab) -> None:
    """One line per lab that is up."""
    assert [row["name"] for row in json.loads(said("ls", "--json"))] == [NAME]
    assert said("ls").splitlines()[1].split() == [NAME, "flannel", "2", "2", "l2", "dual"]
    assert lab.info()["nodes"] == ["node1", "node2"]


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["run", "x", "--node", ""], ["node1", "node2"]),
        (["exec", ""], ["node1", "node2", "outside", "switch", "a", "b"]),
        (["logs", "l"], ["lab"]),
        (["delete", "pod", ""], ["a", "b"]),
        (["exec", "-n", "kube-s"], ["kube-system"]),
        (["fault", "cut", "node1", "node"], ["node1", "node2"]),
        (["down", ""], [NAME]),
        (["get", "pods", "--name", ""], [NAME]),
        (["exec", "--name", NAME, "node"], ["node1", "node2"]),
        (["exec", "--name", "other", ""], []),
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("lab")
def test_tab_offers_what_is_up(words: list[str], values: list[str]) -> None:
    """A shell's completion knows the labs that are up, and of the one that is meant nodes and pods."""
    line = ["octet", "lab", *words]
    request = {"COMP_WORDS": " ".join(line), "COMP_CWORD": str(len(line) - 1)}
    environment = {**os.environ, **request, "_OCTET_COMPLETE": "complete_bash"}
    done = subprocess.run([OCTET], env=environment, capture_output=True, text=True, timeout=20, check=False)
    assert done.stdout.split() == values, done.stderr


@pytest.mark.usefixtures("lab")
def test_with_two_labs_a_name_is_needed() -> None:
    """Leaving the name out is refused with the names; with it, each verb means that lab."""
    with Lab.up("kopeio-vxlan", nodes=1, name="second"):
        done = octet("get", "nodes")
        assert done.returncode == 1
        assert "second, verbs" in done.stderr
        assert "node2" not in said("get", "nodes", "--name", "second")
