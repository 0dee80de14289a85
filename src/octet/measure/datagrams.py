"""Tiny UDP programs for the inside of pods: what it costs to send a datagram all the way to another pod.

What lives here: the loops, started as ``python -m octet.measure.datagrams``. What it must not know: anything
else of Octet; it is started once per measurement and must start fast.

Between pods of one node the kernel carries a datagram into the other pod before the sender's call returns.
Whoever is there answers once, so that connection tracking has seen both directions, and reads no more: what
its queue has no room for is dropped, at the same cost for all.
"""

import json
import socket
import sys
import time

BATCH = 64
"""Datagrams between two looks at the clock: far less than a slice of a processor's time."""

PATIENCE = 0.2
"""Seconds to wait for the answer before asking again; asked at most TRIES times."""

TRIES = 50


def _socket(address: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)


def answer(address: str, port: int) -> None:
    """Answer one datagram, then stay and read nothing, until killed."""
    with _socket(address) as here:
        here.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # the kernel's least
        here.bind((address, port))
        data, peer = here.recvfrom(64)
        here.sendto(data, peer)
        while True:
            time.sleep(60)


def flood(address: str, port: int, seconds: float) -> float:
    """Send for so long, once it was answered; return ns for each, the lowest tenth's end of all batches.

    Raises:
        TimeoutError: nobody answers.
    """
    took: list[int] = []
    with _socket(address) as here:
        here.connect((address, port))
        _ask(here)
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            begun = time.perf_counter_ns()
            for _ in range(BATCH):
                here.send(b"!")
            took.append(time.perf_counter_ns() - begun)
    return sorted(took)[len(took) // 10] / BATCH


def _ask(here: socket.socket) -> None:
    here.settimeout(PATIENCE)
    for _ in range(TRIES):
        try:
            here.send(b"?")
            here.recv(1)
        except (TimeoutError, ConnectionRefusedError):
            time.sleep(0.01)  # not there yet
        else:
            here.settimeout(None)
            return
    raise TimeoutError(f"no answer from {here.getpeername()}")


if __name__ == "__main__":
    way, host, number, *rest = sys.argv[1:]
    if way == "answer":
        answer(host, int(number))
    else:
        sys.stdout.write(json.dumps({"packet_ns": flood(host, int(number), float(rest[0]))}))
