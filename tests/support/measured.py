"""A comparison that was never run: every candidate and metric, with known figures, for pages and guides."""

import math
import random

from octet.measure import metrics
from octet.measure.candidates import BASELINE, TWIN
from octet.measure.probes.latency import histogram
from octet.measure.results import Failure, Results, Sample
from octet.measure.statistics import quantile

FACTORS = {
    BASELINE: 1.0,
    "ptp": 1.02,
    "flannel": 0.8,
    "flannel:host-gw": 0.99,
    "kopeio-vxlan": 0.6,
    TWIN: 1.01,
}
"""How fast each candidate is against the baseline."""

SILENT = "ptp"
"""The candidate whose latency was never measured."""


def results(rounds: int = 6, seed: int = 3, **changes: object) -> Results:
    """Return a comparison in which each candidate has its factor of speed, with 2 % of noise."""
    dice = random.Random(seed)
    held: dict[str, object] = {
        "started": "2026-11-24T08:00:00+00:00",
        "duration_s": 171.4,
        "command": ["octet", "compare", "--quick"],
        "machine": {"cpu": "Test 9000", "cpus": 2, "kernel": "6.18.0", "architecture": "x86_64"},
        "versions": {"iperf3": "iperf 3.12"},
        "candidates": {name: f"what {name} is" for name in (*FACTORS, "broken")},
        "baseline": BASELINE,
        "twin": TWIN,
        "seed": 7,
        "seconds": 0.6,
        "rounds": rounds,
        "shortened": "",
        "samples": [_sample(dice, name, index) for index in range(rounds) for name in FACTORS],
        "failures": [Failure("broken", "no packets")],
    }
    return Results(**{**held, **changes})


def _sample(dice: random.Random, name: str, index: int) -> Sample:
    speed = FACTORS[name] * dice.uniform(0.98, 1.02)
    trips = [60 / speed * math.exp(dice.gauss(0, 0.2)) for _ in range(400)]
    values = {
        metrics.ATTACH.key: 12 / speed,
        metrics.DETACH.key: 24 / speed,
        metrics.STREAM.key: 13 * speed,
        metrics.CPU.key: 0.9 / speed,
        metrics.CONNECTIONS.key: 5000 * speed,
        metrics.MTU.key: 1450 if "vxlan" in name or name == "flannel" else 1500,
    }
    raw: dict[str, object] = {}
    if name != SILENT:
        values |= {metrics.RTT_P50.key: quantile(trips, 0.5), metrics.RTT_P99.key: quantile(trips, 0.99)}
        raw["latency"] = {"round_trips": len(trips), "histogram_us": dict(histogram(trips))}
    return Sample(candidate=name, round=index, order=0, values=values, raw=raw)
