"""Choosing: dated facts and measurements and an operator's constraints, to an answer with its reasons.

What lives here: ``facts`` (what is known of providers), ``requirements`` (what is asked), ``decision`` (the
answer), and the parts between. What it must not know: terminals, web servers, how a figure was measured.
"""
