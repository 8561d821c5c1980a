"""From an HTTP request to a WebSocket: the 101, the raw socket, and the session that it carries or may carry."""

from __future__ import annotations

import logging

import web

from ..hub.engine_client import EngineClient
from ..hub.hub import Hub
from ..state.engine_session import State
from ..transport.websocket import WebSocketCarrier
from ..types import Environ
from ..wire.deflate import Agreement, negotiate
from ..wire.handshake import encode_response
from .admission import Admission, refusal
from .cookie import set_cookie
from .handoff import Connection, connection_of
from .newcomers import let_in
from .origins import is_foreign

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
    if client is None:
        with let_in(hub, environ, foreign=is_foreign(environ)) as newcomer:
            take_over = _TakeOver(hub, environ, connection)
            client = newcomer.open(upgraded=True, revision=admission.revision)
            take_over.answer(admission, set_cookie(environ, hub.config, client.session.sid))
        client.start_websocket(take_over.carrier, take_over.early_data)
    else:
        take_over = _TakeOver(hub, environ, connection)
        take_over.answer(admission)
        _join_session(client, take_over.carrier, take_over.early_data)
    web.ctx.status = "101 Switching Protocols"
    return b""


class _TakeOver:
    """The raw socket of a request, with a carrier on it."""

    def __init__(self, hub: Hub, environ: Environ, connection: Connection) -> None:
        self._agreement = offered_compression(environ) if hub.config.compression else None
        sock, self.early_data = connection.take()
        self.carrier = hub.websocket(sock, self._agreement)

    def answer(self, admission: Admission, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """Send the 101."""
        assert admission.websocket_key is not None
        if self._agreement is not None:
            headers += (("Sec-WebSocket-Extensions", self._agreement.encode()),)
        self.carrier.send_now(encode_response(admission.websocket_key, headers))


def _join_session(client: EngineClient, carrier: WebSocketCarrier, early_data: bytes) -> None:
    """Let a WebSocket be a session's second carrier, if it needs one."""
    if client.candidate is not None or client.session.state is not State.OPEN:
        # As Node's server does it: clients take an HTTP error for a server that knows no WebSockets.
        reason = "the session is upgraded, or being upgraded, already"
        carrier.close(1000, reason)
        logger.info("%.6s… did not take another WebSocket: %s", client.session.sid, reason)
    else:
        client.start_candidate(carrier, early_data)
