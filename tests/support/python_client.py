"""Ends clients of python-socketio that reconnect."""

from __future__ import annotations

import socketio


def end(client: socketio.Client) -> None:
    """Disconnect a client, or stop it from coming back: it would try so for ever, and ``disconnect`` changes nothing
    about that.
    """
    client.shutdown()
    # It may have come back just then: its attempt is not broken off, only not repeated.
    if client.connected:
        client.disconnect()
