"""Configurations of networks: which file counts, and what is read from it."""

import json
from pathlib import Path

import pytest

from octet.cni.runtime import conflist
from octet.errors import BadConfigurationError, NotFoundError

ONE = {"cniVersion": "1.0.0", "name": "net", "plugins": [{"type": "bridge"}]}


def write(directory: Path, file: str, /, **changes: object) -> Path:
    """Write a configuration list with some keys changed."""
    (directory / file).write_text(json.dumps(ONE | changes))
    return directory / file


def test_the_first_file_by_name_counts(tmp_path: Path) -> None:
    """All three suffixes stand in one order, as in container runtimes; other files are none."""
    write(tmp_path, "30.conflist", name="c")
    write(tmp_path, "20.json", name="b")
    write(tmp_path, "10.conf.bak", name="no")
    assert conflist.find(tmp_path).name == "b"
    write(tmp_path, "10.conf", name="a")
    assert conflist.find(tmp_path).name == "a"


def test_a_directory_without_configuration_is_said(tmp_path: Path) -> None:
    """The error names the directory and what would do."""
    with pytest.raises(NotFoundError, match=r"\.conflist"):
        conflist.find(tmp_path)


def test_one_plugin_is_a_list_of_one(tmp_path: Path) -> None:
    """The old form, a single plugin's configuration, is a chain of one."""
    path = tmp_path / "10.conf"
    path.write_text('{"cniVersion":"0.3.1","name":"old","type":"bridge","bridge":"cni0"}')
    found = conflist.load(path)
    assert (found.name, found.version) == ("old", "0.3.1")
    assert [plugin["bridge"] for plugin in found.plugins] == ["cni0"]


@pytest.mark.parametrize(
    ("said", "offered", "agreed"),
    [
        ("1.0.0", None, "1.0.0"),
        ("0.4.0", ["1.0.0", "1.1.0", "9.9.9"], "1.1.0"),
        (None, ["0.3.1"], "0.3.1"),
        (None, None, "0.1.0"),
        ("9.9.9", None, "9.9.9"),
    ],
)
def test_the_newest_version_we_know_is_used(
    said: str, offered: list[str], agreed: str, tmp_path: Path
) -> None:
    """A list of versions lets old and new runtimes share one file; what nobody knows, the plugin refuses."""
    keys = {"cniVersion": said, "cniVersions": offered}
    document = {key: value for key, value in (ONE | keys).items() if value is not None}
    (tmp_path / "a.conflist").write_text(json.dumps(document))
    assert conflist.find(tmp_path).version == agreed


@pytest.mark.parametrize(
    ("value", "meaning"), [(True, True), (False, False), ("true", True), ("False", False)]
)
def test_switches_are_booleans_or_texts(tmp_path: Path, value: object, meaning: bool) -> None:
    """Libcni takes both forms of disableCheck and disableGC."""
    found = conflist.load(write(tmp_path, "a.conflist", disableCheck=value, disableGC=value))
    assert (found.disable_check, found.disable_gc) == (meaning, meaning)


def test_drop_ins_extend_a_network(tmp_path: Path) -> None:
    """NAME/*.conf are further plugins, in order, unless the list wants only its own."""
    (tmp_path / "net").mkdir()
    for name in ("20-b", "10-a"):
        (tmp_path / "net" / f"{name}.conf").write_text(json.dumps({"type": name}))
    found = conflist.load(write(tmp_path, "a.conflist"))
    assert [plugin["type"] for plugin in found.plugins] == ["bridge", "10-a", "20-b"]
    alone = conflist.load(write(tmp_path, "a.conflist", loadOnlyInlinedPlugins=True))
    assert [plugin["type"] for plugin in alone.plugins] == ["bridge"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "../x"}, "name"),
        ({"plugins": []}, "plugins"),
        ({"plugins": {}}, "plugins"),
        ({"plugins": [{}]}, "plugins[0].type"),
        ({"plugins": ["bridge"]}, "plugins[0].type"),
        ({"plugins": [{"type": "a", "capabilities": []}]}, "plugins[0].capabilities"),
        ({"cniVersion": 1}, "cniVersion"),
        ({"cniVersion": "one"}, "cniVersion"),
        ({"cniVersions": "1.0.0"}, "cniVersions"),
        ({"disableCheck": "perhaps"}, "disableCheck"),
    ],
)
def test_a_wrong_configuration_is_refused_by_field(
    tmp_path: Path, changes: dict[str, object], field: str
) -> None:
    """The error names the file and the field; the next file is not tried, it would be another network."""
    write(tmp_path, "20.conflist")
    path = write(tmp_path, "10.conflist", **changes)
    with pytest.raises(BadConfigurationError) as caught:
        conflist.find(tmp_path)
    assert (caught.value.source, caught.value.field) == (str(path), field)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000])
def test_what_is_no_object_is_refused(tmp_path: Path, text: str) -> None:
    """Not JSON, not an object, or too deep to read."""
    (tmp_path / "a.conflist").write_text(text)
    with pytest.raises(BadConfigurationError):
        conflist.find(tmp_path)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    """A path that was given is an error of its own."""
    with pytest.raises(BadConfigurationError, match="No such file"):
        conflist.load(tmp_path / "none.conflist")
