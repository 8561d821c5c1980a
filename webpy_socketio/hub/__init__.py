"""The hub: all clients of one process, their sockets, and the handlers' events.

It knows carriers by what they take and give, not how they work.
"""
