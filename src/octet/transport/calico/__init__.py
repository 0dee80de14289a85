"""Calico's tunnels: what its nodes tell each other, and its VXLAN; ``transport.ipip`` is its IPIP."""
