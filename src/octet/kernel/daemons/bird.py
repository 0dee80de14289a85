"""BIRD 2 as a daemon: how it is checked, started, told and ended, and what it may.

What lives here: commands and the reading of their answers (checked: BIRD 2.0.12). Pure.
What it must not know: processes, files, what is configured.
"""

import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePath

from octet.kernel.daemons.port import SEARCHED, Finished, Reply

PROGRAM = "bird"
ABSENT = "the program bird is not installed (Debian: bird2)"
CONFINER = "setpriv"
UNCONFINED = "the program setpriv, which confines bird, is not installed (Debian: util-linux)"
MAIN = "bird.conf"
CAPABILITIES = ("net_admin", "net_bind_service", "net_raw")
"""What it may: set routes, listen on port 179, bind sockets to devices (capabilities(7))."""

ROUTE_PROTOCOL = 12
"""The number on all routes that BIRD puts into the kernel (linux/rtnetlink.h, RTPROT_BIRD)."""

_SESSION = re.compile(r"(node|peer)\..+")
_KEPT = "graceful restart on;"
_RESTARTING = "Neighbor graceful restart active"
_RECOVERING = "Graceful restart recovery in progress"
_ROLE = re.compile(r"^  rr (?:client|cluster id \S+);\n", re.MULTILINE)
_CHANNEL = re.compile(r"^  ipv[46] \{$.*?^  \};$", re.MULTILINE | re.DOTALL)
_LEAVES = frozenset({"owned.conf"})

_COMPLAINT = re.compile(r"^(?:bird: )?(?P<file>[^:\n]+):(?P<line>\d+):\d+ (?P<why>.+)$", re.MULTILINE)
_RECONFIGURED = frozenset({3, 4, 18})
"""Reconfigured, in progress, confirmed (BIRD's doc/reply_codes)."""


def skipped(changed: Iterable[str]) -> Callable[[str], bool]:
    """Return which files a check may leave out, by name, when these change.

    No other file refers to a session's, so sessions that did not change need not be read again, unless
    something changes that they refer to: 500 of them take BIRD a quarter of a second.
    """
    if all(_SESSION.fullmatch(each) or each in _LEAVES for each in changed):
        return lambda name: _SESSION.fullmatch(name) is not None
    return lambda _name: False


def reflects_anew(before: Mapping[str, str], after: Mapping[str, str]) -> bool:
    """Tell whether a node becomes a reflector, or is none any more, and no session changes in anything else.

    Reloaded, BIRD says goodbye to a peer then and begins the session anew: the peer forgets our routes until
    it is back, most of a second later (bgp.c: no connect delay is shorter). Where BIRD restarts gracefully
    they are kept, by peers and by the kernel; nobody has anything to agree to, so all are back at once.

    Args:
        before: the texts of files that change, by name.
        after: what they are to be.
    """
    held = [name for name in before if name in after and _SESSION.fullmatch(name)]
    heads = [[_CHANNEL.sub("", each[name]) for each in (before, after)] for name in held]
    changed = [(old, new) for old, new in heads if old != new]
    return bool(changed) and all(_ROLE.sub("", old) == _ROLE.sub("", new) for old, new in changed)


def among_nodes(texts: Mapping[str, str]) -> bool:
    """Tell whether a graceful restart concerns nodes only, all of which keep routes meanwhile.

    Sessions with routers would have to restart as well; where there are some, these know pods anyway.

    Args:
        texts: of all files in force, by name.
    """
    held = [(name, text) for name, text in texts.items() if _SESSION.fullmatch(name)]
    return all(name.startswith("node.") and _KEPT in text for name, text in held)


def whole(protocols: Reply, status: Reply) -> bool:
    """Tell whether a restart would wait for nobody: who is not there is on its way, or we are.

    Args:
        protocols: the answer to ``show protocols all``.
        status: the answer to ``show status``.
    """
    words = [line.text.split() for line in protocols.lines]
    down = sum(each[1:2] == ["BGP"] and each[-1] != "Established" for each in words)
    restarting = sum(line.text.strip() == _RESTARTING for line in protocols.lines)
    return down <= restarting or _RECOVERING in status.text


def check(main: PurePath) -> Sequence[str]:
    """Return the command that reads a configuration and does nothing else."""
    return (*_confined(), PROGRAM, "-p", "-c", str(main))


def run(main: PurePath, control: str, *, recover: bool) -> Sequence[str]:
    """Return the command that runs it in the foreground.

    Args:
        main: the configuration.
        control: the name of its control socket, in the directory that it is started in.
        recover: routes of an earlier run are in the kernel, and are kept until peers have told theirs again
            (graceful restart, RFC 4724, 4.2).
    """
    arguments = ("-f", "-c", str(main), "-s", control, *(["-R"] if recover else []))
    return (*_confined(*CAPABILITIES), PROGRAM, *arguments)


def _confined(*capabilities: str) -> Sequence[str]:
    """Return how a program is started that has these capabilities and can never get others (setpriv(1)).

    It stays the agent's user, whose files it reads and writes; as root it has what the bounding set leaves.
    """
    left = ",".join(["-all", *(f"+{each}" for each in capabilities)])
    none = ("--inh-caps", "-all", "--ambient-caps", "-all")
    return (CONFINER, "--no-new-privs", "--bounding-set", left, *none, "--")


def installed() -> bool:
    """Is the program there?"""
    return shutil.which(PROGRAM, path=SEARCHED) is not None


def missing() -> str:
    """Return what to install so that it can be started; empty where all is there."""
    if not installed():
        return ABSENT
    return "" if shutil.which(CONFINER, path=SEARCHED) is not None else UNCONFINED


RELOAD = "configure"
GO = "graceful restart"
"""End without a word to peers: they keep our routes, and the kernel keeps theirs (persist)."""

DOWN = "down"
"""End for good: sessions are closed with a notification."""


def reloaded(reply: Reply) -> str:
    """Return why a reload was refused; empty when it was not."""
    return "" if reply.code in _RECONFIGURED else reply.text.strip()


def complaint(finished: Finished, root: PurePath) -> tuple[str, str]:
    """Return (file, sentence) of what is wrong with a configuration; the file's name is relative to its root.

    The file is empty where BIRD names none.
    """
    found = _COMPLAINT.search(finished.output)
    if found is None:
        return "", finished.output.strip() or f"bird -p ended with {finished.code}"
    name = found["file"].strip()
    try:
        name = str(PurePath(name).relative_to(root))
    except ValueError:
        name = name.removeprefix("./")
    return name, f"{name}:{found['line']}: {found['why']}"
