"""The CNI_ variables: what is accepted and what is refused with code 4, naming the variable."""

import pytest

from octet.cni.spec import CniError, Command
from octet.cni.spec import environment as rules


@pytest.mark.parametrize("name", ["eth0", "a" * 15, "net1.100", "wlan-ü", "@x"])
def test_interface_names_that_the_kernel_takes_are_accepted(name: str) -> None:
    """Anything of at most 15 bytes that the kernel accepts may be an interface."""
    assert rules.interface({"CNI_IFNAME": name}) == name


@pytest.mark.parametrize(
    "name", ["", "a" * 16, "ü" * 8, ".", "..", "a/b", "a:b", "a b", "a\tb", "a\nb", "\x7f", "eth%d", "\udcff"]
)
def test_other_interface_names_are_refused(name: str) -> None:
    """Too long, a path, a template or not printable: code 4 with the variable's name."""
    with pytest.raises(CniError, match="CNI_IFNAME") as caught:
        rules.interface({"CNI_IFNAME": name})
    assert caught.value.code == 4


@pytest.mark.parametrize("name", ["a", "0" * 64, "A.b_c-d", "x" * 512])
def test_container_ids_of_runtimes_are_accepted(name: str) -> None:
    """Letters, digits, dots, underscores and hyphens after a letter or digit."""
    assert rules.container({"CNI_CONTAINERID": name}) == name


@pytest.mark.parametrize("name", ["", ".a", "-a", "_a", "a/b", "a b", "a\n", "ä", "../../etc", "x" * 513])
def test_other_container_ids_are_refused(name: str) -> None:
    """An id becomes a file name and a key, so nothing else may be in it."""
    with pytest.raises(CniError, match="CNI_CONTAINERID") as caught:
        rules.container({"CNI_CONTAINERID": name})
    assert caught.value.code == 4


def test_arguments_are_pairs() -> None:
    """CNI_ARGS is K=V between semicolons; values may hold equal signs, keys are in any case."""
    said = {"CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAME=a=b;IP=;"}
    assert rules.arguments(said) == {"IGNOREUNKNOWN": "1", "K8S_POD_NAME": "a=b", "IP": ""}
    assert rules.arguments({}) == {}


@pytest.mark.parametrize("text", ["novalue", "=value", "A=1;broken"])
def test_arguments_that_are_no_pairs_are_refused(text: str) -> None:
    """An entry without key or equal sign is code 4."""
    with pytest.raises(CniError, match="CNI_ARGS") as caught:
        rules.arguments({"CNI_ARGS": text})
    assert caught.value.code == 4


@pytest.mark.parametrize("text", ["", "add", "UPDATE", "ADD "])
def test_unknown_commands_are_refused(text: str) -> None:
    """Only the six commands of the specification exist."""
    with pytest.raises(CniError, match="CNI_COMMAND") as caught:
        rules.command({"CNI_COMMAND": text})
    assert caught.value.code == 4


def test_commands_and_search_path_are_read() -> None:
    """CNI_PATH is split at colons and empty parts fall away."""
    assert rules.command({"CNI_COMMAND": "GC"}) is Command.GC
    assert rules.search_path({"CNI_PATH": "/opt/cni/bin::/usr/lib/cni"}) == ("/opt/cni/bin", "/usr/lib/cni")
