"""From an HTTP request to a WebSocket: the 101, the raw socket, and the session that it carries or may carry."""

from __future__ import annotations

import logging

import web

from ..hub.hub import Hub
from ..hub.request import Request
from ..state.engine_session import State
from ..types import Environ
from ..wire.deflate import Agreement, negotiate
from ..wire.handshake import encode_response
from .admission import Admission, refusal
from .handoff import connection_of

__all__ = ["offered_compression", "upgrade"]

logger = logging.getLogger("webpy_socketio.session")


def offered_compression(environ: Environ) -> Agreement | None:
    """Agree on how messages may be compressed, if the client offers that in a way that we can accept."""
    return negotiate(str(environ.get("HTTP_SEC_WEBSOCKET_EXTENSIONS", "")))


def upgrade(hub: Hub, environ: Environ, admission: Admission) -> bytes:
    """Take the connection over; nothing is left to be answered through WSGI."""
    connection = connection_of(environ)
    if connection is None:
        raise refusal(3, "this server hands over no sockets; serve with webpy_socketio.SocketIOServer for WebSockets")
    client = admission.client
    if admission.farewell is not None:
        raise refusal(1, "the session is closed")
    assert admission.websocket_key is not None
    request = Request(environ) if client is None else None
    agreement = offered_compression(environ) if hub.config.compression else None
    sock, early_data = connection.take()
    carrier = hub.websocket(sock, agreement)
    extensions = () if agreement is None else (("Sec-WebSocket-Extensions", agreement.encode()),)
    carrier.send_now(encode_response(admission.websocket_key, extensions))
    if client is not None and (client.candidate is not None or client.session.state is not State.OPEN):
        # As Node's server does it: clients take an HTTP error for a server that knows no WebSockets.
        reason = "the session is upgraded, or being upgraded, already"
        carrier.close(1000, reason)
        logger.info("%.6s… did not take another WebSocket: %s", client.session.sid, reason)
    elif client is not None:
        client.start_candidate(carrier, early_data)
    else:
        assert request is not None
        client = hub.open_client(request, upgraded=True, revision=admission.revision)
        client.start_websocket(carrier, early_data)
    web.ctx.status = "101 Switching Protocols"
    return b""
