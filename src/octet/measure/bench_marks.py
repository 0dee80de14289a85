"""What a packet pays for being asked whether its connection was cut: the same pods, asked and not asked.

What lives here: the chain of forwarded packets in versions that ask never, once, many times, side by side in
rounds, the page. What it must not know: why a connection is cut.

One comparison is hardly more than the noise of a packet; many are, and what one costs is told from those.
"""

import argparse
import json
import os
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from octet import models
from octet.blueprint.nft import CUT, TABLE, Chain, Marked, Part, Rule
from octet.errors import OctetError
from octet.kernel.nft.listing import fill as filled
from octet.lab import Lab
from octet.measure import machine, rounds
from octet.measure.benchpage import present
from octet.measure.ending import end_in_order
from octet.measure.places import SERVER_CPU, ask, begin
from octet.measure.policing.crowds import PORT, selecting
from octet.measure.site import LabPlace
from octet.measure.statistics import Interval, median_interval, ratio_interval
from octet.policy.gates import FORWARD, Gate

MARKER = "bench-marks"
MANY = 32
"""Comparisons in one rule, of three expressions each: a rule has 128 at most (NFT_RULE_MAXEXPRS)."""

NONE, TWIN, ONCE, OFTEN = "not asked", "not asked (A/A)", "asked once: Octet's rules", f"asked {MANY} times"
TIMES = {NONE: 0, TWIN: 0, ONCE: 1, OFTEN: MANY}
"""How often each version asks."""

SECONDS = 0.25
"""How long one turn sends."""

_NODE = "node1"
_DATAGRAMS = (sys.executable, "-m", "octet.measure.datagrams")
_LIMIT = 60

Values = Mapping[str, Sequence[float]]
"""By version, ns of a packet in each round."""


def version(chain: Chain, times: int) -> Chain:
    """Return a chain that asks so often whether a connection is not cut; where never, nor whether it is."""
    rules = (each for each in chain.rules if isinstance(each, Rule))
    return replace(chain, rules=tuple(_asking(each, times) for each in rules if times or not _drops(each)))


def _drops(rule: Rule) -> bool:
    return any(isinstance(part, Marked) and part.connection and part.value == CUT for part in rule.parts)


def _asking(rule: Rule, times: int) -> Rule:
    parts = (each for part in rule.parts for each in _repeated(part, times))
    return Rule(*parts, comment=rule.comment)


def _repeated(part: Part, times: int) -> Sequence[Part]:
    passes = isinstance(part, Marked) and part.connection and part.value == 0
    return [part] * (times if passes else 1)


class Marks:
    """A lab with a pod that a policy protects, and a client that it lets in."""

    def __init__(self, lab: Lab, address: str) -> None:
        self._lab = lab
        self._address = address
        gate = models.find("canal").parse({}, source="the benchmark").gate or Gate()
        self._chain = next(each for each in gate.base().of(Chain) if each.name == FORWARD)
        self._own = self._listing()

    def turn(self, name: str) -> float:
        """Measure with a version of the chain: ns of a packet from pod to pod. Raises OctetError."""
        self._load(version(self._chain, TIMES[name]))
        if TIMES[name] == 1 and self._listing() != self._own:
            raise OctetError(f"chain {FORWARD} is not the one that the agent made")
        goal = (self._address, str(PORT))
        server = begin(LabPlace(self._lab, "server"), (*_DATAGRAMS, "answer", *goal), cpu=SERVER_CPU)
        try:
            command = (*_DATAGRAMS, "flood", *goal, str(SECONDS))
            found = json.loads(ask(LabPlace(self._lab, "client"), command, limit=_LIMIT))
        finally:
            server.kill()
            server.communicate()
        return float(found["packet_ns"])

    def _load(self, chain: Chain) -> None:
        text = "\n".join([f"flush chain {TABLE} {chain.name}", *filled(chain), ""])
        done = self._lab.exec(_NODE, ["nft", "-f", "-"], text=text)
        if done.returncode != 0:
            raise OctetError(f"cannot replace chain {FORWARD}: {done.stderr.strip()}")

    def _listing(self) -> str:
        return self._lab.exec(_NODE, ["nft", "-s", "list", "chain", *TABLE.split(), FORWARD]).stdout


@contextmanager
def marks(name: str) -> Iterator[Marks]:
    """Yield a lab where packets can be measured; the agent is dead meanwhile. Raises OctetError."""
    with Lab.up("canal", nodes=1, name=name) as lab:
        lab.put(selecting(1, "default", {"app": "server"}, {"app": "client"}))
        pods = {each: lab.run(each, _NODE, labels={"app": each}) for each in ("client", "server")}
        lab.kill_agent(_NODE)
        yield Marks(lab, pods["server"].address())


def measure(count: int, seed: int) -> Values:
    """Measure every version once a round, in a random order. Raises OctetError."""
    values: dict[str, list[float]] = {name: [] for name in TIMES}
    with marks(f"marks-{os.getpid()}") as made:
        for turns in rounds.plan(list(TIMES), count, seed=seed):
            for turn in turns:
                found = made.turn(turn.candidate)
                values[turn.candidate] += [found] if turn.round != rounds.WARM_UP else []
    return values


def each_costs(values: Values, seed: int) -> Interval:
    """Return what one comparison costs a packet, in ns, from those that are asked often and once."""
    pairs = zip(values[OFTEN], values[ONCE], strict=True)
    return median_interval([(often - once) / (MANY - 1) for often, once in pairs], seed=seed)


def page(values: Values, command: str, seed: int) -> str:
    """Return the figures as Markdown."""
    one = each_costs(values, seed)
    lines = [
        f"Measured with `{command}`.",
        "",
        "Machine: " + ", ".join(f"{key} {value}" for key, value in machine.facts().items()) + ".",
        "",
        "| whether the connection was cut is | a packet | ns |",
        "|---|---|---|",
    ]
    for name, found in values.items():
        ratio = ratio_interval(found, values[NONE], seed=seed)
        shown = f"{ratio.median:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]" if name != NONE else "1"
        lines.append(f"| {name} | {shown} | {median_interval(found, seed=seed).median:.0f} |")
    told = f"{one.median:.1f} [{one.low:.1f}, {one.high:.1f}] ns"
    return "\n".join([*lines, "", f"One comparison, told from the difference of the last two rows: {told}."])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the page, and put it into a file between its markers where asked to."""
    parser = argparse.ArgumentParser(prog="python -m octet.measure.bench_marks", description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 31))
    parser.add_argument("--write", type=Path, help=f"a Markdown file with the markers of {MARKER}")
    asked = parser.parse_args(arguments)
    end_in_order()
    try:
        found = measure(asked.rounds, asked.seed)
    except OctetError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    command = f"python -m octet.measure.bench_marks --rounds {asked.rounds} --seed {asked.seed}"
    text = page(found, command, asked.seed)
    present(text, asked.write, MARKER)
    return 0


if __name__ == "__main__":
    sys.exit(main())
