"""The runtime's side of the specification: ADD, DEL, CHECK, STATUS and GC over a chain of plugins.

What lives here: order, prevResult, capabilities, the cache's part in it (specification 1.1.0, section 3).
What it must not know: what a plugin does. Calls for one container wait for each other; others run at once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from octet.cluster.endpoint import Attachment
from octet.cni.runtime import conflist
from octet.cni.runtime.cache import Cache, Remembered
from octet.cni.runtime.conflist import ConfList
from octet.cni.runtime.execute import execute, locate
from octet.cni.runtime.locks import Locks
from octet.cni.spec import conversion, environment, versions
from octet.cni.spec.failures import CniError, Code
from octet.cni.spec.result import Result
from octet.errors import OctetError

Arguments = Mapping[str, str]


class Runtime:
    """Drives one network: a configuration file, or the first one of a directory.

    Args:
        configuration: the directory (``/etc/cni/net.d``) or the file, looked at anew at every call.
        path: where plugins are (CNI_PATH), in order.
        cache: where results are remembered (libcni: ``/var/lib/cni``).
    """

    def __init__(self, configuration: Path | str, path: Sequence[str], *, cache: Path | str) -> None:
        self._configuration = Path(configuration)
        self._path = tuple(path)
        self._cache = Cache(Path(cache))
        self._locks = Locks()

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

        Args:
            container: the container's id.
            netns: path of its network namespace.
            interface: name of the interface to make inside.
            args: CNI_ARGS.
            capabilities: values by capability (``portMappings``); a plugin gets those that it declares.

        Raises:
            CniError, OctetError: the first plugin's that failed; earlier work is left, as libcni does.
        """
        network = self.network()
        key = _key(network, container, interface)
        with self._locks.alone(container):
            held: dict[str, Any] | None = None
            for plugin in network.plugins:
                config = _config(network, plugin, held, capabilities)
                held = self._run("ADD", plugin, config, key, netns, args)
                if held is None:
                    raise CniError(Code.DECODING_FAILURE, f"{plugin['type']} printed no result")
            remembered = Remembered(key, held or {}, netns, args, capabilities, network.text)
            self._cache.write(remembered)
        return conversion.from_json(remembered.result, version=network.version)

    def add_or_undo(
        self,
        container: str,
        netns: str,
        interface: str = "eth0",
        *,
        args: Arguments | None = None,
        capabilities: Mapping[str, Any] | None = None,
    ) -> Result:
        """Attach; on failure detach again, as container runtimes do, and raise what failed."""
        try:
            return self.add(container, netns, interface, args=args, capabilities=capabilities)
        except (OctetError, OSError):
            with suppress(OctetError, OSError):
                self.delete(container, netns, interface, args=args, capabilities=capabilities)
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
        """Detach through every plugin in reverse, with the result of the ADD from 0.4.0 on. Idempotent.

        What is not said is taken from what is remembered of the ADD, if anything is.
        """
        network = self.network()
        key = _key(network, container, interface)
        with self._locks.alone(container):
            held = self._cache.read(key) or Remembered(key, {})
            known = held.result if versions.at_least(network.version, versions.CHECK_SINCE) else {}
            given = held.capabilities if capabilities is None else capabilities
            for plugin in reversed(network.plugins):
                config = _config(network, plugin, known or None, given)
                self._run("DEL", plugin, config, key, netns, held.args if args is None else args)
            self._cache.forget(key)

    def check(
        self, container: str, netns: str, interface: str = "eth0", *, args: Arguments | None = None
    ) -> None:
        """Have every plugin check its part, with the result of the ADD. Raises CniError."""
        network = self.network()
        key = _key(network, container, interface)
        if not versions.at_least(network.version, versions.CHECK_SINCE):
            raise CniError(Code.INCOMPATIBLE_VERSION, f"cniVersion {network.version} has no CHECK")
        if network.disable_check:
            return
        with self._locks.alone(container):
            held = self._cache.read(key)
            if held is None:
                raise CniError(Code.UNKNOWN_CONTAINER, f"nothing is remembered of {key}")
            for plugin in network.plugins:
                config = _config(network, plugin, held.result, held.capabilities)
                self._run("CHECK", plugin, config, key, netns, held.args if args is None else args)

    def status(self) -> None:
        """Ask every plugin whether it is ready; versions before 1.1.0 cannot be asked. Raises CniError."""
        network = self.network()
        if versions.at_least(network.version, versions.GC_SINCE):
            for plugin in network.plugins:
                self._run("STATUS", plugin, _config(network, plugin, None, None))

    def collect(self, valid: Iterable[tuple[str, str]]) -> None:
        """Remove everything of this network but the valid (container, interface) pairs; go on after errors.

        What is remembered and not valid gets a DEL; plugins of 1.1.0 then get a GC. A network that says
        ``disableGC`` is left alone.

        Raises:
            CniError: the first failure, after everything has been tried; its details name the others.
        """
        network = self.network()
        if network.disable_gc:
            return
        keep = {_key(network, container, interface) for container, interface in valid}
        failures: list[CniError] = []
        for held in self._cache.attachments(network.name):
            if held.key not in keep:
                with _noting(failures):
                    self.delete(held.key.container, held.netns, held.key.interface)
        if versions.at_least(network.version, versions.GC_SINCE):
            listed = [{"containerID": key.container, "ifname": key.interface} for key in sorted(keep)]
            extra = {"cni.dev/valid-attachments": listed, "cni.dev/attachments": listed}
            for plugin in network.plugins:
                with _noting(failures):
                    self._run("GC", plugin, {**_config(network, plugin, None, None), **extra})
        if failures:
            first, *others = failures
            details = "; ".join(filter(None, [first.details, *map(str, others)]))
            raise CniError(first.code, first.message, details=details)

    def versions(self) -> dict[str, tuple[str, ...]]:
        """Return what each plugin of the chain says it speaks, by its type."""
        network = self.network()
        said = {}
        for plugin in network.plugins:
            answer = self._run("VERSION", plugin, {"cniVersion": network.version}) or {}
            said[str(plugin["type"])] = tuple(map(str, answer.get("supportedVersions", ())))
        return said

    def network(self) -> ConfList:
        """Return the network as its file says now. Raises NotFoundError, BadConfigurationError."""
        if self._configuration.is_dir():
            return conflist.find(self._configuration)
        return conflist.load(self._configuration)

    def _run(
        self,
        command: str,
        plugin: Mapping[str, Any],
        config: Mapping[str, Any],
        key: Attachment | None = None,
        netns: str = "",
        args: Arguments | None = None,
    ) -> dict[str, Any] | None:
        said = {"CNI_COMMAND": command, "CNI_PATH": ":".join(self._path)}
        if key is not None:
            said |= {"CNI_CONTAINERID": key.container, "CNI_IFNAME": key.interface, "CNI_NETNS": netns}
        if args:
            said["CNI_ARGS"] = ";".join(f"{name}={value}" for name, value in args.items())
        return execute(locate(plugin["type"], self._path), said, config)


def _key(network: ConfList, container: str, interface: str) -> Attachment:
    """Return the key of an attachment whose parts a plugin would accept. Raises CniError (4)."""
    said = {"CNI_CONTAINERID": container, "CNI_IFNAME": interface}
    return Attachment(network.name, environment.container(said), environment.interface(said))


def _config(
    network: ConfList,
    plugin: Mapping[str, Any],
    previous: Mapping[str, Any] | None,
    capabilities: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return what a plugin reads: its own part, the network's name and version, the runtime's additions."""
    config = {**plugin, "name": network.name, "cniVersion": network.version}
    declared = plugin.get("capabilities") or {}
    given = {key: value for key, value in (capabilities or {}).items() if declared.get(key) is True}
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
