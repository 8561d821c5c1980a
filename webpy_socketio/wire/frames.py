"""WebSocket frames (RFC 6455 section 5): bytes to frames and back, as a server sees them.

It knows single frames. Fragments, closing and what a message means are for `state.websocket`.
"""

from __future__ import annotations

from typing import Final

from ..errors import ProtocolError, UsageError
from ..types import Excess

__all__ = [
    "BINARY",
    "CLOSE",
    "CONTINUATION",
    "FIN",
    "PING",
    "PONG",
    "RESERVED",
    "RSV1",
    "TEXT",
    "BadFrame",
    "Frame",
    "decode_close",
    "decode_frames",
    "decode_lone_text",
    "encode_close",
    "encode_frame",
    "peek_text",
]

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA
FIN: Final = 0x80
#: Section 5.2: the bits that only an extension gives a meaning; RSV1 is that of compression.
RESERVED: Final = 0x70
RSV1: Final = 0x40
_WHOLE_TEXT: Final = FIN | TEXT
_MASKED: Final = 0x80
#: Section 5.5: all control frames have a payload of at most 125 bytes and are not fragmented.
MAX_CONTROL_PAYLOAD: Final = 125
_LONGEST_SHORT: Final = _MASKED | MAX_CONTROL_PAYLOAD
_from_bytes: Final = int.from_bytes
#: The two bytes with which a client's whole text frame begins, and its length, if that is written in one byte.
_LONE_TEXTS: Final = {bytes((_WHOLE_TEXT, _MASKED | size)): 6 + size for size in range(126)}
_KNOWN_OPCODES: Final = frozenset((CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG))
#: What stands before the payload of a short frame of ours, by its opcode (RSV1 beside it: compressed) and its size.
_SHORT_HEADS: Final = {
    opcode: tuple(bytes((FIN | opcode, size)) for size in range(126))
    for opcode in (*_KNOWN_OPCODES, TEXT | RSV1, BINARY | RSV1)
}


class BadFrame(ProtocolError):
    """A frame that must not be; ``frames`` are the good ones before it."""

    def __init__(self, frames: list[Frame], reason: str, close_code: int = 1002, excess: Excess | None = None) -> None:
        super().__init__(reason, close_code, excess)
        self.frames = frames


#: First byte (FIN, reserved bits and opcode) and the unmasked payload.
Frame = tuple[int, bytes]


def encode_frame(opcode: int, payload: bytes) -> bytes:
    """Encode one final, unmasked frame (a server must not mask: section 5.1)."""
    size = len(payload)
    if size < 126:
        return _SHORT_HEADS[opcode][size] + payload
    if size < 65_536:
        return bytes((FIN | opcode, 126, size >> 8, size & 0xFF)) + payload
    return bytes((FIN | opcode, 127)) + size.to_bytes(8, "big") + payload


def decode_frames(data: bytes | bytearray, max_payload: int, refused: int = RESERVED) -> tuple[list[Frame], int]:
    """Decode the whole frames at the head of ``data``; ``refused`` are the reserved bits that must not be set.

    Returns the frames and the number of bytes that they took; what is behind belongs to a frame that is still
    incomplete. Raises ``BadFrame``: 1002 for a broken frame, 1009 as soon as the header of a data frame announces more
    than ``max_payload`` bytes.
    """
    frames: list[Frame] = []
    at, end = 0, len(data)
    while end - at >= 2:
        first, second = data[at], data[at + 1]
        size = second & 0x7F
        body = at + 6
        if first != _WHOLE_TEXT or not _MASKED <= second <= _LONGEST_SHORT:
            extended = _check_header(frames, first, second, refused)
            if end - at < 2 + extended:
                break
            if extended:
                size = int.from_bytes(data[at + 2 : at + 2 + extended], "big")
                body += extended
        if size > max_payload and first & 0x0F < CLOSE and (not first & RSV1 or size > _compressed_size(max_payload)):
            raise BadFrame(frames, "", 1009, Excess("max_payload", size, max_payload))
        if body + size > end:
            break
        at = body + size
        mask = data[body - 4 : body] * ((size + 3) >> 2)
        # Section 5.3, for all bytes at once: integers are the only thing that Python can xor.
        unmasked = _from_bytes(data[body:at], "little") ^ _from_bytes(mask[:size], "little")
        frames.append((first, unmasked.to_bytes(size, "little")))
    return frames, at


def decode_lone_text(data: bytes) -> bytes | None:
    """Decode what nearly every read brings: one whole text frame of at most 125 bytes. None for anything else, which
    `decode_frames` takes.
    """
    if _LONE_TEXTS.get(data[:2]) != len(data):
        return None
    size = len(data) - 6
    mask = data[2:6] * ((size + 3) >> 2)  # as above
    return (_from_bytes(data[6:], "little") ^ _from_bytes(mask[:size], "little")).to_bytes(size, "little")


def peek_text(data: bytes | bytearray) -> bytes:
    """Give what has come of the payload of an incomplete, uncompressed text frame of at most 65,535 bytes so far; of
    any other frame, nothing.
    """
    if len(data) < 2 or data[0] & ~FIN != TEXT:
        return b""
    body = 6 + {126: 2, 127: 8}.get(data[1] & 0x7F, 0)
    size = len(data) - body
    if size <= 0:
        return b""
    # The same frame, as if it ended here.
    whole = bytes((data[0], _MASKED | 126)) + size.to_bytes(2, "big") + data[body - 4 :]
    return decode_frames(whole, size)[0][0][1]


def _compressed_size(size: int) -> int:
    """Give the bytes that ``size`` bytes may take when they are compressed all the same (zlib's ``deflateBound``)."""
    return size + (size >> 3) + (size >> 6) + 64


def _check_header(frames: list[Frame], first: int, second: int, refused: int) -> int:
    """Check the rare kinds of headers; give the number of bytes of the extended length.

    A length in more bytes than it needs is let pass: small clients send it, and it does no harm.
    """
    opcode = first & 0x0F
    if first & refused or (first & RESERVED and opcode >= CLOSE):
        raise BadFrame(frames, "reserved bits are set to which no extension gave a meaning")
    if not second & _MASKED:
        raise BadFrame(frames, "a client's frames must be masked")
    if opcode not in _KNOWN_OPCODES:
        raise BadFrame(frames, f"unknown opcode {opcode}")
    size = second & 0x7F
    if opcode >= CLOSE and (size > MAX_CONTROL_PAYLOAD or not first & FIN):
        raise BadFrame(frames, "a control frame must be whole and hold at most 125 bytes")
    return 0 if size < 126 else 2 if size == 126 else 8


def encode_close(code: int, reason: str = "") -> bytes:
    """Encode a close frame (section 5.5.1); ``reason`` is cut to the 123 bytes that fit.

    Raises ``UsageError`` for a code that must not be sent.
    """
    if not _may_be_sent(code):
        raise UsageError(f"A WebSocket cannot be closed with code {code!r}; applications use 1000 and 3000 to 4999.")
    text = reason.encode(errors="replace")[: MAX_CONTROL_PAYLOAD - 2].decode(errors="ignore")
    return encode_frame(CLOSE, code.to_bytes(2, "big") + text.encode())


def decode_close(payload: bytes) -> tuple[int, str]:
    """Decode a close frame's payload to code and reason; an empty one is 1005 (section 7.1.5).

    Raises ``ProtocolError`` for one byte, a code that must not be sent (section 7.4), or a reason that is not UTF-8.
    """
    if not payload:
        return 1005, ""
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not _may_be_sent(code):
        raise ProtocolError("invalid close code")
    try:
        return code, payload[2:].decode()
    except UnicodeDecodeError as error:
        raise ProtocolError("the close reason is not UTF-8", 1007) from error


def _may_be_sent(code: int) -> bool:
    """Tell whether a close code may stand in a frame (section 7.4; 1012 to 1014 were registered later)."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999
