"""``octet agent``: run the node agent, ask it how it is, take its traces away.

What lives here: three commands. What it must not know: what an agent does.
"""

import http.client
import json
import socket
from pathlib import Path
from typing import Annotated, Any

import typer

from octet.cli import output
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


@app.command(epilog=output.examples("octet agent run --config /etc/octet/agent.toml"))
def run(
    config: ConfigFile = CONFIG,
    node: Annotated[str, typer.Option(help="This node's name, instead of the file's.")] = "",
    model: Annotated[str, typer.Option(help="The model, instead of the file's.")] = "",
) -> None:
    """Run the agent until SIGTERM; pods keep their network when it ends."""
    from octet.agent.__main__ import run as run_agent

    overrides: dict[str, dict[str, object]] = {}
    if node:
        overrides["node"] = {"name": node}
    if model:
        overrides["model"] = {"name": model}
    raise typer.Exit(run_agent(config, overrides))


@app.command(
    epilog=output.examples("octet agent status", "octet agent status --config /etc/octet/agent.toml --json")
)
def status(config: ConfigFile = CONFIG, as_json: output.Json = False) -> None:
    """Show what the agent of this node holds; exit 3 when it is not ready or does not answer."""
    from octet.agent.config import load

    state = _ask(load(config).run / "health.sock")
    rows = [
        (each["pod"] or each["attachment"], each["state"], each["v4"] or "-", each["v6"] or "-", each["mtu"])
        for each in state["endpoints"]
    ]
    title = f"node {state['node']}, model {state['model']}: {len(state['peers'])} peers"
    output.table(title, ["Pod", "State", "IPv4", "IPv6", "MTU"], rows, json_rows=state, as_json=as_json)
    for failure in state["failures"]:
        output.note(failure)
    if not state["ready"]:
        raise typer.Exit(output.NOT_READY)


def _ask(path: Path) -> dict[str, Any]:
    connection = _UnixConnection(path)
    try:
        connection.request("GET", "/state")
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotReadyError(f"no agent answers on {path}: {error}", hint="octet agent run") from error
    finally:
        connection.close()
    return answer


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
    typer.echo(f"removed {len(outcome.done)} objects")
