"""The command line ``octet``: the list of its groups, loaded only when they are called.

What lives here: the list, lazy loading, version, the way out. What it must not know: what a command does.
"""

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from octet import __version__
from octet.cli import output
from octet.errors import OctetError


@dataclass(frozen=True, slots=True)
class Group:
    """One word after ``octet``: where its commands are, and one line about it that needs no import.

    Attributes:
        module: imported when the word is used; its ``app`` is a typer.Typer.
    """

    name: str
    module: str
    summary: str


GROUPS: tuple[Group, ...] = (
    Group("lab", "octet.cli.lab", "Clusters of several nodes on this machine, with real packets."),
    Group("compare", "octet.cli.compare", "Measure networks side by side and say how sure the figures are."),
    Group("choose", "octet.cli.choose", "Which CNI provider to take, and why, for what you need."),
    Group("ui", "octet.cli.ui", "Answer, facts and figures as a live page on this machine."),
    Group("facts", "octet.cli.facts", "What is known of CNI providers: each answer dated and sourced."),
    Group("policy", "octet.cli.policy", "Who may talk to whom: explained, compared, verified."),
    Group("flows", "octet.cli.flows", "What policies denied a moment ago, with the names of pods."),
    Group("models", "octet.cli.models", "The models Octet can be, and what each one does to a node."),
    Group("doctor", "octet.cli.doctor", "What this kernel can do, and what needs it."),
    Group("bgp", "octet.cli.bgp", "BGP sessions: state, prefixes in and out, the last error."),
    Group("routes", "octet.cli.routes", "Why a packet to an address goes where it goes."),
    Group("agent", "octet.cli.agent", "The process on every node that makes the network."),
    Group("cni", "octet.cli.cni", "The plugin and configuration that a container runtime uses."),
)
"""Everything that can follow ``octet``. A new group is one line here and one module."""

_COMPLETION = {"install_completion", "show_completion"}


class LazyGroups(TyperGroup):
    """The groups by name: help lists them unloaded, using one loads it."""

    def list_commands(self, _ctx: Any) -> list[str]:
        """Return the names in the order of GROUPS."""
        return [group.name for group in GROUPS]

    def get_command(self, _ctx: Any, cmd_name: str) -> Any:
        """Import the group and return its command; None if there is no such word."""
        found = next((group for group in GROUPS if group.name == cmd_name), None)
        return None if found is None else load(found)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help from GROUPS alone."""
        self._unloaded().format_help(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Return what the shell may offer, from GROUPS alone."""
        unloaded = self._unloaded()
        return unloaded.shell_complete(
            unloaded.make_context(ctx.info_name, [], resilient_parsing=True), incomplete
        )

    def _unloaded(self) -> TyperGroup:
        """Return a group that looks like this one and imports nothing: help and Tab must answer at once."""
        return TyperGroup(
            name=self.name,
            commands=[TyperCommand(name=group.name, help=group.summary) for group in GROUPS],
            params=self.params,
            help=self.help,
            epilog=self.epilog,
            rich_markup_mode=self.rich_markup_mode,
        )


def load(group: Group) -> Any:
    """Import a group and return its click command, without typer's completion options on each level."""
    command = typer.main.get_command(importlib.import_module(group.module).app)
    command.name = group.name
    command.params = [parameter for parameter in command.params if parameter.name not in _COMPLETION]
    return command


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"octet {__version__}")
        raise typer.Exit


app = typer.Typer(
    name="octet",
    cls=LazyGroups,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=output.examples(
        "octet lab up --model flannel --nodes 2",
        "octet compare --quick",
        "octet models",
        "octet --install-completion",
    ),
)


@app.callback()
def octet(
    _version_wanted: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """A Kubernetes pod network that can be any of several, and measures them side by side."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with a code of ``output.EXIT_CODES``. Raises SystemExit.

    Any other exception is a fault of ours and ends in Python's traceback, which is what a report needs.
    """
    try:
        typer.main.get_command(app)(arguments, prog_name="octet")
    except KeyboardInterrupt:
        sys.exit(output.INTERRUPTED)
    except (OctetError, OSError) as error:
        sys.exit(output.report(error))


if __name__ == "__main__":
    main()
