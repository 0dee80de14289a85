"""Answers that are known beforehand, from kops' own documents and code (state of 2026-08-22)."""

import re

import pytest

from octet.choose import Decision, Requirements, decide
from octet.choose.facts import Facts
from octet.choose.profile import USUAL

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
    held = {**KOPS, "installer_version": kubernetes, "kubernetes": kubernetes}
    found = decided(shipped, **held)
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


def test_what_an_installer_has_not_yet_is_not_called_experimental(shipped: Facts) -> None:
    """What kops 1.18 doesn't have yet is out because of the version from which on it is there."""
    found = decided(shipped, **{**KOPS, "installer_version": "1.18", "kubernetes": "1.18"})
    (kindnet,) = (each for each in found.excluded if each.provider == "kindnet")
    assert kindnet.findings[0].because == "kops has kindnet from 1.32 on, not before"


def test_sentences_are_for_people(shipped: Facts) -> None:
    """No sentence of a decision shows a field's or a fact's name, or says a unit twice."""
    for asked in (USUAL, Requirements(bgp=True), Requirements(nodes=9000), Requirements(encryption=True)):
        found = decide(asked, shipped)
        told = [
            *(reason.text for reason in (*found.reasons_for, *found.reasons_against)),
            *(each.text for each in found.why_not),
            *(flip.text for flip in found.flips),
        ]
        for text in told:
            assert not re.search(r"foundation (none|cncf)|[a-z]_[a-z]|kOps|that was looked up", text), text
            assert not re.search(r"(\w+)s: [\d,]+ \1s", text, re.IGNORECASE), text


def test_fewer_nodes_later_are_said(shipped: Facts) -> None:
    """A cluster that shrinks is judged by what it has now, and the answer says so."""
    found = decided(shipped, nodes=200, nodes_in_two_years=20)
    assert any("fewer nodes than there are" in note for note in found.notes)
    assert not any("fewer nodes" in note for note in decided(shipped, nodes=20, nodes_in_two_years=200).notes)


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
