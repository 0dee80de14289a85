import json
import logging
import os
from pathlib import Path

import pytest

from octet.agent.logs import JsonLines
from octet.agent.main import lock
from octet.agent.metrics import Metrics
from octet.agent.sandboxes import HostSandboxes
from octet.cni.spec.failures import CniError
from octet.errors import NotFoundError, OctetError
from octet.kernel import namespaces

OWN = "/proc/thread-self/ns/net"


def test_a_line_of_the_log_is_one_object() -> None:
    """A record becomes one JSON object with level, event and fields, whatever the fields are."""
    record = logging.makeLogRecord({"levelname": "WARNING", "msg": "no\nway", "where": Path("/x"), "n": 1})
    line = JsonLines().format(record)
    assert "\n" not in line
    held = json.loads(line)
    assert (held["level"], held["event"], held["where"], held["n"]) == ("warning", "no\nway", "/x", 1)


def test_a_second_agent_does_not_get_the_lock(tmp_path: Path) -> None:
    """The run directory belongs to one agent at a time; nobody is led to run a second one beside it."""
    held = lock(tmp_path / "run")
    with pytest.raises(OctetError, match=r"another agent runs.*a node has one"):
        lock(tmp_path / "run")
    os.close(held)
    os.close(lock(tmp_path / "run"))


@pytest.mark.parametrize("path", [OWN, "/proc/self/ns/uts", "/etc/passwd"])
def test_what_is_no_pods_namespace_is_refused(path: str) -> None:
    """The node's own namespace, another kind of namespace, and a plain file are all refused with code 8."""
    descriptor = os.open(path, os.O_RDONLY)
    with pytest.raises(CniError) as refused:
        HostSandboxes().look(descriptor, path)
    os.close(descriptor)
    assert refused.value.code == 8


def test_a_namespace_is_found_again_by_its_path(tmp_path: Path) -> None:
    """A path is believed only while it leads to the same namespace as before."""
    status = Path(OWN).stat()
    own = os.open(OWN, os.O_RDONLY)
    cookie = namespaces.cookie(own)
    os.close(own)
    mine = (status.st_dev, status.st_ino, cookie)
    places = HostSandboxes()
    with places.reopened(OWN, mine) as found:
        assert os.fstat(found).st_ino == status.st_ino
    successor = (*mine[:2], cookie + 1)
    elsewhere = [(OWN, (0, 1, 0)), (OWN, successor), (str(tmp_path / "gone"), mine), ("", mine)]
    for path, identity in [*elsewhere, ("/etc/passwd", mine)]:
        with pytest.raises(NotFoundError), places.reopened(path, identity):
            pass


def test_a_pipe_in_a_namespaces_place_makes_nobody_wait(tmp_path: Path) -> None:
    """Something that would block its reader for ever is opened without waiting, and refused."""
    os.mkfifo(tmp_path / "ns")
    with pytest.raises(NotFoundError), HostSandboxes().reopened(str(tmp_path / "ns"), (0, 1, 0)):
        pass


def test_metrics_are_what_prometheus_reads() -> None:
    """Every metric has a help text and a type, and addresses are told by family and state."""
    metrics = Metrics()
    metrics.pool(4, {"free": 3, "used": 1})
    lines = metrics.text().decode().splitlines()
    assert 'octet_addresses{family="4",state="free"} 3.0' in lines
    helped = {line.split()[2] for line in lines if line.startswith("# HELP")}
    assert helped == {line.split()[2] for line in lines if line.startswith("# TYPE")}
