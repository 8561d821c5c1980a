"""The endpoint in web.py's own dispatch: `socketio_urls`.

Its methods give generators: web.py then saves the session and leaves the application's processors before the first
wait, while status and headers may be set until the first ``yield``. A method that waited itself would write a stale
session back when it returns. (Hooks of `web.unloadhook` run after the last chunk.)
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import orjson
import web
from gevent import Timeout, sleep

from ..errors import HandshakeRefused
from ..hub.engine_client import EngineClient
from ..hub.hub import Hub, default_hub
from ..hub.request import Request
from ..transport.polling import PollingCarrier
from ..types import Environ
from ..wire.engine_packets import CLOSE, BadPayload
from ..wire.handshake import is_upgrade
from . import static
from .admission import Admission, admit, check_origin, refusal
from .handoff import connection_of
from .origins import cors_headers, is_allowed
from .upgrade import upgrade

__all__ = ["PATH", "answer", "socketio", "socketio_urls"]

logger = logging.getLogger("webpy_socketio.session")

#: The first segment of the endpoint's path inside the application, whatever ``resource`` says outside.
PATH = "/socket.io"
#: Packets of one POST that are taken before others have their turn.
BATCH = 500


class socketio:  # web.py's way to name what a URL leads to
    """The web.py class behind `socketio_urls`."""

    def GET(self) -> Iterator[bytes]:
        """Answer a handshake, a poll, an upgrade, or a request for one of the scripts."""
        return answer(default_hub(), web.ctx.env)

    # Every other method comes the same way, so that its refusal is Engine.IO's.
    POST = PUT = DELETE = PATCH = HEAD = OPTIONS = GET


#: To be added to an application's urls.
socketio_urls = (r"/socket\.io(?:/.*)?", socketio)


def answer(hub: Hub, environ: Environ) -> Iterator[bytes]:
    """Answer one request; a generator, for web.py."""
    rule = hub.config.cors_allowed_origins
    origin_may = is_allowed(environ, rule)
    for header in cors_headers(environ, rule, origin_may):
        web.header(*header)
    script = static.serve(str(environ.get("PATH_INFO", "")).rpartition("/")[2], environ)
    try:
        if script is not None:
            web.ctx.status = script.status
            web.ctx.headers.extend(script.headers)
            yield script.body
        elif environ["REQUEST_METHOD"] == "OPTIONS":
            yield _preflight(environ, origin_may)
        else:
            yield from _serve(hub, environ, origin_may)
    except HandshakeRefused as error:
        if not isinstance(error, _SessionEnded):
            logger.info("Refused a request from %s: %s", environ.get("REMOTE_ADDR", "-"), error)
        yield _refuse(error, environ)


class _SessionEnded(HandshakeRefused):
    """A request that has cost its session, whose end is in the log already."""


def _session_ended() -> HandshakeRefused:
    error = refusal(3)
    return _SessionEnded(error.status, error.code, error.message)


def _refuse(error: HandshakeRefused, environ: Environ) -> bytes:
    web.ctx.status = error.status
    if is_upgrade(environ):
        # Its client may have sent frames already, which are no HTTP request.
        web.header("Connection", "close")
    body = b"" if error.code < 0 else orjson.dumps({"code": error.code, "message": error.message})
    return _body(body, "application/json")


def _body(body: bytes, content_type: str) -> bytes:
    """Set the headers of an answer; with its length it is not sent in chunks."""
    web.header("Content-Type", content_type)
    web.header("Content-Length", str(len(body)))
    web.header("Cache-Control", "no-store")
    return body


def _preflight(environ: Environ, origin_may: bool) -> bytes:
    """Answer a CORS preflight request."""
    check_origin(environ, origin_may)
    web.ctx.status = "204 No Content"
    web.header("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
    web.header("Access-Control-Allow-Headers", str(environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "Content-Type")))
    web.header("Access-Control-Max-Age", "600")
    return b""


def _serve(hub: Hub, environ: Environ, origin_may: bool) -> Iterator[bytes]:
    if not hub.is_stopping:
        hub.open()
    admission = admit(environ, hub, origin_may)
    if hub.is_stopping and admission.farewell is None:
        raise HandshakeRefused("503 Service Unavailable", 3, "The server is stopping")
    method = environ["REQUEST_METHOD"]
    if admission.websocket_key is not None:
        yield upgrade(hub, environ, admission)
    elif admission.farewell is not None and method == "GET":
        hub.wheel.cancel(admission.farewell)
        farewell = admission.farewell.say()
        yield _body(farewell, admission.farewell.carrier.content_type)
    elif method == "GET":
        yield from _poll(hub, environ, admission)
    elif method == "POST":
        yield from _receive(hub, environ, _polling_client(admission))
    else:
        raise refusal(2, f"{method!s:.20} with a session")


def _polling_client(admission: Admission) -> EngineClient:
    if admission.client is None:
        raise refusal(1)
    return admission.client


def _poll(hub: Hub, environ: Environ, admission: Admission) -> Iterator[bytes]:
    """Answer a GET: the handshake, or what waits for the client, as soon as there is any."""
    client = admission.client
    connection = connection_of(environ)
    if client is None:
        client = hub.open_client(Request(environ), upgraded=False, revision=admission.revision)
        client.open(offer_upgrade=connection is not None)
    carrier = client.carrier
    assert isinstance(carrier, PollingCarrier)
    poll = carrier.open_poll(connection)
    if poll is None:
        hub.close(client, "transport error", "two GETs at once")
        raise _session_ended()
    written = False
    try:
        payload = carrier.wait_payload(poll)
        yield _body(payload, carrier.content_type)
        # The generator is resumed when the body has been written, and only then.
        written = True
    finally:
        carrier.settle_poll(poll, written=written)


def _receive(hub: Hub, environ: Environ, client: EngineClient) -> Iterator[bytes]:
    """Answer a POST: take its packets."""
    carrier = client.carrier
    assert isinstance(carrier, PollingCarrier)
    if carrier.post_is_open:
        hub.close(client, "transport error", "two POSTs at once")
        raise _session_ended()
    carrier.post_is_open = True
    try:
        client.wait_until_resumed(hub.config.body_timeout)
        packets, fault = _decode(client, _read_body(environ, hub))
        for number, packet in enumerate(packets):
            if number % BATCH == BATCH - 1:
                hub.workers.request()
                sleep(0)
            client.receive_message(carrier, packet)
        hub.workers.request()
        if fault is not None and not client.is_closed:
            hub.close(client, "parse error", fault.reason)
    finally:
        carrier.post_is_open = False
    if client.is_closed and CLOSE not in packets:
        raise _session_ended()
    yield _body(b"ok", "text/html")


def _decode(client: EngineClient, body: bytes) -> tuple[list[str | bytes], BadPayload | None]:
    """Decode a payload; of a bad one, what came before the fault, and the fault."""
    try:
        return client.decode_payload(body), None
    except BadPayload as error:
        return error.packets, error


def _read_body(environ: Environ, hub: Hub) -> bytes:
    """Read a body of known or unknown length, never more than ``max_payload`` bytes nor longer than
    ``body_timeout``.
    """
    limit = hub.config.max_payload
    length = str(environ.get("CONTENT_LENGTH") or "")
    if length.isdigit() and int(length) > limit:
        raise _too_large(limit)
    timeout = Timeout(hub.config.body_timeout)
    with timeout:
        try:
            body = environ["wsgi.input"].read(limit + 1)  # type: ignore[attr-defined]  # a file by PEP 3333
        except Timeout as error:
            if error is not timeout:
                raise
            raise HandshakeRefused("408 Request Timeout", 3, "The body did not come in time") from None
        except OSError as error:
            raise refusal(3, f"the body broke off ({error})") from error
    if len(body) > limit:
        raise _too_large(limit)
    return bytes(body)


def _too_large(limit: int) -> HandshakeRefused:
    return HandshakeRefused("413 Payload Too Large", -1, "", f"a body of more than {limit} bytes (max_payload)")
