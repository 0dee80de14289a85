"""The guide: docs/choosing-a-cni-provider.md, written by templates around facts, models and stored results.

What lives here: the page's prose (templates), its sourced sentences (``statements.toml``), its tables and
footnotes. What it must not know: how a decision is made, where facts come from, clocks, this machine.
"""
