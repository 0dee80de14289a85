"""The figures of policy: what it costs a connection, how soon a change is in force, how an agent starts.

What lives here: worlds of many policies and pods, the turns, the programs run inside a node, the page.
What it must not know: what is compiled.
"""
