"""How long unit tests look for a counterexample: little by default, for they are run after each change.

What lives here: the two profiles of hypothesis. What it must not know: any test.
"""

from hypothesis import settings

LEAN, LONG = 25, 100
"""Examples of a property in ``make unit``, and in ``make slow``, which runs every property again."""

settings.register_profile("lean", max_examples=LEAN)
settings.register_profile("long", max_examples=LONG)
settings.load_profile("lean")
