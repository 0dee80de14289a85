"""``octet cni``: our plugin put in place, and any provider's plugins called as a container runtime does.

What lives here: the words of the command line. What it must not know: what a plugin does.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from octet.cli import output
from octet.cni import install as installing
from octet.cni.spec.failures import CniError, Code

if TYPE_CHECKING:
    from octet.cni.runtime import Runtime

NAMED_NAMESPACES = Path("/run/netns")
"""Where ``ip netns`` keeps its names."""

app = typer.Typer(
    no_args_is_help=True,
    help="The plugin and configuration that a container runtime uses; and a runtime to call any plugin.",
    epilog=output.examples(
        "octet cni install",
        "octet cni conflist",
        "octet cni add web1 /run/netns/web1",
        "octet cni del web1 /run/netns/web1",
    ),
)

BinDir = Annotated[Path, typer.Option(help="Directory of the runtime's plugins.")]
ConfDir = Annotated[Path, typer.Option(help="Directory of the runtime's configurations.")]
StateDir = Annotated[Path, typer.Option(help="Directory of the receipt that uninstall reads.")]
Socket = Annotated[Path, typer.Option(help="The agent's socket.")]
Name = Annotated[str, typer.Option(help="Name of the network.")]
Container = Annotated[str, typer.Argument(help="Id of the container, as the runtime calls it.")]
Netns = Annotated[
    str, typer.Argument(help="Path of the container's network namespace, or a name of ip netns.")
]
Ifname = Annotated[str, typer.Option("--ifname", help="Interface inside the container.")]
Conf = Annotated[Path, typer.Option("--conf", help="A configuration, or a directory: its first one counts.")]
Plugins = Annotated[list[Path] | None, typer.Option("--path", help="Directory of plugins; again for more.")]
Cache = Annotated[Path, typer.Option(help="Directory where results are remembered between calls.")]
Args = Annotated[list[str] | None, typer.Option("--arg", help="KEY=VALUE of CNI_ARGS; again for more.")]
Capability = Annotated[
    list[str] | None, typer.Option("--capability", help="NAME=JSON given to plugins that declare NAME.")
]

CACHE = Path("/var/lib/cni")


@app.command(
    epilog=output.examples(
        "octet cni install",
        "octet cni install --bin-dir /usr/libexec/cni --socket /run/octet/cni.sock",
    )
)
def install(
    bin_dir: BinDir = installing.BIN_DIR,
    conf_dir: ConfDir = installing.CONF_DIR,
    state_dir: StateDir = installing.STATE_DIR,
    socket: Socket = installing.SOCKET,
    name: Name = "octet",
    twin: Annotated[bool, typer.Option("--twin", help="Install the Python twin of the plugin.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are not ours.")] = False,
) -> None:
    """Put the plugin and then the conflist in place, each in one step."""
    places = installing.Places(bin_dir.absolute(), conf_dir.absolute(), state_dir.absolute())
    program = installing.launcher() if twin else None
    document = installing.conflist(socket, name=name)
    for path in installing.install(places, document, plugin=program, force=force):
        typer.echo(path)


@app.command(epilog=output.examples("octet cni uninstall"))
def uninstall(
    bin_dir: BinDir = installing.BIN_DIR,
    conf_dir: ConfDir = installing.CONF_DIR,
    state_dir: StateDir = installing.STATE_DIR,
) -> None:
    """Remove exactly what install wrote; files that were changed since then stay."""
    places = installing.Places(bin_dir.absolute(), conf_dir.absolute(), state_dir.absolute())
    removed, left = installing.uninstall(places)
    for path in removed:
        typer.echo(f"removed {path}")
    for path in left:
        output.note(f"left {path}: it was changed since it was installed")


@app.command(epilog=output.examples("octet cni build", "octet cni build --output /tmp/octet-cni"))
def build(
    target: Annotated[Path, typer.Option("--output", help="The program's file.")] = installing.PLUGIN,
) -> None:
    """Compile the thin plugin (needs a C compiler and a static C library)."""
    typer.echo(installing.build(target))


@app.command(epilog=output.examples("octet cni conflist", "octet cni conflist --name pods"))
def conflist(socket: Socket = installing.SOCKET, name: Name = "octet") -> None:
    """Print the configuration list that install writes."""
    output.print_json(installing.conflist(socket, name=name))


@app.command(
    epilog=output.examples(
        "octet cni add web1 /run/netns/web1",
        "octet cni add web1 web1 --ifname eth1 --arg K8S_POD_NAMESPACE=default --arg K8S_POD_NAME=web1",
        "octet cni add web1 web1 --capability 'ips=[\"10.244.1.9/24\"]'",
        "octet cni add web1 web1 --conf 10-bridge.conflist --path /usr/lib/cni",
    )
)
def add(
    container: Container,
    netns: Netns,
    ifname: Ifname = "eth0",
    conf: Conf = installing.CONF_DIR,
    path: Plugins = None,
    cache: Cache = CACHE,
    arg: Args = None,
    capability: Capability = None,
) -> None:
    """Attach a network namespace and print the result; what failed is undone."""
    from octet.cni.spec.conversion import to_json

    with _codes():
        runtime = _runtime(conf, path, cache)
        result = runtime.add_or_undo(
            container, _namespace(netns), ifname, args=_pairs(arg), capabilities=_capabilities(capability)
        )
        output.print_json(to_json(result, runtime.network().version))


@app.command("del", epilog=output.examples("octet cni del web1 /run/netns/web1", "octet cni del web1"))
def delete(
    container: Container,
    netns: Annotated[str, typer.Argument(help="As for add; empty where the namespace is gone.")] = "",
    ifname: Ifname = "eth0",
    conf: Conf = installing.CONF_DIR,
    path: Plugins = None,
    cache: Cache = CACHE,
) -> None:
    """Detach; doing it again is harmless."""
    with _codes():
        _runtime(conf, path, cache).delete(container, _namespace(netns), ifname)


@app.command(epilog=output.examples("octet cni check web1 /run/netns/web1"))
def check(
    container: Container,
    netns: Netns,
    ifname: Ifname = "eth0",
    conf: Conf = installing.CONF_DIR,
    path: Plugins = None,
    cache: Cache = CACHE,
) -> None:
    """Ask every plugin whether what it made is still there."""
    with _codes():
        _runtime(conf, path, cache).check(container, _namespace(netns), ifname)


@app.command(epilog=output.examples("octet cni status"))
def status(conf: Conf = installing.CONF_DIR, path: Plugins = None, cache: Cache = CACHE) -> None:
    """Ask every plugin whether it is ready for an ADD."""
    with _codes():
        _runtime(conf, path, cache).status()


@app.command(epilog=output.examples("octet cni gc --keep web1 --keep web2:eth1"))
def gc(
    keep: Annotated[
        list[str] | None, typer.Option(help="CONTAINER[:IFNAME] that stays; again for more.")
    ] = None,
    keep_none: Annotated[bool, typer.Option("--keep-none", help="Remove every container's network.")] = False,
    conf: Conf = installing.CONF_DIR,
    path: Plugins = None,
    cache: Cache = CACHE,
) -> None:
    """Remove what belongs to no container that is kept."""
    if bool(keep) == keep_none:
        output.fail("say which containers stay: --keep CONTAINER, or --keep-none", output.WRONG_USE)
    parts = [one.partition(":") for one in keep or []]
    valid = [(container, ifname or "eth0") for container, _, ifname in parts]
    with _codes():
        _runtime(conf, path, cache).collect(valid)


@app.command(epilog=output.examples("octet cni version", "octet cni version --path /usr/lib/cni --json"))
def version(
    conf: Conf = installing.CONF_DIR,
    path: Plugins = None,
    cache: Cache = CACHE,
    as_json: output.Json = False,
) -> None:
    """Print the versions of CNI that each plugin of the chain speaks."""
    with _codes():
        said = _runtime(conf, path, cache).versions()
    rows = [[name, " ".join(known)] for name, known in said.items()]
    output.table("", ["plugin", "versions"], rows, as_json=as_json)


def _runtime(conf: Path, path: list[Path] | None, cache: Path) -> "Runtime":
    from octet.cni.runtime import Runtime

    return Runtime(conf, [str(one) for one in path or [installing.BIN_DIR]], cache=cache)


def _namespace(given: str) -> str:
    return str(NAMED_NAMESPACES / given) if given and "/" not in given else given


def _pairs(given: list[str] | None) -> dict[str, str]:
    pairs = [one.partition("=") for one in given or []]
    for key, equals, _ in pairs:
        if not key or not equals:
            output.fail(f"{key!r} is not KEY=VALUE", output.WRONG_USE)
    return {key: value for key, _, value in pairs}


def _capabilities(given: list[str] | None) -> dict[str, Any]:
    import json

    found = {}
    for key, value in _pairs(given).items():
        try:
            found[key] = json.loads(value)
        except ValueError as error:
            output.fail(f"capability {key}: {value!r} is not JSON: {error}", output.WRONG_USE)
    return found


@contextmanager
def _codes() -> Iterator[None]:
    """Tell a plugin's error with its code, and end as the kinds of error do everywhere."""
    try:
        yield
    except CniError as error:
        later = error.code in {Code.TRY_AGAIN_LATER, Code.NOT_AVAILABLE}
        output.fail(f"{error} [CNI error {int(error.code)}]", output.NOT_READY if later else output.FAILED)
