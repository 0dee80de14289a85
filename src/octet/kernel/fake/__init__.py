"""The kernel in memory: the same port, checks and errors as the real one, for tests of whoever uses it.

What lives here: namespaces that hold blueprint values, and what the kernel does to them by itself.
What it must not know: netlink, nftables' text, the real kernel.
"""

from octet.kernel.fake.kernel import FakeKernel
from octet.kernel.fake.world import World

__all__ = ["FakeKernel", "World"]
