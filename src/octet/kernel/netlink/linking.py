"""Links of one namespace: made in the order they need each other, never taken from somebody else.

What lives here: creation, ownership, removal, the pod end of a pair. What it must not know: what is on links.
"""

import errno
from collections.abc import Iterable
from contextlib import suppress

from octet.blueprint import Change, Ifb, KernelObject, Link, Veth
from octet.kernel import namespaces
from octet.kernel.netlink import interfaces, links
from octet.kernel.netlink.interfaces import Interfaces
from octet.kernel.netlink.jobs import Job, Progress, encode, run
from octet.kernel.netlink.kind import ABSENT
from octet.kernel.netlink.wire import Message, Socket
from octet.kernel.plan import levels
from octet.kernel.sysctl import put


class Linking:
    """Makes and removes the links of one namespace.

    Attributes:
        retired: how many links have been retired since the last ``reap``.
    """

    def __init__(self, socket: Socket, namespace: int, home: "tuple[int, Linking] | None" = None) -> None:
        """Work on the namespace of a descriptor.

        Args:
            socket: of that namespace.
            namespace: descriptor, open as long as this is used.
            home: the namespace (and its links) where veths made here have their other end.
        """
        self._socket = socket
        self._namespace = namespace
        self._home = home
        self.retired = 0

    @property
    def of_pod(self) -> bool:
        """Is this the namespace of a pod, entered from its node's?"""
        return self._home is not None

    def newborn(self, change: Change) -> Interfaces | None:
        """Create the one pair of a change without a look at what is there: nothing is, in a new pod.

        Returns:
            The link as it was born; None where it is not made, and what is there must be looked at first.
        """
        wanted = [item for item in change.add if isinstance(item, Link)]
        if len(wanted) != 1 or not isinstance(wanted[0].detail, Veth) or change.alter or change.remove:
            return None
        answers = self._socket.batch(self._creation(wanted[0], Interfaces()))
        if answers[0].errno or not answers[-1].replies:
            return None
        return Interfaces([interfaces.decode(answers[-1].replies[-1][1])])

    def make(
        self, wanted: Iterable[Link], known: Interfaces, altered: set[str], progress: Progress
    ) -> list[Link]:
        """Create links that are not there, and anew those altered in what is fixed; return what is there.

        A link that can't be had is noted as failed and forgotten, so that nothing is put on a foreign one.
        """
        present: list[Link] = []
        for level in levels(wanted):
            missing: list[Link] = []
            for link in level:
                refusal = self._obstacle(link, known, altered)
                if refusal:
                    progress.fail(link, *refusal)
                    known.forget(link.name)
                elif self._fits(link, known):
                    present.append(link)
                else:
                    missing.append(link)
            present += self._create(missing, known, progress)
        return present

    def _fits(self, link: Link, known: Interfaces) -> bool:
        found = known.get(link.name)
        return found is not None and links.replaceable(found, link, known)

    def _obstacle(self, link: Link, known: Interfaces, altered: set[str]) -> tuple[int, str] | None:
        """Return why this link can't be made here: (errno, sentence)."""
        found = known.get(link.name)
        if found is not None and found.retired:
            self.reap()
            known.forget(link.name)
            found = None
        if found is None:
            waits = isinstance(link.detail, Veth) and self._home is None
            return (
                (errno.ENODEV, f"{link.name} is made from its pod's end, which is not there")
                if waits
                else None
            )
        if not found.owned:
            return errno.EEXIST, f"there is a link {link.name} that is not ours"
        if link.name in altered or self._fits(link, known):
            return None
        return errno.EEXIST, f"{link.name} is there as another kind of device"

    def _create(self, missing: list[Link], known: Interfaces, progress: Progress) -> list[Link]:
        created: list[Link] = []
        refused = self._try_create(missing, known, progress, created)
        again = [link for link, number, _ in refused if number == errno.EEXIST and self._make_room(link)]
        final = self._try_create(again, known, progress, created) if again else []
        for link, number, reason in [each for each in refused if each[0] not in again] + final:
            progress.fail(link, number, reason)
            known.forget(link.name)
        return created

    def _try_create(
        self, missing: list[Link], known: Interfaces, progress: Progress, created: list[Link]
    ) -> list[tuple[Link, int, str]]:
        """Send the creations of one level, learn the new links' numbers, and return the refusals."""
        jobs = encode(missing, lambda link: self._creation(link, known), progress)
        refused: list[tuple[Link, int, str]] = []
        for link, refusal, replies in run(self._socket, jobs):
            if not isinstance(link, Link):
                continue
            if refusal is not None:
                refused.append((link, refusal.errno, refusal.reason))
                continue
            if not replies:
                refused.append((link, errno.ENODEV, "it was gone as soon as it was made"))
                continue
            known.learn(interfaces.decode(replies[-1][1]))
            created.append(link)
        return refused

    def _creation(self, item: KernelObject, known: Interfaces) -> list[Message]:
        """Return what creates a link and asks for its number; what can't become it goes first."""
        if not isinstance(item, Link):
            return []
        found = known.get(item.name)
        first = [links.delete(found.index)] if found else []
        home = self._home[0] if self._home else None
        return [*first, links.create(item, known, home), interfaces.request(item.name)]

    def _make_room(self, link: Link) -> bool:
        """Delete a retired link that still has the name of the other end; False where that is not why."""
        if self._home is None or not isinstance(link.detail, Veth):
            return False
        return self._home[1].reap_if_retired(link.detail.peer)

    def reap_if_retired(self, name: str) -> bool:
        """Delete all retired links if this is one of them; tell whether it was."""
        found = interfaces.lookup(self._socket, [name]).get(name)
        if found is None or not found.retired:
            return False
        self.reap()
        return True

    def reap(self) -> int:
        """Delete all retired links in one message; return how many had been retired since the last time."""
        self._socket.ask(links.delete_retired())
        count, self.retired = self.retired, 0
        return count

    def remove(self, unwanted: list[Link], known: Interfaces, progress: Progress) -> None:
        """Retire links of pods, delete others; what is absent or not ours is left as it is."""
        jobs: list[Job] = []
        unbridged: list[str] = []
        for link in unwanted:
            found = known.get(link.name)
            if found is None or not found.owned:
                progress.done.append(link)
                continue
            self.retired += (retired := self._home is None and isinstance(link.detail, Veth | Ifb))
            jobs.append((link, links.retire(found) if retired else [links.delete(found.index)]))
            if retired and found.port is None:
                unbridged.append(link.name)
        for item, refusal, _ in run(self._socket, jobs):
            if refusal is None or refusal.errno in ABSENT:
                progress.done.append(item)
            else:
                progress.fail(item, refusal.errno, refusal.reason)
        if unbridged:
            self._silence(unbridged)

    def _silence(self, names: list[str]) -> None:
        """Stop IPv6 on retired links that no bridge disables: rtnetlink has no word for that."""
        with namespaces.inside(self._namespace):
            for name in names:
                with suppress(OSError):
                    put(f"net/ipv6/conf/{name}/disable_ipv6", "1")
