"""Payloads of Engine.IO 3, in text and in binary: the body of a POST."""

from __future__ import annotations

from webpy_socketio.errors import ProtocolError
from webpy_socketio.wire.engine_packets_3 import (
    BadPayload,
    decode_base64,
    decode_payload,
    encode_base64,
    encode_binary_piece,
    encode_text_piece,
)

MAX_LENGTH = 16_000

SEEDS = [
    b'13:42["event",1]',
    b"6:2probe1:31:1",
    "5:4gr\u00fc\u00df3:4\U0001f60010:b4AQIDBA==".encode(),
    b"0:1:2",
    b"2:4\xff",
    "2:4\U0001f600".encode(),
    b"99999999999:4",
    b"5:4ok",
    b"\0\2\xff40\1\5\xff\4\1\2\3\4",
    b"\1\1\xff\4\0\1\0\xff4123456789",
    b"\0\xff",
    b"\0\1\1\1\1\1\1\1\1\1\1\1\1\xff4",
    b"b4AQIDBA==",
]

WORDS = [b"1:", b"10:", b"0:", b"b4", b"\xff", b"\0", b"\1", b"\4", b"==", b"\xf0\x9f\x98\x80", b"9999999999:"]


def run(data: bytes) -> None:
    """Split a payload, and put it together again."""
    try:
        found = decode_base64(data)
    except ProtocolError:
        pass
    else:
        assert decode_base64(encode_base64(found)) == found
    try:
        packets = decode_payload(data)
    except BadPayload as error:
        packets = error.packets
        assert error.reason and error.close_code in (1002, 1007)
    assert len(packets) <= len(data)
    is_binary = data[:1] in (b"\0", b"\1")
    assert is_binary or all(isinstance(packet, str) and packet for packet in packets)
    if packets:
        pieces = [_encode(packet, is_binary) for packet in packets]
        assert decode_payload(b"".join(pieces)) == packets


def _encode(packet: str | bytes, is_binary: bool) -> bytes:
    data = packet.encode() if isinstance(packet, str) else packet
    return encode_binary_piece(data, binary=isinstance(packet, bytes)) if is_binary else encode_text_piece(data)
