"""`python -m guest pytest -q tests/qemu`: run a Python module in Debian's kernel; its exit code is ours."""

import compileall
import os
import shlex
import shutil
import sys
import time
from pathlib import Path

from guest import contents, emulator, kernel
from guest.words import Trouble, say

TREE = Path(__file__).parents[3]
BUILD = TREE / "build/guest"
PATIENCE = 1200.0
"""Seconds that the guest may take, unless OCTET_GUEST_PATIENCE says something else; it takes about 240."""


def main(arguments: list[str]) -> int:
    """Make the guest, run it, add its skips to this machine's."""
    began = time.monotonic()
    made = kernel.fetch(BUILD)
    init = (Path(__file__).parent / "init").read_text()
    for name, value in {
        "TREE": shlex.quote(str(TREE)),
        "PROGRAM": shlex.join(arguments),
        "COLUMNS": str(shutil.get_terminal_size().columns),
    }.items():
        init = init.replace(f"@{name}@", value)
    for part in ("src", "tests"):  # once here, and not by each of the guest's processes
        compileall.compile_dir(TREE / part, quiet=2)
    initramfs = BUILD / "initramfs"
    with initramfs.open("wb") as file:
        contents.archive(made, TREE, init.encode()).pack(file)
    size, took = initramfs.stat().st_size >> 20, time.monotonic() - began
    say(f"Linux {made.release}, without KVM; {size} MiB of this machine gathered in {took:.1f} s")
    patience = float(os.environ.get("OCTET_GUEST_PATIENCE", PATIENCE))
    result = emulator.run(made.image, initramfs, patience=patience, console=BUILD / "console.txt")
    if place := os.environ.get("OCTET_SKIPS"):
        with Path(place).open("a") as file:
            file.writelines(f"{reason}\n" for reason in result.skips)
    say(f"ended with {result.code} after {time.monotonic() - began:.0f} s; {len(result.skips)} tests skipped")
    return result.code


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Trouble as trouble:
        say(str(trouble))
        sys.exit(1)
