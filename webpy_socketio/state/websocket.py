"""One WebSocket connection, the server's side, after its opening handshake (RFC 6455 sections 5.4, 5.5, 7).

It knows fragments, control frames, closing, and compressed messages (RFC 7692 section 6). What messages mean is not
its business; nor is any socket.

    OPEN     --send_close-->   CLOSING  --their close-->  CLOSED
    OPEN     --their close, a violation, the end of the stream-->  CLOSED
"""

from __future__ import annotations

import codecs
from enum import Enum
from typing import Final

from ..errors import ProtocolError, UsageError
from ..types import Excess
from ..wire import frames
from ..wire.deflate import Inflater
from ..wire.frames import FIN, RESERVED, RSV1, BadFrame, Frame

__all__ = ["Ended", "Outcome", "Reply", "State", "WebSocketConnection"]

#: Bytes of an incomplete frame that are looked at: a peer that sends little by little hears at once that its text is no
#: UTF-8 (RFC 6455 section 8.1), while long texts are not decoded twice.
_LOOK_AHEAD: Final = 4_096
_NOT_UTF8: Final = "a text message is not UTF-8"
_WHOLE_TEXT: Final = FIN | frames.TEXT
_WHOLE_BINARY: Final = FIN | frames.BINARY


class State(Enum):
    """Where the connection stands."""

    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


#: Looked up once: a member of an Enum costs as much as a call before Python 3.12.
_OPEN: Final = State.OPEN
_CLOSED: Final = State.CLOSED


class Reply:
    """Bytes to be sent now: the PONG to a PING."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class Ended:
    """The last outcome of a connection: send ``reply`` (may be empty) and close the stream.

    ``code`` and ``reason`` are the peer's, or ours where ``violation`` holds; 1006 if the stream just ended. ``excess``
    is the limit that struck, if it was one.
    """

    __slots__ = ("code", "excess", "reason", "reply", "violation")

    def __init__(
        self, code: int, reason: str, reply: bytes = b"", violation: bool = False, excess: Excess | None = None
    ) -> None:
        self.code = code
        self.reason = reason
        self.reply = reply
        self.violation = violation
        self.excess = excess


#: A text message, a binary message, or one of the two above.
Outcome = str | bytes | Reply | Ended


class WebSocketConnection:
    """The machine of one connection.

    ``max_payload`` bounds a message in bytes, with all its fragments, and decompressed. Without an ``inflater`` no
    compression was negotiated.
    """

    __slots__ = ("_buffer", "_decoder", "_inflater", "_is_compressed", "_max_payload", "_message", "_refused", "state")

    def __init__(self, max_payload: int, inflater: Inflater | None = None) -> None:
        self.state = State.OPEN
        self._max_payload = max_payload
        self._inflater = inflater
        #: The reserved bits that must not be set.
        self._refused = RESERVED if inflater is None else RESERVED & ~RSV1
        #: The head of a frame whose rest is still to come.
        self._buffer: bytearray | None = None
        #: A message in fragments: its bytes so far (one buffer, however tiny the fragments: CVE-2026-48779) …
        self._message: bytearray | None = None
        #: … and, if it is text, who checks that it is UTF-8 as early as possible (section 8.1).
        self._decoder: codecs.IncrementalDecoder | None = None
        self._is_compressed = False

    def receive_text(self, data: bytes) -> str | None:
        """Take bytes of the stream that are one whole, short text message and nothing else, as nearly all reads bring.

        Gives None, and has taken nothing, where they are anything else, a violation included: ``receive_data`` says
        what.
        """
        if self._buffer is not None or self._message is not None or self.state is not _OPEN:
            return None
        payload = frames.decode_lone_text(data)
        if payload is None or len(payload) > self._max_payload:
            return None
        try:
            return payload.decode()
        except UnicodeDecodeError:
            return None

    def receive_data(self, data: bytes) -> list[Outcome]:
        """Take bytes of the stream; give what they complete, in order."""
        if self.state is _CLOSED:
            return []
        buffer = self._buffer
        if buffer is None:
            source: bytes | bytearray = data
        else:
            buffer += data
            source = buffer
        try:
            whole, used = frames.decode_frames(source, self._max_payload, self._refused)
        except BadFrame as error:
            return self._receive_frames(error.frames, broken=error)
        if used == len(source):
            self._buffer = None
            return self._receive_frames(whole)
        if buffer is None:
            buffer = self._buffer = bytearray(data[used:])
        else:
            del buffer[:used]
        outcomes = self._receive_frames(whole)
        # What has ended the connection has dropped the buffer.
        if self._buffer is not None and len(buffer) <= _LOOK_AHEAD and self._message is None:
            try:
                _new_decoder().decode(frames.peek_text(buffer))
            except UnicodeDecodeError:
                outcomes.append(self._violation(ProtocolError(_NOT_UTF8, 1007)))
        return outcomes

    def receive_end(self) -> Ended:
        """Take the end of the stream."""
        self._close()
        return Ended(1006, "")

    def send_close(self, code: int, reason: str = "") -> bytes:
        """Begin to close; give the frame to send. Data that still comes in is dropped (section 1.4).

        Raises ``UsageError`` if that was done before, and for a code that must not be sent.
        """
        if self.state is not State.OPEN:
            raise UsageError(f"A WebSocket that is {self.state.value} cannot be closed again.")
        frame = frames.encode_close(code, reason)
        self.state = State.CLOSING
        return frame

    def _close(self) -> None:
        self.state = State.CLOSED
        self._buffer = self._message = self._decoder = self._inflater = None

    def _receive_frames(self, whole: list[Frame], broken: BadFrame | None = None) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for first, payload in whole:
            try:
                if first == _WHOLE_TEXT and self._message is None:
                    outcome: Outcome | None = payload.decode()
                elif first == _WHOLE_BINARY and self._message is None:
                    outcome = payload
                elif first & 0x0F >= frames.CLOSE:
                    outcome = self._receive_control(first & 0x0F, payload)
                else:
                    outcome = self._receive_fragment(first, payload)
            except UnicodeDecodeError:
                outcome = self._violation(ProtocolError(_NOT_UTF8, 1007))
            except ProtocolError as error:
                outcome = self._violation(error)
            state = self.state
            if outcome is not None and (state is _OPEN or type(outcome) is Ended):
                outcomes.append(outcome)
            if state is _CLOSED:
                break
        else:
            if broken is not None:
                outcomes.append(self._violation(broken))
        return outcomes

    def _receive_control(self, opcode: int, payload: bytes) -> Outcome | None:
        if opcode == frames.PING:
            return Reply(frames.encode_frame(frames.PONG, payload))
        if opcode == frames.PONG:
            return None
        code, reason = frames.decode_close(payload)
        reply = b""
        if self.state is State.OPEN:
            reply = frames.encode_frame(frames.CLOSE, payload[:2])
        self._close()
        return Ended(code, reason, reply)

    def _receive_fragment(self, first: int, payload: bytes) -> Outcome | None:
        opcode, message = first & 0x0F, self._message
        if opcode == frames.CONTINUATION:
            if message is None:
                raise ProtocolError("a continuation of nothing")
            if first & RSV1:
                raise ProtocolError("only a message's first frame says that it is compressed")
        elif message is not None:
            raise ProtocolError("a new message inside a fragmented one")
        else:
            message = self._message = bytearray()
            self._decoder = _new_decoder() if opcode == frames.TEXT else None
            self._is_compressed = bool(first & RSV1)
        if self._is_compressed:
            assert self._inflater is not None
            payload = self._inflater.receive(payload, self._max_payload - len(message), is_last=bool(first & FIN))
        elif len(message) + len(payload) > self._max_payload:
            size = len(message) + len(payload)
            raise ProtocolError("", 1009, Excess("max_payload", size, self._max_payload))
        message += payload
        decoder = self._decoder
        if decoder is not None:
            decoder.decode(payload, final=bool(first & FIN))
        if not first & FIN:
            return None
        self._message = self._decoder = None
        return bytes(message) if decoder is None else message.decode()

    def _violation(self, error: ProtocolError) -> Ended:
        reply = b"" if self.state is State.CLOSING else frames.encode_close(error.close_code, error.reason)
        self._close()
        excess = error.excess
        if excess is None and error.close_code == 1009:  # of a compressed message nobody knows how large it would be
            excess = Excess("max_payload", self._max_payload + 1, self._max_payload)
        return Ended(error.close_code, error.reason, reply, True, excess)


_new_decoder = codecs.getincrementaldecoder("utf-8")
