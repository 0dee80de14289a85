"""What this kernel can do: every feature is tried out, never guessed from a version.

What lives here: three-valued answers, the throwaway process that asks. What it must not know: models, what
the features are (``feature_table``), how one is tried (``probes``).
"""

import errno
import os
import selectors
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path

import msgspec

from octet.kernel import namespaces
from octet.kernel.feature_table import FEATURES, Feature
from octet.kernel.nft.library import NftError


class Answer(Enum):
    """Is it there?"""

    YES = "yes"
    NO = "no"
    UNKNOWN = "could not tell"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a probe found.

    Attributes:
        why: for no and could not tell, what the kernel said; empty for yes.
    """

    answer: Answer
    why: str = ""


_ABSENT = {
    errno.EOPNOTSUPP,
    errno.EPROTONOSUPPORT,
    errno.EAFNOSUPPORT,
    errno.ENOSYS,
    errno.ENOENT,
    errno.EINVAL,
    errno.ENODEV,
    errno.ENOSPC,
}
"""Answers of kernels that lack what was asked: unknown kind, protocol, family, call, expression, limit 0."""

_FORBIDDEN = {errno.EPERM, errno.EACCES}
_PATIENCE = 30.0  # seconds for one answer; all take about 0.1, but a slow machine may have to load modules


@cache
def probe() -> Mapping[str, Finding]:
    """Return what every feature's probe found, by name; asked once per process.

    A child process tries everything in a network namespace of its own (and a user namespace, where it may not
    otherwise) and is gone afterwards, with all that it made.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _answer(writer)
    os.close(writer)
    try:
        text = _read(reader)
    finally:
        os.close(reader)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    found = _decode(text)
    silent = Finding(Answer.UNKNOWN, "the probe did not answer")
    return {feature.name: found.get(feature.name, silent) for feature in FEATURES}


def lacking(names: Iterable[str]) -> tuple[str, ...]:
    """Return a sentence for each of the named features that this kernel surely lacks.

    Raises:
        KeyError: there is no feature of that name.
    """
    found = probe()
    table = {feature.name: feature for feature in FEATURES}
    return tuple(_sentence(table[name], found[name]) for name in names if found[name].answer is Answer.NO)


def _sentence(feature: Feature, finding: Finding) -> str:
    cure = f"{feature.option}, in Linux since {feature.since}"
    instead = f"; without it: {feature.instead}" if feature.instead else ""
    return f"the kernel has no {feature.summary} ({finding.why}): {cure}{instead}"


def _read(reader: int) -> bytes:
    """Return all that the child says within the time there is."""
    parts: list[bytes] = []
    with selectors.DefaultSelector() as selector:
        selector.register(reader, selectors.EVENT_READ)
        while selector.select(_PATIENCE):
            part = os.read(reader, 1 << 16)
            if not part:
                break
            parts.append(part)
    return b"".join(parts)


def _decode(text: bytes) -> dict[str, Finding]:
    lines = [msgspec.json.decode(line, type=tuple[str, str, str]) for line in text.splitlines()]
    return {name: Finding(Answer(answer), why) for name, answer, why in lines}


def _answer(writer: int) -> None:
    """Try everything in the child, and end it. Says each answer at once: a probe may crash or hang."""
    who = "root" if os.geteuid() == 0 else f"user {os.geteuid()}"
    try:
        obstacle = _hide()
        for feature in sorted(FEATURES, key=lambda each: each.name == "user-namespaces"):
            finding = _judge(feature, obstacle, who)
            row = (feature.name, finding.answer.value, finding.why)
            os.write(writer, msgspec.json.encode(row) + b"\n")
    finally:
        os._exit(0)


def _hide() -> str:
    """Move into namespaces of our own; return why not, or nothing."""
    user, group = os.geteuid(), os.getegid()
    try:
        namespaces.unshare(namespaces.CLONE_NEWNET)
    except PermissionError:
        try:
            namespaces.unshare(namespaces.CLONE_NEWUSER | namespaces.CLONE_NEWNET)
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"0 {user} 1")
            Path("/proc/self/gid_map").write_text(f"0 {group} 1")
        except OSError as error:
            return f"needs root, or user namespaces for user {user}: {error.strerror}"
    except OSError as error:
        return f"no network namespace to try it in: {error.strerror}"
    return ""


def _judge(feature: Feature, obstacle: str, who: str) -> Finding:
    if obstacle:
        return Finding(Answer.UNKNOWN, obstacle)
    try:
        feature.probe()
    except OSError as error:
        return judge(error, who)
    return Finding(Answer.YES)


def judge(error: OSError, who: str) -> Finding:
    """Return what an error of a probe says: the kernel lacks it, ``who`` may not, or something else."""
    said = os.strerror(error.number) if isinstance(error, NftError) else str(error.strerror or error)
    said = "the kernel does not know it" if error.errno == errno.ENOENT else said
    if error.errno in _FORBIDDEN:
        return Finding(Answer.UNKNOWN, f"{who} may not try it here: {said}")
    return Finding(Answer.NO if error.errno in _ABSENT else Answer.UNKNOWN, said)


__all__ = ["FEATURES", "Answer", "Feature", "Finding", "judge", "lacking", "probe"]
