"""Polls and POSTs of sessions that have begun, answered in the loop without web.py's dispatch.

Messages on a WebSocket do not pass through the application's processors, and neither do these: a session of web.py is
read and written at the handshake. Whatever is not the usual case gives None, before anything has changed: the endpoint
in web.py's urls answers it then.
"""

from __future__ import annotations

from collections.abc import Callable

from ..config import Config
from ..errors import HandshakeRefused
from ..hub.engine_client import EngineClient
from ..hub.hub import Hub
from ..transport.polling import Connection, Poll, PollingCarrier
from ..types import Environ
from ..wire.request_head import RequestHead
from .admission import admit
from .answers import Answer, Headers, accepted_codings, payload_answer, refusal_answer
from .origins import cors_headers, is_allowed, origin_of
from .post import BATCH, decode_packets, post_answer

__all__ = ["Exchange", "begin"]


class Exchange:
    """A GET that is answered in the loop as soon as there is something to answer it with. ``cors`` are fields of that
    answer.
    """

    __slots__ = ("_accept_encoding", "_carrier", "_config", "_poll", "cors")

    def __init__(
        self, carrier: PollingCarrier, poll: Poll, config: Config, accept_encoding: str, cors: Headers
    ) -> None:
        self._carrier = carrier
        self._poll = poll
        self._config = config
        self._accept_encoding = accept_encoding
        self.cors = cors

    def take_answer(self) -> Answer | None:
        """Give the answer; None as long as there is none."""
        payload = self._carrier.take_payload(self._poll)
        if payload is None:
            return None
        return payload_answer(payload, self._carrier.content_type, self._config, self._accept_encoding)

    def end(self, *, written: bool) -> None:
        """Take note that the answer was written, or that nobody is there to read it."""
        self._carrier.settle_poll(self._poll, written=written)


def begin(
    hub: Hub, head: RequestHead, environ: Environ, body: bytes, connection: Connection, on_ready: Callable[[], object]
) -> Exchange | tuple[Answer, Headers] | None:
    """Answer a POST of a session, or begin to answer its GET; None if the endpoint shall do it.

    ``on_ready`` is called when a GET that is held may have its answer.
    """
    rule = hub.config.cors_allowed_origins
    if hub.is_stopping or len(body) != head.length or (callable(rule) and origin_of(environ) is not None):
        return None
    origin_may = is_allowed(environ, rule)
    try:
        admission = admit(environ, hub, origin_may)
    except HandshakeRefused:
        return None
    client = admission.client
    carrier = None if client is None else client.carrier
    if client is None or not isinstance(carrier, PollingCarrier):
        return None
    if admission.websocket_key is not None or admission.jsonp is not None:
        return None
    cors = cors_headers(environ, rule, origin_may)
    method = environ["REQUEST_METHOD"]
    if method == "POST":
        answer = _take_packets(client, carrier, environ, body)
        return None if answer is None else (answer, cors)
    if method != "GET" or body or not carrier.holds_polls:
        return None
    poll = carrier.open_poll(connection, on_ready)
    return None if poll is None else Exchange(carrier, poll, hub.config, accepted_codings(environ), cors)


def _take_packets(client: EngineClient, carrier: PollingCarrier, environ: Environ, body: bytes) -> Answer | None:
    config = client.hub.config
    if carrier.post_is_open or client.is_paused or len(body) > config.max_payload:
        return None
    packets, fault = decode_packets(body, client)
    if fault is not None or len(packets) >= BATCH or len(packets) > config.max_packets_per_payload:
        return None
    for packet in packets:
        client.receive_message(carrier, packet)
    try:
        return post_answer(client, packets)
    except HandshakeRefused as error:
        return refusal_answer(error, environ)
