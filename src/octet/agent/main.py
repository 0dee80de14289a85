"""One agent from start to end: the parts, how they are wired, and in which order they begin and stop.

What lives here: the wiring, and nothing that decides. What it must not know: any part's inside.
"""

import asyncio
import fcntl
import logging
import os
import signal
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from octet.agent.config import Config
from octet.agent.desired import Desired
from octet.agent.endpoints import Endpoints
from octet.agent.health import Answer, HealthServer
from octet.agent.journal import Journal
from octet.agent.metrics import Metrics
from octet.agent.network import Network
from octet.agent.reaper import Reaper
from octet.agent.repair import Repair
from octet.agent.requests import Requests
from octet.agent.watch import Watch
from octet.cluster.view import View
from octet.cni import pending
from octet.cni.server import serve
from octet.errors import NotReadyError, OctetError
from octet.kernel.host import HostKernel
from octet.kernel.monitor import Monitor
from octet.store.embedded import EmbeddedStore

log = logging.getLogger(__name__)

UNDERLAY_PAUSE = 0.5
"""Seconds before an underlay that is not there is looked for again."""


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
        raise OctetError(f"another agent runs on {run}", hint="give this one another [paths] run") from None
    return held


class Agent:
    """The parts of one node's agent."""

    def __init__(self, config: Config, resources: ExitStack) -> None:
        self._config = config
        memory = config.run / "sysctl.json"
        self._kernel = resources.enter_context(HostKernel(memory=memory))
        reader = resources.enter_context(HostKernel(memory=memory))
        self._monitor = resources.enter_context(Monitor())
        worker = resources.enter_context(ThreadPoolExecutor(1, "kernel-reader"))
        self._journal = Journal(config.run / "journal.db")
        resources.callback(self._journal.close)
        self._metrics = Metrics()
        self._desired = Desired()
        self._endpoints = Endpoints(self._kernel, self._journal, self._desired)
        self._store = EmbeddedStore(config.store)
        self._network = Network(
            View(
                config.node,
                self._kernel.underlay(config.interface),
                pod_cidrs=config.pod_cidrs,
                service_cidrs=config.service_cidrs,
            ),
            config.running,
            self._kernel,
            self._endpoints,
            self._desired,
            self._metrics,
        )
        self._network.lower_mtu = self._kernel.set_peer_mtu
        self._watch = Watch(self._store, self._network, config.running, register=config.register)
        self._repair = Repair(self._network, self._desired, self._monitor, reader, worker)
        self._reaper = Reaper(self._endpoints, reader, worker)
        self._requests = Requests(self._endpoints, self._trouble, self._metrics)

    def _trouble(self) -> str:
        return "; ".join(self._network.failures[:3])

    @property
    def ready(self) -> bool:
        """Is the view whole, and does the kernel hold what follows from it?"""
        return self._watch.synced and self._endpoints.site is not None and not self._network.problem

    async def run(self) -> None:
        """Run until a signal ends it; pods and network stay as they are."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, stop.set)
        loop.add_reader(self._monitor.fileno(), self._repair.hear)
        health = HealthServer(self._answers())
        await health.listen(self._config.run / "health.sock", self._config.health_port)
        self._drain()
        plugins = await serve(self._config.run / "cni.sock", self._requests)
        self._drain()
        log.info("started", extra={"node": self._config.node, "model": self._config.model})
        try:
            await self._until(stop)
        finally:
            await plugins.close()
            loop.remove_reader(self._monitor.fileno())
            health.close()
            await self._reaper.reap()
            await self._store.close()

    async def _until(self, stop: asyncio.Event) -> None:
        """Run every task until told to stop; a task that ends by itself is a bug, and ends the agent."""
        work: list[Coroutine[Any, Any, None]] = [
            self._watch.follow(),
            self._watch.publish(),
            self._repair.run(),
            self._repair.poll_settings(),
            self._reaper.run(),
            self._follow_underlay(),
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
            await self._repair.underlay_changed.wait()
            self._repair.underlay_changed.clear()
            node = self._network.view.here
            try:
                found = self._kernel.underlay(self._config.interface, node.internal_ips if node else ())
            except NotReadyError as error:
                log.warning("no underlay", extra={"error": str(error)})
                await asyncio.sleep(UNDERLAY_PAUSE)
                self._repair.underlay_changed.set()
                continue
            view, changes = self._network.view.with_underlay(found)
            if changes:
                log.info("underlay changed", extra={"underlay": str(found)})
                self._network.see(view, changes)
                self._watch.tell()

    def _drain(self) -> None:
        """Do the DELs that the plugin wrote down while no agent answered."""
        for raw in pending.drain(self._config.run / "pending"):
            self._requests.answer(raw)

    def _answers(self) -> dict[str, Any]:
        return {
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/metrics": self._metrics_text,
            "/state": self._state,
        }

    def _healthz(self) -> Answer:
        failures = self._network.failures
        return (503 if failures else 200), "text/plain", ("\n".join(failures) or "ok").encode() + b"\n"

    def _readyz(self) -> Answer:
        why = self._network.problem or "the cluster's nodes are not known yet"
        return (200, "text/plain", b"ok\n") if self.ready else (503, "text/plain", f"{why}\n".encode())

    def _metrics_text(self) -> Answer:
        self._metrics.endpoints.set(len(self._endpoints))
        self._metrics.peers.set(len(self._network.view.peers))
        self._metrics.wanted.set(len(self._desired.objects))
        if (pool := self._endpoints.pool) is not None:
            for family in (4, 6):
                with suppress(KeyError):
                    self._metrics.pool(family, asdict(pool.counts(family)))
        return 200, "text/plain; version=0.0.4", self._metrics.text()

    def _state(self) -> Answer:
        held = [
            {
                "attachment": str(entry.attachment),
                "state": str(entry.state),
                "pod": f"{entry.endpoint.namespace}/{entry.endpoint.pod}".strip("/"),
                "v4": entry.endpoint.v4,
                "v6": entry.endpoint.v6,
                "host_link": entry.endpoint.host_link,
                "mtu": entry.endpoint.mtu,
            }
            for entry in self._endpoints
        ]
        state = {
            "node": self._config.node,
            "model": self._config.model,
            "ready": self.ready,
            "peers": [peer.name for peer in self._network.view.peers],
            "wanted": len(self._desired.objects),
            "failures": self._network.failures,
            "endpoints": held,
        }
        return 200, "application/json", msgspec.json.encode(state, enc_hook=str)
