"""``octet models``: the table of models, and one row explained by what it would make.

What lives here: two commands. What it must not know: any model; all that is shown is asked of the table.
"""

import textwrap
from enum import Enum
from typing import Annotated, Any

import typer

from octet import models
from octet.blueprint import Blueprint
from octet.cli import completing, output
from octet.models import example
from octet.models.decisions import DECISIONS
from octet.models.model import Model, Running
from octet.models.needs import needs

WIDTH = 100

TITLES = {
    "node": "On node1, whatever pods and peers there are",
    "peer": "On node1, for its peer node2",
    "port": "On node1, for each of its pods",
    "pod": "Inside the pod",
    "annotations": "Annotations of node1",
}
"""The parts of what is drawn, and their headings."""


class Family(Enum):
    """The address families of a cluster."""

    V4 = "v4"
    V6 = "v6"
    DUAL = "dual"


app = typer.Typer(
    help="The models Octet can be, and what each one does to a node.",
    epilog=output.examples("octet models", "octet models --json", "octet models show flannel"),
)


@app.callback(invoke_without_command=True)
def table(context: typer.Context, as_json: output.Json = False) -> None:
    """Print the table: a model is one choice for each of six decisions."""
    if context.invoked_subcommand is not None:
        return
    rows = [[model.name, *(getattr(model, decision) for decision in DECISIONS)] for model in models.MODELS]
    output.table("A pod network is six decisions.", ["model", *DECISIONS], rows, as_json=as_json)
    if not as_json:
        output.note(f"Names that run: {', '.join(models.names())}. More: octet models show NAME")


@app.command(
    epilog=output.examples(
        "octet models show flannel",
        "octet models show flannel:host-gw --family dual",
        "octet models show kopeio-vxlan --json",
    )
)
def show(
    name: Annotated[
        str,
        typer.Argument(
            help="A model, or a variant of it, as in flannel:host-gw.", autocompletion=completing.models
        ),
    ],
    family: Annotated[Family, typer.Option(help="Address family of the example.")] = Family.V4,
    as_json: output.Json = False,
) -> None:
    """Explain one model: its decisions, and the kernel objects of a cluster of two nodes."""
    model = models.find(name)
    running = model.parse({}, source=name)
    families = example.FAMILIES[family.value]
    objects, needed = drawn(running, families), needs(running, families)
    if as_json:
        drawing = {"family": family.value, "needs": needed, "objects": objects}
        output.print_json(described(model) | drawing)
        return
    typer.echo(f"{model.name}: {model.summary}\n\n{textwrap.fill(model.about, WIDTH)}\n")
    answers = [[decision, question, getattr(model, decision)] for decision, question in DECISIONS.items()]
    output.table("", ["decision", "question", "answer"], answers, as_json=False)
    if model.options:
        told = [[option.name, option.meaning] for option in model.options]
        output.table(
            "\nOptions, for [model.options] of the agent's file", ["option", "meaning"], told, as_json=False
        )
    if model.reads:
        title = "\nObjects of the cluster that say more, and what of them is read"
        output.table(title, ["object", "fields"], [*model.reads.items()], as_json=False)
    typer.echo(f"\nNeeds from the kernel: {', '.join(needed)}")
    for part, title in TITLES.items():
        if objects[part]:
            typer.echo(f"\n{title}:\n{textwrap.indent(chr(10).join(objects[part]), '  ')}")


def described(model: Model) -> dict[str, Any]:
    """Return a model's row as JSON has it."""
    decisions = {decision: getattr(model, decision) for decision in DECISIONS}
    options = [
        {"name": each.name, "meaning": each.meaning, "example": each.example} for each in model.options
    ]
    return {
        "options": options,
        "reads": dict(model.reads),
        "name": model.name,
        "summary": model.summary,
        "about": model.about,
        "decisions": decisions,
    }


def drawn(running: Running, families: tuple[int, ...]) -> dict[str, list[str]]:
    """Return what the first of two nodes holds and says, as lines, by part (see TITLES)."""
    view = example.view(running, families)
    network = running.network(view)
    plan = running.endpoint(network, example.endpoint(running.attach, network))
    return {
        "node": lines(running.node(view)),
        "peer": lines(running.peer(view, view.peers[0])),
        "port": lines(plan.node),
        "pod": lines(plan.pod),
        "annotations": [f"{key}={value}" for key, value in running.annotations(view).items()],
    }


def lines(blueprint: Blueprint) -> list[str]:
    """Return a blueprint as an operator reads it: objects that are several lines stay together."""
    return [line for item in sorted(map(str, blueprint)) for line in item.expandtabs(4).splitlines()]
