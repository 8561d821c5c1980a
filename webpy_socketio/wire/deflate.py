"""Compressed messages (permessage-deflate, RFC 7692): what is agreed on in the opening handshake, and both directions.

Ours always goes without context take-over: a message's compressed bytes are then the same for everybody, a broadcast is
compressed once, and sending costs no memory per connection. The client's may take its context over where it lets us
bound its window (Chromium and Node do), otherwise (Firefox, Safari) it is asked not to: nothing is kept for those.
"""

from __future__ import annotations

import re
import zlib

from ..errors import ProtocolError
from . import frames

__all__ = ["Agreement", "Deflater", "Inflater", "negotiate"]

#: Section 7.2.1: what a compressor's flush ends with, and what is left out of a message.
_TAIL = b"\x00\x00\xff\xff"
#: Bits of the window that clients may use if they let us choose. Measured: 13 kB per connection (30 with all 15 bits).
CLIENT_WINDOW_BITS = 12
#: zlib cannot write with a window of 8 bits.
_LEAST_BITS, _MOST_BITS = 9, 15
#: A third less time than zlib's own choice (6), for a few per cent more bytes: we compress in the loop.
_LEVEL = 4
#: Final blocks in one message. One is what section 7.2.3.4 has; each costs a new decompressor.
_MAX_FINAL_BLOCKS = 16

# No quantifier inside another that could match the same: both are linear (CVE-2021-32640).
_OFFERS = re.compile(r'(?:[^,"]|"[^"]*")+')
_PARAMETERS = re.compile(r'(?:[^;"]|"[^"]*")+')
_WINDOW_BITS = re.compile(r"[89]|1[0-5]")


class Agreement:
    """What was agreed on: the greatest window for our messages, and the one for the client's (None: it cannot choose,
    so it must not take its context over).
    """

    __slots__ = ("client_bits", "client_takes_over", "server_bits")

    def __init__(self, server_bits: int, client_bits: int | None, client_takes_over: bool) -> None:
        self.server_bits = server_bits
        self.client_bits = client_bits
        self.client_takes_over = client_takes_over

    def encode(self) -> str:
        """Encode for the header Sec-WebSocket-Extensions of the answer (section 7.1)."""
        parts = ["permessage-deflate", "server_no_context_takeover"]
        if not self.client_takes_over:
            parts.append("client_no_context_takeover")
        if self.server_bits < _MOST_BITS:
            parts.append(f"server_max_window_bits={self.server_bits}")
        if self.client_bits is not None:
            parts.append(f"client_max_window_bits={self.client_bits}")
        return "; ".join(parts)


def negotiate(header: str) -> Agreement | None:
    """Take the first offer of a header Sec-WebSocket-Extensions that we can accept.

    None if there is none: an offer that is malformed is declined, as section 7.1 asks, and the connection goes on
    without compression.
    """
    if "\\" in header or header.count('"') % 2:
        return None  # no value that means anything to us is written like that
    for offer in _OFFERS.findall(header):
        parts = [part.strip() for part in _PARAMETERS.findall(offer)]
        if parts and parts[0] == "permessage-deflate":
            agreement = _accept(parts[1:])
            if agreement is not None:
                return agreement
    return None


def _accept(parameters: list[str]) -> Agreement | None:
    """Accept one offer; None if it has to be declined (section 7.1): unknown or repeated parameters, bad values."""
    values: dict[str, str | None] = {}
    for parameter in parameters:
        name, equals, value = (part.strip() for part in parameter.partition("="))
        if name in values:
            return None
        values[name] = value.removeprefix('"').removesuffix('"') if equals else None
    may_choose = "client_max_window_bits" in values
    server_bits = _window_bits(values.pop("server_max_window_bits", "15"))
    # Without a value the client leaves it all to us (section 7.1.2.2).
    client = values.pop("client_max_window_bits", None)
    client_bits = _MOST_BITS if client is None else _window_bits(client)
    takes_over = may_choose and "client_no_context_takeover" not in values
    flags = [values.pop(name, None) for name in ("server_no_context_takeover", "client_no_context_takeover")]
    if values or any(flag is not None for flag in flags) or client_bits is None:
        return None
    if server_bits is None or server_bits < _LEAST_BITS:
        return None
    return Agreement(server_bits, min(client_bits, CLIENT_WINDOW_BITS) if may_choose else None, takes_over)


def _window_bits(value: str | None) -> int | None:
    return int(value) if value is not None and _WINDOW_BITS.fullmatch(value) else None


class Deflater:
    """Compresses our messages of at least ``threshold`` bytes, with windows of at most ``window_bits``."""

    __slots__ = ("threshold", "window_bits")

    def __init__(self, window_bits: int, threshold: int) -> None:
        self.window_bits = window_bits
        self.threshold = threshold

    def bits_for(self, size: int) -> int:
        """Give the window that data of ``size`` bytes can make use of: a smaller one is made in less time."""
        return max(_LEAST_BITS, min(self.window_bits, size.bit_length()))

    def encode_frames(self, plain: bytes) -> bytes:
        """Compress what is worth it of a packet's frames, encoded by `encode_frame`."""
        done: list[bytes] = []
        at = 0
        while at < len(plain):
            extended = {126: 2, 127: 8}.get(plain[at + 1], 0)
            size = int.from_bytes(plain[at + 2 : at + 2 + extended], "big") if extended else plain[at + 1]
            end = at + 2 + extended + size
            done.append(self._encode_frame(plain[at:end], size))
            at = end
        return b"".join(done)

    def _encode_frame(self, plain: bytes, size: int) -> bytes:
        if size < self.threshold:
            return plain
        compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -self.bits_for(size))
        data = compressor.compress(memoryview(plain)[-size:]) + compressor.flush(zlib.Z_SYNC_FLUSH)
        frame = frames.encode_frame(plain[0] & 0x0F | frames.RSV1, data.removesuffix(_TAIL))
        # Section 6: each message may be compressed or not.
        return frame if len(frame) < len(plain) else plain


class Inflater:
    """Decompresses the messages of one client."""

    __slots__ = ("_agreement", "_final_blocks", "_stream")

    def __init__(self, agreement: Agreement) -> None:
        self._agreement = agreement
        self._stream: zlib._Decompress | None = None
        self._final_blocks = 0

    def receive(self, data: bytes, limit: int, *, is_last: bool) -> bytes:
        """Decompress the payload of one fragment of a message.

        Raises ``ProtocolError``: 1009 as soon as there are more than ``limit`` bytes, of which not more than one is
        made; 1007 for what is no compressed data.
        """
        done = self._inflate(data, limit)
        if is_last:
            done += self._inflate(_TAIL, limit - len(done))
            self._final_blocks = 0
            if not self._agreement.client_takes_over:
                self._stream = None
        return done

    def _inflate(self, data: bytes, limit: int) -> bytes:
        done = b""
        while data:
            if self._stream is None:
                self._stream = zlib.decompressobj(-max(self._agreement.client_bits or _MOST_BITS, _LEAST_BITS))
            try:
                done += self._stream.decompress(data, limit - len(done) + 1)
            except zlib.error as error:
                raise ProtocolError("a message is not compressed as it says", 1007) from error
            if len(done) > limit:
                raise ProtocolError("", 1009)
            data = self._stream.unused_data
            if self._stream.eof:
                self._begin_again()
        return done

    def _begin_again(self) -> None:
        """A final block (section 7.2.3.4) ends what zlib takes for one stream; the message may go on behind it."""
        self._stream = None
        self._final_blocks += 1
        if self._final_blocks > _MAX_FINAL_BLOCKS:
            raise ProtocolError("too many final blocks in a compressed message", 1007)
