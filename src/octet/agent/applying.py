"""Changes on their way into the kernel, and the memory of what of them is not so.

What lives here: ``Applier``. What it must not know: who wants a change, when to try again.
"""

import logging
import time
from collections.abc import Container

from octet.agent.metrics import Metrics
from octet.blueprint import Change, KernelObject, Key
from octet.blueprint.nft import NftObject
from octet.kernel.port import Kernel, Outcome

log = logging.getLogger(__name__)


class Applier:
    """Applies changes to one kernel.

    Attributes:
        failed: what is not as it should be: a sentence for each object, by key.
    """

    def __init__(self, kernel: Kernel, metrics: Metrics) -> None:
        self.failed: dict[Key, str] = {}
        self._kernel = kernel
        self._metrics = metrics

    def apply(self, change: Change) -> Outcome:
        """Apply a change and note what came of it."""
        begun = time.monotonic()
        outcome = self._kernel.apply(change)
        self._metrics.applied(time.monotonic() - begun)
        for item in outcome.done:
            self.failed.pop(item.key, None)
        fresh = [failure for failure in outcome.failed if failure.item.key not in self.failed]
        for failure in outcome.failed:
            self.failed[failure.item.key] = str(failure)
            self._metrics.refused(str(failure.item.key[0]))
        if fresh:
            log.error("the kernel refused", extra={"objects": len(fresh), "first": str(fresh[0])})
        return outcome

    def hold_back(self, change: Change) -> Change:
        """Note the rules of a change as not in force; return what is left of it."""
        rules = [item for item in _objects(change) if isinstance(item, NftObject)]
        for item in rules:
            self.failed.setdefault(item.key, f"{item}: waits for what the kernel refused before it")
        return Change(
            tuple(item for item in change.add if not isinstance(item, NftObject)),
            tuple(pair for pair in change.alter if not isinstance(pair[1], NftObject)),
            tuple(item for item in change.remove if not isinstance(item, NftObject)),
        )

    def forget_all_but(self, differing: Container[Key]) -> None:
        """Forget failures about anything that is as it should be by now."""
        self.failed = {key: text for key, text in self.failed.items() if key in differing}

    def note_silence(self, differing: Change) -> None:
        """Note as failed what still differs though the kernel took it without a word."""
        for item in _objects(differing):
            sentence = f"{item}: the kernel accepted it, and still it is not so"
            self.failed.setdefault(item.key, sentence)


def _objects(change: Change) -> tuple[KernelObject, ...]:
    return (*change.add, *(new for _, new in change.alter), *change.remove)
