"""Calico's BGP: what its resources and node annotations mean for one node's speaker.

What lives here: from BGPConfiguration, BGPPeer, BGPFilter, annotations and services to the values of
``transport.bgp``; ``speaking.CalicoBgp`` is the transport. What it must not know: BIRD's language, where a
node's prefixes come from.
"""
