"""Who may begin a session: how many an address may have, and what the application says (the ``admit`` hook).

Long-polling and WebSocket alike, between the checks of the request and the session.
"""

from __future__ import annotations

import logging
from http import HTTPStatus

import gevent
import web
from gevent import Timeout

from ..errors import HandshakeRefused, Refused
from ..hub.engine_client import EngineClient
from ..hub.hub import Hub
from ..hub.request import Request
from ..limit_rules import Violation
from ..types import Environ
from .admission import LimitStruck, refusal
from .webpy_databases import close_databases

__all__ = ["Newcomer", "let_in"]

logger = logging.getLogger("webpy_socketio.session")

#: What pages of other origins send along and must not count where everybody may connect.
_CREDENTIALS = ("HTTP_COOKIE", "HTTP_AUTHORIZATION", "REMOTE_USER", "AUTH_TYPE")
#: What web.py itself puts into `web.ctx`; all else there comes from the application, and perhaps from a cookie.
_CONTEXT = (
    *("status", "headers", "output", "app_stack", "protocol", "host", "ip", "method", "path", "query", "fullpath"),
    *("home", "homedomain", "homepath", "realhome"),
)


class Newcomer:
    """A client that has been let in, and whose session is yet to begin.

    As a context manager it gives its place back at the end of the block, unless a session has begun.
    """

    __slots__ = ("_group", "_hub", "request")

    def __init__(self, hub: Hub, request: Request, group: str | None) -> None:
        self._hub = hub
        self.request = request
        self._group = group

    def __enter__(self) -> Newcomer:
        return self

    def __exit__(self, *failure: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Give the place back, if it is not the session's."""
        if self._group is not None:
            self._hub.addresses.leave(self._group)

    def open(self, *, upgraded: bool, revision: int) -> EngineClient:
        """Begin the session."""
        client = self._hub.open_client(self.request, upgraded=upgraded, revision=revision)
        if self._group is not None:
            self._hub.addresses.keep(client.session.sid, self._group)
            self._group = None
        return client


def let_in(hub: Hub, environ: Environ, *, foreign: bool) -> Newcomer:
    """Ask everybody who may object. ``foreign``: a page of another origin asks.

    Raises ``HandshakeRefused``.
    """
    is_stranger = foreign and hub.config.cors_allowed_origins == "*"
    if is_stranger:
        environ = {name: value for name, value in environ.items() if name not in _CREDENTIALS}
    request = Request(environ)
    newcomer = Newcomer(hub, request, _take_place(hub, request))
    try:
        if hub.config.admit is not None:
            _ask_apart(hub, request, environ) if is_stranger else _ask_application(hub, request)
        if hub.is_stopping:
            raise HandshakeRefused("503 Service Unavailable", 3, "The server is stopping")
    except BaseException:
        newcomer.leave()
        raise
    return newcomer


def _take_place(hub: Hub, request: Request) -> str | None:
    limit = hub.config.max_connections_per_address
    address = request.get("REMOTE_ADDR")
    if limit is None or not address:  # who comes by a Unix socket has none
        return None
    group = hub.addresses.enter(address)
    if group is None:
        is_proxy = "HTTP_X_FORWARDED_FOR" in request and not hub.config.trusted_proxies
        detail = "it seems to be a proxy, see trusted_proxies" if is_proxy else ""
        hub.strike(Violation("max_connections_per_address", limit + 1, limit, request=request, detail=detail))
        raise LimitStruck("429 Too Many Requests", 3, "Too many connections from your address")
    return group


def _ask_apart(hub: Hub, request: Request, environ: Environ) -> None:
    """Ask the hook in a greenlet of its own, where neither `web.cookies` nor a session of web.py knows the user: both
    have taken the cookies from the request before it came to us.
    """
    context = {name: web.ctx[name] for name in _CONTEXT if name in web.ctx}

    def ask() -> HandshakeRefused | None:
        web.ctx.update({**context, "env": environ, "environ": environ, "headers": list(context.get("headers", ()))})
        try:
            _ask_application(hub, request)
        except HandshakeRefused as error:
            return error
        finally:
            close_databases()
        return None

    greenlet = gevent.spawn(ask)
    try:
        error = greenlet.get()
    finally:
        greenlet.kill(block=False)
    if error is not None:
        raise error


def _ask_application(hub: Hub, request: Request) -> None:
    """Ask the ``admit`` hook. One that fails lets nobody in."""
    admit = hub.config.admit
    assert admit is not None
    headers = list(web.ctx.headers)
    try:
        verdict = admit(request)
    except web.HTTPError as error:
        # What it has set for a page of its own does not count; a redirection would lead a client nowhere.
        status, web.ctx.headers = web.ctx.status, headers
        is_error = status[:1] in ("4", "5")
        status, text = (status, _text_of(error.data or status[4:])) if is_error else ("403 Forbidden", "Forbidden")
        raise HandshakeRefused(status, 4, text, "by admit") from error
    except Refused as error:
        phrase = HTTPStatus(error.status).phrase if error.status in _STATUSES else "Refused"
        raise HandshakeRefused(f"{error.status} {phrase}", 4, _text_of(error.message), "by admit") from error
    except (Exception, Timeout, SystemExit) as error:
        logger.exception("admit failed for %s", request.get("REMOTE_ADDR") or "-")
        raise HandshakeRefused("500 Internal Server Error", 4, "Forbidden", "admit failed") from error
    if verdict is not None and not isinstance(verdict, bool):
        kind = type(verdict).__name__
        logger.error("admit must give True, None or False, or raise Refused, but gave something of the type %s", kind)
        raise HandshakeRefused("500 Internal Server Error", 4, "Forbidden", "admit failed")
    if verdict is False:
        raise refusal(4, "by admit")


def _text_of(given: object) -> str:
    """Give what the application says as a text that can be sent: it may be an exception, or have half characters."""
    text = given.decode(errors="replace") if isinstance(given, bytes) else str(given)
    return text.encode(errors="replace").decode()


_STATUSES = frozenset(HTTPStatus)
