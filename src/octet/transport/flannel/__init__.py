"""flannel's way of saying things: annotations, net-conf.json, subnet.env, and its VXLAN devices.

What lives here: one module each. What it must not know: bridges, the kernel, how a file is found.
"""
