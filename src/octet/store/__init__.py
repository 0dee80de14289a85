"""Where the nodes agree: list, watch and compare-and-swap over objects in Kubernetes' JSON shape.

What lives here: the contract and one module per store. What it must not know: what the objects mean.
"""
