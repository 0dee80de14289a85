import re
import runpy
from pathlib import Path

import pytest

from octet.choose import scores, sensitivity
from octet.choose.constraints import CONSTRAINTS
from octet.choose.criteria import CRITERIA
from octet.choose.nodes import SMALL
from octet.choose.requirements import parse

PAGE = (Path(__file__).parents[4] / "docs/choosing.md").read_text()


def test_the_page_has_every_constraint() -> None:
    """The table of constraints in docs/choosing.md is the one in the code, row by row."""
    rows = [f"| `{each.id}` | {each.does} | {', '.join(each.fields)} |" for each in CONSTRAINTS]
    assert "\n".join(rows) in PAGE


def test_the_page_has_every_criterion() -> None:
    """The table of criteria with their ends in docs/choosing.md is the one in the code."""
    rows = [f"| `{each.id}` | {each.title} | {each.worst} | {each.best} |" for each in CRITERIA]
    assert "\n".join(rows) in PAGE


def test_the_page_has_the_figures_of_the_code() -> None:
    """What docs/choosing.md says of draws, ties, standing and small clusters is what is done."""
    told = " ".join(PAGE.split())
    assert f"{sensitivity.DRAWS:,} times" in told
    assert f"fewer than {sensitivity.INSIDE * 100:.0f} % of draws" in told
    assert sensitivity.ACCEPTED == 2 / 3
    assert f"a manifest of your own {scores.BY_HAND}" in told
    assert f"Up to {SMALL} nodes" in told
    assert f"incubating {scores.STEWARDS['cncf-incubating']}" in told


def test_the_requirements_that_are_shown_are_accepted() -> None:
    """The requirements.toml that docs/choosing.md shows is one."""
    (text,) = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    found = parse(text, "docs/choosing.md")
    assert found.requirements.nodes == 60
    assert found.weights == {"upkeep": 100, "installer-fit": 60}


def test_the_library_works_as_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The Python that docs/choosing.md shows runs and prints an answer with the ids of its reasons."""
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    script = tmp_path / "shown.py"
    script.write_text(code)
    names = runpy.run_path(str(script))
    assert names["decision"].headline in capsys.readouterr().out
