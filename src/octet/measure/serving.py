"""What a change of one service among many costs a node of model kube-router: its decision, without a kernel.

What lives here: the world, and the program, run by its file so that another checkout can be asked the same:
``PYTHONPATH=OTHER/src python src/octet/measure/serving.py``. What it must not know: the kernel, labs.
"""

import gc
import sys
import time
from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import Any

from octet.agent.desired import Desired
from octet.blueprint import Change
from octet.cluster.view import View
from octet.models import Running, example, find

SERVICES, TIMES = 2000, 7
CLUSTER, EXTERNAL = IPv4Address("10.96.0.1"), IPv4Address("192.1.0.1")
OPTIONS = {
    "advertise-cluster-ip": True,
    "advertise-external-ip": True,
    "service-external-ip-range": ["192.0.0.0/8"],
}
PORTS = (("http", 80, 8080), ("https", 443, 8443))


def service(number: int, annotations: dict[str, str] | None = None) -> dict[str, Any]:
    """Return a service of two addresses and two ports."""
    ports = [{"name": name, "port": port, "protocol": "TCP"} for name, port, _ in PORTS]
    spec = {"clusterIP": str(CLUSTER + number), "externalIPs": [str(EXTERNAL + number)], "ports": ports}
    metadata = {"name": f"s{number}", "namespace": "default", "annotations": annotations or {}}
    return {"metadata": metadata, "spec": spec}


def endpoints(number: int, nodes: Sequence[int] = (1, 2)) -> dict[str, Any]:
    """Return its endpoints, one on each of these nodes."""
    labels = {"kubernetes.io/service-name": f"s{number}"}
    return {
        "metadata": {"name": f"s{number}-1", "namespace": "default", "labels": labels},
        "addressType": "IPv4",
        "ports": [{"name": name, "port": port, "protocol": "TCP"} for name, _, port in PORTS],
        "endpoints": [
            {"addresses": [f"10.244.{node}.{2 + number % 200}"], "nodeName": f"node{node}"} for node in nodes
        ],
    }


class Node:
    """A node that tells routers of services, and what it holds."""

    def __init__(self, count: int = SERVICES) -> None:
        self.running: Running = find("kube-router").parse(OPTIONS, source="serving")
        self.view: View = example.view(self.running, (4,))
        self.view = self.view.with_listing("Service", map(service, range(count))).view
        self.view = self.view.with_listing("EndpointSlice", map(endpoints, range(count))).view
        self.desired = Desired()
        self.decide()
        gc.freeze()

    def decide(self) -> Change:
        """Decide as the agent does after a service's event, and return what becomes different."""
        held = self.running.node(self.view)
        self.running.unsure(self.view)
        return self.desired.replace(("node",), held)

    def change(self, kind: str, item: dict[str, Any]) -> tuple[float, int]:
        """Return the milliseconds of a processor that a change takes, and the objects that are others."""
        self.view, _ = self.view.with_event(kind, ("MODIFIED", item))
        begun = time.process_time()
        change = self.decide()
        spent = 1000 * (time.process_time() - begun)
        return spent, len(change.add) + len(change.alter) + len(change.remove)


def main(arguments: Sequence[str]) -> None:
    """Make changes and print what they took."""
    count = int(arguments[0]) if arguments else SERVICES
    node = Node(count)
    for what, kind, items in (
        (
            "its endpoints change",
            "EndpointSlice",
            [endpoints(7, (1, 2 + n % 2)) for n in range(1, TIMES + 1)],
        ),
        ("it is annotated", "Service", [service(7, {"n": str(n)}) for n in range(TIMES)]),
    ):
        taken = [node.change(kind, item) for item in items]
        spent, objects = sorted(each[0] for each in taken)[TIMES // 2], taken[-1][1]
        sys.stdout.write(f"one of {count:,} services, {what}: {spent:.0f} ms, {objects} objects\n")


if __name__ == "__main__":
    main(sys.argv[1:])
