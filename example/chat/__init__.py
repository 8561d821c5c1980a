"""The chat's own modules, from the database up to the pages and the live events.

``settings`` ← ``database`` ← ``models`` ← ``seats`` ← ``notices`` ← ``events`` (live) and ``pages`` (HTTP); ``text``
and ``ratelimit`` know nothing of the others.
"""
