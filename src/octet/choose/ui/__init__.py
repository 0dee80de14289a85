"""The page, live: a server on loopback that decides again when an answer changes, and starts comparisons.

What lives here: ``door`` (who may come in), ``session`` (what is asked and known), ``comparing`` (one
comparison at a time), ``server`` (the endpoints). What it must not know: how anything is decided or measured.
"""
