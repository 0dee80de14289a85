"""Secrets that Kubernetes mounted as files: found by reference, and nothing else is."""

from pathlib import Path

import pytest

from octet.agent.secrets import LARGEST, SecretFiles
from octet.blueprint import Secret


@pytest.fixture
def root(tmp_path: Path) -> Path:
    place = tmp_path / "secrets" / "kube-system" / "bgp"
    place.mkdir(parents=True)
    (place / "password").write_text("hush hush\n")
    (place / "large").write_text("x" * (LARGEST + 1))
    (place / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "outside").write_text("not for you")
    return tmp_path / "secrets"


def test_a_key_is_a_file(root: Path) -> None:
    """A reference finds the file of its key; the line break that editors leave is not the password's."""
    assert SecretFiles(root)(Secret("kube-system", "bgp", "password")) == "hush hush"


def test_a_changed_file_is_another_secret_at_once(root: Path) -> None:
    """Nothing is kept: what is mounted now is what counts."""
    files = SecretFiles(root)
    (root / "kube-system" / "bgp" / "password").write_text("other")
    assert files(Secret("kube-system", "bgp", "password")) == "other"


@pytest.mark.parametrize(
    "names",
    [
        ("kube-system", "bgp", "absent"),
        ("kube-system", "bgp", "large"),
        ("kube-system", "bgp", "binary"),
        ("kube-system", "", "bgp"),
        ("..", "..", "outside"),
        ("kube-system/../..", "x", "outside"),
        ("kube-system", "bgp", ".."),
    ],
)
def test_nothing_else_is_found(root: Path, names: tuple[str, str, str]) -> None:
    """What is absent, too large, no text or beyond the directory is an unknown secret."""
    assert SecretFiles(root)(Secret(*names)) is None
