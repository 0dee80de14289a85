"""Debian's kernel can delay packets, which many a machine's cannot: what a lab's faults leave out."""

import json
import re

import pytest

from hands import run

pytestmark = pytest.mark.qemu


def test_netem_delays_what_it_is_asked_to(node_ns: int) -> None:
    """A delay of 40 ms each way is in the kernel's listing and in what ping measures."""
    run(node_ns, "tc qdisc add dev lo root netem delay 40ms")
    assert [each["kind"] for each in json.loads(run(node_ns, "tc -j qdisc show dev lo"))] == ["netem"]
    took = re.search(r"= ([0-9.]+)/", run(node_ns, "ping -q -c2 -i0.2 127.0.0.1"))
    assert took is not None
    assert float(took[1]) >= 80
    run(node_ns, "tc qdisc del dev lo root")
