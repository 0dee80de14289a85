import datetime as dt
import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from octet.choose.facts import Certainty, Fact, Facts, Provider, Step, Support, load
from octet.measure import metrics
from octet.measure.results import Results, Sample

DAY = dt.date(2026, 8, 22)

PLAIN: Mapping[str, Any] = {
    "status": "active",
    "latest-release-date": dt.date(2026, 8, 1),
    "foundation": "none",
    "commercial-support": False,
    "needs-database": False,
    "needs-layer-2": False,
    "needs-cloud-routes": False,
    "aws-private-topology": True,
    "clouds": ("aws", "azure", "gcp", "own-machines"),
    "policy-ingress": False,
    "policy-egress": False,
    "policy-cluster-wide": False,
    "policy-by-name": False,
    "encryption": False,
    "ipv6-only": False,
    "dual-stack": False,
    "multicast": False,
    "windows": False,
    "bgp": False,
    "udp-only": True,
    "partial-mesh-relay": False,
    "replaces-kube-proxy": False,
    "kernel-minimum": "any",
    "largest-cluster": 1000,
}
"""A provider that can nearly nothing, all of it known."""


def fact(key: str, value: Any, certainty: Certainty = Certainty.VERIFIED, as_of: dt.date = DAY) -> Fact:
    return Fact(key=key, value=value, as_of=as_of, source=f"where {key} is said", certainty=certainty)


def made(name: str, *, steps: tuple[Step, ...] = (), limits: tuple[Fact, ...] = (), **known: Any) -> Provider:
    """Return a provider that is PLAIN but for these facts; underscores stand for hyphens, None is unknown."""
    changed = {key.replace("_", "-"): value for key, value in known.items()}
    facts = {
        key: value if isinstance(value, Fact) else fact(key, value)
        for key, value in {**PLAIN, **changed}.items()
    }
    return Provider(
        name=name,
        title=name.title(),
        summary="",
        packet="",
        facts=facts,
        steps=steps,
        limits=limits,
        model=name,
    )


def step(version: str, state: Support, *, kubernetes: str = "", installer: str = "kops", **more: Any) -> Step:
    return Step(installer, version, state, None, DAY, "release notes", kubernetes=kubernetes, **more)


def measured(
    factors: Mapping[str, float], rounds: int = 8, spread: float = 0.02, **machine: object
) -> Results:
    """Return a comparison in which each candidate costs this factor of the baseline, with some noise."""
    noise = random.Random(1)
    costs = {metrics.CPU.key: 0.1, metrics.RTT_P50.key: 90.0}
    samples = [
        Sample(
            candidate=name,
            round=index,
            order=0,
            values={
                key: cost * factor * noise.uniform(1 - spread, 1 + spread) for key, cost in costs.items()
            },
            raw={},
        )
        for index in range(rounds)
        for name, factor in factors.items()
    ]
    return Results(
        started="2026-11-24T08:00:00+00:00",
        duration_s=60.0,
        command=["octet", "compare"],
        machine={"cpu": "a processor", "kernel": "6.1", "architecture": "x86_64", **machine},
        versions={},
        candidates=dict.fromkeys(factors, "-"),
        baseline="bridge",
        twin="bridge (A/A)",
        seed=1,
        seconds=1.0,
        rounds=rounds,
        shortened="",
        samples=samples,
        failures=[],
    )


@pytest.fixture(scope="session")
def shipped() -> Facts:
    """The facts that come with Octet."""
    return load()


@pytest.fixture
def make() -> Callable[..., Provider]:
    """A maker of providers: plain but for what is said."""
    return made


@pytest.fixture
def told() -> Callable[..., Fact]:
    """A maker of facts with another certainty or date."""
    return fact


@pytest.fixture
def taken() -> Callable[..., Step]:
    """A maker of steps of an installer."""
    return step


@pytest.fixture
def record() -> Callable[..., Results]:
    """A maker of comparisons."""
    return measured
