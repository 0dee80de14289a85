"""Configuration that README.md and docs/ show is accepted by the code that reads it."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from octet.agent import config
from octet.cni import request

ROOT = Path(__file__).parents[2]
TEXTS = {path.name: path.read_text() for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]}


def blocks(kind: str) -> list[tuple[str, str]]:
    fence = re.compile(rf"^```{kind}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [(name, block) for name, text in TEXTS.items() for block in fence.findall(text)]


@pytest.mark.parametrize(("page", "text"), blocks("toml"))
def test_agent_configurations_are_accepted(page: str, text: str) -> None:
    """Each TOML block is a whole agent configuration: every key known, every value in range."""
    found = config.parse(tomllib.loads(text), page)
    assert found.node
    assert found.pod_cidrs


@pytest.mark.parametrize(("page", "text"), blocks("json"))
def test_conflists_are_accepted(page: str, text: str) -> None:
    """Each plugin of a JSON block that is ours is accepted as a runtime would pass it."""
    conflist = json.loads(text)
    names = {key: conflist[key] for key in ("cniVersion", "name")}
    environment = {
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": "c1",
        "CNI_IFNAME": "eth0",
        "CNI_NETNS": "/run/netns/x",
        "CNI_PATH": "/opt/cni/bin",
    }
    stdin = json.dumps({**conflist["plugins"][0], **names}).encode()
    assert request.parse(environment, stdin, namespace=0).config.name == "octet", page


def test_there_is_something_to_check() -> None:
    """The pages show at least one agent configuration and one conflist."""
    assert blocks("toml")
    assert blocks("json")
