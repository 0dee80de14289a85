"""``octet ui``: the page, live on this machine.

What lives here: arguments, the listening socket, the address that is printed.
What it must not know: HTTP, who may come in, how anything is decided.
"""

import ipaddress
import re
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from octet.cli import output
from octet.errors import BadConfigurationError, NotFoundError, OctetError

if TYPE_CHECKING:
    from octet.choose.page import Bundle
    from octet.choose.requirements import RequirementsFile
    from octet.choose.ui.session import Session

app = typer.Typer()

HINT = "ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:0 (port 0 takes a free one)"


@app.command(
    epilog=output.examples(
        "octet ui",
        "octet ui --listen 127.0.0.1:8080 --out report",
        "octet ui --requirements examples/choose/sixty-private-aws-nodes.toml",
    )
)
def ui(
    listen: Annotated[str, typer.Option(help=f"{HINT}.")] = "127.0.0.1:0",
    name: Annotated[
        list[str] | None, typer.Option(help="A host name by which it is reached, besides its address.")
    ] = None,
    requirements: Annotated[
        Path | None, typer.Option(help="A TOML file with the answers to begin with.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Directory of results.json, as of octet compare.")] = Path(
        "report"
    ),
) -> None:
    """Serve the page: changing an answer changes what is ruled out and the ranking at once.

    Only this machine can reach it unless --listen says otherwise, and only who has the token in the
    address that is printed. A comparison that the page starts ends with this command. Ctrl-C ends it.
    """
    from octet.choose.page import bundle

    address, port = place(listen)
    held = bundle()
    session = _session(requirements, out)
    with _listening(address, port) as listener:
        _serve(session, listener, held, out, frozenset(each.lower() for each in name or ()))


def place(listen: str) -> tuple[str, int]:
    """Read ADDRESS:PORT. Raises BadConfigurationError."""
    host, _, port = listen.rpartition(":")
    wrong = BadConfigurationError("octet ui", "--listen", listen, "is no address and port", hint=HINT)
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise wrong from None
    if not re.fullmatch(r"[0-9]{1,5}", port) or int(port) >= 1 << 16:
        raise wrong
    return str(address), int(port)


def _session(file: Path | None, out: Path) -> "Session":
    """Return what the page begins with. Figures that can't be taken are left out, and that is said."""
    from octet.choose.deciding import check
    from octet.choose.facts import load
    from octet.choose.ui.session import Session
    from octet.cli.facts_numbers import kept

    facts, asked = load(), _asked(file)
    check(asked.requirements, facts, str(file))
    session = Session(facts, kept(None), asked.requirements, out / "results.json", weights=asked.weights)
    try:
        session.load()
    except NotFoundError:
        pass  # nothing was measured yet, and the page says so
    except OctetError as error:
        output.note(f"note: going on without figures: {error}")
    return session


def _asked(file: Path | None) -> "RequirementsFile":
    """Read what the page begins with. Errors as of octet choose."""
    from octet.choose import Requirements, criteria
    from octet.choose import requirements as asked

    if file is None:
        return asked.RequirementsFile(requirements=Requirements())
    if not file.is_file():
        raise NotFoundError(f"{file}: no such file", hint="a TOML file with a table [requirements]")
    held = asked.read(file)
    if held.weights is not None:
        criteria.checked(held.weights, str(file))
    return held


def _listening(address: str, port: int) -> socket.socket:
    """Return a listening socket. Raises OSError, such as EADDRINUSE."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family)


def _serve(
    session: "Session", listener: socket.socket, held: "Bundle", out: Path, names: frozenset[str]
) -> None:
    try:
        import uvicorn

        from octet.choose.ui.server import application
    except ModuleNotFoundError as error:
        raise NotFoundError(f"{error.name} is not installed", hint="pip install 'octet[ui]'") from error
    from octet.choose.ui.comparing import Comparing
    from octet.choose.ui.door import Door

    address, port = listener.getsockname()[:2]
    door = Door(address, port, names)
    command = (sys.executable, "-m", "octet.cli.main", "compare", "--quick", "--progress", "--out", str(out))
    app = application(session, Comparing(command, session.load), door, held)
    if not door.loopback:
        output.note("note: other machines can reach this; the token travels in clear text")
    typer.echo(f"octet ui: {door.url}")
    sys.stdout.flush()
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,  # addresses hold the token
        proxy_headers=False,  # nobody in front may speak for others
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=3,
    )
    uvicorn.Server(config).run(sockets=[listener])
