"""Features as a table, what errors say about a kernel, and how ``octet doctor`` tells a person."""

import errno
import json
import os
import re

import pytest
from typer.testing import CliRunner

from octet.cli import doctor
from octet.kernel import features
from octet.kernel.daemons import bird
from octet.kernel.features import FEATURES, Answer, Finding, judge, lacking
from octet.kernel.nft import NftError
from octet.models import MODELS
from octet.models.needs import needs, programs

EVERYTHING = {feature.name: Finding(Answer.YES) for feature in FEATURES}
LACKING = {
    **EVERYTHING,
    "vxlan": Finding(Answer.NO, "Unknown device type"),
    "ifb": Finding(Answer.UNKNOWN, "user 7 may not try it here"),
}


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel without VXLAN."""
    monkeypatch.setattr(features, "probe", lambda: LACKING)


def test_every_row_is_complete() -> None:
    """Each feature has a name of its own, something that needs it, a first kernel and an option."""
    assert len({feature.name for feature in FEATURES}) == len(FEATURES)
    for feature in FEATURES:
        assert feature.needed_for
        assert re.fullmatch(r"\d\.\d+(\.\d+)?", feature.since)
        assert feature.option.startswith("CONFIG_")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_models_need_known_features(model: object) -> None:
    """Whatever a model says it needs is a row of this table."""
    assert set(needs(model.parse({}, source="test"))) <= {feature.name for feature in FEATURES}


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        (errno.EOPNOTSUPP, Answer.NO),
        (errno.EPROTONOSUPPORT, Answer.NO),
        (errno.ENOENT, Answer.NO),
        (errno.EPERM, Answer.UNKNOWN),
        (errno.EACCES, Answer.UNKNOWN),
        (errno.ENOMEM, Answer.UNKNOWN),
        (errno.EEXIST, Answer.UNKNOWN),
    ],
)
def test_an_error_says_no_or_nothing(number: int, answer: Answer) -> None:
    """Only errors that mean "I have no such thing" are a no; all others leave it open, with the reason."""
    finding = judge(OSError(number, os.strerror(number)), "user 7")
    assert finding.answer is answer
    assert finding.why


def test_who_may_not_is_named() -> None:
    """A refusal of permission names the user who was refused; a missing library is no fact about kernels."""
    assert "user 7" in judge(PermissionError(errno.EPERM, "no"), "user 7").why
    missing = judge(OSError("libnftables.so.1: cannot open shared object file"), "root")
    assert (missing.answer, "libnftables" in missing.why) == (Answer.UNKNOWN, True)
    assert "add flowtable" not in judge(NftError("... in `add flowtable`", errno.EOPNOTSUPP), "root").why


@pytest.mark.usefixtures("kernel")
def test_a_lack_names_option_and_kernel() -> None:
    """What is missing is told with the option and the first kernel that would do; a doubt is no lack."""
    (sentence,) = lacking(["veth", "vxlan", "ifb"])
    assert all(word in sentence for word in ("VXLAN", "Unknown device type", "CONFIG_VXLAN", "3.7"))


@pytest.mark.usefixtures("kernel")
def test_the_doctor_prints_every_feature() -> None:
    """A row for each feature: is it here, who needs it, and what would do where it is not."""
    result = CliRunner().invoke(doctor.app, [])
    assert result.exit_code == 0
    assert all(feature.name in result.output for feature in FEATURES)
    assert re.search(r"vxlan +no +VXLAN +flannel, .* Unknown device type; CONFIG_VXLAN", result.output)
    assert re.search(r"ifb +could not tell .* user 7 may not try it here", result.output)


@pytest.mark.usefixtures("kernel")
def test_the_doctor_speaks_json() -> None:
    """Programs get every fact of every row."""
    rows = json.loads(CliRunner().invoke(doctor.app, ["--json"]).output)
    vxlan = next(row for row in rows if row["feature"] == "vxlan")
    assert (vxlan["answer"], vxlan["why"], vxlan["since"]) == ("no", "Unknown device type", "3.7")
    assert len(rows) == len(FEATURES)


@pytest.mark.usefixtures("kernel")
def test_the_doctor_says_whether_a_model_runs() -> None:
    """A model that needs what is missing ends the command with 1 and says what it is."""
    result = CliRunner().invoke(doctor.app, ["--model", "flannel"])
    assert result.exit_code == 1
    assert "flannel will not run here: the kernel has no VXLAN" in result.output
    assert "wireguard" not in result.output


WITHOUT_TUNNELS = {
    **EVERYTHING,
    **dict.fromkeys(("ipip", "ip6tnl", "fou", "fou6"), Finding(Answer.NO, "Unknown device type")),
}


def test_the_doctor_tells_what_only_some_clusters_need(monkeypatch: pytest.MonkeyPatch) -> None:
    """A router between nodes asks for a tunnel: told with option, first kernel and what would do without."""
    monkeypatch.setattr(features, "probe", lambda: WITHOUT_TUNNELS)
    result = CliRunner().invoke(doctor.app, ["--model", "kube-router"])
    assert result.exit_code == 0
    said = " ".join(result.output.split())
    assert (
        "kube-router will not run here where a cluster needs it: the kernel has no IP in IP tunnels" in said
    )
    assert all(part in said for part in ("CONFIG_NET_IPIP", "since 3.8", "without it: VXLAN"))


@pytest.mark.parametrize("here", [True, False])
def test_the_doctor_names_the_programs_of_a_model(here: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a model needs BIRD and it is not installed, the command says which package has it, and fails."""
    monkeypatch.setattr(features, "probe", lambda: EVERYTHING)
    monkeypatch.setattr(bird, "installed", lambda: here)
    result = CliRunner().invoke(doctor.app, ["--model", "calico"])
    missing = "calico will not run here: the program bird is not installed (Debian: bird2)"
    assert (result.exit_code, missing in result.output) == ((0, False) if here else (1, True))
    assert re.search(rf"bird +{'yes' if here else 'no'} ", result.output)
    rows = json.loads(CliRunner().invoke(doctor.app, ["--model", "calico", "--json"]).stdout)
    assert {row["feature"]: row["answer"] for row in rows}["bird"] == ("yes" if here else "no")
    assert programs(MODELS[0].parse({}, source="test")) == ()
