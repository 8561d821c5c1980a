"""The server's side of the opening handshake (RFC 6455 section 4.2).

It knows header fields; where they come from, and whether this client may connect, is the gateway's business.
"""

from __future__ import annotations

import hashlib
import re
from binascii import b2a_base64
from collections.abc import Mapping

from ..errors import ProtocolError

__all__ = ["accept_key", "encode_response", "is_upgrade", "validate_request"]

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#: 16 bytes in base64 (RFC 4648 section 4).
_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")
_RESPONSE = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "


def _has_token(value: object, token: str) -> bool:
    """Look for a token in a comma-separated list of them, in any case (linear: CVE-2021-32640 was a regular expression
    here).
    """
    lower = str(value).lower()
    return lower == token or token in [one.strip() for one in lower.split(",")]


def is_upgrade(environ: Mapping[str, object]) -> bool:
    """Tell whether a WSGI environ asks for a WebSocket at all."""
    return "HTTP_UPGRADE" in environ and _has_token(environ["HTTP_UPGRADE"], "websocket")


def validate_request(environ: Mapping[str, object]) -> str:
    """Check an upgrade request (section 4.2.1) and give its key.

    Raises ``ProtocolError`` whose text says which header is wrong.
    """
    if environ.get("REQUEST_METHOD") != "GET":
        raise ProtocolError(f"a WebSocket is opened by GET, not by {environ.get('REQUEST_METHOD')}")
    if environ.get("SERVER_PROTOCOL") in ("HTTP/0.9", "HTTP/1.0"):
        raise ProtocolError(f"a WebSocket needs HTTP/1.1, not {environ.get('SERVER_PROTOCOL')}")
    if not environ.get("HTTP_HOST"):
        raise ProtocolError("the header Host is missing")
    if not is_upgrade(environ):
        raise ProtocolError("the header 'Upgrade: websocket' is missing")
    if not _has_token(environ.get("HTTP_CONNECTION", ""), "upgrade"):
        raise ProtocolError("the header 'Connection: Upgrade' is missing")
    if environ.get("HTTP_SEC_WEBSOCKET_VERSION") != "13":
        raise ProtocolError("the header Sec-WebSocket-Version must be 13")
    key = str(environ.get("HTTP_SEC_WEBSOCKET_KEY", "")).strip()
    if _KEY.fullmatch(key) is None:
        raise ProtocolError("the header Sec-WebSocket-Key must be 16 bytes in base64")
    return key


def accept_key(key: str) -> str:
    """Compute Sec-WebSocket-Accept (section 4.2.2, step 5.4)."""
    digest = hashlib.sha1(key.encode("ascii") + _GUID, usedforsecurity=False).digest()
    return b2a_base64(digest, newline=False).decode("ascii")


def encode_response(key: str, headers: tuple[tuple[str, str], ...] = ()) -> bytes:
    """Encode the 101 response for a validated ``key``, with further header fields."""
    further = "".join([f"{name}: {value}\r\n" for name, value in headers])
    return f"{_RESPONSE}{accept_key(key)}\r\n{further}\r\n".encode("latin-1")
