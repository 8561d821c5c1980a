"""The handshake's request, as handlers see it: the WSGI environ without what belongs to the server."""

from __future__ import annotations

from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final
from urllib.parse import parse_qsl

__all__ = ["MAX_LENGTH", "MAX_VALUES", "Request", "known_values"]

#: What many clients send alike, and nobody's secret. A query may hold a token: of those only Engine.IO's own are kept.
_ALIKE: Final = frozenset(
    (
        "HTTP_ACCEPT",
        "HTTP_ACCEPT_ENCODING",
        "HTTP_ACCEPT_LANGUAGE",
        "HTTP_CACHE_CONTROL",
        "HTTP_CONNECTION",
        "HTTP_HOST",
        "HTTP_ORIGIN",
        "HTTP_PRAGMA",
        "HTTP_SEC_FETCH_DEST",
        "HTTP_SEC_FETCH_MODE",
        "HTTP_SEC_FETCH_SITE",
        "HTTP_SEC_WEBSOCKET_EXTENSIONS",
        "HTTP_SEC_WEBSOCKET_VERSION",
        "HTTP_UPGRADE",
        "HTTP_USER_AGENT",
        "PATH_INFO",
        "SERVER_PROTOCOL",
    )
)
_QUERIES: Final = {
    query: query
    for query in (f"EIO={revision}&transport={name}" for revision in "34" for name in ("websocket", "polling"))
}
#: Values that are kept, and their characters: half a megabyte at most, whatever clients make up.
MAX_VALUES, MAX_LENGTH = 1_000, 256
known_values: Final[dict[str, str]] = {}


def _remember(value: str) -> str:
    """Keep a value that may come again, unless it is too long."""
    if len(value) <= MAX_LENGTH:
        if len(known_values) >= MAX_VALUES:
            known_values.clear()  # those that are common are soon here again
        known_values[value] = value
    return value


class Request(dict[str, Any]):  # Any: a WSGI environ's values, of which only strings are kept
    """A WSGI environ (its strings), with the parts of it that handlers ask for most.

    ``auth`` is the payload of the client's CONNECT packet, a dictionary.
    """

    __slots__ = ("auth",)

    def __init__(self, environ: Mapping[str, Any], auth: dict[str, Any] | None = None) -> None:
        for key, value in environ.items():
            if type(value) is str:
                # Of what many clients send alike, all have one copy.
                if key in _ALIKE:
                    value = known_values.get(value) or _remember(value)
                elif key == "QUERY_STRING":
                    value = _QUERIES.get(value, value)
                self[key] = value
        self.auth: dict[str, Any] = {} if auth is None else auth

    @property
    def query(self) -> dict[str, str]:
        """Give the query string's fields; of a repeated one the last."""
        return dict(parse_qsl(self.get("QUERY_STRING", ""), keep_blank_values=True))

    @property
    def cookies(self) -> dict[str, str]:
        """Give the cookies; those that are not well-formed are left out."""
        found: dict[str, str] = {}
        for part in self.get("HTTP_COOKIE", "").split(";"):
            try:
                found.update((name, morsel.value) for name, morsel in SimpleCookie(part).items())
            except CookieError:
                continue
        return found

    @property
    def headers(self) -> dict[str, str]:
        """Give the header fields, named as HTTP names them: ``User-Agent``."""
        names = [key for key in self if key.startswith("HTTP_")]
        found = {key[5:].replace("_", "-").title(): self[key] for key in names}
        for key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            if self.get(key):
                found[key.replace("_", "-").title()] = self[key]
        return found
