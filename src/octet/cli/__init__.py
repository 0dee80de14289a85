"""What a person types. One module per group of commands; ``main`` holds the list.

What lives here: arguments, help, tables, exit codes. What it must not know: how anything is done.
"""
