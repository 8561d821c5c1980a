"""The answers of the endpoint, whoever writes them: through web.py's dispatch, or in the loop itself."""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache

import orjson

from ..config import Config
from ..errors import HandshakeRefused
from ..types import Environ
from ..wire.handshake import is_upgrade
from . import codings

__all__ = ["Answer", "Headers", "accepted_codings", "date_now", "make_answer", "payload_answer", "refusal_answer"]

Headers = list[tuple[str, str]]


class Answer:
    """Status, header fields and body. The fields of CORS are not among them: they depend on the request alone."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: str, headers: Headers, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def encode(self, further: Headers) -> bytes:
        """Encode it with ``further`` fields, as a message of HTTP/1.1 (RFC 9112)."""
        fields = "".join([f"{name}: {value}\r\n" for name, value in (*further, *self.headers)])
        head = f"HTTP/1.1 {self.status}\r\n{fields}Date: {date_now()}\r\n\r\n"
        return head.encode("latin-1") + self.body


def date_now() -> str:
    """Give the time as HTTP wants it (RFC 9110 section 6.6.1)."""
    return _date(int(time.time()))


@lru_cache(maxsize=2)
def _date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


def make_answer(body: bytes, content_type: str, status: str = "200 OK", headers: Headers | None = None) -> Answer:
    """Make an answer; as its length is known it is not sent in chunks."""
    own = [
        ("Content-Type", content_type),
        # Somebody who is led to it sees what a stranger wrote, which old browsers would take for a page of ours.
        ("X-Content-Type-Options", "nosniff"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
    ]
    return Answer(status, own if headers is None else headers + own, body)


def accepted_codings(environ: Environ) -> str:
    """Give what a request says of the codings that its client takes (RFC 9110 section 12.5.3)."""
    return str(environ.get("HTTP_ACCEPT_ENCODING", ""))


def payload_answer(payload: bytes, content_type: str, config: Config, accept_encoding: str) -> Answer:
    """Answer with a payload of long-polling, compressed where that is worth it."""
    threshold = config.http_compression_threshold
    if not threshold or len(payload) < threshold or not content_type.startswith("text/"):
        return make_answer(payload, content_type)
    headers = [("Vary", "Accept-Encoding")]
    coding = codings.choose(accept_encoding)
    if coding is not None:
        headers.append(("Content-Encoding", coding))
        payload = codings.compress(payload, coding)
    return make_answer(payload, content_type, headers=headers)


def refusal_answer(error: HandshakeRefused, environ: Environ) -> Answer:
    """Answer with a refusal: the JSON of Engine.IO, or nothing where its code is below zero."""
    headers: Headers = []
    if error.status.startswith("401"):  # RFC 9110 section 15.5.2; of a scheme for which no browser asks its user
        headers.append(("WWW-Authenticate", "SocketIO"))
    if is_upgrade(environ):
        # Its client may have sent frames already, which are no HTTP request.
        headers.append(("Connection", "close"))
    body = b"" if error.code < 0 else orjson.dumps({"code": error.code, "message": error.message})
    return make_answer(body, "application/json", error.status, headers)
