"""The CNI protocol: its rules (``spec``), our plugin's two sides, and a runtime that drives any plugin.

What lives here: nothing at this level. What it must not know: any model; importing it costs nothing.
"""
