"""The rules of many policies for one pod as plain iptables chains, laid out as two providers lay them out.

What lives here: the text that iptables-restore reads. Pure. What it must not know: whether it is loaded.

kube-router (pkg/controllers/netpol): a chain for each pod, which jumps to a chain for each policy; every one
is entered, those that match set a mark, and after the last one the mark decides. Felix
(felix/rules/endpoints.go): the same, but the chain is left as soon as a policy accepts. Where both ask an
ipset for the peer there is a plain comparison of one address here, which costs a packet less.
"""

from collections.abc import Iterator, Sequence

from octet.measure.policing.crowds import FIRST_PORT, PORT, PORTS

KUBE_ROUTER, FELIX = "kube-router", "Felix"
LAYOUTS = (KUBE_ROUTER, FELIX)

_MATCHED = "0x10000/0x10000"
_STRANGER = "198.18.{0}.{1}"  # RFC 2544's test networks: nobody


def rules(layout: str, link: str, peers: Sequence[str], count: int, tag: str) -> str:
    """Return what iptables-restore adds to the filter table, without flushing what is there.

    Args:
        layout: one of LAYOUTS.
        link: the host's end of the pod's pair.
        peers: the addresses that the policy in the middle lets in.
        count: how many policies select the pod.
        tag: makes the names of the chains this pod's own.
    """
    lines = list(_pod(layout, peers, count, tag))
    chains = [f":{name} - [0:0]" for name in (f"P{tag}", *(f"P{tag}-{number}" for number in range(count)))]
    jump = f"-A FORWARD -o {link} -j P{tag}"
    return "\n".join(["*filter", *chains, jump, *lines, "COMMIT", ""])


def _pod(layout: str, peers: Sequence[str], count: int, tag: str) -> Iterator[str]:
    yield f"-A P{tag} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
    yield f"-A P{tag} -m conntrack --ctstate INVALID -j DROP"
    yield f"-A P{tag} -j MARK --set-xmark 0x0/0x10000"
    for number in range(count):
        yield f"-A P{tag} -j P{tag}-{number}"
        if layout == FELIX:
            yield f"-A P{tag} -m mark --mark {_MATCHED} -j RETURN"
    verdict = "REJECT" if layout == KUBE_ROUTER else "DROP"
    yield f"-A P{tag} -m mark ! --mark {_MATCHED} -j {verdict}"
    for number in range(count):
        yield from _policy(peers, count, number, f"P{tag}-{number}")


def _policy(peers: Sequence[str], count: int, number: int, chain: str) -> Iterator[str]:
    wanted = number == count // 2
    sources = peers if wanted else [_STRANGER.format(number >> 8 & 255, number & 255)]
    port = PORT if wanted else FIRST_PORT + number % PORTS
    for source in sources:
        yield f"-A {chain} -s {source}/32 -p tcp -m tcp --dport {port} -j MARK --set-xmark {_MATCHED}"
    yield f"-A {chain} -m mark --mark {_MATCHED} -j RETURN"
