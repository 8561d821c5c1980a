"""RFC 6455 sections 5.4, 5.5, 7 and 8: bytes of a client in, outcomes out."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.transcripts import CUTS, Cut, byte_by_byte, client_frame, close_payload, cut_at, told, whole
from tests.support.work import is_linear
from webpy_socketio.errors import UsageError
from webpy_socketio.state.websocket import State, WebSocketConnection
from webpy_socketio.wire.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT

LIMIT = 100_000
BOTH = pytest.mark.parametrize("cut", CUTS)


def take(connection: WebSocketConnection, data: bytes) -> list[Any]:
    """Give one read to a connection as a carrier does."""
    text = connection.receive_text(data)
    return connection.receive_data(data) if text is None else [text]


def feed(connection: WebSocketConnection, reads: Iterable[bytes]) -> list[Any]:
    return [told(outcome) for data in reads for outcome in take(connection, data)]


def heard(data: bytes, cut: Cut = whole, limit: int = LIMIT) -> list[Any]:
    return feed(WebSocketConnection(limit), cut(data))


def reply(payload: bytes) -> tuple[str, bytes]:
    return ("Reply", client_frame(PONG, payload, mask=None))


def closed(code: int, reason: str = "", answer: bytes | None = None) -> tuple[Any, ...]:
    """The end by the peer's close frame, which is answered with its code."""
    if answer is None:
        answer = client_frame(CLOSE, close_payload(code), mask=None)
    return ("Ended", code, reason, answer, False)


def violated(code: int, reason: str) -> tuple[Any, ...]:
    """The end by a violation: our close frame says why."""
    return ("Ended", code, reason, client_frame(CLOSE, close_payload(code, reason.encode()), mask=None), True)


NOT_UTF8 = violated(1007, "a text message is not UTF-8")


# -- messages in one frame -------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_a_message_of_each_length_is_received(size: int, cut: Cut) -> None:
    assert heard(client_frame(TEXT, b"x" * size), cut) == ["x" * size]
    assert heard(client_frame(BINARY, b"\xff" * size), cut) == [b"\xff" * size]


@BOTH
def test_messages_come_in_order_and_keep_their_kinds(cut: Cut) -> None:
    data = client_frame(TEXT, "größer 😀".encode()) + client_frame(BINARY, b"\x00") + client_frame(TEXT, b"")
    assert heard(data, cut) == ["größer 😀", b"\x00", ""]


def test_a_read_that_ends_inside_a_frame_gives_what_is_whole() -> None:
    connection = WebSocketConnection(LIMIT)
    second = client_frame(TEXT, b"second")
    assert feed(connection, [client_frame(TEXT, b"first") + second[:3]]) == ["first"]
    assert feed(connection, [second[3:] + second + second[:1], second[1:]]) == ["second"] * 3


def test_an_empty_read_is_nothing() -> None:
    assert heard(b"", lambda data: [data]) == []


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 125])
def test_a_short_text_that_comes_alone_is_taken_in_one_step(size: int) -> None:
    assert WebSocketConnection(LIMIT).receive_text(client_frame(TEXT, b"x" * size)) == "x" * size


@pytest.mark.parametrize(
    "data",
    [
        b"",
        client_frame(TEXT, b"x")[:-1],
        client_frame(TEXT, b"x") + b"\x81",
        client_frame(TEXT, b"x") * 2,
        client_frame(TEXT, b"x" * 126),
        client_frame(TEXT, b"x", length_bytes=2),
        client_frame(TEXT, b"x", final=False),
        client_frame(TEXT, b"x", mask=None),
        client_frame(TEXT, b"x", reserved=4),
        client_frame(TEXT, b"\xff"),
        client_frame(BINARY, b"x"),
        client_frame(PING, b"x"),
        client_frame(TEXT, b"x" * 101),
    ],
)
def test_anything_else_is_not_taken_in_one_step(data: bytes) -> None:
    connection = WebSocketConnection(100)
    assert connection.receive_text(data) is None
    untouched = [told(outcome) for outcome in WebSocketConnection(100).receive_data(data)]
    assert [told(outcome) for outcome in connection.receive_data(data)] == untouched


@pytest.mark.parametrize("before", [client_frame(TEXT, b"half", final=False), client_frame(TEXT, b"half")[:-1], None])
def test_a_text_is_not_taken_in_one_step_where_it_is_part_of_something(before: bytes | None) -> None:
    connection = WebSocketConnection(LIMIT)
    if before is None:
        connection.send_close(1000)
    else:
        assert connection.receive_data(before) == []
    assert connection.receive_text(client_frame(TEXT, b"x")) is None


@BOTH
@pytest.mark.parametrize("payload", [b"\xff", b"caf\xe9", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf"])
def test_text_that_is_not_utf8_ends_the_connection(payload: bytes, cut: Cut) -> None:
    assert heard(client_frame(TEXT, b"fine") + client_frame(TEXT, payload), cut) == ["fine", NOT_UTF8]


# -- section 5.4: fragments ------------------------------------------------------------------------------------------


def fragments(opcode: int, *payloads: bytes) -> list[bytes]:
    return [
        client_frame(CONTINUATION if at else opcode, payload, final=at == len(payloads) - 1)
        for at, payload in enumerate(payloads)
    ]


@BOTH
def test_the_fragmented_text_of_the_specification(cut: Cut) -> None:
    assert heard(b"".join(fragments(TEXT, b"Hel", b"lo")), cut) == ["Hello"]


@BOTH
@pytest.mark.parametrize("payloads", [(b"", b""), (b"a", b"", b"b"), (b"", b"", b"c"), (b"d", b"")])
def test_fragments_may_be_empty(payloads: tuple[bytes, ...], cut: Cut) -> None:
    assert heard(b"".join(fragments(BINARY, *payloads)), cut) == [b"".join(payloads)]


@BOTH
def test_control_frames_come_between_fragments(cut: Cut) -> None:
    first, second, third = fragments(TEXT, b"one ", b"two ", b"three")
    data = first + client_frame(PING, b"p1") + second + client_frame(PONG, b"unasked") + client_frame(PING) + third
    assert heard(data, cut) == [reply(b"p1"), reply(b""), "one two three"]


@BOTH
def test_a_close_frame_between_fragments_ends_the_connection(cut: Cut) -> None:
    first, second = fragments(TEXT, b"one", b"two")
    assert heard(first + client_frame(CLOSE, close_payload(1001)) + second, cut) == [closed(1001)]


@BOTH
def test_messages_follow_a_fragmented_one(cut: Cut) -> None:
    data = b"".join(fragments(TEXT, b"a", b"b") + fragments(BINARY, b"c", b"d")) + client_frame(TEXT, b"e")
    assert heard(data, cut) == ["ab", b"cd", "e"]


@BOTH
@pytest.mark.parametrize("final", [True, False])
def test_a_continuation_of_nothing_is_a_violation(final: bool, cut: Cut) -> None:
    expected = [violated(1002, "a continuation of nothing")]
    assert heard(client_frame(CONTINUATION, b"x", final=final), cut) == expected
    assert heard(b"".join(fragments(TEXT, b"a", b"b")) + client_frame(CONTINUATION, b"x"), cut) == ["ab", *expected]


@BOTH
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("final", [True, False])
def test_a_new_message_inside_a_fragmented_one_is_a_violation(opcode: int, final: bool, cut: Cut) -> None:
    data = client_frame(TEXT, b"a", final=False) + client_frame(opcode, b"b", final=final)
    assert heard(data, cut) == [violated(1002, "a new message inside a fragmented one")]


# -- section 8.1: UTF-8 in fragments ---------------------------------------------------------------------------------


@BOTH
def test_a_character_may_be_split_between_fragments(cut: Cut) -> None:
    text = "κόσμε 😀"
    assert heard(b"".join(fragments(TEXT, *byte_by_byte(text.encode()))), cut) == [text]


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (b"abc", b"\xff"),
        (b"\xc3", b"x"),
        (b"\xed\xa0", b"\x80"),
        (b"\xf4", b"\x90"),
        (b"\xf0\x9f", b"a"),
        (b"\xe0", b"\x80"),
    ],
)
def test_a_text_that_cannot_become_utf8_fails_before_its_end(good: bytes, bad: bytes) -> None:
    connection = WebSocketConnection(LIMIT)
    assert feed(connection, [client_frame(TEXT, good, final=False)]) == []
    assert feed(connection, [client_frame(CONTINUATION, bad, final=False)]) == [NOT_UTF8]


@pytest.mark.parametrize("final", [True, False])
@pytest.mark.parametrize("announced", [20, 200, 70_000])
def test_a_frame_of_text_that_cannot_become_utf8_fails_before_its_end(announced: int, final: bool) -> None:
    good = "café ".encode()
    frame = client_frame(TEXT, (good + b"\xff").ljust(announced), final=final)
    bad = len(frame) - announced + len(good)
    connection = WebSocketConnection(LIMIT)
    assert feed(connection, [client_frame(TEXT, b"before") + frame[:2], *byte_by_byte(frame[2:bad])]) == ["before"]
    assert feed(connection, [frame[bad : bad + 1]]) == [NOT_UTF8]


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_frame_that_comes_little_by_little_is_received(opcode: int) -> None:
    text = "κόσμε 😀 " * 300
    (message,) = heard(client_frame(opcode, text.encode()), byte_by_byte)
    assert message == (text if opcode == TEXT else text.encode())


def test_a_long_text_is_not_looked_at_before_its_end() -> None:
    connection = WebSocketConnection(LIMIT)
    frame = client_frame(TEXT, b"\xff" * 20_000)
    assert feed(connection, [frame[:5_000]]) == []
    assert feed(connection, [frame[5_000:]]) == [NOT_UTF8]


@pytest.mark.parametrize("cut_short", [b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98"])
@pytest.mark.parametrize("last", [True, False])
def test_a_character_that_is_cut_short_at_the_end_of_a_text_is_a_violation(cut_short: bytes, last: bool) -> None:
    data = b"".join(fragments(TEXT, b"a", cut_short) if last else fragments(TEXT, cut_short, b""))
    assert heard(data) == [NOT_UTF8]


@BOTH
def test_binary_fragments_are_not_checked(cut: Cut) -> None:
    assert heard(b"".join(fragments(BINARY, b"\xff", b"\xc3")), cut) == [b"\xff\xc3"]


# -- sections 5.5.2 and 5.5.3: ping and pong -------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("payload", [b"", b"Hello", b"\xff\x00", bytes(125)])
def test_a_ping_is_answered_with_its_payload(payload: bytes, cut: Cut) -> None:
    assert heard(client_frame(PING, payload) * 2, cut) == [reply(payload)] * 2


@BOTH
def test_a_pong_that_nobody_asked_for_is_nothing(cut: Cut) -> None:
    assert heard(client_frame(PONG, b"x") + client_frame(TEXT, b"on"), cut) == ["on"]


# -- violations in a frame -------------------------------------------------------------------------------------------

BROKEN = {
    "reserved bits are set to which no extension gave a meaning": client_frame(TEXT, b"x", reserved=0b100),
    "a client's frames must be masked": client_frame(TEXT, b"x", mask=None),
    "unknown opcode 3": client_frame(3, b"x"),
    "unknown opcode 15": client_frame(0xF, b"x"),
    "a control frame must be whole and hold at most 125 bytes": client_frame(PING, b"x", final=False),
    "invalid close code": client_frame(CLOSE, b"\x03"),
}


@BOTH
@pytest.mark.parametrize("reason", BROKEN)
def test_a_broken_frame_ends_the_connection_after_what_came_before_it(reason: str, cut: Cut) -> None:
    data = client_frame(TEXT, b"before") + client_frame(PING, b"p") + BROKEN[reason] + client_frame(TEXT, b"behind")
    assert heard(data, cut) == ["before", reply(b"p"), violated(1002, reason)]


@BOTH
def test_a_broken_frame_inside_a_fragmented_message_ends_the_connection(cut: Cut) -> None:
    data = client_frame(TEXT, b"a", final=False) + client_frame(TEXT, b"x", mask=None)
    assert heard(data, cut) == [violated(1002, "a client's frames must be masked")]


@BOTH
def test_a_violation_hides_a_broken_frame_behind_it(cut: Cut) -> None:
    assert heard(client_frame(TEXT, b"\xff") + client_frame(3), cut) == [NOT_UTF8]


@BOTH
def test_a_close_hides_a_broken_frame_behind_it(cut: Cut) -> None:
    assert heard(client_frame(CLOSE, close_payload(1000)) + client_frame(3), cut) == [closed(1000)]


# -- section 5.5.1: the peer closes ----------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999])
@pytest.mark.parametrize("reason", ["", "good bye", "grüß 😀", "x" * 123])
def test_a_close_is_answered_with_its_code(code: int, reason: str, cut: Cut) -> None:
    assert heard(client_frame(CLOSE, close_payload(code, reason.encode())), cut) == [closed(code, reason)]


@BOTH
def test_a_close_without_a_code_is_answered_without_one(cut: Cut) -> None:
    assert heard(client_frame(CLOSE), cut) == [closed(1005, "", answer=client_frame(CLOSE, mask=None))]


@BOTH
@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535])
def test_a_code_that_must_not_be_sent_is_a_violation(code: int, cut: Cut) -> None:
    assert heard(client_frame(CLOSE, close_payload(code, b"why")), cut) == [violated(1002, "invalid close code")]


@BOTH
def test_a_reason_that_is_not_utf8_is_a_violation(cut: Cut) -> None:
    data = client_frame(CLOSE, close_payload(1000, b"\xff"))
    assert heard(data, cut) == [violated(1007, "the close reason is not UTF-8")]


@BOTH
def test_what_comes_behind_a_close_is_not_heard(cut: Cut) -> None:
    data = client_frame(CLOSE, close_payload(1000)) + client_frame(TEXT, b"late") + client_frame(PING) + b"\xff" * 9
    assert heard(data, cut) == [closed(1000)]


# -- section 7: we close ---------------------------------------------------------------------------------------------


def test_our_close_is_answered_and_nothing_more_is_sent() -> None:
    connection = WebSocketConnection(LIMIT)
    assert connection.send_close(1000, "bye") == client_frame(CLOSE, close_payload(1000, b"bye"), mask=None)
    assert feed(connection, [client_frame(CLOSE, close_payload(1000))]) == [closed(1000, answer=b"")]
    assert connection.state is State.CLOSED


def test_what_comes_between_our_close_and_theirs_is_dropped() -> None:
    connection = WebSocketConnection(LIMIT)
    assert connection.send_close(1001) == client_frame(CLOSE, close_payload(1001), mask=None)
    between = client_frame(TEXT, b"late") + client_frame(PING, b"p") + b"".join(fragments(BINARY, b"a", b"b"))
    assert feed(connection, [between, between + client_frame(CLOSE)]) == [closed(1005, answer=b"")]


def test_a_fragmented_message_that_our_close_interrupts_is_dropped() -> None:
    connection = WebSocketConnection(LIMIT)
    first, second = fragments(TEXT, b"a", b"b")
    assert feed(connection, [first]) == []
    connection.send_close(1000)
    assert feed(connection, [second]) == []
    assert connection.state is State.CLOSING


@pytest.mark.parametrize("broken", [client_frame(3), client_frame(TEXT, b"\xff"), client_frame(CLOSE, b"\x03")])
def test_a_violation_while_we_close_ends_the_connection_without_a_second_close(broken: bytes) -> None:
    connection = WebSocketConnection(LIMIT)
    connection.send_close(1000)
    (ended,) = feed(connection, [client_frame(TEXT, b"late") + broken])
    assert (ended[0], ended[3], ended[4]) == ("Ended", b"", True)
    assert connection.state is State.CLOSED


def test_nothing_is_heard_once_the_connection_is_closed() -> None:
    connection = WebSocketConnection(LIMIT)
    feed(connection, [client_frame(CLOSE)])
    assert feed(connection, [client_frame(TEXT, b"late"), b"\xff\xff", b""]) == []


@pytest.mark.parametrize("close_first", [False, True])
def test_the_end_of_the_stream_without_a_close_is_1006(close_first: bool) -> None:
    connection = WebSocketConnection(LIMIT)
    feed(connection, [client_frame(TEXT, b"half", final=False) + b"\x81"])
    if close_first:
        connection.send_close(1000)
    assert told(connection.receive_end()) == ("Ended", 1006, "", b"", False)
    assert connection.state is State.CLOSED
    assert feed(connection, [client_frame(TEXT, b"late")]) == []


def test_a_connection_is_closed_once() -> None:
    connection = WebSocketConnection(LIMIT)
    connection.send_close(1000)
    with pytest.raises(UsageError, match="closing cannot be closed again"):
        connection.send_close(1000)
    connection.receive_end()
    with pytest.raises(UsageError, match="closed cannot be closed again"):
        connection.send_close(1000)


@pytest.mark.parametrize("code", [0, 1005, 1006, 1015, 2000, 70_000])
def test_a_code_that_must_not_be_sent_is_the_callers_fault_and_changes_nothing(code: int) -> None:
    connection = WebSocketConnection(LIMIT)
    with pytest.raises(UsageError, match=f"code {code}"):
        connection.send_close(code)
    assert connection.state is State.OPEN


# -- section 10.4: limits --------------------------------------------------------------------------------------------


def too_big(size: int, most: int) -> tuple[Any, ...]:
    return ("Ended", 1009, ("max_payload", size, most), "", client_frame(CLOSE, close_payload(1009), mask=None), True)


@BOTH
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_message_may_have_exactly_the_limit(opcode: int, cut: Cut) -> None:
    (message,) = heard(client_frame(opcode, b"x" * 1000), cut, limit=1000)
    assert len(message) == 1000
    (message,) = heard(b"".join(fragments(opcode, b"x" * 400, b"x" * 600)), cut, limit=1000)
    assert len(message) == 1000


@BOTH
@pytest.mark.parametrize("size", [1001, 65_535, 65_536, 2**32, 2**63])
def test_a_header_that_announces_too_much_ends_the_connection_without_a_reason(size: int, cut: Cut) -> None:
    length = b"\xfe" + size.to_bytes(2, "big") if size < 65_536 else b"\xff" + size.to_bytes(8, "big")
    data = client_frame(TEXT, b"before") + b"\x81" + length
    assert heard(data, cut, limit=1000) == ["before", too_big(size, 1000)]


@BOTH
def test_fragments_count_together(cut: Cut) -> None:
    assert heard(b"".join(fragments(TEXT, b"x" * 600, b"x" * 401)), cut, limit=1000) == [too_big(1001, 1000)]
    data = b"".join(fragments(BINARY, *[b"x"] * 10))
    assert heard(data, cut, limit=9) == [too_big(10, 9)]
    assert heard(data, cut, limit=10) == [b"x" * 10]


def test_control_frames_do_not_count() -> None:
    first, second = fragments(TEXT, b"x" * 5, b"x" * 5)
    assert heard(first + client_frame(PING, bytes(125)) + second, limit=10) == [reply(bytes(125)), "x" * 10]


@pytest.mark.parametrize("payload", [b"", b"x"])
def test_cve_2026_48779_a_flood_of_tiny_fragments_keeps_memory_bounded(payload: bytes) -> None:
    connection = WebSocketConnection(1_000_000)
    flood = client_frame(CONTINUATION, payload, final=False) * 1_000
    feed(connection, [client_frame(BINARY, b"", final=False), flood])
    tracemalloc.start()
    try:
        for _ in range(30):
            assert connection.receive_data(flood) == []
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 150_000  # 30,000 fragments: a byte or two each, where an object each would be thirty and more


def test_a_closed_connection_holds_nothing_of_what_it_received() -> None:
    tracemalloc.start()
    try:
        connections = []
        for end in (client_frame(CLOSE), client_frame(3), client_frame(TEXT, b"x"), None):
            connection = WebSocketConnection(1_000_000)
            connection.receive_data(client_frame(BINARY, bytes(200_000), final=False))
            if end is None:
                connection.receive_data(b"\x80\xff" + (900_000).to_bytes(8, "big") + bytes(200_000))
                connection.receive_end()
            else:
                connection.receive_data(end + bytes(200_000))
            assert connection.state is State.CLOSED
            connections.append(connection)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 100_000


# -- cost ------------------------------------------------------------------------------------------------------------


def outcomes(data: bytes, every: int) -> int:
    connection = WebSocketConnection(1_000_000)
    return sum(len(connection.receive_data(piece)) for piece in cut_at(data, range(0, len(data), every)))


def test_one_message_in_many_small_reads_costs_linear_time() -> None:
    def receive(size: int) -> None:
        assert outcomes(client_frame(BINARY, bytes(size)), 5) == 1

    assert is_linear(receive, 1_000_000)


def test_many_messages_across_reads_cost_linear_time() -> None:
    def receive(count: int) -> None:
        data = client_frame(TEXT, b"x" * 10) * count
        assert outcomes(data, 1_001) == count
        assert outcomes(data, len(data) - 1) == count

    assert is_linear(receive, 100_000)


def test_a_message_in_many_fragments_costs_linear_time() -> None:
    def receive(count: int) -> None:
        assert outcomes(b"".join(fragments(TEXT, *[b"x"] * count)), 65_536) == 1

    assert is_linear(receive, 100_000)


# -- any stream, cut anyhow ------------------------------------------------------------------------------------------

some_frames = st.builds(
    client_frame,
    st.sampled_from([CONTINUATION, CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG, 3]),
    st.one_of(st.binary(max_size=130), st.sampled_from([b"\x03\xe8bye", b"\xc3", "é".encode(), b""])),
    final=st.booleans(),
    reserved=st.sampled_from([0, 0, 0, 0, 0, 0, 4]),
    mask=st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=4, max_size=4), st.none()),
)
streams = st.lists(st.one_of(some_frames, some_frames, some_frames, st.binary(max_size=10)), max_size=8).map(b"".join)


@given(streams, st.lists(st.integers(0, 2_000), max_size=12))
def test_no_stream_raises_and_its_cuts_make_no_difference(data: bytes, places: list[int]) -> None:
    expected = heard(data, limit=120)
    assert heard(data, lambda stream: cut_at(stream, places), limit=120) == expected
    assert heard(data, byte_by_byte, limit=120) == expected
    assert [outcome[0] for outcome in expected[:-1] if isinstance(outcome, tuple)] == [
        "Reply" for outcome in expected[:-1] if isinstance(outcome, tuple)
    ]
