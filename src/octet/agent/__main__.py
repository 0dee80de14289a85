"""``python -m octet.agent --config FILE``: the agent without the command line's libraries.

What lives here: the start. What it must not know: anything the agent does.
"""

import argparse
import asyncio
import sys
from pathlib import Path

from octet.agent import capable, config, logs
from octet.agent.main import lock, serve_node
from octet.errors import BadConfigurationError, OctetError


def run(path: Path, overrides: dict[str, dict[str, object]] | None = None) -> int:
    """Run an agent until a signal ends it; return the process's exit status."""
    logs.start()
    try:
        told = config.load(path, overrides)
        capable.insist(told, str(path))
        lock(told.run)
        asyncio.run(serve_node(told))
    except OctetError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2 if isinstance(error, BadConfigurationError) else 1
    return 0


def main() -> int:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m octet.agent", description="Octet's node agent")
    parser.add_argument("--config", type=Path, required=True, help="TOML file, see docs/agent.md")
    return run(parser.parse_args().config)


if __name__ == "__main__":
    sys.exit(main())
