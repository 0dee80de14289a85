"""A plugin that notes how it was called and answers as it was told: a real program on CNI_PATH.

What lives here: making such programs and reading their notes. What it must not know: what is right.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCRIPT = """#!/bin/sh
here={place}
umask 077
number=$(ls "$here/calls" | wc -l)
{{ env; echo ==; cat; }} > "$here/calls/$(printf %03d "$number")-{name}-$CNI_COMMAND"
[ -f "$here/{name}-$CNI_COMMAND.sh" ] && . "$here/{name}-$CNI_COMMAND.sh"
exit 0
"""


@dataclass(frozen=True)
class Call:
    """One execution: plugin, command, environment and configuration."""

    plugin: str
    command: str
    environment: dict[str, str]
    config: dict[str, Any]


class Plugins:
    """Plugins in a directory of their own.

    Attributes:
        path: the directory, for CNI_PATH.
    """

    def __init__(self, place: Path, *names: str) -> None:
        self.path = place / "bin"
        self._place = place
        for directory in (self.path, place / "calls"):
            directory.mkdir(parents=True)
        for name in names:
            (self.path / name).write_text(SCRIPT.format(place=place, name=name))
            (self.path / name).chmod(0o755)
            self.answer(name, "ADD", {"cniVersion": "1.0.0", "ips": [{"address": "10.0.0.2/24"}]})

    def answer(self, name: str, command: str, document: object, *, status: int = 0) -> None:
        """Have a plugin print a document and end with a status."""
        self.do(name, command, f"cat <<'END'\n{json.dumps(document)}\nEND\nexit {status}\n")

    def do(self, name: str, command: str, script: str) -> None:
        """Have a plugin run a few lines of shell."""
        (self._place / f"{name}-{command}.sh").write_text(script)

    def calls(self) -> list[Call]:
        """Return all calls, in order."""
        return [_read(path) for path in sorted((self._place / "calls").iterdir())]

    def order(self) -> list[str]:
        """Return all calls in short: ``first ADD``."""
        return [f"{call.plugin} {call.command}" for call in self.calls()]


def _read(path: Path) -> Call:
    said, _, stdin = path.read_text().partition("==\n")
    _, plugin, command = path.name.split("-", 2)
    pairs = (line.partition("=") for line in said.splitlines())
    environment = {key: value for key, _, value in pairs if key not in {"PWD", "SHLVL", "_"}}
    return Call(plugin, command, environment, json.loads(stdin))
