"""Who may talk to whom: policies become ordered rules, and those nftables. Pure: a view in, values out.

What lives here: the meaning of NetworkPolicy, ClusterNetworkPolicy and Calico's policies (``dialects``) as
one ordered list of rules per endpoint and direction (``rules``, ``ordering``), and what the kernel holds for
it (``programs``, ``holders``, ``gates``). What it must not know: the kernel, stores, which model asked.

Entry points, which stay as they are:

    octet.policy.compile(view: View, endpoints: Iterable[Endpoint], *, bridge: str = "") -> Blueprint
        Everything that policy puts into the table of node ``view.me``. ``endpoints`` are the pods of this
        node (their ``namespace`` and ``pod`` find the Pod in the view); ``bridge`` is the link that they all
        are behind (``Attach.shared_link``), or empty where each has a link of its own. A packet of a pod
        comes in by ``endpoint.host_link``, or by the bridge; it is judged in the hooks ``forward`` (to pods
        and to the world) and ``input`` (to its own node), after translation.
    octet.policy.stages(view: View, pod: Pod, direction: str) -> tuple[Stage, ...]
        The ordered list itself, tier after tier: what ``explain`` tells and ``compile`` compiles.
    octet.policy.engine.Engine
        The same as ``compile``, kept up to date change by change at the price of the change.
"""

from octet.policy.ordering import stages
from octet.policy.whole import compile  # noqa: A004 - the word of the field

__all__ = ["compile", "stages"]
