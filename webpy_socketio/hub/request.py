"""The handshake's request, as handlers see it: the WSGI environ without what belongs to the server."""

from __future__ import annotations

from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl

__all__ = ["Request"]


class Request(dict[str, Any]):  # Any: a WSGI environ's values, of which only strings are kept
    """A WSGI environ (its strings), with the parts of it that handlers ask for most.

    ``auth`` is the payload of the client's CONNECT packet, a dictionary.
    """

    __slots__ = ("auth",)

    def __init__(self, environ: Mapping[str, Any], auth: dict[str, Any] | None = None) -> None:
        super().__init__({key: value for key, value in environ.items() if type(value) is str})
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
