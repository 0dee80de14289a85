"""The row kube-router between two racks whose routers know no pods: BGP tells, tunnels carry."""

import json
from ipaddress import ip_address

import pytest

from octet.lab import Lab
from octet.lab.provider import Octet
from octet.transport.kube_router import device
from racks import reaches, wait_for, ways

pytestmark = [pytest.mark.qemu, pytest.mark.timeout(600)]


def sent(lab: Lab, node: str, link: str) -> int:
    """How many packets a device has sent."""
    shown = lab.exec(node, ["ip", "-j", "-s", "link", "show", "dev", link]).stdout
    packets: int = json.loads(shown)[0]["stats64"]["tx"]["packets"]
    return packets


@pytest.mark.parametrize(("options", "mtu"), [({}, 1480), ({"overlay-encap": "fou"}, 1468)])
def test_pods_of_two_racks_reach_each_other(options: dict[str, object], mtu: int) -> None:
    """The largest packet passes through the tunnel, one byte more is refused, and no router knows a pod."""
    with Lab.up(Octet("kube-router", options), nodes=2, fabric="routed") as lab:
        lab.run("a", "node1")
        address = lab.run("b", "node2").address()
        wait_for(lambda: reaches(lab, "a", address, 1), 60)
        far = device(ip_address("172.31.2.2"))
        assert ways(lab, "node1", "10.244.1.0/24") == [far]
        before = sent(lab, "node1", far)
        ping = ["ping", "-c", "3", "-i", "0.2", "-W", "5", "-M", "do", "-s"]
        assert " 0% packet loss" in lab.exec("a", [*ping, str(mtu - 28), address]).stdout
        assert sent(lab, "node1", far) - before == 3
        assert lab.exec("a", [*ping, str(mtu - 27), address]).returncode != 0
        assert not [
            each for each in lab.routes("tor1")["tor1"] if str(each.destination).startswith("10.244.")
        ]
