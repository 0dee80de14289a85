"""Calico's ways between nodes: its BGP, what its nodes tell each other of their tunnels, its VXLAN.

What lives here: from BGPConfiguration, BGPPeer, BGPFilter, annotations and services to the values of
``transport.bgp`` (``speaking.CalicoBgp``); ``vxlan.CalicoVxlan``. ``transport.ipip`` is its IPIP.
What it must not know: BIRD's language, where a node's prefixes come from.
"""
