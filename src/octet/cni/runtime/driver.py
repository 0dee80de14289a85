"""The runtime's side of the specification: ADD, DEL, CHECK, STATUS and GC over a chain of plugins.

What lives here: order, prevResult, capabilities, the cache's part in it (specification 1.1.0, section 3).
What it must not know: what a plugin does. Calls for one container wait for each other; others run at once.
"""

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from octet.cluster.endpoint import Attachment
from octet.cni.runtime import conflist
from octet.cni.runtime.cache import Cache
from octet.cni.runtime.conflist import ConfList
from octet.cni.runtime.execute import execute, locate
from octet.cni.spec import conversion, versions
from octet.cni.spec.failures import CniError, Code
from octet.cni.spec.result import Result

Arguments = Mapping[str, str]


class Runtime:
    """Drives the first network of a configuration directory.

    Args:
        configuration: the directory (``/etc/cni/net.d``), looked into at every call.
        path: where plugins are (CNI_PATH), in order.
        cache: where results are remembered (libcni: ``/var/lib/cni``).
    """

    def __init__(self, configuration: Path | str, path: Sequence[str], *, cache: Path | str) -> None:
        self._configuration = Path(configuration)
        self._path = tuple(path)
        self._cache = Cache(Path(cache))
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def add(
        self,
        container: str,
        netns: str,
        interface: str = "eth0",
        *,
        args: Arguments | None = None,
        capabilities: Mapping[str, Any] | None = None,
    ) -> Result:
        """Attach through every plugin in order; return the last one's result. On failure call ``delete``.

        Raises:
            CniError, OctetError: the first plugin's that failed; earlier work is left, as libcni does.
        """
        network = self._network()
        key = Attachment(network.name, container, interface)
        with self._alone(container):
            previous: dict[str, Any] | None = None
            for plugin in network.plugins:
                config = _config(network, plugin, previous, capabilities)
                previous = self._run("ADD", plugin, config, key, netns, args)
                if previous is None:
                    raise CniError(Code.DECODING_FAILURE, f"{plugin['type']} printed no result")
            held = previous or {}
            self._cache.write(
                key, held, {"capabilityArgs": dict(capabilities or {}), "cniArgs": dict(args or {})}
            )
        return conversion.from_json(held, version=network.version)

    def add_or_undo(self, container: str, netns: str, interface: str = "eth0", **options: Any) -> Result:
        """Attach; on failure detach again, as runtimes do, and raise what failed."""
        try:
            return self.add(container, netns, interface, **options)
        except CniError:
            with suppress(CniError):
                self.delete(container, netns, interface, args=options.get("args"))
            raise

    def delete(
        self,
        container: str,
        netns: str = "",
        interface: str = "eth0",
        *,
        args: Arguments | None = None,
        capabilities: Mapping[str, Any] | None = None,
    ) -> None:
        """Detach through every plugin in reverse, with the result of the ADD from 0.4.0 on. Idempotent."""
        network = self._network()
        key = Attachment(network.name, container, interface)
        with self._alone(container):
            held = self._cache.read(key) or {}
            given = capabilities if capabilities is not None else held.get("capabilityArgs")
            previous = held.get("result") if _carries_result(network) else None
            for plugin in reversed(network.plugins):
                self._run("DEL", plugin, _config(network, plugin, previous, given), key, netns, args)
            self._cache.forget(key)

    def check(
        self, container: str, netns: str, interface: str = "eth0", *, args: Arguments | None = None
    ) -> None:
        """Have every plugin check its part, with the result of the ADD. Raises CniError."""
        network = self._network()
        if network.disable_check:
            return
        if not versions.at_least(network.version, versions.CHECK_SINCE):
            raise CniError(Code.INCOMPATIBLE_VERSION, f"cniVersion {network.version} has no CHECK")
        key = Attachment(network.name, container, interface)
        with self._alone(container):
            held = self._cache.read(key)
            if held is None:
                raise CniError(Code.UNKNOWN_CONTAINER, f"nothing is remembered of {key}")
            for plugin in network.plugins:
                config = _config(network, plugin, held["result"], held.get("capabilityArgs"))
                self._run("CHECK", plugin, config, key, netns, args)

    def status(self) -> None:
        """Ask every plugin whether it is ready; versions before 1.1.0 cannot be asked. Raises CniError."""
        network = self._network()
        if versions.at_least(network.version, versions.GC_SINCE):
            for plugin in network.plugins:
                self._run("STATUS", plugin, _config(network, plugin, None, None), None, "", None)

    def collect(self, valid: Iterable[tuple[str, str]]) -> None:
        """Remove everything of this network but the valid (container, interface) pairs; go on after errors.

        Raises:
            CniError: the first failure, after everything has been tried.
        """
        network = self._network()
        keep = {Attachment(network.name, container, interface) for container, interface in valid}
        failures: list[CniError] = []
        for key in [each for each in self._cache.attachments(network.name) if each not in keep]:
            with _noting(failures):
                self.delete(key.container, "", key.interface)
        if versions.at_least(network.version, versions.GC_SINCE) and not network.disable_gc:
            listed = [{"containerID": key.container, "ifname": key.interface} for key in sorted(keep)]
            extra = {"cni.dev/valid-attachments": listed, "cni.dev/attachments": listed}
            for plugin in network.plugins:
                with _noting(failures):
                    self._run("GC", plugin, {**_config(network, plugin, None, None), **extra}, None, "", None)
        if failures:
            raise failures[0]

    def versions(self) -> dict[str, tuple[str, ...]]:
        """Return what each plugin of the chain says it speaks."""
        network = self._network()
        said = {}
        for plugin in network.plugins:
            answer = self._run("VERSION", plugin, {"cniVersion": network.version}, None, "", None) or {}
            said[plugin["type"]] = tuple(answer.get("supportedVersions", ()))
        return said

    def _network(self) -> ConfList:
        return conflist.find(self._configuration)

    @contextmanager
    def _alone(self, container: str) -> Iterator[None]:
        with self._locks[container]:
            yield

    def _run(
        self,
        command: str,
        plugin: Mapping[str, Any],
        config: Mapping[str, Any],
        key: Attachment | None,
        netns: str,
        args: Arguments | None,
    ) -> dict[str, Any] | None:
        environment = {"CNI_COMMAND": command, "CNI_PATH": ":".join(self._path)}
        if key is not None:
            environment |= {"CNI_CONTAINERID": key.container, "CNI_IFNAME": key.interface, "CNI_NETNS": netns}
        if args:
            environment["CNI_ARGS"] = ";".join(f"{name}={value}" for name, value in args.items())
        return execute(locate(plugin["type"], self._path), environment, config)


def _carries_result(network: ConfList) -> bool:
    return versions.at_least(network.version, versions.CHECK_SINCE)


def _config(
    network: ConfList,
    plugin: Mapping[str, Any],
    previous: Mapping[str, Any] | None,
    capabilities: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return what a plugin reads: its own part, the network's name and version, the runtime's additions."""
    config = {**plugin, "name": network.name, "cniVersion": network.version}
    declared = plugin.get("capabilities") or {}
    given = {key: value for key, value in (capabilities or {}).items() if declared.get(key)}
    if given:
        config["runtimeConfig"] = given
    if previous is not None:
        config["prevResult"] = previous
    return config


@contextmanager
def _noting(failures: list[CniError]) -> Iterator[None]:
    try:
        yield
    except CniError as error:
        failures.append(error)
