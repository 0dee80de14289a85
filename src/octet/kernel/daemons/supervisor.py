"""One daemon kept running: started, found again, started anew after its end, told, ended.

What lives here: ``Supervisor`` and how long it waits. What it must not know: files, what is configured.
"""

import errno
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from octet.kernel.daemons import bird
from octet.kernel.daemons.directory import Directory
from octet.kernel.daemons.port import Process, Processes, Reply

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds that an answer, a start or an end may take."""

STEADY = 60.0
"""Seconds of running after which an end is the first one again."""

LONGEST = 30.0
"""Seconds between two starts, at most."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """When to start again what ended: at once, then after half a second, twice as long each time.

    Attributes:
        ends: how often it ended without having been steady in between.
    """

    ends: int = 0

    def after(self, ran: float) -> "Backoff":
        """Return the next state, after an end that came ``ran`` seconds after the start."""
        return Backoff(1 if ran >= STEADY else self.ends + 1)

    @property
    def pause(self) -> float:
        """Seconds to wait."""
        return 0.0 if self.ends <= 1 else float(min(0.25 * 2 ** (self.ends - 1), LONGEST))


class Supervisor:
    """Keeps one daemon running.

    Args:
        has_routes: are there routes of an earlier run in the kernel, to be recovered?

    Attributes:
        starts: how often it was started.
        trouble: why it does not run, or what was refused; empty is none.
    """

    def __init__(
        self,
        processes: Processes,
        directory: Directory,
        has_routes: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._processes = processes
        self._directory = directory
        self._has_routes = has_routes
        self._clock = clock
        self._process: Process | None = None
        self._backoff = Backoff()
        self._since = 0.0
        self._due = 0.0
        self._told = True
        self.starts = 0
        self.trouble = ""

    @property
    def running(self) -> bool:
        """Is it there?"""
        process = self._process
        return process is not None and not process.ended()

    @property
    def pid(self) -> int:
        """Its process id; 0 while it is not there."""
        process = self._process
        return process.pid if process is not None else 0

    def begin(self) -> None:
        """Have it running with the configuration in force: find it or start it. Raises OSError."""
        if self.running:
            return
        self._process = self._processes.find(self._directory.control)
        self._since = self._clock()
        if self._process is None:
            self._start()
        else:
            log.info("daemon found again", extra={"daemon": self._directory.root.name, "pid": self.pid})
            self.reload()

    def _start(self) -> None:
        self._directory.control.unlink(missing_ok=True)
        main = self._directory.config / bird.MAIN
        recover = self._has_routes()
        command = bird.run(main, self._directory.control.name, recover=recover)
        self._process = self._processes.start(command, self._directory.root, self._directory.last_words)
        self._since = self._clock()
        self.starts += 1
        self._told = True
        self._await_answer()
        self._directory.control.chmod(0o600)
        self.trouble = ""
        told = {"daemon": self._directory.root.name, "pid": self.pid, "recovering": recover}
        log.info("daemon started", extra=told)

    def _await_answer(self) -> None:
        """Wait until it answers; OSError when it ends before or is silent."""
        deadline = self._since + PATIENCE
        while self._process is not None:
            with suppress(OSError):
                self.ask("show status")
                return
            if how := self._process.ended():
                raise OSError(errno.ECHILD, f"it ended at once ({how}): {self._last_words()}")
            if self._clock() > deadline:
                self._process.kill()
                raise OSError(errno.ETIMEDOUT, "it did not answer after its start")
            self._process.wait(0.01)

    def _last_words(self) -> str:
        with suppress(OSError):
            return self._directory.last_words.read_text(errors="replace")[-400:].strip()
        return ""

    def ask(self, command: str, seconds: float = PATIENCE) -> Reply:
        """Ask it. Raises OSError (TimeoutError) where it does not answer in time."""
        return self._processes.ask(self._directory.control, command, seconds)

    def reload(self) -> None:
        """Let it read its configuration; ``tick`` tries again until it did.

        Raises:
            OSError: it refuses, or does not answer.
        """
        self._told = False
        if why := bird.reloaded(self.ask(bird.RELOAD)):
            raise OSError(errno.EINVAL, f"the daemon did not take its configuration: {why}")
        self._told = True
        self.trouble = ""

    def whole(self) -> bool:
        """Would a restart of it wait for nobody? Not where it does not answer."""
        with suppress(OSError):
            return bird.whole(self.ask("show protocols all"), self.ask("show status"))
        return False

    def restart(self) -> None:
        """Let it begin anew without a word to peers: they keep our routes, the kernel keeps theirs.

        Raises:
            OSError: it did not start; ``tick`` tries again.
        """
        self.leave()
        try:
            self._start()
        except OSError as error:
            self._note_end(error.strerror or str(error))
            raise

    def tick(self) -> None:
        """Look after it: what ended is started again when it is time. Never raises OSError."""
        if self._process is None and not self._due:
            return
        if self._process is not None:
            how = self._process.ended()
            if not how:
                self._tell_again()
                return
            self._note_end(how)
        if self._clock() >= self._due:
            self._due = 0.0
            try:
                self.begin()
            except OSError as error:
                self._note_end(error.strerror or str(error))

    def _tell_again(self) -> None:
        """Let it read what it could not be told when it changed."""
        if self._told or self._clock() < self._due:
            return
        self._due = self._clock() + PATIENCE
        try:
            self.reload()
        except OSError as error:
            self.trouble = error.strerror or str(error)

    def _note_end(self, how: str) -> None:
        if self._process is not None:
            self._process.forget()
            self._process = None
        self._backoff = self._backoff.after(self._clock() - self._since)
        self._due = self._clock() + self._backoff.pause
        self.trouble = f"{self._directory.root.name} ended: {how}"
        log.warning(
            "daemon ended",
            extra={"daemon": self._directory.root.name, "how": how, "pause": self._backoff.pause},
        )

    def forget(self) -> None:
        """Let go of it as it is."""
        process, self._process, self._due = self._process, None, 0.0
        if process is not None:
            process.forget()

    def leave(self) -> None:
        """End it so that no packet is lost: peers keep our routes, the kernel keeps theirs. Idempotent."""
        self._end(bird.GO)

    def end(self) -> None:
        """End it for good, also one of an earlier run. Idempotent."""
        if self._process is None:
            self._process = self._processes.find(self._directory.control)
        self._end(bird.DOWN)

    def _end(self, command: str) -> None:
        process, self._process, self._due = self._process, None, 0.0
        if process is None:
            return
        with suppress(OSError):
            self.ask(command)
        if not process.wait(PATIENCE):
            process.kill()
        process.forget()
        self._directory.control.unlink(missing_ok=True)
