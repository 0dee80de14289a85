"""The namespaces of pods: what a descriptor stands for, and how a pod's is found again.

What lives here: the checks of descriptors that come from outside. What it must not know: endpoints.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from octet.cni.spec.failures import CniError, Code
from octet.errors import NotFoundError
from octet.kernel import namespaces

Identity = tuple[int, int, int]
"""(device, inode, cookie) of a namespace: what tells it from every other, also from one that is gone."""


class Sandboxes(Protocol):
    """How the agent recognises pods' namespaces."""

    def look(self, namespace: int, path: str) -> Identity:
        """Return what namespace a descriptor stands for. Raises CniError (8) unless it can be a pod's."""
        ...

    def reopened(self, path: str, identity: Identity) -> AbstractContextManager[int]:
        """Give a descriptor of a namespace by its path for a while. Raises NotFoundError if it is another."""
        ...


class HostSandboxes:
    """Those of this machine. The namespace that the agent runs in is the node's and never a pod's."""

    def __init__(self) -> None:
        self._own = namespaces.own_identity()

    def look(self, namespace: int, path: str) -> Identity:
        """As the protocol says."""
        if not namespaces.is_network_namespace(namespace):
            raise CniError(Code.INVALID_NETNS, f"CNI_NETNS = {path}: is not a network namespace")
        if namespaces.identity(namespace) == self._own:
            raise CniError(Code.INVALID_NETNS, f"CNI_NETNS = {path}: is the node's own network namespace")
        return _identity(namespace)

    @contextmanager
    def reopened(self, path: str, identity: Identity) -> Iterator[int]:
        """As the protocol says. Whatever else may lie at the path by now does not make the agent wait."""
        try:
            namespace = os.open(Path("/") / path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError as error:
            raise NotFoundError(f"the pod's namespace {path or '(unknown)'}: {error.strerror}") from error
        try:
            if not namespaces.is_network_namespace(namespace) or _identity(namespace) != identity:
                raise NotFoundError(f"{path} is not the pod's namespace any more")
            yield namespace
        finally:
            os.close(namespace)


def _identity(namespace: int) -> Identity:
    return (*namespaces.identity(namespace), namespaces.cookie(namespace))
