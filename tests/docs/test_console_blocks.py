"""What README.md and docs/ show in console blocks is typed in, and answers as shown."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAPERS = [
    path
    for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
    if BLOCK.search(path.read_text())
]


@dataclass
class Step:
    """A command of a console block and the lines that are shown below it; ``...`` stands for anything."""

    command: str
    shown: list[str]

    def matches(self, said: str) -> bool:
        """Are the shown lines what was said? A line that is only ``...`` is any number of lines."""
        if not self.shown:
            return True
        parts = [r"(?:.*\n)*" if line == "..." else self._line(line) for line in self.shown]
        return (
            re.fullmatch("".join(parts), "".join(f"{line.rstrip()}\n" for line in said.splitlines()))
            is not None
        )

    @staticmethod
    def _line(line: str) -> str:
        words = [r"[^\n]*".join(re.escape(part) for part in word.split("...")) for word in line.split()]
        return r"[ \t]*" + r"[ \t]+".join(words) + r"[ \t]*\n"


def steps(path: Path) -> Iterator[Step]:
    for block in BLOCK.findall(path.read_text()):
        current: Step | None = None
        for line in block.splitlines():
            if line.startswith("$ "):
                if current:
                    yield current
                current = Step(line[2:], [])
            elif current:
                current.shown.append(line)
        if current:
            yield current


@pytest.mark.timeout(300)
@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.name)
def test_a_page_does_what_it_shows(path: Path, tmp_path: Path) -> None:
    """Every command of a page's console blocks succeeds, in order, and prints what the page shows."""
    here = {
        "HOME": str(tmp_path),
        "OCTET_LAB_DIR": str(tmp_path / "labs"),
        "COLUMNS": "200",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for step in steps(path):
        done = subprocess.run(
            ["bash", "-c", step.command],
            check=False,
            cwd=tmp_path,
            env={**os.environ, **here},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"$ {step.command}\n{done.stdout}{done.stderr}"
        assert step.matches(done.stdout), f"$ {step.command}\n{done.stdout}{done.stderr}\nshown: {step.shown}"


def test_a_page_without_truth_would_fail() -> None:
    """The comparison of shown and said lines tells right from wrong."""
    step = Step("x", ["node1  Ready ...", "...", "end"])
    assert step.matches("node1   Ready   172.31.0.1\nmore\nlines\nend\n")
    assert step.matches("node1 Ready x\nend\n")
    assert not step.matches("node1 NotReady x\nend\n")
    assert not step.matches("node1 Ready x\nend\nmore\n")
