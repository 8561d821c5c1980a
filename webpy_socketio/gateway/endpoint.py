"""The endpoint in web.py's own dispatch: `socketio_urls`.

Its methods give generators: web.py then saves the session and leaves the application's processors before the first
wait, while status and headers may be set until the first ``yield``. A method that waited itself would write a stale
session back when it returns. (Hooks of `web.unloadhook` run after the last chunk.)
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import web
from gevent import sleep

from ..errors import HandshakeRefused
from ..hub.hub import Hub, default_hub
from ..hub.message_log import ESCAPES
from ..transport.polling import PollingCarrier
from ..types import Environ
from . import jsonp, static
from .admission import Admission, LimitStruck, SessionEnded, admit, check_origin, parse_query, refusal, session_ended
from .answers import Answer, accepted_codings, payload_answer, refusal_answer
from .cookie import set_cookie
from .forwarding import believe_proxies
from .handoff import connection_of
from .newcomers import let_in
from .origins import cors_headers, is_allowed, is_foreign
from .post import BATCH, post_answer, read_packets
from .upgrade import upgrade

__all__ = ["PATH", "answer", "socketio", "socketio_urls"]

logger = logging.getLogger("webpy_socketio.session")

#: The first segment of the endpoint's path inside the application, whatever ``resource`` says outside.
PATH = "/socket.io"
_METHODS = "GET, POST, OPTIONS"
#: What of a session's id may stand in the log, and cannot forge lines of it.
_SID = re.compile(r"(?:^|&)sid=([\w-]{6})")


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
    config = hub.config
    if config.trusted_proxies:
        believe_proxies(environ, config)
    rule = config.cors_allowed_origins
    origin_may = is_allowed(environ, rule)
    web.ctx.headers.extend(cors_headers(environ, rule, origin_may))
    name = str(environ.get("PATH_INFO", "")).rpartition("/")[2]
    script = static.serve(name, environ) if name else None
    try:
        if script is not None:
            yield _put(script)
        elif environ["REQUEST_METHOD"] == "OPTIONS":
            yield _preflight(environ, origin_may)
        else:
            yield from _serve(hub, environ, origin_may)
    except HandshakeRefused as error:
        if not isinstance(error, (SessionEnded, LimitStruck)):
            logger.info("Refused a request from %s: %s", _describe(environ), str(error).translate(ESCAPES))
        yield _put(refusal_answer(error, environ))


def _put(answer: Answer) -> bytes:
    """Put an answer into web.py's context; give its body."""
    web.ctx.status = answer.status
    web.ctx.headers.extend(answer.headers)
    return answer.body


def _describe(environ: Environ) -> str:
    """Tell for the log who asks, and of which session."""
    sid = _SID.search(str(environ.get("QUERY_STRING", "")))
    return f"{environ.get('REMOTE_ADDR') or '-'}{f' ({sid[1]}…)' if sid else ''}"


def _payload(payload: bytes, carrier: PollingCarrier, hub: Hub, environ: Environ, admission: Admission) -> bytes:
    """Answer with a payload, as a script for JSONP."""
    content_type = carrier.content_type
    if admission.jsonp is not None:
        payload, content_type = jsonp.encode_answer(admission.jsonp, payload), jsonp.CONTENT_TYPE
    return _put(payload_answer(payload, content_type, hub.config, accepted_codings(environ)))


def _preflight(environ: Environ, origin_may: bool) -> bytes:
    """Answer OPTIONS, which mostly is a preflight request of CORS."""
    check_origin(environ, origin_may)
    web.ctx.status = "204 No Content"
    web.header("Allow", _METHODS)
    wanted = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "Content-Type")
    if "HTTP_ORIGIN" in environ and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ:
        web.header("Access-Control-Allow-Methods", _METHODS)
        web.header("Access-Control-Allow-Headers", str(wanted))
        web.header("Access-Control-Max-Age", "600")
        web.header("Vary", "Access-Control-Request-Headers")
    return b""


def _serve(hub: Hub, environ: Environ, origin_may: bool) -> Iterator[bytes]:
    if not (hub.is_open or hub.is_stopping):
        hub.open()
    page = environ  # who asks
    if hub.config.jsonp and jsonp.number_of(parse_query(environ)) is not None:
        page = jsonp.asked_by(environ)
        origin_may = is_allowed(page, hub.config.cors_allowed_origins)
    admission = admit(page, hub, origin_may)
    if hub.is_stopping and admission.farewell is None:
        raise HandshakeRefused("503 Service Unavailable", 3, "The server is stopping")
    method = environ["REQUEST_METHOD"]
    if admission.websocket_key is not None:
        yield upgrade(hub, environ, admission)
    elif admission.farewell is not None and method == "GET":
        hub.wheel.cancel(admission.farewell)
        farewell = admission.farewell.say()
        yield _payload(farewell, admission.farewell.carrier, hub, environ, admission)
    elif method == "GET":
        yield from _poll(hub, environ, admission)
    elif method == "POST":
        yield from _receive(hub, environ, admission)
    else:
        raise refusal(2, f"{method!s:.20} with a session")


def _poll(hub: Hub, environ: Environ, admission: Admission) -> Iterator[bytes]:
    """Answer a GET: the handshake, or what waits for the client, as soon as there is any."""
    client = admission.client
    connection = connection_of(environ)
    if client is None:
        page = environ if admission.jsonp is None else jsonp.asked_by(environ)
        with let_in(hub, environ, foreign=is_foreign(page)) as newcomer:
            client = newcomer.open(upgraded=False, revision=admission.revision)
        web.ctx.headers.extend(set_cookie(environ, hub.config, client.session.sid))
        client.open(offer_upgrade=connection is not None)
    elif admission.jsonp is not None and "j" not in client.request.query:
        raise refusal(3, "JSONP in a session that was begun without")
    carrier = client.carrier
    assert isinstance(carrier, PollingCarrier)
    poll = carrier.open_poll(connection)
    if poll is None:
        # One whose client is gone may come to be looked at behind the one that repeats it.
        if connection is None or not connection.is_gone():
            hub.close(client, "transport error", "two GETs at once")
        raise session_ended()
    written = False
    try:
        payload = carrier.wait_payload(poll)
        yield _payload(payload, carrier, hub, environ, admission)
        # The generator is resumed when the body has been written, and only then.
        written = True
    finally:
        carrier.settle_poll(poll, written=written)


def _receive(hub: Hub, environ: Environ, admission: Admission) -> Iterator[bytes]:
    """Answer a POST: take its packets."""
    client = admission.client
    if client is None:
        raise refusal(1)
    carrier = client.carrier
    assert isinstance(carrier, PollingCarrier)
    if carrier.post_is_open:
        hub.close(client, "transport error", "two POSTs at once")
        raise session_ended()
    carrier.post_is_open = True
    try:
        client.wait_until_resumed(hub.config.body_timeout)
        packets, fault = read_packets(environ, hub.config, client, is_form=admission.jsonp is not None)
        for number, packet in enumerate(packets):
            if number % BATCH == BATCH - 1:
                sleep(0)
            client.receive_message(carrier, packet)
        if fault is not None and not client.is_closed:
            hub.close(client, "parse error", fault.reason)
    finally:
        carrier.post_is_open = False
    yield _put(post_answer(client, packets))
