"""Our own small rtnetlink codec: blueprint values to messages and back, over one raw socket.

What lives here: the wire format, and one module for each family of objects. Sources: netlink(7), rtnetlink(7)
and linux/{netlink,rtnetlink,if_link,if_addr,neighbour,fib_rules}.h.
What it must not know: the order of a change (``plan``), who wants it, nftables.
"""
