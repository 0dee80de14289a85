"""Measuring: probes send real traffic, statistics say how sure the figures are.

What lives here: metrics, probes, statistics, rounds, results, charts. What it must not know: how a model
works (``models``), how a cluster is built (``lab``), how results are printed in a terminal (``cli``).
"""
