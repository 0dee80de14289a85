"""``python -m octet.agent``: the agent from a file, or flags, without the command line's libraries.

What lives here: the start. What it must not know: anything the agent does.
"""

import argparse
import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

from octet.agent import capable, config, logs
from octet.agent.main import lock, serve_node
from octet.errors import BadConfigurationError, OctetError


def run(path: Path | None, flags: Mapping[str, object]) -> int:
    """Run an agent until a signal ends it; return the process's exit status.

    Args:
        path: of the configuration, None where flags say all.
        flags: by the names in ``config.FLAGS``; they win.
    """
    logs.start()
    try:
        told = config.load(path, config.overrides(flags))
        capable.insist(told, str(path or "flags"))
        lock(told.run)
        asyncio.run(serve_node(told))
    except OctetError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2 if isinstance(error, BadConfigurationError) else 1
    return 0


def main() -> int:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m octet.agent", description="Octet's node agent")
    parser.add_argument("--config", type=Path, help="TOML file, see docs/agent.md")
    for flag, (section, field) in config.FLAGS.items():
        action = {"register": "store_true", "pod_cidr": "append", "service_cidr": "append"}.get(flag, "store")
        parser.add_argument(f"--{flag.replace('_', '-')}", action=action, help=f"[{section}] {field}")
    given = vars(parser.parse_args())
    return run(given.pop("config"), given)


if __name__ == "__main__":
    sys.exit(main())
