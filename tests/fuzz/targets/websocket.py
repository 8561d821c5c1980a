"""A WebSocket after its opening handshake: frames, fragments, control frames, compressed messages.

First byte: bit 0 compression, bit 1 a client that takes its context over, bit 2 with a window that we chose, bit 3 a
small ``max_payload``, bit 4 we have begun to close. Second byte: how the rest is cut (`pieces`). The rest is the
stream.
"""

from __future__ import annotations

import zlib

from tests.fuzz.reader import Reader, masked, pieces
from webpy_socketio.state.websocket import Ended, Outcome, Reply, State, WebSocketConnection
from webpy_socketio.wire import frames
from webpy_socketio.wire.deflate import Agreement, Deflater, Inflater

MAX_LENGTH = 4_000
"""Below what is looked at of an incomplete frame, so that cutting makes no difference."""

SMALL, LARGE = 200, 100_000


def _deflated(payload: bytes) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -12)
    return (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\0\0\xff\xff")


SEEDS = [
    b"\0\0" + masked(0x81, b"hello") + masked(0x82, b"\0\xff") + masked(0x89, b"ping") + masked(0x8A, b""),
    b"\0\1" + masked(0x01, "gr\u00fc".encode()) + masked(0x89, b"") + masked(0x80, "\u00df\U0001f600".encode()),
    b"\0\7" + masked(0x88, b"\x03\xe8bye"),
    b"\0\0" + masked(0x88, b"") + masked(0x81, b"late"),
    b"\x10\0" + masked(0x81, b"dropped") + masked(0x88, b"\x03\xe8"),
    b"\x08\0" + masked(0x82, bytes(150)) + masked(0x02, bytes(90)) + masked(0x80, bytes(120)),
    b"\0\0" + masked(0x81, b"x" * 300) + b"\x81\xff\0\0\0\0\0\0\0\5\0\0\0\0fives",
    b"\x01\0" + masked(0xC1, _deflated(b"abc" * 50)) + masked(0x81, b"plain"),
    b"\x07\3" + masked(0xC1, _deflated(b"context " * 20)) + masked(0xC2, _deflated(b"context " * 20)),
    b"\x09\0" + masked(0xC1, _deflated(b"\0" * 1_000)),
    b"\x01\1" + masked(0x41, _deflated(b"in two")[:4]) + masked(0x80, _deflated(b"in two")[4:]),
    b"\0\0" + masked(0x81, b"\xff"),
    b"\0\0" + b"\x81\x05nomask",
    b"\0\1" + masked(0x81, b"masked", b"\x12\x34\x56\x78"),
]

WORDS = [
    b"\x81\x80\0\0\0\0",
    b"\x01\x80\0\0\0\0",
    b"\x80\x80\0\0\0\0",
    b"\x88\x82\0\0\0\0\x03\xe8",
    b"\x89\x80",
    b"\xc1\xfe\0\x7e",
]


def run(data: bytes) -> None:
    """Feed one stream whole and in pieces: the outcomes are the same."""
    reader = Reader(data)
    flags, cut, stream = reader.byte(), reader.byte(), reader.rest()
    whole = _receive(flags, [stream])
    assert _shape(_receive(flags, pieces(stream, cut))) == _shape(whole)
    for outcome in whole:
        _check(outcome)


def _receive(flags: int, chunks: list[bytes]) -> list[Outcome]:
    limit = SMALL if flags & 8 else LARGE
    connection = WebSocketConnection(limit, Inflater(_agreement(flags)) if flags & 1 else None)
    if flags & 16:
        connection.send_close(1000)
    outcomes: list[Outcome] = []
    for chunk in chunks:
        text = connection.receive_text(chunk)
        outcomes += connection.receive_data(chunk) if text is None else [text]
        if connection._buffer is not None:
            assert len(connection._buffer) <= limit + (limit >> 3) + (limit >> 6) + 64 + 14
    if connection.state is State.CLOSED:
        assert isinstance(outcomes[-1], Ended)
        assert connection.receive_data(b"\x81\x80\0\0\0\0") == []
    assert not any(isinstance(outcome, Ended) for outcome in outcomes[:-1])
    assert not flags & 16 or all(isinstance(outcome, Ended) for outcome in outcomes), "we are closing"
    for outcome in outcomes:
        assert not isinstance(outcome, (str, bytes)) or len(outcome) <= limit
    return outcomes


def _agreement(flags: int) -> Agreement:
    return Agreement(15, 12 if flags & 4 else None, bool(flags & 2))


def _shape(outcomes: list[Outcome]) -> list[object]:
    """Make outcomes comparable."""
    return [
        (outcome.code, outcome.reason, outcome.reply, outcome.violation)
        if isinstance(outcome, Ended)
        else outcome.data
        if isinstance(outcome, Reply)
        else (type(outcome), outcome)
        for outcome in outcomes
    ]


def _check(outcome: Outcome) -> None:
    if isinstance(outcome, Ended):
        if outcome.reply:
            frames.decode_close(outcome.reply[2:])
    elif isinstance(outcome, (str, bytes)):
        opcode = frames.TEXT if isinstance(outcome, str) else frames.BINARY
        _round_trip(opcode, outcome)


def _round_trip(opcode: int, message: str | bytes) -> None:
    payload = message.encode() if isinstance(message, str) else message
    assert WebSocketConnection(LARGE).receive_data(masked(frames.FIN | opcode, payload)) == [message]
    ours = Deflater(15, 1).encode_frames(frames.encode_frame(opcode, payload))
    size = ours[1] if ours[1] < 126 else int.from_bytes(ours[2:4] if ours[1] == 126 else ours[2:10], "big")
    back = masked(ours[0], ours[len(ours) - size :])
    assert WebSocketConnection(LARGE, Inflater(Agreement(15, None, False))).receive_data(back) == [message]
