"""Engine.IO protocol 4: packets on a WebSocket and payloads of long-polling.

A packet that carries binary data is always a MESSAGE. On a WebSocket it is a binary frame, in a payload ``b`` and
base64 (a client with the option ``forceBase64`` sends that as text on a WebSocket, too).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from ..errors import ProtocolError
from .values import encode_value

__all__ = [
    "BINARY",
    "CLOSE",
    "MESSAGE",
    "NOOP",
    "OPEN",
    "PING",
    "PONG",
    "UPGRADE",
    "BadPayload",
    "decode_binary",
    "decode_payload",
    "encode_binary",
    "encode_open",
    "encode_payload",
]

OPEN: Final = "0"
CLOSE: Final = "1"
PING: Final = "2"
PONG: Final = "3"
MESSAGE: Final = "4"
UPGRADE: Final = "5"
NOOP: Final = "6"
#: Begins binary data in base64, in place of a type.
BINARY: Final = "b"
#: Record separator between the packets of a payload.
SEPARATOR: Final = b"\x1e"


def encode_open(
    sid: str, upgrades: Iterable[str], ping_interval: float, ping_timeout: float, max_payload: int
) -> bytes:
    """Encode the OPEN packet; the intervals are given in seconds and travel in milliseconds. ``sid`` is an id of ours,
    in which JSON has nothing to escape.
    """
    terms = _encode_terms(tuple(upgrades), ping_interval, ping_timeout, max_payload)
    return f'{OPEN}{{"sid":"{sid}",{terms}'.encode()


@lru_cache(maxsize=10)
def _encode_terms(upgrades: tuple[str, ...], ping_interval: float, ping_timeout: float, max_payload: int) -> str:
    """Encode what the OPEN packets of all sessions tell alike: the object without its first brace."""
    terms = {
        "upgrades": upgrades,
        "pingInterval": round(ping_interval * 1000),
        "pingTimeout": round(ping_timeout * 1000),
        "maxPayload": max_payload,
    }
    return encode_value(terms)[1:].decode()


def encode_binary(data: bytes) -> bytes:
    """Encode binary data as a packet of a payload."""
    return b"b" + base64.b64encode(data)


def encode_payload(packets: Iterable[bytes]) -> bytes:
    """Join encoded packets to the body of one answer."""
    return SEPARATOR.join(packets)


class BadPayload(ProtocolError):
    """A payload with a packet that must not be; ``packets`` are the good ones before it."""

    def __init__(self, packets: list[str | bytes], reason: str, close_code: int = 1002) -> None:
        super().__init__(reason, close_code)
        self.packets = packets


def decode_payload(body: bytes) -> list[str | bytes]:
    """Split the body of a POST to its packets: text with its type digit, or binary data.

    Raises ``BadPayload`` for text that is not UTF-8, a packet without a known type, or broken base64. An empty body is
    no payload.
    """
    packets: list[str | bytes] = []
    try:
        for piece in body.split(SEPARATOR):
            packets.append(decode_binary(piece) if piece[:1] == b"b" else _decode_text(piece))
    except ProtocolError as error:
        raise BadPayload(packets, error.reason, error.close_code) from error
    return packets


def _decode_text(piece: bytes) -> str:
    if not piece or not 0x30 <= piece[0] <= 0x36:
        raise ProtocolError("a packet begins with its type, a digit from 0 to 6, or with b")
    try:
        return piece.decode()
    except UnicodeDecodeError as error:
        raise ProtocolError("a packet is not UTF-8", 1007) from error


def decode_binary(piece: str | bytes) -> bytes:
    """Decode binary data that is written as ``b`` and base64. Raises ``ProtocolError`` for broken base64."""
    try:
        return base64.b64decode(piece[1:], validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProtocolError("binary data in text must be base64") from error
