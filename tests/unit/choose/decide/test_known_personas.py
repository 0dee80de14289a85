"""Answers that are known beforehand, from kops' own documents and code (state of 2026-08-22)."""

import pytest

from octet.choose import Decision, Requirements, decide
from octet.choose.facts import Facts

KOPS = {"installer": "kops", "installer_version": "1.36", "kubernetes": "1.34", "bring_your_own": False}


def decided(shipped: Facts, **answers: object) -> Decision:
    return decide(Requirements(**answers), shipped)


def out(found: Decision) -> set[str]:
    return {each.provider for each in found.excluded}


def kept(found: Decision) -> set[str]:
    return {each.provider for each in found.kept}


def test_a_private_topology_on_aws_is_not_for_kubenet(shipped: Facts) -> None:
    """A private topology on AWS: kops refuses kubenet, whatever else is asked for."""
    assert "kubenet" in out(decided(shipped, **KOPS, cloud="aws", private_topology=True))


def test_ipv6_alone_with_kops_is_calico_or_cilium(shipped: Facts) -> None:
    """IPv6 alone with kops leaves Calico and Cilium, and nothing else that kops brings."""
    assert kept(decided(shipped, **KOPS, ip_family="ipv6")) == {"calico", "cilium"}


@pytest.mark.parametrize("cloud", ["azure", "gcp", "bare-metal", "laptop"])
def test_the_vpc_plugin_is_for_aws(cloud: str, shipped: Facts) -> None:
    """Where nodes are not on AWS there is no Amazon VPC CNI."""
    assert "aws-vpc-cni" in out(decided(shipped, cloud=cloud))


@pytest.mark.parametrize(
    ("kubernetes", "gone"),
    [("1.22", set()), ("1.23", {"weave"}), ("1.28", {"weave", "canal"})],
)
def test_kops_stopped_bringing_weave_and_canal(kubernetes: str, gone: set[str], shipped: Facts) -> None:
    """From Kubernetes 1.23 on kops has no Weave Net, from 1.28 on no Canal."""
    found = decided(shipped, installer="kops", installer_version=kubernetes, kubernetes=kubernetes)
    assert out(found) & {"weave", "canal"} == gone


def test_policy_under_plain_kops_is_not_for_everybody(shipped: Facts) -> None:
    """NetworkPolicy as kops installs it: not with kubenet, kopeio-vxlan, flannel or Amazon VPC CNI."""
    found = out(decided(shipped, **KOPS, policy_ingress=True))
    assert {"kubenet", "kopeio-vxlan", "flannel", "aws-vpc-cni"} <= found
    assert not {"calico", "cilium", "kube-router"} & found


def test_encryption_through_kops_is_calico_or_cilium(shipped: Facts) -> None:
    """Encryption that kops can switch on leaves Calico and Cilium; flannel's WireGuard is not reachable."""
    found = decided(shipped, **KOPS, encryption=True)
    assert kept(found) == {"calico", "cilium"}
    flannel = next(each for each in found.excluded if each.provider == "flannel")
    assert [finding.constraint for finding in flannel.findings] == ["kops-encryption"]


def test_a_partial_mesh_is_weave_or_nobody(shipped: Facts) -> None:
    """Nodes that cannot all reach each other leave Weave Net alone, and with fixes wanted nobody."""
    found = decided(shipped, partial_mesh=True)
    assert kept(found) == {"weave"}
    assert any("archived" in reason.text for reason in found.reasons_against)
    assert decided(shipped, partial_mesh=True, maintained=True).outcome == "nothing"


def test_kube_router_in_kops_wants_no_kube_proxy(shipped: Facts) -> None:
    """Who is told to take kube-router with kops is told that kube-proxy must be off."""
    only = Facts(tuple(each for each in shipped.providers if each.name == "kube-router"))
    found = decide(Requirements(installer="kops", installer_version="1.36", kubernetes="1.34"), only)
    assert found.leaders == ("kube-router",)
    assert any("kube-proxy must be off" in note for note in found.notes)


def test_leaving_a_provider_interrupts(shipped: Facts) -> None:
    """Who leaves a provider is told that a change from one to another interrupts the network."""
    assert any("interrupts" in note for note in decided(shipped, leaving="weave").notes)
    assert not decided(shipped, leaving="none").notes
    assert "for:leaving" not in [reason.id for reason in decided(shipped, leaving="weave").reasons_for]


def test_more_nodes_than_kubernetes_takes_are_told(shipped: Facts) -> None:
    """Who asks for more nodes than Kubernetes supports is told so; up to its limit there is no note."""
    assert any("Kubernetes itself" in note for note in decided(shipped, nodes=5001).notes)
    assert not decided(shipped, nodes=5000).notes


def test_answers_that_contradict_are_refused(shipped: Facts) -> None:
    """A Kubernetes newer than the kops that is to install it is refused, naming both."""
    with pytest.raises(Exception, match=r"installer_version = '1\.30'.*1\.33"):
        decided(shipped, installer="kops", installer_version="1.30", kubernetes="1.33")


def test_what_cannot_be_is_not_suggested(shipped: Facts) -> None:
    """No flip and no open answer names a kops that is older than the Kubernetes that is asked for."""
    found = decided(shipped, **KOPS)
    versions = [flip.then for flip in found.flips if flip.what == "installer_version"]
    assert all(tuple(map(int, each.split("."))) >= (1, 34) for each in versions if each[0].isdigit())
    asked = decided(shipped, installer="kops", kubernetes="1.34")
    (version,) = (each for each in asked.open if each.field == "installer_version")
    assert {effect.answer for effect in version.effects} <= {"1.34", "1.35", "1.36", "1.37"}


def test_an_unknown_provider_cannot_be_left(shipped: Facts) -> None:
    """A provider to leave that nobody knows is refused, with the names that are known."""
    with pytest.raises(Exception, match=r"leaving = 'wave'.*weave"):
        decided(shipped, leaving="wave")
