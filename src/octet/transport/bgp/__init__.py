"""BGP: which sessions a node has, what it says on them and what it believes, as BIRD 2's configuration.

What lives here: values, decisions and rendering; nothing of it runs anything. ``kernel.daemons`` does that.
What it must not know: Calico's and kube-router's objects (whoever reads those makes these values), processes.

How a model uses it, from the View to the Blueprint::

    speaker = Speaker(router_id, asn, v4, v6, owned=..., services=..., refused=..., left=...)
    node = daemon(speaker)                                # Daemon, and what is common to all sessions
    node |= filters([Filter(...), ...])                   # each named filter is one file
    me, other = Member("node1", 64512, v4, v6), Member(...)
    for peer in between(speaker, me, other, Mesh()):      # sessions with another node: mesh, reflectors
        part = session(speaker, peer)                     # one ConfigFile: that peer's contribution
    part = session(speaker, Session(...))                 # a router that is not a node of the cluster
    part = services((4, 6), networks)                     # service addresses, where they change by themselves

- ``speaker.Speaker``: this node: identity, what it announces and to whom, what it never believes, which
  routes it leaves to a tunnel (``Left``), graceful restart, ECMP, communities by prefix (``Tagged``).
- ``sessions.Session``: one BGP session with everything that can be set about it (``Bfd``, ``Timers``,
  ``NextHop``, ``Prepend``, password by ``blueprint.Secret``, names of filters).
- ``topology``: ``Member``; ``between(speaker, me, other, plan)`` decides whether two nodes have sessions and
  who reflects to whom, the same on both sides. A plan is ``Mesh(...)``; explicit pairs (Calico's BGPPeer with
  peerSelector) are ``internal(speaker, me, other)``.
- ``filters.Filter`` / ``filters.Rule``: BGPFilter's meaning; ``filters(...)`` renders them.
- ``aggregates.aggregated(addresses, ranges)``: service addresses as ranges where that is allowed.
- ``status.sessions(lines)``: what BIRD says of its sessions, as values (``agent.sessions`` asks it).

What runs it: ``HostKernel(daemons=...)`` holds ``Daemon`` and ``ConfigFile`` objects like any others.
Everything is rendered in a stable order, a file per peer: a peer's change is a change of one file.
"""

from octet.transport.bgp.aggregates import aggregated
from octet.transport.bgp.filters import Action, Filter, Operator, Rule
from octet.transport.bgp.rendering import DAEMON, alone, daemon, filters, services, session
from octet.transport.bgp.sessions import Bfd, NextHop, Prepend, Session, Timers
from octet.transport.bgp.speaker import Left, Speaker, Tagged
from octet.transport.bgp.topology import Member, Mesh, between, internal

__all__ = [
    "DAEMON",
    "Action",
    "Bfd",
    "Filter",
    "Left",
    "Member",
    "Mesh",
    "NextHop",
    "Operator",
    "Prepend",
    "Rule",
    "Session",
    "Speaker",
    "Tagged",
    "Timers",
    "aggregated",
    "alone",
    "between",
    "daemon",
    "filters",
    "internal",
    "services",
    "session",
]
