"""Tiny TCP programs for the inside of pods: open and close connections, tell who one is.

What lives here: the loops, started as ``python -m octet.measure.connect``. What it must not know:
anything else of Octet; it is started once per measurement and must start fast.
"""

import contextlib
import json
import socket
import struct
import sys
import time
from collections.abc import Iterator

_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close resets, so no port stays in TIME_WAIT


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def serve(address: str, port: int) -> None:
    """Answer every connection with the byte it sent, until killed."""
    with socket.create_server((address, port), family=_family(address), backlog=1024) as listener:
        while True:
            connection, _ = listener.accept()
            with connection:
                _echo(connection)


def _echo(connection: socket.socket) -> None:
    try:
        connection.sendall(connection.recv(1))
    except ConnectionError:
        return  # the client gave up; the next one is waiting


def echo(address: str, port: int) -> None:
    """Send every connection back what it sends, as often as it does, until killed."""
    with socket.create_server((address, port), family=_family(address), backlog=1024) as listener:
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with connection, contextlib.suppress(ConnectionError):
                while data := connection.recv(64):
                    connection.sendall(data)


def trips(address: str, port: int, seconds: float) -> dict[str, float]:
    """Measure against ``echo``, so long each: new connections with a byte there and back, then bytes alone.

    Lower quartiles, in µs: they stand still where others use the processors, too.
    """
    opened, failures = [], 0
    end = time.perf_counter() + seconds
    while (begun := time.perf_counter()) < end:
        if _once(address, port):
            opened.append(time.perf_counter() - begun)
        else:
            failures += 1
    with socket.create_connection((address, port), timeout=5) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        rallied = list(_rally(client, time.perf_counter() + seconds))
    return {"connection_us": _quartile(opened), "round_trip_us": _quartile(rallied), "failures": failures}


def _rally(client: socket.socket, end: float) -> Iterator[float]:
    while (begun := time.perf_counter()) < end:
        client.sendall(b"?")
        client.recv(1)
        yield time.perf_counter() - begun


def _quartile(seconds: list[float]) -> float:
    return sorted(seconds)[len(seconds) // 4] * 1e6 if seconds else 0.0


def ask(address: str, port: int, seconds: float) -> dict[str, float]:
    """Connect, exchange a byte and close, again and again; return the counts and the time it took."""
    connections = failures = 0
    begin = time.monotonic()
    while (now := time.monotonic()) - begin < seconds:
        done = _once(address, port)
        connections += done
        failures += not done
    return {"connections": connections, "failures": failures, "seconds": now - begin}


def _once(address: str, port: int) -> bool:
    with socket.socket(_family(address), socket.SOCK_STREAM) as client:
        client.settimeout(1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        try:
            client.connect((address, port))
            client.sendall(b"?")
            return client.recv(1) == b"?"
        except OSError:
            return False


def tell(address: str, port: int, token: str) -> None:
    """Tell every client the token and the address it comes from, until killed."""
    with socket.create_server((address, port), family=_family(address)) as listener:
        while True:
            connection, peer = listener.accept()
            with connection:
                connection.sendall(f"{token} {peer[0]}".encode())


def hear(address: str, port: int) -> str:
    """Return what ``tell`` says there. Raises OSError."""
    with socket.create_connection((address, port), timeout=5) as client:
        return client.makefile().read()


def main(role: str, address: str, port: str, *rest: str) -> None:
    """Run a role: ``serve``, ``ask`` or ``trips`` (for seconds), ``echo``, ``tell`` (a token) or ``hear``."""
    if role == "serve":
        serve(address, int(port))
    elif role == "echo":
        echo(address, int(port))
    elif role == "trips":
        sys.stdout.write(json.dumps(trips(address, int(port), float(rest[0]))))
    elif role == "tell":
        tell(address, int(port), rest[0])
    elif role == "hear":
        sys.stdout.write(hear(address, int(port)))
    else:
        sys.stdout.write(json.dumps(ask(address, int(port), float(rest[0]))))


if __name__ == "__main__":
    main(*sys.argv[1:])
