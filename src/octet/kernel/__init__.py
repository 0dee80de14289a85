"""The only effects: what touches a kernel, a namespace, a process or a socket option.

What lives here: one narrow port per kernel facility (``port``), the real ones, and a fake of each.
What it must not know: nodes, pods, policies, models; it is told what to hold and says what is true.
"""
