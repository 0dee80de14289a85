"""One module for each API of policies: from its objects to stages of rules.

What lives here: what each API means. What it must not know: addresses, nftables, other dialects.
"""
