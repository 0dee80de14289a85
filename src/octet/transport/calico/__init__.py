"""Calico's BGP and its VXLAN: what its resources and node annotations mean for one node.

What lives here: from BGPConfiguration, BGPPeer, BGPFilter, annotations and services to the values of
``transport.bgp`` (``speaking.CalicoBgp`` is the transport), and its VXLAN; ``transport.ipip`` is its IPIP.
What it must not know: BIRD's language, where a node's prefixes come from.
"""
