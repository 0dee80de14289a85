"""Dated counts of projects: what they show and don't, where they are kept, how new ones are fetched.

What lives here: figures, rows in files, the fetching of new rows. What it must not know: decisions. A count
rules nothing out and ranks nothing.
"""
