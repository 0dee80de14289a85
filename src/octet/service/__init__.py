"""Who turns a service address or a host port into a pod. Pure: endpoints in, blueprints out.

What lives here: one module per way. What it must not know: transports, CNI, the kernel.
"""
