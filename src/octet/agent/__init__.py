"""The node agent: watch, decide, apply, report.

What lives here: one process per node that keeps its kernel as the model wants it and answers the plugin.
What it must not know: how any model decides, how the kernel is spoken to.
"""
