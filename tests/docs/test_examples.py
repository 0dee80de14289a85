"""Configuration that README.md and docs/ show is accepted by the code that reads it."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from octet.agent import config
from octet.choose import requirements
from octet.choose.facts import DIRECTORY, reading
from octet.cni import request

ROOT = Path(__file__).parents[2]
TEXTS = {path.name: path.read_text() for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]}


def blocks(kind: str) -> list[tuple[str, str]]:
    fence = re.compile(rf"^```{kind}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [(name, block) for name, text in TEXTS.items() for block in fence.findall(text)]


def tomls(*tables: str) -> list[tuple[str, str]]:
    """Return the TOML blocks that have one of these tables; without any, those that have none of OTHERS."""
    wanted = set(tables)
    found = [(page, text, set(tomllib.loads(text))) for page, text in blocks("toml")]
    return [(page, text) for page, text, has in found if (has & wanted if wanted else not has & OTHERS)]


OTHERS = {"facts", "requirements"}
"""Tables that say that a TOML block is no agent's configuration."""


@pytest.mark.parametrize(("page", "text"), tomls())
def test_agent_configurations_are_accepted(page: str, text: str) -> None:
    """Each other TOML block is a whole agent configuration: every key known, every value in range."""
    found = config.parse(tomllib.loads(text), page)
    assert found.node
    assert found.pod_cidrs


@pytest.mark.parametrize(("page", "text"), tomls("facts"))
def test_facts_are_accepted(page: str, text: str) -> None:
    """A block of facts may stand in a provider's file as it is shown."""
    path = DIRECTORY / "flannel.toml"
    whole = tomllib.loads(path.read_text(encoding="utf-8"))
    whole["facts"].update(tomllib.loads(text)["facts"])
    assert reading.provider(whole, page).name == "flannel"


@pytest.mark.parametrize(("page", "text"), tomls("requirements"))
def test_requirements_are_accepted(page: str, text: str, tmp_path: Path) -> None:
    """A block of requirements is a file that `octet choose --requirements` reads."""
    path = tmp_path / f"{page}.toml"
    path.write_text(text)
    assert requirements.read(path).requirements != requirements.Requirements()


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
    assert tomls()
    assert tomls("facts")
    assert blocks("json")
