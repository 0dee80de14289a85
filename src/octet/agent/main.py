"""One agent from start to end: the parts, how they are wired, and in which order they begin and stop.

What lives here: the wiring, and nothing that decides. What it must not know: any part's inside.
"""

import asyncio
import fcntl
import gc
import logging
import os
import signal
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from octet.agent import capable
from octet.agent.acquaintance import Acquaintance
from octet.agent.applying import Applier
from octet.agent.blocks import BlockKeeper
from octet.agent.care import Care
from octet.agent.config import Config
from octet.agent.cutting import Cutting
from octet.agent.denials import Denials
from octet.agent.desired import Desired
from octet.agent.drift import Hearing
from octet.agent.endpoints import Endpoints, Site
from octet.agent.flows import Flows
from octet.agent.health import HealthServer
from octet.agent.journal import CURE, Journal
from octet.agent.learning import Learning
from octet.agent.metrics import Metrics
from octet.agent.network import Network
from octet.agent.parting import PATIENCE
from octet.agent.policing import Policing
from octet.agent.reaper import Reaper
from octet.agent.repair import Repair
from octet.agent.report import Report
from octet.agent.requests import Requests
from octet.agent.resolvers import nameservers
from octet.agent.routing import Routing
from octet.agent.sandboxes import HostSandboxes
from octet.agent.secrets import SecretFiles
from octet.agent.sessions import Sessions
from octet.agent.tunnels import Tunnels
from octet.agent.watch import Watch
from octet.cluster.changes import Underlay
from octet.cluster.resolvers import Resolvers
from octet.cluster.view import View
from octet.cni.pending import directory_of
from octet.cni.server import serve
from octet.errors import BadConfigurationError, NotReadyError, OctetError
from octet.kernel.daemons import hosted
from octet.kernel.host import HostKernel
from octet.kernel.monitor import Monitor
from octet.store.embedded import EmbeddedStore

log = logging.getLogger(__name__)

UNDERLAY_PAUSE = 0.5
"""Seconds before an underlay that is not there is looked for again."""

DAEMON_PAUSE = 0.2
"""Seconds between looks whether daemons still run."""

DRAIN_PAUSE = 1.0
"""Seconds between looks for DELs that the plugin could not deliver; an ADD looks for them, too."""


def lock(run: Path) -> int:
    """Take the node's lock, so that a second copy of the agent cannot start; it is let go with the process.

    Raises:
        OctetError: another agent runs on this directory.
    """
    run.mkdir(mode=0o700, parents=True, exist_ok=True)
    held = os.open(run / "agent.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise OctetError(
            f"another agent runs on {run}",
            hint="a node has one; that of another node has another [paths] run",
        ) from None
    return held


class Agent:
    """The parts of one node's agent."""

    def __init__(self, config: Config, resources: ExitStack, underlay: Underlay) -> None:
        self._config = config
        memory = config.run / "sysctl.json"
        secrets = SecretFiles(config.secrets)
        self._daemons = daemons = resources.enter_context(hosted(config.run / "daemons", secrets=secrets))
        self._kernel = kernel = resources.enter_context(HostKernel(memory=memory, daemons=daemons))
        reader = resources.enter_context(HostKernel(memory=memory, daemons=daemons))
        monitor = resources.enter_context(Monitor())
        worker = resources.enter_context(ThreadPoolExecutor(1, "kernel-reader"))
        tracker = resources.enter_context(ThreadPoolExecutor(1, "connection-reader"))
        self._journal = journal = Journal(config.run / "journal.db")
        resources.callback(journal.close)
        metrics, desired, sandboxes = Metrics(), Desired(), HostSandboxes()
        self._metrics = metrics
        applier = Applier(kernel, metrics)
        self._policing = policing = Policing(desired, config.running.gate)
        self._endpoints = endpoints = Endpoints(kernel, applier, journal, desired, sandboxes, policing)
        endpoints.limits = config.limits
        care = Care(kernel, endpoints, sandboxes)
        view = View(config.node, underlay, pod_cidrs=config.pod_cidrs, service_cidrs=config.service_cidrs)
        self._network = Network(view, config.running, applier, endpoints, care, desired, policing)
        self._store = EmbeddedStore(config.store)
        self._watch = Watch(self._store, self._network, config.running, register=config.register)
        self._repair = Repair(self._network, endpoints, care, desired, applier, reader, worker, metrics)
        self._acquaintance = Acquaintance(self._network)
        self._cutting = Cutting(policing, tracker, self._network.is_settled)
        naming = policing.naming
        self._learning = Learning(self._network, naming, endpoints, journal, metrics.names, self._believed)
        self._hearing = Hearing(monitor, desired)
        self._reaper = Reaper(endpoints, reader, worker)
        waiting = directory_of(config.run / "cni.sock")
        self._requests = Requests(endpoints, care, self._trouble, metrics, waiting)
        flows, sessions = Flows(time.time), Sessions(daemons)
        self._denials = Denials(flows, metrics.denied, policing.told, lambda: self._network.view, worker)
        self._report = Report(
            config, self._network, endpoints, desired, self._watch, metrics, flows, sessions
        )
        self._report.why = Routing(config.running, self._network, desired, daemons, kernel.way).answer
        sessions.failed, sessions.unsure = lambda: applier.failed, lambda: self._network.unsure
        self._underlay_news = asyncio.Event()
        self._police_waits = False
        self._keeper = self._keep_blocks(journal, reader, worker)
        self._wire()

    def _keep_blocks(
        self, journal: Journal, reader: HostKernel, worker: ThreadPoolExecutor
    ) -> BlockKeeper | None:
        """Have addresses come from blocks, where the model has them in blocks."""
        config, defaults = self._config, self._config.running.blocks
        if defaults is None:
            return None
        defaults = defaults.within(config.pod_cidrs)
        freed, entries = journal.freed(), self._endpoints
        keeper = BlockKeeper(self._store, config.node, entries, freed, defaults, reader, worker)
        self._endpoints.take_from(keeper.shelf)
        self._network.on_view = keeper.see
        self._requests.wait = keeper.wait
        self._watch.tunnels = Tunnels(keeper.tunnel, self._watch.tell).told
        return keeper

    def _wire(self) -> None:
        """Let parts that must not know each other hear of each other."""
        self._watch.on_whole = self._begin
        self._hearing.on_drift = self._repair.suspect
        self._hearing.on_table = self._repair.table
        self._hearing.on_underlay = self._underlay_news.set
        self._network.on_site = self._leave_files
        self._network.others = self._other_troubles
        self._network.refuse = capable.refuse
        self._policing.on_news = self._police_soon
        if self._config.running.policy:
            self._requests.acquainted = self._acquaintance.made
        self._network.on_policed = self._policing.on_affected = self._cutting.notice
        self._policing.on_detach = self._learning.forget

    def _believed(self) -> Resolvers:
        """Return whose answers about names are believed now."""
        stated = self._config.resolvers
        own = nameservers() if self._config.node_resolvers else ()
        return Resolvers((*stated.addresses, *own), stated.services)

    def _police_soon(self) -> None:
        """Have policy made so once what else is known now has been taken in: many events are one change."""
        self._acquaintance.notice()
        if not self._police_waits:
            self._police_waits = True
            asyncio.get_running_loop().call_soon(self._police)

    def _police(self) -> None:
        self._police_waits = False
        begun = time.monotonic()
        self._network.police()
        self._metrics.policed(time.monotonic() - begun)

    def _begin(self) -> None:
        self._repair.begin()
        if self._keeper is not None:
            self._keeper.begin()

    def _leave_files(self, site: Site) -> None:
        """Write what other programs read of this node (subnet.env), each file whole or not at all."""
        for name, text in site.running.files(site.network).items():
            draft = self._config.run / f".{name}.new"
            try:
                draft.write_text(text)
                draft.replace(self._config.run / name)
            except OSError as error:
                log.warning("cannot leave a file", extra={"file": name, "error": str(error)})

    def _other_troubles(self) -> list[str]:
        return [*self._daemons.troubles, *(self._keeper.problems if self._keeper is not None else ())]

    def _trouble(self) -> str:
        return "; ".join([*self._network.trouble, *self._endpoints.trouble][:3])

    def _insist_on_the_journal(self) -> None:
        """Refuse to work on a node whose pods are not in the journal. Raises BadConfigurationError."""
        if strangers := self._endpoints.strangers():
            problem = f"lacks pods that are attached to this node: {', '.join(strangers[:3])}"
            raise BadConfigurationError(
                str(self._config.run / "journal.db"), "endpoints", len(self._endpoints), problem, hint=CURE
            )

    async def run(self, stop: asyncio.Event) -> None:
        """Run until told to stop; pods and network stay as they are."""
        self._insist_on_the_journal()
        loop = asyncio.get_running_loop()
        self._network.parting.later = partial(loop.call_later, PATIENCE)
        health = HealthServer(self._report.answers(), self._report.asked())
        await health.listen(self._config.run / "health.sock", self._config.health_port)
        for key in self._endpoints.recover():
            log.info("finished what was half done", extra={"attachment": str(key)})
        self._learning.recall(time.monotonic())
        self._hearing.start(loop)
        self._requests.drain()
        plugins = await serve(self._config.run / "cni.sock", self._requests)
        log.info("started", extra={"node": self._config.node, "model": self._config.model})
        gc.freeze()  # what is there now stays: the collector need not walk it again and again
        try:
            await self._until(stop)
        finally:
            await plugins.close()
            self._hearing.stop(loop)
            health.close()
            await self._reaper.reap()
            self._daemons.leave()
            await self._store.close()
        log.info("stopped", extra={"node": self._config.node})

    async def _until(self, stop: asyncio.Event) -> None:
        """Run every task until told to stop; a task that ends by itself is a bug, and ends the agent."""
        work: list[Coroutine[Any, Any, None]] = [
            self._watch.follow(),
            self._watch.publish(),
            self._repair.run(),
            self._hearing.look(),
            self._reaper.run(),
            self._cutting.run(),
            *([self._denials.run()] if self._config.running.gate is not None else []),
            *([self._learning.run()] if self._config.running.policy else []),
            self._follow_underlay(),
            self._drain(),
            self._look_after_daemons(),
            *([self._keeper.run()] if self._keeper is not None else []),
        ]
        tasks = [asyncio.create_task(each) for each in work]
        ended = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait([*tasks, ended], return_when=asyncio.FIRST_COMPLETED)
        for task in (*tasks, ended):
            task.cancel()
        await asyncio.gather(*tasks, ended, return_exceptions=True)
        for task in done - {ended}:
            task.result()

    async def _follow_underlay(self) -> None:
        while True:
            await self._underlay_news.wait()
            self._underlay_news.clear()
            node = self._network.view.here
            try:
                found = self._kernel.underlay(self._config.interface, node.internal_ips if node else ())
            except (NotReadyError, OSError) as error:
                log.warning("no underlay", extra={"error": str(error)})
                await asyncio.sleep(UNDERLAY_PAUSE)
                self._underlay_news.set()
                continue
            view, changes = self._network.view.with_underlay(found)
            if changes:
                log.info("underlay changed", extra={"underlay": str(found)})
                self._network.see(view, changes)
                self._watch.tell()

    async def _look_after_daemons(self) -> None:
        while True:
            self._daemons.tick()
            await asyncio.sleep(DAEMON_PAUSE)

    async def _drain(self) -> None:
        while True:
            await asyncio.sleep(DRAIN_PAUSE)
            self._requests.drain()
            self._journal.try_again()


async def first_underlay(config: Config) -> Underlay:
    """Return the underlay as soon as there is one."""
    told = ""
    with HostKernel() as kernel:
        while True:
            try:
                return kernel.underlay(config.interface)
            except NotReadyError as error:
                if str(error) != told:
                    log.warning("waiting for the underlay", extra={"error": str(error)})
                told = str(error)
                await asyncio.sleep(UNDERLAY_PAUSE)


async def serve_node(config: Config) -> None:
    """Be a node's agent until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    waiting = asyncio.create_task(first_underlay(config))
    ended = asyncio.create_task(stop.wait())
    await asyncio.wait([waiting, ended], return_when=asyncio.FIRST_COMPLETED)
    ended.cancel()
    if not waiting.done():
        waiting.cancel()
        return
    with ExitStack() as resources:
        await Agent(config, resources, waiting.result()).run(stop)
