"""The facility for daemons and their files: nothing is in force that the program itself has not read first.

What lives here: ``Daemons``: one change is one draft, one check, one reload. A file that the program refuses
stays as it was before, and the others go on. What it must not know: what files mean.
"""

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from octet.blueprint import Blueprint, Change, ConfigFile, Daemon, Inline, KernelObject, Secret
from octet.kernel.daemons import bird
from octet.kernel.daemons.directory import Directory
from octet.kernel.daemons.port import Processes, Reply, Routes
from octet.kernel.daemons.supervisor import PATIENCE, Supervisor
from octet.kernel.port import Failure, Outcome

CHECK_TIME = 20.0
"""Seconds that a check may take; 500 peers take a quarter of one."""

REFUSED = 20
"""Files of one change that are left out one by one; with more, all of the change is refused."""

LONGEST_SECRET = 80
"""Bytes of a secret, at most: what TCP signs segments with (RFC 2385; linux/tcp.h, TCP_MD5SIG_MAXKEYLEN).
BIRD takes a longer one, and then its session never comes up."""

_FORBIDDEN = frozenset('"\n\r\0')
_NOT_THERE = 127
"""Exit code of a program that could not find the one it was to start (POSIX.1, exec)."""


class Daemons:
    """Daemons of one namespace, each in a directory of its own. Only ``read`` is for other threads, too."""

    atomic = True

    def __init__(
        self,
        root: Path,
        processes: Processes,
        routes: Routes,
        secrets: Callable[[Secret], str | None] = lambda _secret: None,
    ) -> None:
        """Make the facility.

        Args:
            root: a directory that only we may enter; made when there is something to put there.
            processes: of the namespace.
            routes: of the namespace.
            secrets: returns a secret's text, None while it is not known.
        """
        self._root = root
        self._processes = processes
        self._routes = routes
        self.secrets = secrets
        self._supervisors: dict[str, Supervisor] = {}

    def handles(self, item: KernelObject) -> bool:
        """Is it a daemon or a file of one?"""
        return isinstance(item, Daemon | ConfigFile)

    def read(self, wanted: Blueprint) -> Iterator[KernelObject]:
        """Return the files there are and the daemons that run or have left something.

        A file that differs from the wanted one has no text here: it may hold secrets.
        """
        for path in sorted(self._root.iterdir()) if self._root.is_dir() else ():
            directory = Directory(path)
            daemon = wanted.get(("daemon", path.name))
            supervisor = self._supervisors.get(path.name)
            if not isinstance(daemon, Daemon):
                if directory.control.exists() or not any(_daemon_of(each) == path.name for each in wanted):
                    yield Daemon(path.name, bird.PROGRAM)
            elif supervisor is not None and (supervisor.running or supervisor.trouble):
                yield daemon
            for name in directory.names():
                want = wanted.get(("config", path.name, name))
                same = isinstance(want, ConfigFile) and self._text(want) == directory.text(name)
                yield want if same and want is not None else ConfigFile(path.name, name, ())

    def _text(self, item: ConfigFile) -> str | None:
        """Return a file's whole text; None where a secret is not known or cannot be written."""
        held = [part if isinstance(part, str) else self._secret(part) for part in item.parts]
        for part, text in zip(item.parts, held, strict=True):
            if text is None or (not isinstance(part, str) and _unfit(text)):
                return None
        return "".join(text for text in held if text is not None)

    def _secret(self, secret: Secret | Inline) -> str | None:
        return secret.value if isinstance(secret, Inline) else self.secrets(secret)

    def apply(self, change: Change) -> Outcome:
        """Make a change true, daemon by daemon."""
        wanted = (*change.add, *(new for _, new in change.alter))
        names = {_daemon_of(item) for item in (*wanted, *change.remove)}
        done: list[KernelObject] = []
        failed: list[Failure] = []
        for name in sorted(names):
            mine = tuple(item for item in wanted if _daemon_of(item) == name)
            unwanted = tuple(item for item in change.remove if _daemon_of(item) == name)
            outcome = self._attempt(name, mine, unwanted)
            done += outcome.done
            failed += outcome.failed
        return Outcome(tuple(done), tuple(failed))

    def _attempt(
        self, name: str, wanted: tuple[KernelObject, ...], unwanted: tuple[KernelObject, ...]
    ) -> Outcome:
        directory = Directory(self._root / name)
        try:
            if any(isinstance(item, Daemon) for item in unwanted):
                self._remove(name, directory)
                return Outcome((*unwanted, *wanted))
            return self._change(name, directory, wanted, unwanted)
        except OSError as error:
            directory.discard()
            reason = _reason(error)
            items = (*wanted, *unwanted)
            return Outcome(failed=tuple(Failure(item, error.errno or errno.EIO, reason) for item in items))

    def _change(
        self,
        name: str,
        directory: Directory,
        wanted: tuple[KernelObject, ...],
        unwanted: tuple[KernelObject, ...],
    ) -> Outcome:
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.root.mkdir(mode=0o700, exist_ok=True)
        files = {item.name: item for item in wanted if isinstance(item, ConfigFile)}
        gone = {item.name: item for item in unwanted if isinstance(item, ConfigFile)}
        directory.prepare(bird.skipped((*files, *gone)))
        failed = self._draft(directory, files, gone)
        lost = failed.keys() & set(directory.names())
        failed |= self._check(directory, files.keys() - failed.keys(), list(gone))
        good = {each: each in files for each in (*gone, *files) if each not in failed}
        before = directory.texts(good)
        directory.enact(good | dict.fromkeys(lost, False))
        items = {**gone, **files}
        refused = [Failure(items[each], errno.EINVAL, reason) for each, reason in failed.items()]
        done: list[KernelObject] = [items[each] for each in good]
        supervisor = self._supervisors.get(name)
        if (good or lost) and supervisor is not None and supervisor.running:
            anew = bird.reflects_anew(before, directory.texts(good))
            if anew and bird.among_nodes(directory.texts(directory.names())) and supervisor.whole():
                supervisor.restart()
            else:
                supervisor.reload()
        for item in wanted:
            if isinstance(item, Daemon):
                self._begin(item, directory, done, refused)
        return Outcome(tuple(done), tuple(refused))

    def _begin(
        self, item: Daemon, directory: Directory, done: list[KernelObject], failed: list[Failure]
    ) -> None:
        if item.program != bird.PROGRAM:
            failed.append(Failure(item, errno.ENOEXEC, f"there is no kind of daemon called {item.program}"))
            return
        try:
            self._supervisor(item.name, directory).begin()
        except OSError as error:
            failed.append(Failure(item, error.errno or errno.EIO, _reason(error)))
        else:
            done.append(item)

    def _draft(
        self, directory: Directory, files: Mapping[str, ConfigFile], gone: Mapping[str, ConfigFile]
    ) -> dict[str, str]:
        """Write the draft; return why files could not be written, which are not in it."""
        failed: dict[str, str] = {}
        for name in gone:
            directory.put(name, None)
        for name, item in files.items():
            text = self._text(item)
            if text is None:
                failed[name] = _why_secret(item, self._secret)
                directory.put(name, None)  # what is in force may have no password at all
            else:
                directory.put(name, text)
        return failed

    def _check(self, directory: Directory, changed: set[str], gone: list[str]) -> dict[str, str]:
        """Let the program read the draft; return what it refused, which is as it was before then.

        Where it refuses what this change did not bring, something may need a file that is to go: that stays.

        Raises:
            OSError: it refuses what this change did not bring, or too many files; nothing changed.
        """
        failed: dict[str, str] = {}
        while (directory.draft / bird.MAIN).exists():
            main = directory.draft / bird.MAIN
            finished = self._processes.run(bird.check(main), directory.root, CHECK_TIME)
            if finished.code == 0:
                break
            if finished.code == _NOT_THERE:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), bird.PROGRAM)
            culprit, why = bird.complaint(finished, directory.draft)
            if culprit != bird.MAIN and gone and culprit not in changed - failed.keys():
                failed |= dict.fromkeys(gone, f"it is still needed: {why}")
                _restore(directory, gone)
                continue
            if culprit == bird.MAIN or culprit not in changed - failed.keys() or len(failed) >= REFUSED:
                raise OSError(errno.EINVAL, f"bird refuses the configuration: {why}")
            failed[culprit] = f"bird refuses it: {why}"
            directory.restore(culprit)
        return failed

    def _supervisor(self, name: str, directory: Directory) -> Supervisor:
        if name not in self._supervisors:
            self._supervisors[name] = Supervisor(self._processes, directory, self._routes.present)
        return self._supervisors[name]

    def _remove(self, name: str, directory: Directory) -> None:
        self._supervisor(name, directory).end()
        del self._supervisors[name]
        self._routes.remove()
        directory.remove()
        with suppress(OSError):
            self._root.rmdir()

    def ask(self, name: str, command: str, seconds: float = PATIENCE) -> Reply:
        """Ask a daemon. Raises OSError where there is none of that name or it does not answer in time."""
        if name not in self._supervisors:
            raise OSError(errno.ESRCH, f"no daemon {name} runs here")
        return self._supervisors[name].ask(command, seconds)

    @property
    def running(self) -> Mapping[str, Supervisor]:
        """Who looks after which daemon, by name."""
        return dict(self._supervisors)

    @property
    def troubles(self) -> tuple[str, ...]:
        """What keeps daemons from running, a sentence each."""
        return tuple(each.trouble for each in self._supervisors.values() if each.trouble)

    def tick(self) -> None:
        """Look after all daemons; to be called a few times a second."""
        for each in self._supervisors.values():
            each.tick()

    def leave(self) -> None:
        """End all daemons so that no packet is lost; files and routes stay for the next start."""
        for each in self._supervisors.values():
            each.leave()

    def forget(self) -> None:
        """Let go of all daemons as they are; whoever comes next finds them."""
        for each in self._supervisors.values():
            each.forget()
        self._supervisors.clear()

    def close(self) -> None:
        """Nothing is ended: a daemon outlives the kernel port that started it."""


def _daemon_of(item: KernelObject) -> str:
    if isinstance(item, ConfigFile):
        return item.daemon
    return item.name if isinstance(item, Daemon) else ""


def _restore(directory: Directory, names: list[str]) -> None:
    """Put files back into the draft as they are in force; none is left to be put back."""
    while names:
        directory.restore(names.pop())


def _why_secret(item: ConfigFile, secrets: Callable[[Secret | Inline], str | None]) -> str:
    for each in item.secrets:
        text = secrets(each)
        if text is None:
            return f"{each} is not known"
        if why := _unfit(text):
            return f"{each} {why}"
    return "a secret changed meanwhile"


def _unfit(text: str) -> str:
    """Return why no configuration can hold a secret; empty if one can."""
    if not text or _FORBIDDEN & set(text):
        return "is empty, or holds a quote or a line break, which no configuration can hold"
    if (size := len(text.encode())) > LONGEST_SECRET:
        return f"has {size} bytes, and TCP signs with {LONGEST_SECRET} at most (RFC 2385)"
    return ""


def _reason(error: OSError) -> str:
    gone = bird.missing() if isinstance(error, FileNotFoundError) else ""
    return gone or error.strerror or str(error)
