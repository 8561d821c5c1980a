"""Engine.IO protocol 3: payloads of long-polling, as clients of the first two generations (1.x and 2.x) write them.

A *text* payload is ``<length>:<packet>`` again and again; lengths count UTF-16 code units, as JavaScript's strings do.
Binary data is in it as ``b4`` and base64. A *binary* payload, for clients that know XMLHttpRequest 2, is 0 (text) or 1
(binary), the digits of the length in bytes as numbers 0 to 9, 255, and the packet. The type of a packet with binary
data is a byte 4, on a WebSocket too: decoders leave it where it is, as they leave the digit of text.
"""

from __future__ import annotations

import base64
import binascii
import re

from ..errors import ProtocolError
from .engine_packets import BadPayload

__all__ = [
    "MESSAGE_BYTE",
    "decode_base64",
    "decode_payload",
    "encode_base64",
    "encode_binary_piece",
    "encode_text_piece",
]

#: Begins a packet with binary data: its type, MESSAGE, as a byte.
MESSAGE_BYTE = b"\x04"
#: Between the length and the packet in a binary payload.
_END_OF_LENGTH = 0xFF
#: A length of more digits is longer than any payload (and int() of very many digits would be slow).
_MAX_DIGITS = 10
_LENGTH = re.compile(r"([0-9]{1,10}):")
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_TEXT, _BINARY = 0, 1


def encode_base64(data: bytes) -> bytes:
    """Encode binary data as a packet of text."""
    return b"b4" + base64.b64encode(data)


def encode_text_piece(packet: bytes) -> bytes:
    """Encode one packet (text in UTF-8) for a text payload."""
    size = len(packet)
    if not packet.isascii():
        size = len(packet.decode().encode("utf-16-le")) >> 1
    return b"%d:%b" % (size, packet)


def encode_binary_piece(packet: bytes, *, binary: bool) -> bytes:
    """Encode one packet for a binary payload: text in UTF-8, or (``binary``) what begins with `MESSAGE_BYTE`."""
    digits = bytes(map(int, str(len(packet))))
    return bytes((_BINARY if binary else _TEXT,)) + digits + b"\xff" + packet


def decode_payload(body: bytes) -> list[str | bytes]:
    """Split the body of a POST to its packets: text with its type digit, or bytes with their type byte.

    Raises ``BadPayload`` for a broken length, text that is not UTF-8, and a body without anything in it. Whether a type
    is known is for the session to say.
    """
    packets: list[str | bytes] = []
    try:
        if body[:1] in (b"\x00", b"\x01"):
            _split_binary(body, packets)
        else:
            _split_text(_decode_text(body), packets)
    except ProtocolError as error:
        raise BadPayload(packets, error.reason, error.close_code) from error
    return packets


def _decode_text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ProtocolError("a packet is not UTF-8", 1007) from error


def _split_text(text: str, packets: list[str | bytes]) -> None:
    # One character per code unit, so that lengths can be taken as they are.
    has_astral = _ASTRAL.search(text) is not None
    if has_astral:
        text = _ASTRAL.sub(_split_astral, text)
    at = 0
    while at < len(text) or not at:
        head = _LENGTH.match(text, at)
        if head is None:
            raise ProtocolError("a packet in a payload begins with its length and a colon")
        start, at = head.end(), head.end() + int(head[1])
        if at > len(text):
            raise ProtocolError("a packet is shorter than its length says")
        packet = text[start:at]
        if packet:  # "0:" is what the parser of old writes for no packets at all
            packets.append(_join_astral(packet) if has_astral else packet)


def _split_astral(match: re.Match[str]) -> str:
    number = ord(match[0]) - 0x10000
    return chr(0xD800 | number >> 10) + chr(0xDC00 | number & 0x3FF)


def _join_astral(text: str) -> str:
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError as error:
        raise ProtocolError("a length ends within a character") from error


def _split_binary(body: bytes, packets: list[str | bytes]) -> None:
    at = 0
    while at < len(body):
        kind = body[at]
        end = body.find(_END_OF_LENGTH, at + 1, at + _MAX_DIGITS + 2)
        digits = body[at + 1 : end]
        if kind > _BINARY or end < 0 or not digits or max(digits) > 9:
            raise ProtocolError("a packet in a binary payload begins with 0 or 1, the digits of its length, and 255")
        size = int(bytes(digit | 0x30 for digit in digits))
        at = end + 1 + size
        if at > len(body):
            raise ProtocolError("a packet is shorter than its length says")
        packet = body[end + 1 : at]
        packets.append(packet if kind == _BINARY else _decode_text(packet))


def decode_base64(piece: str | bytes) -> bytes:
    """Decode binary data that is written as ``b4`` and base64. Raises ``ProtocolError`` for anything else."""
    if piece[:2] not in ("b4", b"b4"):
        raise ProtocolError("binary data in text must begin with b4")
    try:
        return base64.b64decode(piece[2:], validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProtocolError("binary data in text must be base64") from error
