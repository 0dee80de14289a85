"""Whom a recommendation is for when nobody was asked: one usual case, written down.

What lives here: the case. What it must not know: the answer.
"""

from octet.choose.requirements import Requirements

USUAL = Requirements(
    installer="kops",
    installer_version="1.36",
    kubernetes="1.34",
    cloud="aws",
    private_topology=True,
    ip_family="ipv4",
    policy_ingress=True,
    policy_egress=True,
    multicast=False,
    windows=False,
    udp_only=False,
    partial_mesh=False,
    nodes=20,
    nodes_in_two_years=50,
    outside_database=False,
    maintained=True,
    bring_your_own=False,
)

ABOUT = (
    "a cluster that kops 1.36 makes on AWS in private subnets, up to 50 Linux nodes, IPv4, NetworkPolicy in "
    "both directions, no database to run, a project that still publishes fixes"
)
"""The same for a person."""
