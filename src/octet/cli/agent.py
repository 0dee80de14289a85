"""``octet agent``: run the node agent, ask it how it is, take its traces away.

What lives here: three commands. What it must not know: what an agent does.
"""

import http.client
import json
import socket
from pathlib import Path
from typing import Annotated

import typer

from octet.cli import completing, output
from octet.errors import NotReadyError, OctetError

app = typer.Typer(
    no_args_is_help=True,
    help="The process on every node that makes the network.",
    epilog=output.examples("octet agent run --config /etc/octet/agent.toml", "octet agent status"),
)

ConfigFile = Annotated[Path, typer.Option("--config", help="The agent's TOML file.")]
CONFIG = Path("/etc/octet/agent.toml")


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over the agent's health socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("agent", timeout=5)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket file."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@app.command(
    epilog=output.examples(
        "octet agent run",
        "octet agent run --config /etc/octet/agent.toml --model flannel:host-gw",
        "octet agent run --node node1 --register --pod-cidr 10.244.0.0/16 --model flannel "
        "--store /var/lib/octet/store.db",
    )
)
def run(
    config: Annotated[
        Path | None, typer.Option(help=f"The agent's TOML file.  [default: {CONFIG}, if it is there]")
    ] = None,
    *,
    node: Annotated[str, typer.Option(help="This node's name.")] = "",
    register: Annotated[bool, typer.Option("--register", help="Make and keep our own Node object.")] = False,
    pod_cidr: Annotated[
        list[str] | None, typer.Option(help="The cluster's pod network; one a family.")
    ] = None,
    service_cidr: Annotated[list[str] | None, typer.Option(help="The service network.")] = None,
    model: Annotated[
        str, typer.Option(help="The model, as in `octet models`.", autocompletion=completing.models)
    ] = "",
    store: Annotated[str, typer.Option(help="Path of the embedded store.")] = "",
    run_directory: Annotated[str, typer.Option("--run", help="Directory of sockets and journal.")] = "",
    interface: Annotated[str, typer.Option(help="The interface that leads to the other nodes.")] = "",
) -> None:
    """Run the agent until SIGTERM; pods keep their network when it ends. Flags win over the file."""
    from octet.agent.__main__ import run as run_agent

    flags = {
        "node": node,
        "register": register,
        "pod_cidr": pod_cidr,
        "service_cidr": service_cidr,
        "model": model,
        "store": store,
        "run": run_directory,
        "interface": interface,
    }
    raise typer.Exit(run_agent(config or (CONFIG if CONFIG.exists() else None), flags))


@app.command(
    epilog=output.examples("octet agent status", "octet agent status --config /etc/octet/agent.toml --json")
)
def status(config: ConfigFile = CONFIG, as_json: output.Json = False) -> None:
    """Show what the agent of this node holds; exit 3 when it is not ready or does not answer."""
    from octet.agent.config import load

    state = json.loads(ask(load(config).run / "health.sock", "/state"))
    rows = [
        (each["pod"] or each["attachment"], each["state"], each["v4"] or "-", each["v6"] or "-", each["mtu"])
        for each in state["endpoints"]
    ]
    title = f"node {state['node']}, model {state['model']}: {len(state['peers'])} peers"
    output.table(title, ["Pod", "State", "IPv4", "IPv6", "MTU"], rows, json_rows=state, as_json=as_json)
    for text in (*state["failures"], *state["obstacles"]):
        output.note(text)
    if not state["ready"]:
        raise typer.Exit(output.NOT_READY)


def ask(socket_path: Path, path: str) -> str:
    """Return an agent's answer to a GET on its health socket.

    Raises:
        NotReadyError: no agent answers there, or not with success.
    """
    connection = _UnixConnection(socket_path)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotReadyError(f"no agent answers on {socket_path}: {error}", hint="octet agent run") from error
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise NotReadyError(f"the agent on {socket_path} does not answer {path}: {body.strip()}")
    return body


@app.command(epilog=output.examples("octet agent uninstall --config /etc/octet/agent.toml"))
def uninstall(config: ConfigFile = CONFIG) -> None:
    """Remove exactly what the agent made on this node: links, routes, rules, settings, files.

    The agent must not run any more. Running pods lose their network. The plugin and its configuration are
    taken away by `octet cni uninstall`.
    """
    from octet.agent.config import load
    from octet.agent.uninstall import uninstall as take_away

    outcome = take_away(load(config).run)
    if not outcome.ok:
        raise OctetError("; ".join(str(each) for each in outcome.failed))
    count = len(outcome.done)
    typer.echo(f"removed {count} kernel object{'' if count == 1 else 's'}")
