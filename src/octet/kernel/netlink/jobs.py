"""Jobs: the messages of each object of a change, sent together, answered apart.

What lives here: how many objects become one batch, and what has become of each.
What it must not know: any kind of object.
"""

import errno
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from octet.blueprint import KernelObject
from octet.kernel.netlink.kind import ABSENT
from octet.kernel.netlink.wire import Answer, Message, Socket
from octet.kernel.port import Failure, Outcome

Job = tuple[KernelObject, list[Message]]
Replies = list[tuple[int, bytes]]


@dataclass(slots=True)
class Progress:
    """What has become of a change so far."""

    done: list[KernelObject] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)

    def fail(self, item: KernelObject, number: int, reason: str = "") -> None:
        """Note a refusal; without a text from the kernel, the errno's own."""
        self.failed.append(Failure(item, number, reason or os.strerror(number)))

    def attempt(self, item: KernelObject, act: Callable[[], None]) -> None:
        """Do something for one object and note how it went."""
        try:
            act()
        except OSError as error:
            self.fail(item, error.errno or errno.EIO, error.strerror or "")
        else:
            self.done.append(item)

    def outcome(self) -> Outcome:
        """Return it as a value."""
        return Outcome(tuple(self.done), tuple(self.failed))


def _matters(message: Message, answer: Answer) -> bool:
    """Tell a refusal from what is as good as done: absence to a removal, anything to a question.

    The numbers of rtnetlink go by four: NEW, DEL, GET, SET.
    """
    verb = message.type & 3
    return bool(answer.errno) and verb != 2 and not (verb == 1 and answer.errno in ABSENT)


def _first_error(messages: Sequence[Message], answers: Sequence[Answer]) -> Answer | None:
    """Return the first refusal that matters."""
    pairs = zip(messages, answers, strict=True)
    return next((answer for message, answer in pairs if _matters(message, answer)), None)


def encode(
    items: Iterable[KernelObject], messages: Callable[[KernelObject], list[Message]], progress: Progress
) -> list[Job]:
    """Return the jobs of objects; one that can't even be said (no such link) fails here, unsent."""
    jobs: list[Job] = []
    for item in items:
        try:
            jobs.append((item, messages(item)))
        except OSError as error:
            progress.fail(item, error.errno or 0, error.strerror or "")
    return jobs


def run(socket: Socket, jobs: Sequence[Job]) -> list[tuple[KernelObject, Answer | None, Replies]]:
    """Send all jobs in one batch; return for each object the refusal or None, and what the kernel replied."""
    answers = iter(socket.batch([message for _, messages in jobs for message in messages]))
    results: list[tuple[KernelObject, Answer | None, Replies]] = []
    for item, messages in jobs:
        own = [next(answers) for _ in messages]
        replies = [reply for answer in own for reply in answer.replies]
        results.append((item, _first_error(messages, own), replies))
    return results
