"""WebSocket clients that break RFC 6455, Engine.IO or Socket.IO: a close frame with the right code, one line in the
log, and nobody else notices.
"""

from __future__ import annotations

import struct

import pytest

from tests.apps.raw_server import RawServer, is_no_limit
from tests.support.raw import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    WebSocketSession,
    close_frame,
    frame,
)
from tests.support.waiting import wait_until

LIMIT = 100_000
"""``max_payload`` of these servers."""


def closes_with(server: RawServer, data: bytes, code: int, why: str, reason: str | None = None) -> None:
    """Check that these bytes end their connection with a close frame, and are logged with a reason."""
    with WebSocketSession(server.port) as session:
        session.send(data)
        found = session.read_close_and_end()
        assert found[0] == code
        assert why in found[1] if reason is None else found[1] == reason
        name, text = server.logged()
        assert name == "session"
        assert text.startswith(session.sid[:6] + "…")
        assert why in text
    wait_until(lambda: server.state()["clients"] == 2, what="only the bystanders are left")


# Frames --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("opcode", [TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG])
def test_an_unmasked_frame_is_1002(server: RawServer, opcode: int) -> None:
    payload = struct.pack(">H", 1000) if opcode == CLOSE else b"42[]"
    closes_with(server, frame(opcode, payload, masked=False), 1002, "must be masked")


@pytest.mark.parametrize("reserved", [1, 2, 4, 7])
@pytest.mark.parametrize("opcode", [TEXT, PING, CLOSE])
def test_reserved_bits_are_1002(server: RawServer, opcode: int, reserved: int) -> None:
    closes_with(server, frame(opcode, reserved=reserved), 1002, "reserved bits")


@pytest.mark.parametrize("opcode", [0x3, 0x7, 0xB, 0xF])
def test_an_unknown_opcode_is_1002(server: RawServer, opcode: int) -> None:
    closes_with(server, frame(opcode, b"x"), 1002, "opcode")


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
@pytest.mark.parametrize("fault", ["fragmented", "long"])
def test_a_fragmented_or_long_control_frame_is_1002(server: RawServer, opcode: int, fault: str) -> None:
    data = frame(opcode, b"\x03\xe8", final=False) if fault == "fragmented" else frame(opcode, b"\x03\xe8" + b"x" * 124)
    closes_with(server, data, 1002, "control frame")


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535])
def test_a_close_code_that_must_not_be_sent_is_1002(server: RawServer, code: int) -> None:
    closes_with(server, close_frame(code), 1002, "close code")


def test_a_close_frame_of_one_byte_is_1002(server: RawServer) -> None:
    closes_with(server, frame(CLOSE, b"\x03"), 1002, "close code")


def test_a_close_reason_that_is_not_utf_8_is_1007(server: RawServer) -> None:
    closes_with(server, close_frame(1000, b"\xff"), 1007, "UTF-8")


@pytest.mark.parametrize("payload", [b"\xff", b"4\xc3", b"4\xed\xa0\x80", b"4\xf4\x90\x80\x80", b"\xc0\xaf"])
def test_text_that_is_not_utf_8_is_1007(server: RawServer, payload: bytes) -> None:
    closes_with(server, frame(TEXT, payload), 1007, "UTF-8")


def test_text_that_turns_out_not_to_be_utf_8_is_1007_before_it_is_complete(server: RawServer) -> None:
    closes_with(server, frame(TEXT, b"42\xff", final=False), 1007, "")


def test_a_continuation_of_nothing_is_1002(server: RawServer) -> None:
    closes_with(server, frame(CONTINUATION, b"x"), 1002, "continuation")


def test_a_new_message_inside_a_fragmented_one_is_1002(server: RawServer) -> None:
    closes_with(server, frame(TEXT, b"42", final=False) + frame(TEXT, b"42[]"), 1002, "inside a fragmented one")


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_an_oversize_frame_is_1009_with_an_empty_reason(server: RawServer, opcode: int) -> None:
    closes_with(server, frame(opcode, b"4" * (LIMIT + 1)), 1009, "", reason="")


@pytest.mark.parametrize("size", [2**31, 2**63 - 1, 2**64 - 1])
def test_a_frame_that_announces_too_much_is_1009_at_once(server: RawServer, size: int) -> None:
    closes_with(server, struct.pack(">BBQ", 0x81, 0xFF, size) + b"mask", 1009, "", reason="")


def test_fragments_that_are_too_large_together_are_1009(server: RawServer) -> None:
    parts = [frame(TEXT, b"4" * 40_000, final=False), *[frame(CONTINUATION, b"4" * 40_000, final=False)] * 2]
    closes_with(server, b"".join(parts), 1009, "", reason="")


def test_an_oversize_frame_may_go_on_coming(server: RawServer) -> None:
    # The client must be able to read our close frame while it is still sending: no reset.
    with WebSocketSession(server.port) as session:
        session.send(struct.pack(">BBQ", 0x82, 0xFF, 5_000_000) + b"mask")
        for _ in range(50):
            session.send(b"x" * 100_000)
        assert session.read_close() == (1009, "")
    server.logged()


def test_a_frame_of_exactly_the_limit_is_taken(server: RawServer) -> None:
    with WebSocketSession(server.port) as session:
        text = "x" * (LIMIT - len('42["echo", ""]'))
        assert session.echo(text) == text


def test_frames_before_a_bad_one_are_handled(server: RawServer) -> None:
    with WebSocketSession(server.port) as session:
        session.send(frame(TEXT, '42["note","websocket"]') + frame(TEXT, "42[]", masked=False))
        assert session.read_close_and_end()[0] == 1002
        server.logged()
    assert server.seen("note websocket") == 1


def test_nothing_is_read_behind_a_bad_frame(server: RawServer) -> None:
    closes_with(server, frame(0x3) + frame(TEXT, '42["note","too late"]') + frame(0x4), 1002, "opcode 3")
    assert server.seen("note too late") == 0


def test_many_tiny_fragments_are_one_message(server: RawServer) -> None:
    with WebSocketSession(server.port) as session:
        packet = b'42["echo","' + b"x" * 20_000 + b'"]'
        pieces = [frame(CONTINUATION, packet[at : at + 1], final=False) for at in range(1, len(packet) - 1)]
        session.send(frame(TEXT, packet[:1], final=False) + b"".join(pieces) + frame(CONTINUATION, packet[-1:]))
        assert session.receive() == ["echo", "x" * 20_000]


def test_a_frame_that_comes_byte_by_byte_is_one_message(server: RawServer) -> None:
    with WebSocketSession(server.port) as session:
        for byte in frame(TEXT, '42["echo","slowly"]'):
            session.send(bytes((byte,)))
        assert session.receive() == ["echo", "slowly"]


# Engine.IO and Socket.IO packets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        ("", "unexpected packet"),
        ("abc", "unexpected packet 'a'"),
        ("7", "unexpected packet '7'"),
        ("0{}", "unexpected packet '0'"),
        ("2", "unexpected packet '2'"),
        ("5", "unexpected packet '5'"),
        ("6", "unexpected packet '6'"),
        ("b????", "base64"),
    ],
)
def test_a_packet_that_the_engine_does_not_know_ends_the_session(server: RawServer, packet: str, why: str) -> None:
    with WebSocketSession(server.port) as session:
        session.send_text(packet)
        assert session.read_close_and_end()[0] in (1000, 1002)
        name, text = server.logged()
        assert name == "session"
        assert why in text


@pytest.mark.parametrize(
    ("packets", "why"),
    [
        (["4"], "packet type"),
        (["4x"], "packet type"),
        (["47"], "packet type"),
        (["40"], "second CONNECT"),
        (["40/,{"], "second CONNECT"),
        (["42/nowhere,[]"], "not joined"),
        (["44{}"], "not joined"),
        (["42{"], "not JSON"),
        (["42"], "not JSON"),
        (["42{}"], "must be an array"),
        (["42[]"], "begins with its name"),
        (["42[{}]"], "begins with its name"),
        (['42["connect"]'], "reserved"),
        (["43[]"], "ack without an id"),
        (["431x"], "not JSON"),
        (["45[]"], "attachments and a dash"),
        (["45-[]"], "attachments and a dash"),
        (['4500000000001-["blob"]'], "attachments and a dash"),
        (['451-["blob"]', '42["echo"]'], "text in place of a binary attachment"),
        (['451-["blob",{"_placeholder":true,"num":9}]', "bAAAA"], "placeholder"),
        (['451-["blob",{"_placeholder":true,"num":true}]', "bAAAA"], "placeholder"),
        (['451-["blob",{"_placeholder":true}]', "bAAAA"], "placeholder"),
        (["bAAAA"], "no packet announced"),
    ],
)
def test_a_malformed_socket_io_packet_is_1002(server: RawServer, packets: list[str], why: str) -> None:
    closes_with(server, b"".join(frame(TEXT, packet) for packet in packets), 1002, why)


def test_a_binary_message_that_nobody_announced_is_1002(server: RawServer) -> None:
    closes_with(server, frame(BINARY, b"\x04\x00"), 1002, "no packet announced")


def test_more_namespaces_than_allowed_are_1002(server: RawServer) -> None:
    # An unknown namespace is refused with CONNECT_ERROR and does not count.
    with WebSocketSession(server.port) as session:
        session.send_text(*(f"40/unknown-{number}," for number in range(500)))
        for _ in range(500):
            assert session.next_packet().startswith("44/unknown-")
        assert session.echo("unharmed") == "unharmed"


# Closing -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
def test_a_proper_close_is_answered_with_its_code(server: RawServer, code: int) -> None:
    with WebSocketSession(server.port) as session:
        session.send(close_frame(code, "bye"))
        assert session.read_close() == (code, "")
        assert session.is_closed_by_server()
    assert server.logged()[1].endswith("closed: transport close")


def test_a_client_that_just_vanishes_is_noticed(server: RawServer) -> None:
    with WebSocketSession(server.port) as session:
        pass
    assert server.logged()[1] == f"{session.sid[:6]}… closed: transport close"


def test_a_client_that_resets_is_noticed(server: RawServer) -> None:
    session = WebSocketSession(server.port)
    session.reset()
    assert server.logged()[1] == f"{session.sid[:6]}… closed: transport close"


def test_a_client_that_never_answers_our_close_frame_is_dropped(hasty: RawServer) -> None:
    with WebSocketSession(hasty.port) as session:
        before = hasty.state()["descriptors"]
        session.emit("disconnect me")
        assert session.next_packet() == "41"
        assert session.read_close()[0] == 1000
        wait_until(lambda: hasty.state()["descriptors"] == before - 1, what="the descriptor is closed")


def test_a_client_that_goes_on_sending_after_our_close_frame_is_dropped(hasty: RawServer) -> None:
    with WebSocketSession(hasty.port) as session:
        session.send(frame(TEXT, "42[]", masked=False))
        assert session.read_close()[0] == 1002

        def is_dropped() -> bool:
            try:
                session.send_text('42["note","after close"]')
            except ConnectionError:
                return True
            return False

        wait_until(is_dropped)
    assert hasty.seen("note after close") == 0


# Too much, too slowly ------------------------------------------------------------------------------------------------


def test_a_slow_consumer_is_closed_with_1008(server: RawServer) -> None:
    with WebSocketSession(server.port, receive_buffer=4_096) as session:
        session.emit("bytes", 200, 90_000)
        name, text = server.logged()
        assert name == "session"
        assert "outbox_limit is 500000" in text
        # It reads at last: what was on its way, then the close frame.
        assert session.read_close_and_end() == (1008, "slow consumer")
    wait_until(lambda: server.state()["budget"] == 0)


def test_a_slow_consumer_that_never_reads_is_dropped(hasty: RawServer) -> None:
    with WebSocketSession(hasty.port, receive_buffer=4_096) as session:
        before = hasty.state()["descriptors"]
        session.emit("bytes", 200, 90_000)
        assert "outbox_limit" in hasty.logged()[1]
        wait_until(lambda: hasty.state()["descriptors"] == before - 1, what="the descriptor is closed")
    # What the bystander on polling has not fetched yet counts for a moment.
    wait_until(lambda: [hasty.state()[name] for name in ("budget", "timed", "clients")] == [0, 2, 2])


def test_a_channel_reaches_all_who_read_when_one_does_not(server: RawServer) -> None:
    with WebSocketSession(server.port) as reader, WebSocketSession(server.port, receive_buffer=4_096) as stuck:
        for session in (reader, stuck):
            session.emit("join me", "everybody")
        for number in range(100):
            value = "x" * 50_000 + str(number)
            reader.emit("to channel", "everybody", value)
            assert reader.receive() == ["message", value]
        assert stuck.sid[:6] in server.logged()[1]


def test_a_flood_of_events_costs_nobody_else_anything(server: RawServer) -> None:
    with WebSocketSession(server.port) as session:
        flood = b"".join(frame(TEXT, '42["note","flood"]') for _ in range(2_000))
        session.socket.settimeout(50)  # they are to be handled, and a machine may be slow
        for _ in range(20):
            session.send(flood)
        assert session.echo("in order") == "in order"
    assert server.seen("note flood") == 40_000


def test_a_flood_of_pings_and_pongs_costs_nobody_else_anything(server: RawServer) -> None:
    with WebSocketSession(server.port) as session:
        for _ in range(20):
            session.send(frame(PING, b"x" * 100) * 100 + frame(PONG) * 1_000 + frame(TEXT, "3") * 1_000)
            for _ in range(100):
                assert session.read_frame() == (PONG, b"x" * 100)
        assert session.echo("unharmed") == "unharmed"


def test_a_flood_of_pings_whose_answers_are_not_read_is_bounded(server: RawServer) -> None:
    before = server.state()["kilobytes"]
    with WebSocketSession(server.port, receive_buffer=4_096) as session:
        session.socket.settimeout(2)
        pings = frame(PING, b"x" * 125) * 2_000
        try:
            for _ in range(200):  # 52 MB of them
                session.send(pings)
        except (TimeoutError, ConnectionError):
            pass  # the server has stopped to read, or has closed
        assert server.state()["kilobytes"] - before < 20_000


def test_a_client_whose_handler_blocks_is_slowed_down_and_loses_nothing(server: RawServer) -> None:
    with WebSocketSession(server.port) as session:
        session.emit("sleep", 1.0)
        for _ in range(1_000):
            session.send_text('42["note","slowed"]')
        assert session.echo("at last") == "at last"
    assert server.seen("note slowed") == 1_000


@pytest.mark.parametrize("count", [4, 9999])
def test_too_many_attachments_are_1008(server: RawServer, count: int) -> None:
    closes_with(server, frame(TEXT, f'45{count}-["blob"]'), 1008, f"{count} attachments, more than 3")


def test_a_client_that_floods_while_its_handler_waits_for_its_ack_is_closed_with_1008(server: RawServer) -> None:
    with WebSocketSession(server.port) as session:
        session.emit("ask", "?")
        assert session.next_packet().startswith("42")
        note = frame(TEXT, '42["note","while asked"]')
        try:
            for _ in range(100):
                session.send(note * 100)
        except ConnectionError:
            pass
        assert session.read_close() == (1008, "too many events")
        records = list(filter(is_no_limit, server.wait_for_records(3)))
        assert sorted((level, error) for _, level, _, error in records) == [("ERROR", "SocketClosed"), ("INFO", None)]
