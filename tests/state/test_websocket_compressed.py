"""RFC 7692 section 6: compressed messages of a client in, outcomes out."""

from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.transcripts import CUTS, Cut, client_frame, close_payload, cut_at, told, whole
from webpy_socketio.state.websocket import State, WebSocketConnection
from webpy_socketio.wire.deflate import Agreement, Inflater
from webpy_socketio.wire.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT

LIMIT = 100_000
RSV1, RSV2, RSV3 = 0b100, 0b010, 0b001
BOTH = pytest.mark.parametrize("cut", CUTS)


def connection(limit: int = LIMIT) -> WebSocketConnection:
    return WebSocketConnection(limit, Inflater(Agreement(15, 15, True)))


def feed(machine: WebSocketConnection, reads: Iterable[bytes]) -> list[Any]:
    return [told(outcome) for data in reads for outcome in machine.receive_data(data)]


def heard(data: bytes, cut: Cut = whole, limit: int = LIMIT) -> list[Any]:
    return feed(connection(limit), cut(data))


def violated(code: int, reason: str) -> tuple[Any, ...]:
    return ("Ended", code, reason, client_frame(CLOSE, close_payload(code, reason.encode()), mask=None), True)


class Client:
    """A client that takes its context over."""

    def __init__(self) -> None:
        self.stream = zlib.compressobj(wbits=-15)

    def compress(self, data: bytes) -> bytes:
        return (self.stream.compress(data) + self.stream.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\0\0\xff\xff")

    def frame(self, opcode: int, data: bytes) -> bytes:
        return client_frame(opcode, self.compress(data), reserved=RSV1)

    def fragments(self, opcode: int, data: bytes, *places: int) -> list[bytes]:
        pieces = cut_at(self.compress(data), places)
        last = len(pieces) - 1
        return [
            client_frame(CONTINUATION if at else opcode, piece, final=at == last, reserved=0 if at else RSV1)
            for at, piece in enumerate(pieces)
        ]


@BOTH
def test_messages_are_decompressed_each_in_the_context_of_those_before(cut: Cut) -> None:
    client = Client()
    text = "größer 😀 " * 20
    data = client.frame(TEXT, text.encode()) + client.frame(BINARY, b"\xff" * 300) + client.frame(TEXT, text.encode())
    assert heard(data + client.frame(TEXT, b""), cut) == [text, b"\xff" * 300, text, ""]


@BOTH
def test_compressed_and_plain_messages_may_take_turns(cut: Cut) -> None:
    client = Client()
    data = client.frame(TEXT, b"one") + client_frame(TEXT, b"two") + client.frame(TEXT, b"one")
    plain = client_frame(TEXT, b"th", final=False) + client_frame(CONTINUATION, b"ree")
    assert heard(data + plain + client.frame(BINARY, b"four"), cut) == ["one", "two", "one", "three", b"four"]


@BOTH
def test_control_frames_come_between_compressed_fragments(cut: Cut) -> None:
    first, second, third = Client().fragments(TEXT, b"Hello, hello, hello", 2, 6)
    ping = client_frame(PING, b"p")
    expected = [("Reply", client_frame(PONG, b"p", mask=None))] * 2 + ["Hello, hello, hello"]
    assert heard(first + ping + second + ping + third, cut) == expected


@given(st.binary(max_size=2_000), st.lists(st.integers(0, 3_000), max_size=5), st.lists(st.integers(0, 3_000)))
def test_any_message_in_any_fragments_and_reads_comes_out_as_it_was(
    message: bytes, places: list[int], reads: list[int]
) -> None:
    client = Client()
    data = b"".join(client.fragments(BINARY, message, *places)) + client.frame(BINARY, message)
    assert heard(data, lambda stream: cut_at(stream, reads)) == [message, message]


# -- violations ------------------------------------------------------------------------------------------------------

NOT_OURS = violated(1002, "reserved bits are set to which no extension gave a meaning")


@BOTH
@pytest.mark.parametrize("reserved", [RSV2, RSV3, RSV1 | RSV2, RSV1 | RSV3, 0b111])
def test_other_reserved_bits_are_refused(reserved: int, cut: Cut) -> None:
    assert heard(client_frame(TEXT, b"x", reserved=reserved), cut) == [NOT_OURS]


@BOTH
@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
def test_control_frames_are_never_compressed(opcode: int, cut: Cut) -> None:
    assert heard(client_frame(opcode, b"", reserved=RSV1), cut) == [NOT_OURS]


@BOTH
def test_only_the_first_frame_of_a_message_is_marked(cut: Cut) -> None:
    first, _ = Client().fragments(TEXT, b"Hello", 3)
    expected = [violated(1002, "only a message's first frame says that it is compressed")]
    assert heard(first + client_frame(CONTINUATION, b"x", reserved=RSV1), cut) == expected
    assert (
        heard(client_frame(TEXT, b"x", final=False) + client_frame(CONTINUATION, b"y", reserved=RSV1), cut) == expected
    )
    assert heard(client_frame(CONTINUATION, b"x", reserved=RSV1), cut) == [violated(1002, "a continuation of nothing")]


@BOTH
def test_what_is_no_compressed_data_ends_the_connection(cut: Cut) -> None:
    expected = violated(1007, "a message is not compressed as it says")
    assert heard(Client().frame(TEXT, b"fine") + client_frame(TEXT, b"\xff" * 5, reserved=RSV1), cut) == [
        "fine",
        expected,
    ]


@BOTH
@pytest.mark.parametrize("payload", [b"\xff", b"caf\xe9", b"\xc3", b"\xed\xa0\x80"])
def test_text_that_is_not_utf8_when_decompressed_ends_the_connection(payload: bytes, cut: Cut) -> None:
    expected = [violated(1007, "a text message is not UTF-8")]
    assert heard(Client().frame(TEXT, payload), cut) == expected
    assert heard(b"".join(Client().fragments(TEXT, payload, 1)), cut) == expected


def test_a_text_that_cannot_become_utf8_fails_before_its_end() -> None:
    compressed = Client().compress(b"abc\xff") + b"\0\0\xff\xff"
    assert heard(client_frame(TEXT, compressed, final=False, reserved=RSV1)) == [
        violated(1007, "a text message is not UTF-8")
    ]


# -- limits ----------------------------------------------------------------------------------------------------------


def too_big(most: int, size: int | None = None) -> tuple[Any, ...]:
    """The end by a message that is too large; of a compressed one nobody knows by how much."""
    excess = ("max_payload", size or most + 1, most)
    return ("Ended", 1009, excess, "", client_frame(CLOSE, close_payload(1009), mask=None), True)


@BOTH
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_message_may_have_exactly_the_limit_when_decompressed(opcode: int, cut: Cut) -> None:
    (message,) = heard(Client().frame(opcode, b"x" * 1_000), cut, limit=1_000)
    assert len(message) == 1_000
    assert heard(Client().frame(opcode, b"x" * 1_001), cut, limit=1_000) == [too_big(1_000)]
    (message,) = heard(b"".join(Client().fragments(opcode, b"x" * 1_000, 3, 5)), cut, limit=1_000)
    assert len(message) == 1_000
    assert heard(b"".join(Client().fragments(opcode, b"x" * 1_001, 3, 5)), cut, limit=1_000) == [too_big(1_000)]


def test_a_message_of_the_limit_may_take_more_bytes_compressed() -> None:
    stored = zlib.compressobj(level=0, wbits=-15)
    message = bytes(range(250)) * 40
    data = (stored.compress(message) + stored.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\0\0\xff\xff")
    assert len(data) > len(message) == 10_000
    assert heard(client_frame(BINARY, data, reserved=RSV1), limit=10_000) == [message]


@BOTH
@pytest.mark.parametrize(
    "frame", [b"\xc1\xff" + (20_000).to_bytes(8, "big"), b"\x81\xfe" + (10_001).to_bytes(2, "big")]
)
def test_a_header_that_announces_too_much_ends_the_connection(frame: bytes, cut: Cut) -> None:
    size = int.from_bytes(frame[2:], "big")
    assert heard(frame, cut, limit=10_000) == [too_big(10_000, size)]


def test_a_bomb_ends_the_connection_in_bounded_memory() -> None:
    bomb = Client().frame(BINARY, bytes(20_000_000))
    machine = connection()
    tracemalloc.start()
    assert feed(machine, [bomb]) == [too_big(LIMIT)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 * LIMIT + 4 * len(bomb)
    assert machine.state is State.CLOSED


def test_a_bomb_in_fragments_ends_the_connection_at_the_one_that_goes_over_the_limit() -> None:
    fragments = Client().fragments(BINARY, bytes(300_000), 100, 200)
    assert [len(feed(machine, [piece])) for machine in [connection()] for piece in fragments] == [0, 1, 0]


def test_a_compressed_message_while_we_close_is_dropped() -> None:
    machine, client = connection(), Client()
    machine.send_close(1000)
    assert feed(machine, [client.frame(TEXT, b"late")]) == []
    assert machine.state is State.CLOSING
