"""From long-polling to WebSocket: what goes wrong costs the candidate, never the session, and no packet."""

from __future__ import annotations

import json

import pytest

from tests.apps.raw_server import RawServer
from tests.support.raw import (
    CLOSE,
    TEXT,
    Connection,
    PollingSession,
    WebSocket,
    ask,
    close_frame,
    frame,
    head,
)
from tests.support.waiting import wait_until

UPGRADED_ALREADY = "the session is upgraded, or being upgraded, already"


def upgrade(session: PollingSession) -> WebSocket:
    """Move a session to a WebSocket, as the official client does."""
    candidate = session.begin_upgrade()
    candidate.send_text("2probe")
    assert candidate.read_text() == "3probe"
    candidate.send_text("5")
    return candidate


def echo(websocket: WebSocket, value: object) -> object:
    websocket.send_text(f'42["echo",{json.dumps(value)}]')
    while (packet := websocket.read_text()) == "2":
        websocket.send_text("3")
    name, result = json.loads(packet.removeprefix("42"))
    assert name == "echo"
    return result


def logged(server: RawServer, session: PollingSession) -> str:
    name, text = server.logged()
    assert name == "session"
    assert text.startswith(f"{session.sid[:6]}… ")
    return text[8:]


# The way it goes -----------------------------------------------------------------------------------------------------


def test_a_session_upgrades_and_goes_on(server: RawServer) -> None:
    with PollingSession(server.port) as session:
        assert session.echo("by polling") == "by polling"
        with upgrade(session) as websocket:
            assert echo(websocket, "by websocket") == "by websocket"


def test_the_open_poll_is_released_by_the_probe_with_a_noop(server: RawServer) -> None:
    with PollingSession(server.port) as session, session.begin_poll() as poll:
        assert session.is_held(poll)
        with session.begin_upgrade() as candidate:
            assert session.is_held(poll)
            candidate.send_text("2probe")
            assert candidate.read_text() == "3probe"
            assert poll.read_response().text == "6"


def test_polls_during_the_probe_are_not_held(server: RawServer) -> None:
    with PollingSession(server.port) as session, session.begin_upgrade() as candidate:
        candidate.send_text("2probe")
        assert candidate.read_text() == "3probe"
        for _ in range(3):
            assert session.poll().text == "6"
        assert session.echo("still by polling") == "still by polling"
        candidate.send_text("5")
        assert echo(candidate, "now by websocket") == "now by websocket"


def test_what_waits_at_the_upgrade_comes_by_websocket_in_order(server: RawServer) -> None:
    with PollingSession(server.port) as session:
        for number in range(100):
            session.emit("echo", number)
        with upgrade(session) as websocket:
            received = [json.loads(websocket.read_text()[2:]) for _ in range(100)]
            assert received == [["echo", number] for number in range(100)]


def test_an_upgrade_under_load_loses_and_doubles_nothing(server: RawServer) -> None:
    for _ in range(10):
        with PollingSession(server.port) as session:
            session.emit("numbers", 200)
            received = [session.receive()[1] for _ in range(20)]
            received += session.buffered()
            candidate = session.begin_upgrade()
            candidate.send_text("2probe")
            assert candidate.read_text() == "3probe"
            received += [session.receive()[1] for _ in range(20)]
            received += session.buffered()
            candidate.send_text("5")
            while len(received) < 200:
                received.append(json.loads(candidate.read_text()[2:])[1])
            assert received == list(range(200))
            candidate.close()


def test_a_poll_open_at_the_upgrade_ends_with_a_noop(server: RawServer) -> None:
    with PollingSession(server.port) as session, session.begin_upgrade() as candidate:
        candidate.send_text("2probe")
        assert candidate.read_text() == "3probe"
        with session.begin_poll() as poll:
            session.is_held(poll)  # it is there, and held for a moment
            candidate.send_text("5")
            assert poll.read_response().text == "6"
            assert echo(candidate, "on") == "on"


def test_probe_upgrade_and_first_event_in_one_segment(server: RawServer) -> None:
    with PollingSession(server.port) as session, session.begin_upgrade() as candidate:
        candidate.send_text("2probe", "5", '42["echo","early"]')
        assert candidate.read_text() == "3probe"
        assert candidate.read_text() == '42["echo","early"]'


def test_a_probe_in_one_segment_with_the_opening_handshake(server: RawServer) -> None:
    with PollingSession(server.port) as session:
        early = frame(TEXT, "2probe") + frame(TEXT, "5") + frame(TEXT, '42["echo","very early"]')
        with session.begin_upgrade(early=early) as candidate:
            assert candidate.read_text() == "3probe"
            assert candidate.read_text() == '42["echo","very early"]'


def test_a_poll_whose_answer_is_lost_at_the_upgrade_loses_nothing(server: RawServer) -> None:
    with PollingSession(server.port) as session, session.begin_upgrade() as candidate:
        lost = session.begin_poll()
        assert session.is_held(lost)
        lost.reset()
        session.emit("echo", "kept")
        candidate.send_text("2probe")
        assert candidate.read_text() == "3probe"
        candidate.send_text("5")
        assert candidate.read_text() == '42["echo","kept"]'


def test_a_post_under_way_at_the_upgrade_is_taken(server: RawServer) -> None:
    with PollingSession(server.port) as session, Connection(server.port) as post:
        packet = b'42["echo","under way"]'
        post.send(head("POST", session.path, {"Content-Length": len(packet)}) + packet[:5])
        with upgrade(session) as websocket:
            assert echo(websocket, "upgraded") == "upgraded"
            post.send(packet[5:])
            assert post.read_response().text == "ok"
            assert websocket.read_text() == '42["echo","under way"]'


# Requests after it ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_polling_after_the_upgrade_is_code_3_and_harmless(server: RawServer, method: str) -> None:
    with PollingSession(server.port) as session, upgrade(session) as websocket:
        assert echo(websocket, 1) == 1
        body = '42["echo","too late"]' if method == "POST" else None
        assert ask(server.port, method, session.path, body).error == (400, {"code": 3, "message": "Bad request"})
        assert "carried by websocket" in server.logged()[1]
        assert echo(websocket, 2) == 2


def test_another_websocket_after_the_upgrade_is_closed_and_harmless(server: RawServer) -> None:
    with PollingSession(server.port) as session, upgrade(session) as websocket:
        assert echo(websocket, 1) == 1
        with WebSocket(server.port, session.sid) as second:
            second.send_text("2probe")
            assert second.read_close_and_end() == (1000, UPGRADED_ALREADY)
        assert UPGRADED_ALREADY in logged(server, session)
        assert echo(websocket, 2) == 2


@pytest.mark.parametrize("packet", ["2probe", "5", "2", "6"])
def test_upgrading_twice_ends_the_session(server: RawServer, packet: str) -> None:
    with PollingSession(server.port) as session, upgrade(session) as websocket:
        assert echo(websocket, 1) == 1
        websocket.send_text(packet)
        assert websocket.read_close_and_end()
        assert "unexpected packet" in logged(server, session)


# What goes wrong -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("probed", [False, True])
def test_an_upgrade_that_never_completes_costs_nothing(hasty: RawServer, probed: bool) -> None:
    with PollingSession(hasty.port) as session, session.begin_upgrade() as candidate:
        if probed:
            candidate.send_text("2probe")
            assert candidate.read_text() == "3probe"
        for number in range(5):
            assert session.echo(number) == number
        assert candidate.read_close_and_end()[1] == "the upgrade took too long"
        assert logged(hasty, session) == "did not upgrade: the upgrade took too long"
        with session.begin_poll() as poll:  # held again
            assert session.is_held(poll)
            session.emit("echo", "on")
            assert poll.read_response().text == '42["echo","on"]'
        with upgrade(session) as websocket:  # and the next try may succeed
            assert echo(websocket, "upgraded") == "upgraded"


@pytest.mark.parametrize(
    "bad",
    [
        frame(TEXT, "2"),
        frame(TEXT, "2prob"),
        frame(TEXT, "5"),
        frame(TEXT, "40"),
        frame(TEXT, '42["echo","by the candidate"]'),
        frame(TEXT, "nonsense"),
        frame(TEXT, ""),
        frame(0x2, b"binary"),
        frame(TEXT, "2probe", masked=False),
        frame(TEXT, "2probe", reserved=4),
        frame(TEXT, b"\xff"),
        frame(TEXT, "2probe" * 20_000),
        close_frame(1000),
        close_frame(999),
        frame(TEXT, "2probe") + frame(TEXT, "2probe"),
        frame(TEXT, "2probe") + frame(TEXT, '42["echo","before the upgrade"]'),
        frame(TEXT, "2probe") + frame(TEXT, "nonsense") + frame(TEXT, "5") + frame(TEXT, '42["note","behind it"]'),
    ],
)
def test_a_bad_candidate_costs_only_itself(server: RawServer, bad: bytes) -> None:
    with PollingSession(server.port) as session, session.begin_poll() as poll:
        assert session.is_held(poll)
        with session.begin_upgrade() as candidate:
            candidate.send(bad)
            while candidate.read_frame()[0] != CLOSE:
                pass
            try:
                candidate.send(close_frame(1000))
            except ConnectionError:
                pass
            assert candidate.is_closed_by_server()
        assert logged(server, session).startswith("did not upgrade: ")
        session.emit("echo", "unharmed")
        # The poll was released, if the probe was right; otherwise it is held still.
        answer = poll.read_response().text
        assert answer == '42["echo","unharmed"]' or (answer == "6" and session.receive() == ["echo", "unharmed"])
        with upgrade(session) as websocket:
            assert echo(websocket, "upgraded") == "upgraded"
    assert server.seen("note behind it") == 0


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_candidate_that_vanishes_costs_only_itself(server: RawServer, how: str) -> None:
    with PollingSession(server.port) as session:
        candidate = session.begin_upgrade()
        candidate.send_text("2probe")
        assert candidate.read_text() == "3probe"
        getattr(candidate, how)()
        assert logged(server, session) == "did not upgrade: closed with 1006"
        assert session.echo("unharmed") == "unharmed"


def test_a_second_candidate_is_closed_and_the_first_goes_on(server: RawServer) -> None:
    with PollingSession(server.port) as session, session.begin_upgrade() as first:
        for _ in range(3):
            with WebSocket(server.port, session.sid) as second:
                assert second.response.status == 101
                assert second.read_close_and_end() == (1000, UPGRADED_ALREADY)
            assert UPGRADED_ALREADY in logged(server, session)
            server.mark()
        first.send_text("2probe", "5")
        assert first.read_text() == "3probe"
        assert echo(first, "upgraded") == "upgraded"


def test_a_candidate_that_resets_before_the_answer_costs_only_itself(server: RawServer) -> None:
    with PollingSession(server.port) as session:
        for _ in range(5):
            connection = Connection(server.port)
            connection.send(head("GET", f"/socket.io/?EIO=4&transport=websocket&sid={session.sid}", UPGRADE))
            connection.reset()
        wait_until(lambda: session.echo("unharmed") == "unharmed" and len(server.records()) >= 1)
        wait_until(lambda: upgrade_or_none(session) is not None, what="the candidates are forgotten")


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


def upgrade_or_none(session: PollingSession) -> WebSocket | None:
    candidate = session.begin_upgrade()
    candidate.send_text("2probe")
    opcode, payload = candidate.read_frame()
    if (opcode, payload) == (TEXT, b"3probe"):
        return candidate
    candidate.close()
    return None


def test_the_session_ends_while_an_upgrade_is_under_way(server: RawServer) -> None:
    with PollingSession(server.port) as session, session.begin_upgrade() as candidate:
        candidate.send_text("2probe")
        assert candidate.read_text() == "3probe"
        session.send_packet("1")
        assert candidate.read_close_and_end()[0] == 1000
        assert logged(server, session) == "closed: transport close"
        assert session.post("3").error == (400, {"code": 1, "message": "Session ID unknown"})
