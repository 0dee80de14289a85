from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from octet import models
from octet.agent import capable
from octet.agent.config import Config
from octet.blueprint import Blueprint, FouPort, Ipip, Link, Route
from octet.errors import BadConfigurationError
from octet.kernel import features
from octet.kernel.features import Answer, Finding

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


TUNNEL = Link("ipip.calico", Ipip(ip_address("192.0.2.1")), "transport ipip")
ROUTE = Route(ip_network("10.244.2.0/24"), "eth0", ip_address("192.0.2.2"))


def test_what_a_cluster_asks_for_later_is_refused_by_name() -> None:
    """A tunnelled pool on a kernel without IP in IP: what, which option, since when, what would do."""
    absent = Finding(Answer.NO, "Unknown device type")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(features, "probe", lambda: {each.name: absent for each in features.FEATURES})
        with pytest.raises(BadConfigurationError) as refused:
            capable.refuse(Blueprint([ROUTE, TUNNEL]))
        capable.refuse(Blueprint([ROUTE]))
    said = str(refused.value)
    for part in ("link ipip.calico", "IP in IP", "CONFIG_NET_IPIP", "since 3.8", "vxlanMode of the IPPool"):
        assert part in said


def test_a_kernel_that_has_it_is_not_asked_twice() -> None:
    """Nothing is refused where everything is there."""
    present = Finding(Answer.YES)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(features, "probe", lambda: {each.name: present for each in features.FEATURES})
        capable.refuse(Blueprint([ROUTE, TUNNEL, FouPort(5555)]))
