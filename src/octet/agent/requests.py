"""The agent's answers to the plugin: one function per CNI command, and the one place where they are timed.

What lives here: raw request to reply. What it must not know: how an endpoint is made, who calls the plugin.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from time import perf_counter

import msgspec

from octet.agent.care import Care
from octet.agent.endpoints import Endpoints
from octet.agent.metrics import Metrics
from octet.attach.bandwidth import refuse_small_bursts
from octet.cluster.endpoint import Attachment
from octet.cni import pending
from octet.cni.request import Request, parse, version_of
from octet.cni.spec import conversion, versions
from octet.cni.spec.environment import Command
from octet.cni.spec.failures import CniError, Code
from octet.cni.wire import RawRequest, Reply
from octet.errors import NotReadyError, OctetError

log = logging.getLogger(__name__)


class Requests:
    """Answers requests; every failure becomes an error object of the specification, never a traceback.

    Args:
        endpoints: what requests are about.
        care: makes CHECK's comparison.
        trouble: says in a sentence why the node is not as it should be; empty is all well.
        metrics: counts and times them.
        waiting: directory of DELs that the plugin could not deliver.

    Attributes:
        acquainted: waits, not for long, until a pod (namespace, name) is known that is about to be attached.
        wait: told for how many seconds a request that came too early has waited, returns once that may have
            changed; False where there is no use in waiting.
    """

    def __init__(
        self, endpoints: Endpoints, care: Care, trouble: Callable[[], str], metrics: Metrics, waiting: Path
    ) -> None:
        self._endpoints = endpoints
        self._care = care
        self._trouble = trouble
        self._metrics = metrics
        self._waiting = waiting
        self.acquainted: Callable[[str, str], Awaitable[None]] = _at_once
        self._early: set[Attachment | None] = set()
        self.wait: Callable[[float], Awaitable[bool]] = _impatient
        self._answers: Mapping[Command, Callable[[Request], Reply]] = {
            Command.ADD: self._add,
            Command.DEL: self._del,
            Command.CHECK: self._check,
            Command.STATUS: self._status,
            Command.GC: self._gc,
            Command.VERSION: _version,
        }

    async def __call__(self, raw: RawRequest) -> Reply:
        """Answer one request; one that comes too early is tried again for as long as ``wait`` has patience.

        The runtime would try again, too, but only after it has made a whole sandbox anew.
        """
        if raw.environment.get("CNI_COMMAND") == Command.ADD.value:
            with suppress(OctetError, ValueError):
                pod = parse(raw.environment, raw.stdin, namespace=raw.namespace).pod
                await self.acquainted(pod.namespace, pod.name)
        start = perf_counter()
        outcome = self._attempt(raw)
        if isinstance(outcome, NotReadyError):
            outcome = await self._patiently(raw, outcome, start)
        return self._reply(raw, outcome, start)

    async def _patiently(self, raw: RawRequest, early: NotReadyError, start: float) -> Reply | Exception:
        """Attempt it again and again, until it is given up: by time, or by a DEL of what would be added."""
        key = parse(raw.environment, raw.stdin, namespace=raw.namespace).attachment
        outcome: Reply | Exception = early
        self._early.add(key)
        try:
            while isinstance(outcome, NotReadyError) and await self.wait(perf_counter() - start):
                if key not in self._early:
                    break
                outcome = self._attempt(raw)
        finally:
            self._early.discard(key)
        return outcome

    def answer(self, raw: RawRequest) -> Reply:
        """Answer one request, whatever it is, at once."""
        start = perf_counter()
        return self._reply(raw, self._attempt(raw), start)

    def _attempt(self, raw: RawRequest) -> Reply | Exception:
        try:
            request = parse(raw.environment, raw.stdin, namespace=raw.namespace)
            return self._answers[request.command](request)
        except (OctetError, OSError, ValueError) as error:
            return error

    def _reply(self, raw: RawRequest, outcome: Reply | Exception, start: float) -> Reply:
        command = raw.environment.get("CNI_COMMAND", "")
        if isinstance(outcome, Exception):
            if not isinstance(outcome, CniError):
                log.warning("request failed", extra={"command": command, "error": str(outcome)})
            outcome = Reply.failure(outcome, version_of(raw.stdin))
        self._metrics.request(command, perf_counter() - start, failed=outcome.status != 0)
        return outcome

    def drain(self) -> None:
        """Do the DELs that the plugin wrote down while no agent answered."""
        for raw in pending.drain(self._waiting):
            self.answer(raw)

    def _add(self, request: Request) -> Reply:
        if pending.waiting(self._waiting):
            self.drain()
        if self._endpoints.site is not None:
            refuse_small_bursts(request.config.bandwidth, self._endpoints.site.network.mtu)
        return Reply.success(conversion.to_json(self._endpoints.add(request), request.version))

    def _del(self, request: Request) -> Reply:
        self._early.discard(request.attachment)
        if request.attachment is not None:
            self._endpoints.delete(request.attachment)
        return Reply.success()

    def _check(self, request: Request) -> Reply:
        self._care.check(request)
        return Reply.success()

    def _status(self, request: Request) -> Reply:
        del request
        trouble = self._trouble()
        if trouble and self._endpoints.site is not None:
            raise CniError(Code.LIMITED_CONNECTIVITY, trouble)
        if not self._endpoints.open:
            raise CniError(Code.NOT_AVAILABLE, trouble or "this node has no pod network yet")
        return Reply.success()

    def _gc(self, request: Request) -> Reply:
        gone = self._endpoints.collect(request.config.name, request.config.valid or frozenset())
        if gone:
            log.info("collected", extra={"attachments": [str(key) for key in gone]})
        return Reply.success()


async def _at_once(_namespace: str, _name: str) -> None:
    """Wait for nobody."""


async def _impatient(_waited: float) -> bool:
    return False


def _version(request: Request) -> Reply:
    document = {"cniVersion": request.version, "supportedVersions": list(versions.SUPPORTED)}
    return Reply(0, msgspec.json.encode(document))
