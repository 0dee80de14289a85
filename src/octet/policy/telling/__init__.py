"""What policies come to, told to people: why a flow may pass, and which flows a change would alter. Pure.

What lives here: answers about one version of the View, or two. What it must not know: nftables, where the
objects came from, how an answer is printed.
"""
