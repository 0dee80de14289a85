"""How soon packets flow again when a fabric of racks breaks or heals: `python -m octet.measure.convergence`.

What lives here: who is measured, by name, on one topology; what is broken; streams that tell. The page of it.
What it must not know: how a model decides, how BIRD is configured by ours.
"""
