import errno

from octet.errors import BadConfigurationError, OctetError, RefusedByKernelError


def test_bad_configuration_names_everything() -> None:
    """A refused value is shown with its file, its field, the problem and what would do."""
    error = BadConfigurationError("a.toml", "node.name", "", "is empty", hint="give the node's name")
    assert str(error) == "a.toml: node.name = '': is empty (give the node's name)"


def test_kernel_refusal_names_the_errno() -> None:
    """A refusal by the kernel shows the object and the symbolic error number."""
    error = RefusedByKernelError("link cni0", errno.EEXIST)
    assert str(error) == "the kernel refused link cni0: EEXIST"
    assert error.errno == errno.EEXIST


def test_a_hint_is_optional() -> None:
    """Where nothing helps, nothing is added."""
    assert str(OctetError("no")) == "no"
