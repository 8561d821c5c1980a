"""Who may connect from a browser: the Origin header against the rule in force (RFC 6454, Fetch's CORS protocol).

Polling and WebSocket alike: browsers do not keep foreign pages from opening WebSockets with the user's cookies.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from urllib.parse import urlsplit

from gevent import Timeout

from ..config import OriginRule
from ..types import Environ
from .forwarding import HOST

__all__ = ["cors_headers", "is_allowed", "is_foreign", "origin_of", "own_origin"]

logger = logging.getLogger("webpy_socketio.server")

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def origin_of(environ: Environ) -> str | None:
    """Give the origin of the page that asks; None if it is no page of another site.

    Where a page names an address for an image or a link, browsers send the cookies and no Origin. Those of today tell
    then, in a header that no page can write, that another site did it: of no known origin, "null".
    """
    origin = environ.get("HTTP_ORIGIN")
    if isinstance(origin, str):
        return origin
    return "null" if environ.get("HTTP_SEC_FETCH_SITE") in ("cross-site", "same-site") else None


def is_allowed(environ: Environ, rule: OriginRule) -> bool:
    """Tell whether a request's origin may connect.

    A rule of the application that raises lets nobody in.
    """
    origin = origin_of(environ)
    if origin is None:
        return True
    if callable(rule):
        try:
            return bool(rule(origin, environ))
        except (Exception, Timeout, SystemExit):
            logger.exception("cors_allowed_origins failed for the origin %.200r", origin)
            return False
    if rule == "*" or _is_same(origin, environ):
        return True
    return rule is not None and origin.lower().rstrip("/") in _listed(rule)


def is_foreign(environ: Environ) -> bool:
    """Tell whether a page of another origin asks."""
    origin = origin_of(environ)
    return origin is not None and not _is_same(origin, environ)


def own_origin(environ: Environ) -> str:
    """Give the origin that the pages of this site have."""
    return f"{environ.get('wsgi.url_scheme', 'http')}://{_host(environ)}"


def _host(environ: Environ) -> object:
    return environ.get(HOST) or environ.get("HTTP_HOST", "")


def _listed(rule: str | Iterable[str]) -> list[str]:
    names = [rule] if isinstance(rule, str) else list(rule)
    return [name.lower().rstrip("/") for name in names]


def _is_same(origin: str, environ: Environ) -> bool:
    """Compare with the host that the request was sent to; a proxy may have ended TLS, so http here may be https
    there.
    """
    try:
        theirs = urlsplit(origin)
        port = theirs.port or _DEFAULT_PORTS.get(theirs.scheme)
        ours = urlsplit(f"//{_host(environ)}")
        scheme = str(environ.get("wsgi.url_scheme", "http"))
        schemes = (scheme,) if scheme == "https" else ("http", "https")
        ports = [ours.port] if ours.port else [_DEFAULT_PORTS[name] for name in schemes]
    except ValueError:
        return False
    return theirs.scheme in schemes and bool(theirs.hostname) and theirs.hostname == ours.hostname and port in ports


def cors_headers(environ: Environ, rule: OriginRule, origin_may: bool) -> list[tuple[str, str]]:
    """Give the response headers that let a page of an allowed foreign origin read the answer.

    Clients 1.x and 2.x always ask with credentials, which browsers do not take for meant by "*". So the origin is named
    for that rule, too; what such a page sends of credentials is not looked at then (``cors_allowed_origins``).
    """
    origin = environ.get("HTTP_ORIGIN")
    if rule is None:
        return []
    headers = [("Vary", "Origin")]
    if isinstance(origin, str) and origin_may:
        headers += [("Access-Control-Allow-Origin", origin), ("Access-Control-Allow-Credentials", "true")]
    return headers
