"""Another program's change of our table is heard; our own, and changes of other tables, are not."""

import subprocess
from collections.abc import Iterator

import pytest

from octet.blueprint import Change
from octet.blueprint.nft import DROP, Chain, Element, Map
from octet.kernel import namespaces
from octet.kernel.netlink.wire import NETLINK_NETFILTER, Socket
from octet.kernel.nft import NftFacility
from octet.kernel.nft.events import GROUP, Listener

pytestmark = pytest.mark.kernel

PODS = Map("pods", ("ifname",))


@pytest.fixture
def socket(pod_ns: int) -> Iterator[Socket]:
    """A socket that hears of the namespace's nftables; our table is there."""
    with namespaces.inside(pod_ns):
        made = Socket(NETLINK_NETFILTER, groups=[GROUP])
    facility = NftFacility(pod_ns)
    facility.apply(Change(add=(PODS, Chain("c"))))
    facility.close()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("command", "heard"),
    [
        ("add rule inet octet c accept", True),
        ("delete chain inet octet c", True),
        ("add element inet octet pods { v : drop }", True),
        ("add chain inet octet d", True),
        ("delete table inet octet", True),
        ("flush ruleset", True),
        ("add table ip octet", False),
        ("add table inet other", False),
    ],
)
def test_others_are_heard(socket: Socket, pod_ns: int, command: str, heard: bool) -> None:
    """Every kind of change of our table by another process is heard, and no change of other tables."""
    listener = Listener()
    listener.hear(socket.drain()[0])
    with namespaces.inside(pod_ns):
        subprocess.run(["nft", command], check=True)
    assert listener.hear(socket.drain()[0]) is heard
    assert listener.gone is (command in ("delete table inet octet", "flush ruleset"))


def test_our_own_changes_are_not_heard(socket: Socket, pod_ns: int) -> None:
    """What this process changes, by text or by single element, is no drift."""
    listener = Listener()
    facility = NftFacility(pod_ns)
    assert facility.apply(Change(add=(Chain("d"),))).ok
    assert facility.apply(Change(add=(Element("pods", "v", target=DROP),))).ok
    facility.close()
    messages, lost = socket.drain()
    assert len(messages) > 4
    assert not lost
    assert not listener.hear(messages)


def test_a_transaction_may_come_in_pieces(socket: Socket) -> None:
    """Objects in one datagram and the generation in the next are still one transaction."""
    messages, _ = socket.drain()
    assert messages
    assert Listener(pid=1).hear(messages)
    listener = Listener(pid=1)
    assert [listener.hear([message]) for message in messages][-1]
