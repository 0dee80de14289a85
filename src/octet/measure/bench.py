"""``make bench``: attach and detach of our plugin against the reference plugins, in one interleaved run.

What lives here: what is run and in which order, the command line. What it must not know: how the page looks.
Ratios come first: absolute times belong to the machine, and change with what else it does.
"""

import argparse
import json
import os
import secrets
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from octet.errors import OctetError
from octet.lab import Foreign, Lab, Octet, reference
from octet.measure import machine, rounds
from octet.measure.benchpage import Figures, page, present
from octet.measure.ending import end_in_order
from octet.measure.statistics import quantile

OURS = "octet"
SINGLES, BURST, CROWD = 10, 50, 200
"""Pods per turn one at a time, at once, and in the test of the tail."""

ALONE = 100
"""Calls behind a figure that has no opponent."""

_NODE = "node1"
_ADD_SECONDS = 'octet_cni_request_seconds_sum{command="ADD"}'
_LIMIT = 180
"""Seconds one turn may take: fifty detachments with iptables take several seconds on two processors."""

PROVIDERS: Mapping[str, Octet | Foreign] = {
    OURS: Octet(model="flannel"),
    "bridge": reference("bridge"),
    "bridge + ipMasq": reference("bridge", masquerade=True),
}
"""What is run: ours always masquerades what leaves the cluster, so the fair opponent is the third."""


@dataclass(slots=True)
class Bench:
    """The labs that are up, and what was measured: by provider and figure, a value per round."""

    labs: dict[str, Lab]
    values: dict[str, dict[str, list[float]]]

    def turn(self, provider: str) -> dict[str, float]:
        """Measure one provider once: pods one at a time, then many at once."""
        single = self.churn(provider, "single", SINGLES)
        burst = self.churn(provider, "burst", BURST)
        return {
            "attach": statistics.median(single["add_ms"]),
            "detach": statistics.median(single["delete_ms"]),
            f"attach of {BURST} at once": float(burst["add_all_ms"][0]),
            f"detach of {BURST} at once": float(burst["delete_all_ms"][0]),
        }

    def churn(self, provider: str, mode: str, count: int) -> dict[str, list[float]]:
        """Run the churn program on the provider's node. Raises OctetError with its words."""
        home = f"/run/octet/{_NODE}"
        plugins = PROVIDERS[provider].cni_path
        program = [sys.executable, "-m", "octet.measure.churn", mode, str(count), f"{home}/net.d"]
        done = self.labs[provider].exec(_NODE, [*program, *plugins], timeout=_LIMIT)
        if done.returncode != 0:
            words = done.stderr.strip().splitlines() or ["says nothing"]
            raise OctetError(f"{provider}: {words[-1]}")
        found = json.loads(done.stdout)
        return {key: value if isinstance(value, list) else [value] for key, value in found.items()}

    def singular(self) -> dict[str, str]:
        """Measure what has no opponent: shares of an attachment, the tail of a crowd, memory."""
        before = self.agent_seconds()
        self.churn(OURS, "single", ALONE)
        after = self.agent_seconds()
        alone = statistics.median(self.churn(OURS, "version", ALONE)["version_ms"])
        tail = quantile(self.churn(OURS, "burst", CROWD)["add_ms"], 0.99)
        return {
            "of an attach, inside the agent (mean)": f"{(after - before) / ALONE * 1000:.2f} ms",
            "of an attach, starting the plugin (its VERSION, median)": f"{alone:.2f} ms",
            f"p99 of {CROWD} concurrent ADDs": f"{tail:.0f} ms",
            "agent, resident after all this": f"{self.resident():.0f} MiB",
        }

    def agent_seconds(self) -> float:
        """Return the seconds that our agent has spent on ADD so far, from its own metrics."""
        ask = ["curl", "-s", "--unix-socket", f"/run/octet/{_NODE}/health.sock", "http://agent/metrics"]
        text = self.labs[OURS].exec(_NODE, ask).stdout
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(_ADD_SECONDS))

    def resident(self) -> float:
        """Return the MiB that our agent holds in memory (VmRSS of proc(5)) after all the churn."""
        node = next(node for node in self.labs[OURS].get("nodes") if node["metadata"]["name"] == _NODE)
        status = self.labs[OURS].exec(_NODE, ["cat", f"/proc/{node['lab']['agent']['pid']}/status"]).stdout
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024


def run(count: int, seed: int) -> Figures:
    """Measure and return the figures; every lab is down afterwards. Raises OctetError."""
    begun, facts = time.monotonic(), machine.facts()
    with ExitStack() as stack:
        bench = Bench({}, {name: {} for name in PROVIDERS})
        for index, (name, provider) in enumerate(PROVIDERS.items()):
            lab = Lab.up(provider, nodes=1, name=f"bench-{os.getpid()}-{index}")
            bench.labs[name] = stack.enter_context(lab)
        for turns in rounds.plan(list(PROVIDERS), count, seed=seed):
            for turn in turns:
                _keep(bench, turn)
        singular = bench.singular()
    return Figures(
        values=bench.values,
        ours=OURS,
        rounds=count,
        seed=seed,
        seconds=time.monotonic() - begun,
        singular=singular,
        machine=facts,
    )


def _keep(bench: Bench, turn: rounds.Turn) -> None:
    sys.stderr.write(f"\rround {turn.round + 1}: {turn.candidate:20}")
    found = bench.turn(turn.candidate)
    if turn.round != rounds.WARM_UP:
        held = bench.values[turn.candidate]
        for figure, value in found.items():
            held.setdefault(figure, []).append(value)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark, print the page, and put it into a file between its markers where asked to."""
    parser = argparse.ArgumentParser(prog="python -m octet.measure.bench", description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 31))
    parser.add_argument("--write", type=Path, help="a Markdown file with the markers of benchpage")
    asked = parser.parse_args(arguments)
    end_in_order()
    command = f"python -m octet.measure.bench --rounds {asked.rounds} --seed {asked.seed}"
    try:
        text = page(run(asked.rounds, asked.seed), command)
    except OctetError as error:
        sys.stderr.write(f"\nerror: {error}\n")
        return 1
    sys.stdout.write("\n")
    present(text, asked.write)
    return 0


if __name__ == "__main__":
    sys.exit(main())
