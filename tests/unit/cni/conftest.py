"""The plugin in its two forms, built once."""

import pytest

import cni_programs
from cni_programs import Program


@pytest.fixture(scope="session")
def thin(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The C program, as it is installed."""
    return cni_programs.compiled(tmp_path_factory.mktemp("plugin"), "-O2", "-static", compiler="musl-gcc")


@pytest.fixture(scope="session")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The Python program."""
    return cni_programs.python_twin(tmp_path_factory.mktemp("twin"))


@pytest.fixture(params=["thin", "twin"])
def program(request: pytest.FixtureRequest) -> Program:
    """Each form in turn."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Program)
    return found


@pytest.fixture(scope="session", params=["thin", "twin"])
def hasty(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Each form in turn, with limits that tests can wait for."""
    directory = tmp_path_factory.mktemp("hasty")
    if request.param == "thin":
        return cni_programs.compiled(directory, "-O0", limit=cni_programs.HASTY)
    return cni_programs.python_twin(directory, limit=cni_programs.HASTY)
