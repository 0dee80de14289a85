"""libnftables in this process: one transaction of text in, the kernel's own words out.

What lives here: the dozen C functions of libnftables(3) that we use, bound to one network namespace.
What it must not know: tables, chains, what the text says.
"""

import ctypes
import errno as errnos
import os
import re
import socket
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from enum import IntFlag
from functools import cache
from typing import Self

from octet.kernel import namespaces

_SEPARATOR = "; "
"""One line for all commands: nft's error marks are only right for the first line of a buffer."""

_NETLINK_NETFILTER = 12
_ROOM = 16 << 20  # bytes; the kernel cuts it to net.core.wmem_max
_MARK = re.compile(r" *[~^][~^ ]*")


class Output(IntFlag):
    """How a listing looks (libnftables(3), nft_ctx_output_set_flags)."""

    PLAIN = 0
    STATELESS = 1 << 2
    JSON = 1 << 4
    NUMERIC_PROTOCOLS = 1 << 7
    TERSE = 1 << 11


class NftError(OSError):
    """nft refused a whole transaction; nothing of it is in force.

    Attributes:
        text: nft's own words.
        number: what the kernel said, EINVAL where nft itself refused; also ``errno``.
    """

    def __init__(self, text: str, number: int) -> None:
        super().__init__(number, text)
        self.text = text
        self.number = number

    def __str__(self) -> str:
        return self.text


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL("libnftables.so.1")
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint
    for name, result, arguments in (
        ("nft_ctx_new", pointer, [ctypes.c_uint32]),
        ("nft_ctx_free", None, [pointer]),
        ("nft_ctx_buffer_output", ctypes.c_int, [pointer]),
        ("nft_ctx_buffer_error", ctypes.c_int, [pointer]),
        ("nft_ctx_get_output_buffer", text, [pointer]),
        ("nft_ctx_get_error_buffer", text, [pointer]),
        ("nft_ctx_output_set_flags", None, [pointer, number]),
        ("nft_ctx_set_dry_run", None, [pointer, ctypes.c_bool]),
        ("nft_run_cmd_from_buffer", ctypes.c_int, [pointer, text]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class Nft:
    """One handle on the nftables of one network namespace. Not thread-safe; close it.

    Args:
        namespace: open descriptor of the namespace, or None for the calling thread's.

    Raises:
        OSError: libnftables is not installed, or the namespace cannot be entered.
    """

    def __init__(self, namespace: int | None = None) -> None:
        self._library = _library()
        place = namespaces.inside(namespace) if namespace is not None else nullcontext()
        with place:
            free = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
            os.close(free)
            self._context = self._library.nft_ctx_new(0)
            _make_room(free)
        if not self._context:
            raise OSError(errnos.ENOMEM, "libnftables made no context")
        self._library.nft_ctx_buffer_output(self._context)
        self._library.nft_ctx_buffer_error(self._context)

    def run(self, *commands: str, output: Output = Output.PLAIN, dry_run: bool = False) -> str:
        """Run commands as one transaction and return what they printed.

        Args:
            commands: as of nft(8).
            output: how listings look.
            dry_run: have nft check the text and change nothing.

        Raises:
            NftError: refused; nothing has changed.
        """
        text = _SEPARATOR.join(commands)
        if "\0" in text or "\n" in text:
            raise ValueError("a command with a NUL byte or more than one line")
        self._library.nft_ctx_output_set_flags(self._context, output)
        self._library.nft_ctx_set_dry_run(self._context, dry_run)
        result = self._library.nft_run_cmd_from_buffer(self._context, text.encode())
        printed: bytes = self._library.nft_ctx_get_output_buffer(self._context)
        complaints: bytes = self._library.nft_ctx_get_error_buffer(self._context)
        if result != 0:
            raise _translate(complaints.decode(errors="replace"), commands)
        return printed.decode(errors="replace")

    def close(self) -> None:
        """Let go of the socket; idempotent."""
        context, self._context = self._context, None
        if context:
            self._library.nft_ctx_free(context)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _make_room(descriptor: int) -> None:
    """Let the library's socket take big transactions, where the descriptor is that socket.

    The library asks for room by SO_SNDBUFFORCE alone, which an ordinary user's namespace is refused: about
    two thousand elements were too many. It gives its socket the lowest free descriptor, like everybody.
    """
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as held:
        if (held.family, held.proto) == (socket.AF_NETLINK, _NETLINK_NETFILTER):
            held.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ROOM)


@cache
def _numbers() -> dict[str, int]:
    return {os.strerror(number): number for number in errnos.errorcode}


def _translate(complaints: str, commands: Sequence[str]) -> NftError:
    """Return the error of a failed run.

    nft says what is wrong in one line, which ends with the kernel's error text, then prints the input, then
    marks the place below it; we give the command that the mark is under instead of the whole input.
    """
    lines = complaints.splitlines()
    marks = [line for line in lines if _MARK.fullmatch(line)]
    says = [line for line in lines if "Error:" in line]
    if not says:
        return NftError(complaints.strip() or "nft failed and said nothing", errnos.EINVAL)
    places = [_command_at(len(mark) - len(mark.lstrip()), commands) for mark in marks]
    told = [f"{what} in `{place}`" for what, place in zip(says, places, strict=False)] or says
    reason = says[0].rpartition(": ")[2].partition(";")[0].strip()  # nft may add: did you mean ...
    return NftError("; ".join(dict.fromkeys(told)), _numbers().get(reason, errnos.EINVAL))


def _command_at(column: int, commands: Sequence[str]) -> str:
    start = 0
    for command in commands:
        start += len(command) + len(_SEPARATOR)
        if column < start:
            return command
    return commands[-1]
