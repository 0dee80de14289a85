"""``python -m octet.choose.guide``: write the guide, or say how the stored one differs.

What lives here: files in and out. What it must not know: what the page says.
"""

import argparse
import difflib
import sys
from pathlib import Path

import msgspec

from octet.choose import decide, facts, requirements
from octet.choose.facts.numbers import keeping
from octet.choose.guide import statements
from octet.choose.guide.guide import Case, Guide
from octet.choose.guide.page import page
from octet.errors import OctetError
from octet.measure import results

PAGE = Path("docs/choosing-a-cni-provider.md")
RESULTS = Path("docs/data/comparison.json")
CASES = Path("examples/choose")


def text(root: Path) -> str:
    """Return the guide of a source tree: the facts that come with Octet, and what is stored in the tree."""
    known = facts.load()
    stored = root / RESULTS
    measured = results.read(stored) if stored.exists() else None
    cases = tuple(_case(path, known) for path in sorted((root / CASES).glob("*.toml")))
    return page(Guide(known, statements.load(), measured, keeping.shipped(), cases))


def _case(path: Path, known: facts.Facts) -> Case:
    file = requirements.read(path)
    decision = decide(file.requirements, known, weights=file.weights)
    return Case(path.stem, file.title, file.story, decision)


def store(found: Path, place: Path) -> None:
    """Keep a comparison beside the guide, on one line. Raises BadConfigurationError if it is none."""
    held = results.read(found)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(msgspec.json.encode(held) + b"\n")


def main() -> int:
    """Write the guide, or with --check print how it differs and return 1."""
    parser = argparse.ArgumentParser(prog="octet.choose.guide", description=main.__doc__)
    parser.add_argument("--root", type=Path, default=Path(), help="the source tree")
    parser.add_argument("--check", action="store_true", help="compare only")
    parser.add_argument("--store", type=Path, help="a results.json that is to be the stored one")
    asked = parser.parse_args()
    if asked.store:
        store(asked.store, asked.root / RESULTS)
    fresh, path = text(asked.root), asked.root / PAGE
    if not asked.check:
        path.write_text(fresh, encoding="utf-8")
        return 0
    stored = path.read_text(encoding="utf-8").splitlines()
    differences = list(difflib.unified_diff(stored, fresh.splitlines(), "stored", "fresh", lineterm=""))
    sys.stdout.writelines(f"{line}\n" for line in differences)
    return 1 if differences else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OctetError as error:
        sys.exit(f"octet.choose.guide: {error}")
