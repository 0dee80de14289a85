"""``octet lab``: clusters of several nodes on this machine.

What lives here: the verbs and how they print. What it must not know: how a lab does anything (``octet.lab``).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from octet.cli import completing, lab_tables, output
from octet.cli import lab_fault as fault
from octet.cli.lab_fault import Name, find
from octet.cli.output import Json, examples
from octet.errors import BadConfigurationError

if TYPE_CHECKING:
    from octet.lab.racks import Shape

app = typer.Typer(
    no_args_is_help=True,
    help="Clusters of several nodes on this machine, with real packets.",
    epilog=examples(
        "octet lab up --model flannel --nodes 3", "octet lab run a --node node1", "octet lab down"
    ),
)
app.add_typer(fault.app, name="fault")

Namespace = Annotated[
    str,
    typer.Option(
        "--namespace", "-n", help="Kubernetes namespace of the pod.", autocompletion=completing.namespaces
    ),
]
Command = Annotated[list[str] | None, typer.Argument(help="Program and arguments, after --.")]


@app.command(
    epilog=examples(
        "octet lab up --model flannel --nodes 3",
        "octet lab up --name six --model flannel:host-gw --nodes 2 --family v6",
        "octet lab up --name racks --model flannel --fabric routed --racks 2 --nodes 4",
    )
)
def up(
    *,
    model: Annotated[str, typer.Option(help="A row of `octet models`.", autocompletion=completing.models)],
    nodes: Annotated[int, typer.Option(help="How many nodes: node1 ... nodeN.")] = 2,
    name: Annotated[str, typer.Option(help="What to call the lab.")] = "lab",
    fabric: Annotated[
        str,
        typer.Option(
            help="What connects the nodes: l2, one switch; routed, racks.", autocompletion=completing.fabrics
        ),
    ] = "l2",
    racks: Annotated[int | None, typer.Option(help="Routed: how many racks; 2.")] = None,
    spines: Annotated[int | None, typer.Option(help="Routed: how many spines; 2.")] = None,
    uplinks: Annotated[int | None, typer.Option(help="Routed: of each rack's router; one per spine.")] = None,
    routers: Annotated[str, typer.Option(help="Routed: bird, frr, gobgp, one per rack, with commas.")] = "",
    family: Annotated[
        str,
        typer.Option(
            help="IP families of nodes and pods: v4, v6 or dual.", autocompletion=completing.families
        ),
    ] = "v4",
    as_json: Json = False,
) -> None:
    """Start a lab and wait until all of its nodes are ready.

    It lives in namespaces of its own, as root or as an ordinary user, until `octet lab down`: nothing of the
    machine changes. Every node has its own agent; `outside` is a host beyond the cluster. On the fabric
    `routed`, nodes are in racks of different subnets, below routers that speak BGP: tor1, tor2, spine1, ...
    """
    from octet.lab import Lab

    shape = _shape(racks, spines, uplinks, routers)
    with _progress() as report:
        lab = Lab.up(model, nodes=nodes, name=name, fabric=fabric, family=family, shape=shape, report=report)
    lab_tables.nodes(lab, f"lab {lab.name} is up", as_json=as_json)


@app.command(
    epilog=examples(
        "octet lab run web --node node1 --label app=web -- python3 -m http.server 80",
        "octet lab run a --node node2",
    ),
)
def run(
    pod: Annotated[str, typer.Argument(help="Name of the new pod.")],
    node: Annotated[str, typer.Option(help="The node it runs on.", autocompletion=completing.nodes)],
    command: Command = None,
    namespace: Namespace = "default",
    label: Annotated[list[str] | None, typer.Option(help="K=V; may be repeated.")] = None,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Start a pod, attached through the provider's plugin, and print its addresses.

    Without a command it sleeps. What the command says is in `octet lab logs POD`.
    """
    from octet.lab.protocol import DEFAULT_COMMAND

    lab = find(name)
    made = lab.run(pod, node, command or DEFAULT_COMMAND, namespace=namespace, labels=_labels(label or []))
    if as_json:
        output.print_json(
            {"pod": pod, "namespace": namespace, "node": node, "addresses": list(made.addresses)}
        )
        return
    typer.echo(" ".join(made.addresses))


@app.command(
    "exec",
    epilog=examples(
        "octet lab exec a -- ping -c 3 10.244.1.2",
        "octet lab exec node1 -- ip route",
        "octet lab exec outside -- tcpdump -n -i eth0",
        "octet lab exec tor1 -- birdc show protocols",
    ),
)
def execute(
    target: Annotated[
        str,
        typer.Argument(
            help="A pod, a node, a router, `outside` or `switch`.", autocompletion=completing.targets
        ),
    ],
    command: Command = None,
    namespace: Namespace = "default",
    name: Name = None,
) -> None:
    """Run a program in a pod or on a node, on this terminal; its exit code is this command's."""
    from octet.lab.join import enter

    if not command:
        raise BadConfigurationError(
            "lab exec", "COMMAND", "", "missing", hint=f"octet lab exec {target} -- ip addr"
        )
    with find(name).doors(target, namespace=namespace) as doors:
        raise typer.Exit(enter(doors, command))


@app.command(epilog=examples("octet lab apply -f policy.yaml", "octet lab apply -f examples/policy/"))
def apply(
    file: Annotated[
        Path, typer.Option("--file", "-f", help="A JSON or YAML manifest, or a directory; - is stdin.")
    ],
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Create or replace Kubernetes objects; a pod that isn't there is started, its image left aside.

    The files of a directory are read by name, all of them before anything is done.
    """
    from octet.lab.manifests import read_path

    lab = find(name)
    if str(file) == "-":
        results = lab.apply(typer.get_text_stream("stdin").read(), "-")
    else:
        results = lab.put(read_path(file))
    columns = ("Kind", "Namespace", "Name", "Result")
    rows = [[result[column.lower()] for column in columns] for result in results]
    output.table("", columns, rows, as_json=as_json)


@app.command(
    epilog=examples("octet lab get nodes", "octet lab get pods --json", "octet lab get routes node1")
)
def get(
    kind: Annotated[
        str,
        typer.Argument(
            help="nodes, pods, namespaces, networkpolicies, services, endpointslices; routers, routes.",
            autocompletion=completing.kinds,
        ),
    ],
    target: Annotated[
        str,
        typer.Argument(
            help="Whose routes: a node, router or pod; all nodes' if none.", autocompletion=completing.targets
        ),
    ] = "",
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="Only this one.", autocompletion=completing.namespaces)
    ] = "",
    name: Name = None,
    as_json: Json = False,
) -> None:
    """List objects; --json prints them whole, as Kubernetes would.

    `routers` are the fabric's, not the cluster's. `routes` says who put each route there, which the kernel
    knows by a number: local, multicast and link-local routes are left out.
    """
    from octet.lab.objects import kind_of

    lab = find(name)
    if kind == "routes":
        lab_tables.routes(lab, target, as_json=as_json)
        return
    if target:
        raise BadConfigurationError(
            "lab get", "TARGET", target, f"{kind} are listed all", hint="octet lab get routes"
        )
    if kind == "routers":
        lab_tables.routers(lab.routers(), as_json=as_json)
        return
    match kind_of(kind).name:
        case "Node":
            lab_tables.nodes(lab, "", as_json=as_json)
        case "Pod":
            lab_tables.pods(lab.get(kind, namespace=namespace), as_json=as_json)
        case _:
            items = lab.get(kind, namespace=namespace)
            rows = [[item["metadata"].get("namespace"), item["metadata"]["name"]] for item in items]
            output.table("", ("Namespace", "Name"), rows, json_rows=items, as_json=as_json)


@app.command(epilog=examples("octet lab delete pod a", "octet lab delete netpol deny -n shop"))
def delete(
    kind: Annotated[
        str, typer.Argument(help="pod, networkpolicy, service ...", autocompletion=completing.kinds)
    ],
    item: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the object.", autocompletion=completing.items)
    ],
    namespace: Namespace = "default",
    name: Name = None,
) -> None:
    """Remove an object; a pod is detached through the provider's plugin first."""
    find(name).delete(kind, item, namespace=namespace)


@app.command(epilog=examples("octet lab logs node1", "octet lab logs web --follow"))
def logs(
    target: Annotated[
        str,
        typer.Argument(
            help="A node (its agent's log), a router, a pod, or `lab`.", autocompletion=completing.speakers
        ),
    ],
    namespace: Namespace = "default",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the lab ends.")] = False,
    name: Name = None,
) -> None:
    """Print what a node's agent or a pod's program has said."""
    lab = find(name)
    for chunk in lab.log(target, namespace=namespace, follow=follow):
        typer.echo(chunk, nl=False)


@app.command("ls", epilog=examples("octet lab ls"))
def list_labs(as_json: Json = False) -> None:
    """List the labs that are up."""
    from octet.lab import Lab

    infos = [lab.info() for lab in Lab.all()]
    rows = [
        [info["name"], info["provider"], len(info["nodes"]), info["pods"], info["fabric"], info["family"]]
        for info in infos
    ]
    columns = ("Name", "Provider", "Nodes", "Pods", "Fabric", "Family")
    output.table("", columns, rows, json_rows=infos, as_json=as_json)


@app.command(epilog=examples("octet lab down", "octet lab down six"))
def down(
    which: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Which lab.", autocompletion=completing.labs)
    ] = None,
    name: Name = None,
) -> None:
    """End a lab: its processes, namespaces, links and files are gone when this returns."""
    find(which or name).down()


def _shape(racks: int | None, spines: int | None, uplinks: int | None, routers: str) -> "Shape | None":
    """Return what was said of a routed fabric, or None where nothing was."""
    from octet.lab.racks import Shape

    if racks is None and spines is None and uplinks is None and not routers:
        return None
    usual = Shape()
    above = spines or usual.spines
    software = tuple(word.strip() for word in routers.split(",")) if routers else usual.routers
    return Shape(racks or usual.racks, above, uplinks or above, software)


def _labels(words: list[str]) -> dict[str, str]:
    labels = dict(word.partition("=")[::2] for word in words)
    for word in words:
        if "=" not in word:
            raise BadConfigurationError("lab run", "--label", word, "not K=V")
    return labels


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Show the current step while a lab starts, where somebody looks; nothing in a pipe."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status("starting") as status:
        yield status.update
