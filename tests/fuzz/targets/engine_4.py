"""Payloads of Engine.IO 4: the body of a POST."""

from __future__ import annotations

from webpy_socketio.errors import ProtocolError
from webpy_socketio.wire.engine_packets import BadPayload, decode_binary, decode_payload, encode_binary, encode_payload

MAX_LENGTH = 16_000

SEEDS = [
    b'42["event",1]',
    b"2probe\x1e3\x1e6\x1e1",
    "4gr\u00fc\u00df\U0001f600\x1ebAQIDBA==".encode(),
    b"bAAA=\x1eb\x1e40",
    b"4\xff",
    b"4ok\x1e9",
    b"\x1e",
    b"bA",
]

WORDS = [b"\x1e", b"b", b"4", b"==", b"2probe", b"\xf0\x9f\x98\x80", b"\xed\xa0\x80"]


def run(data: bytes) -> None:
    """Split a payload, and put it together again."""
    try:
        decode_binary(data)
        decode_binary(data.decode("latin-1"))
    except ProtocolError:
        pass
    try:
        packets = decode_payload(data)
    except BadPayload as error:
        packets = error.packets
        assert error.reason and error.close_code in (1002, 1007)
    assert len(packets) <= data.count(b"\x1e") + 1
    assert sum(map(len, packets)) <= len(data)
    if packets:
        encoded = [packet.encode() if isinstance(packet, str) else encode_binary(packet) for packet in packets]
        assert decode_payload(encode_payload(encoded)) == packets
