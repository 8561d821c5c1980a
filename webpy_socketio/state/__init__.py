"""Machines: what the peer's bytes and packets mean, one object per connection, session or client.

Pure: no I/O, no clock (the time comes in as ``now``, monotonic seconds), no logging. They never raise for a bad peer
(they give an outcome that says what to close and why) and always raise for a bad caller.
"""
