"""Drives any provider's plugins the way a container runtime does (libcni's rules).

What lives here: finding a configuration, running its chain, remembering results.
What it must not know: which plugins they are, what a lab is.
"""

from octet.cni.runtime.driver import Runtime
from octet.cni.spec.result import Result

__all__ = ["Result", "Runtime"]
