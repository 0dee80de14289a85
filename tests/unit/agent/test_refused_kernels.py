from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from octet import models
from octet.agent import capable
from octet.agent.config import Config
from octet.errors import BadConfigurationError
from octet.kernel import features

CONFIG = Config(
    "n1",
    False,
    (ip_network("10.244.0.0/16"),),
    (),
    "flannel",
    models.find("flannel").parse({}, source="x"),
    Path("s"),
    Path("r"),
)


def lacks(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Make the probes say that this kernel lacks some features; which one it is, no test can choose."""
    monkeypatch.setattr(
        features, "lacking", lambda asked: tuple(f"{name} (since 9.9)" for name in asked if name in names)
    )


def test_a_model_that_the_kernel_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal names file, model, feature and the first kernel that would do."""
    lacks(monkeypatch, "vxlan")
    with pytest.raises(
        BadConfigurationError, match=r"a\.toml: model\.name = 'flannel'.*vxlan \(since 9\.9\)"
    ):
        capable.insist(CONFIG, "a.toml")


def test_only_the_clusters_families_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """An IPv4 cluster does not need what only IPv6 needs; a dual-stack one does."""
    lacks(monkeypatch, "vxlan6")
    capable.insist(CONFIG, "a.toml")
    dual = replace(CONFIG, pod_cidrs=(*CONFIG.pod_cidrs, ip_network("fd00::/56")))
    with pytest.raises(BadConfigurationError, match="vxlan6"):
        capable.insist(dual, "a.toml")


def test_a_capability_is_not_the_model(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A kernel without token buckets runs the model, and the log says what cannot be had."""
    lacks(monkeypatch, "tbf")
    capable.insist(CONFIG, "a.toml")
    assert "bandwidth" in caplog.text
