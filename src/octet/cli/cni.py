"""``octet cni``: install our plugin, and call any network's plugins as a container runtime would.

What lives here: arguments and output. What it must not know: what plugins do.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from octet.cli import output

if TYPE_CHECKING:
    from octet.cni.runtime import Runtime

app = typer.Typer(no_args_is_help=True, help="The plugin and configuration that a container runtime uses.")

BinDir = Annotated[Path, typer.Option("--bin-dir", help="Where runtimes look for plugins.")]
ConfDir = Annotated[Path, typer.Option("--conf-dir", help="Where runtimes look for configurations.")]
Socket = Annotated[str, typer.Option(help="The agent's socket.")]
PluginPath = Annotated[str, typer.Option("--path", help="Directories of plugins (CNI_PATH), with colons.")]
Cache = Annotated[Path, typer.Option(help="Where results of ADD are remembered.")]
Interface = Annotated[str, typer.Option("--ifname", help="Name of the interface in the pod.")]
Container = Annotated[str, typer.Argument(help="The container's id.")]
Netns = Annotated[str, typer.Argument(help="Path of the pod's network namespace.")]

BIN_DIR, CONF_DIR, CACHE = Path("/opt/cni/bin"), Path("/etc/cni/net.d"), Path("/var/lib/cni")
SOCKET = "/run/octet/cni.sock"


def _runtime(conf_dir: Path, path: str, cache: Path) -> "Runtime":
    from octet.cni.runtime import Runtime

    return Runtime(conf_dir, path.split(":"), cache=cache)


@app.command(epilog=output.examples("octet cni install", "octet cni install --bin-dir /usr/libexec/cni"))
def install(bin_dir: BinDir = BIN_DIR, conf_dir: ConfDir = CONF_DIR, socket: Socket = SOCKET) -> None:
    """Put plugin and conflist in place, atomically; nothing of anybody else's is overwritten."""
    from octet.cni import install as installing

    for path in installing.install(bin_dir, conf_dir, installing.conflist(socket)):
        typer.echo(path)


@app.command(epilog=output.examples("octet cni uninstall"))
def uninstall(conf_dir: ConfDir = CONF_DIR) -> None:
    """Remove exactly the files that install wrote."""
    from octet.cni import install as installing

    for path in installing.uninstall(conf_dir):
        typer.echo(f"removed {path}")


@app.command(epilog=output.examples("octet cni build"))
def build() -> None:
    """Compile the thin plugin; without a compiler, say that its Python twin will be used."""
    from octet.cni import install as installing

    made = installing.build()
    typer.echo(made or "no compiler here: install uses the Python twin (python -m octet.cni)")


@app.command(epilog=output.examples("octet cni conflist", "octet cni conflist --socket /run/octet/cni.sock"))
def conflist(socket: Socket = SOCKET) -> None:
    """Print our network configuration list."""
    from octet.cni import install as installing

    typer.echo(json.dumps(installing.conflist(socket), indent=2))


@app.command(epilog=output.examples("octet cni add c1 /run/netns/c1 --path /opt/cni/bin"))
def add(
    container: Container,
    netns: Netns,
    ifname: Interface = "eth0",
    conf_dir: ConfDir = CONF_DIR,
    path: PluginPath = str(BIN_DIR),
    cache: Cache = CACHE,
) -> None:
    """Attach a network namespace to the first network of the directory; print the result."""
    from octet.cni.spec import conversion

    result = _runtime(conf_dir, path, cache).add_or_undo(container, netns, ifname)
    typer.echo(json.dumps(conversion.to_json(result), indent=2))


@app.command("del", epilog=output.examples("octet cni del c1 /run/netns/c1"))
def delete(
    container: Container,
    netns: Netns = "",
    ifname: Interface = "eth0",
    conf_dir: ConfDir = CONF_DIR,
    path: PluginPath = str(BIN_DIR),
    cache: Cache = CACHE,
) -> None:
    """Detach; what is not attached is no error."""
    _runtime(conf_dir, path, cache).delete(container, netns, ifname)


@app.command(epilog=output.examples("octet cni check c1 /run/netns/c1"))
def check(
    container: Container,
    netns: Netns,
    ifname: Interface = "eth0",
    conf_dir: ConfDir = CONF_DIR,
    path: PluginPath = str(BIN_DIR),
    cache: Cache = CACHE,
) -> None:
    """Have every plugin check what it made."""
    _runtime(conf_dir, path, cache).check(container, netns, ifname)


@app.command(epilog=output.examples("octet cni status"))
def status(conf_dir: ConfDir = CONF_DIR, path: PluginPath = str(BIN_DIR), cache: Cache = CACHE) -> None:
    """Ask whether the network is ready for pods."""
    _runtime(conf_dir, path, cache).status()
    typer.echo("ready")


@app.command(epilog=output.examples("octet cni gc c1,eth0 c2,eth0"))
def gc(
    valid: Annotated[list[str], typer.Argument(help="CONTAINER,INTERFACE of each attachment to keep.")],
    conf_dir: ConfDir = CONF_DIR,
    path: PluginPath = str(BIN_DIR),
    cache: Cache = CACHE,
) -> None:
    """Remove every attachment of the network that is not named."""
    pairs = [tuple(each.split(",", 1)) for each in valid]
    wrong = next((each for each, pair in zip(valid, pairs, strict=True) if len(pair) != 2), None)
    if wrong is not None:
        output.fail(f"{wrong!r} is not CONTAINER,INTERFACE, as in c1,eth0", output.WRONG_USE)
    _runtime(conf_dir, path, cache).collect((pair[0], pair[1]) for pair in pairs)


@app.command(epilog=output.examples("octet cni version", "octet cni version --json"))
def version(
    conf_dir: ConfDir = CONF_DIR,
    path: PluginPath = str(BIN_DIR),
    cache: Cache = CACHE,
    as_json: output.Json = False,
) -> None:
    """Show which versions of the specification each plugin of the network speaks."""
    found = _runtime(conf_dir, path, cache).versions()
    rows = [(plugin, " ".join(said)) for plugin, said in found.items()]
    output.table("Plugins", ["Plugin", "Versions"], rows, json_rows=found, as_json=as_json)
