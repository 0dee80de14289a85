"""Choosing: dated facts and measurements and an operator's constraints, to an answer with its reasons.

What lives here: ``facts`` (what is known of providers), ``requirements`` (what is asked), ``decision`` (the
answer), ``deciding`` (how one comes from the others). What it must not know: terminals, web servers, how a
figure was measured.
"""

from octet.choose.deciding import decide
from octet.choose.decision import Decision
from octet.choose.requirements import Requirements

__all__ = ["Decision", "Requirements", "decide"]
