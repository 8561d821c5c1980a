"""The opening handshake of a WebSocket: an environ's fields, one per line, and the offer of compression among them."""

from __future__ import annotations

from webpy_socketio.errors import ProtocolError
from webpy_socketio.wire.deflate import negotiate
from webpy_socketio.wire.handshake import accept_key, encode_response, is_upgrade, validate_request

MAX_LENGTH = 8_000

FIELDS = (
    *("HTTP_SEC_WEBSOCKET_EXTENSIONS", "HTTP_SEC_WEBSOCKET_KEY", "HTTP_CONNECTION", "HTTP_UPGRADE"),
    *("HTTP_SEC_WEBSOCKET_VERSION", "HTTP_HOST", "REQUEST_METHOD", "SERVER_PROTOCOL"),
)
USUAL = (b"", b"dGhlIHNhbXBsZSBub25jZQ==", b"Upgrade", b"websocket", b"13", b"x", b"GET", b"HTTP/1.1")


def _lines(*first: bytes) -> bytes:
    return b"\n".join((*first, *USUAL[len(first) :]))


SEEDS = [
    _lines(),
    _lines(b"permessage-deflate"),
    _lines(b"permessage-deflate; client_max_window_bits"),
    _lines(b'permessage-deflate; server_max_window_bits="10"; client_max_window_bits=9, permessage-deflate'),
    _lines(b"permessage-deflate; server_no_context_takeover; client_no_context_takeover"),
    _lines(b'foo; a="b,c;d", permessage-deflate; unknown, permessage-deflate; client_max_window_bits=15'),
    _lines(b"", b"dGhlIHNhbXBsZSBub25jZQ", b"keep-alive, Upgrade", b"h2c, WebSocket"),
    _lines(b"", b"!!!!", b"close", b"", b"8", b"", b"POST", b"HTTP/1.0"),
]

WORDS = [
    *(b"permessage-deflate", b"client_max_window_bits", b"server_max_window_bits", b"client_no_context_takeover"),
    *(b"server_no_context_takeover", b"; ", b", ", b"=", b'"', b"\\", b"websocket", b"Upgrade", b"8", b"15", b"\n"),
]


def run(data: bytes) -> None:
    """Validate a request, and answer it; negotiate what it offers."""
    environ = dict(zip(FIELDS, data.decode("latin-1").split("\n"), strict=False))
    is_upgrade(environ)
    try:
        key = validate_request(environ)
    except ProtocolError:
        pass
    else:
        assert len(accept_key(key)) == 28
        head = encode_response(key)
        assert head.count(b"\r\n") == 5 and head.endswith(b"\r\n\r\n")
    offers = environ.get("HTTP_SEC_WEBSOCKET_EXTENSIONS", "")
    agreement = negotiate(offers)
    if agreement is not None:
        assert "permessage-deflate" in offers
        answer = agreement.encode()
        assert answer.isascii() and "\r" not in answer and "\n" not in answer
        # What we answer is an offer, too, that leads to the same.
        again = negotiate(answer)
        assert again is not None and again.encode() == answer
        assert 9 <= agreement.server_bits <= 15 and (agreement.client_bits or 8) in range(8, 13)
