"""Handlers that misbehave: each costs at most its own client something, and is in the log once with its traceback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apps.raw_server import RawServer, bystanders
from tests.support.raw import PollingSession, Session, WebSocketSession, ask
from tests.support.waiting import wait_until

FAILURES = [("raise", "OwnTrouble"), ("exit", "SystemExit"), ("time out", "Timeout")]


@pytest.fixture(params=["websocket", "polling"])
def session(request: pytest.FixtureRequest, server: RawServer) -> Iterator[Session]:
    kind = WebSocketSession if request.param == "websocket" else PollingSession
    with kind(server.port) as opened:
        yield opened


def failed(server: RawServer, error: str) -> None:
    """Check that one handler has failed since the mark, and that it is logged once, with its traceback."""
    records = server.wait_for_records()
    assert [(name, level, kind) for name, level, _, kind in records] == [("webpy_socketio.hub", "ERROR", error)]


@pytest.mark.parametrize(("event", "error"), FAILURES)
def test_a_handler_that_raises_costs_nobody_its_connection(
    server: RawServer, session: Session, event: str, error: str
) -> None:
    before = server.seen(f"error {error}")
    session.emit(event, ack=7)
    # No ack comes: the event was not handled. What follows is served as always.
    assert session.echo("next") == "next"
    failed(server, error)
    assert server.seen(f"error {error}") == before + 1


def test_a_handler_that_raises_in_on_connect_is_logged_once(server: RawServer) -> None:
    with WebSocketSession(server.port, joined=False) as session:
        session.send_packet('40{"wish":"raise"}')
        session.next_packet()
        failed(server, "OwnTrouble")


def test_a_client_that_is_refused_may_ask_again(server: RawServer) -> None:
    with WebSocketSession(server.port, joined=False) as session:
        for _ in range(3):
            session.send_packet('40{"wish":"refuse"}')
            assert session.next_packet() == '44{"message":"not you"}'
        session.join()
        assert session.echo("in") == "in"
    assert [level for _, level, _, _ in server.wait_for_records()] == ["INFO"]  # its leaving


def test_a_handler_that_waits_makes_only_its_own_client_wait(server: RawServer, session: Session) -> None:
    with WebSocketSession(server.port) as other:
        session.emit("sleep", 1.0)
        session.emit("echo", "behind")
        for number in range(50):
            assert other.echo(number) == number
        assert session.receive() == ["echo", "behind"]


def test_a_hundred_handlers_may_wait_at_once(server: RawServer) -> None:
    sessions = [WebSocketSession(server.port) for _ in range(100)]
    try:
        for waiting in sessions:
            waiting.emit("sleep", 0.5, ack=1)
        with WebSocketSession(server.port) as other:
            assert other.echo("meanwhile") == "meanwhile"
        for waiting in sessions:
            assert waiting.receive_ack(1) == [True]
    finally:
        for waiting in sessions:
            waiting.close()


def test_a_handler_that_never_returns_holds_only_its_own_client(server: RawServer) -> None:
    with WebSocketSession(server.port) as session:
        session.emit("never return")
        session.emit("note", "behind one that never returns")
        wait_until(lambda: server.seen("never") >= 1)
        busy = server.state()["busy workers"]
        session.send_packet("2probe")  # the session is dealt with all the same: this is a violation
        assert session.read_close_and_end()
    assert "unexpected packet" in server.logged()[1]
    assert server.seen("note behind one that never returns") == 0
    assert busy >= 1


def test_a_timeout_left_behind_hits_nobody_else(server: RawServer, session: Session) -> None:
    session.emit("leave a timeout", 0.2)
    session.emit("sleep", 0.5, ack=3)
    assert session.receive_ack(3) == [True]
    assert session.echo("unharmed") == "unharmed"
    assert server.records() == []


def test_a_handler_that_asks_a_client_that_never_answers_ends_with_it(server: RawServer) -> None:
    with WebSocketSession(server.port) as session:
        session.emit("ask", "?")
        assert session.next_packet().endswith('["question","?"]')
    records = server.wait_for_records(2)
    assert sorted((level, kind) for _, level, _, kind in records) == [("ERROR", "SocketClosed"), ("INFO", None)]


def test_an_unknown_event_is_nobodys(server: RawServer, session: Session) -> None:
    session.emit("nobody handles this", 1, 2, ack=9)
    assert session.echo("next") == "next"
    assert server.records() == []


def test_a_wrong_number_of_arguments_is_logged_without_a_traceback(server: RawServer, session: Session) -> None:
    session.emit("sleep", 1, 2, 3)
    assert session.echo("next") == "next"
    name, text = server.logged()
    assert name == "hub"
    assert "3 arguments" in text


# A log handler that takes its time -----------------------------------------------------------------------------------


@pytest.fixture
def sleepy_server(tmp_path: Path) -> Iterator[RawServer]:
    with RawServer(tmp_path, sleepy_log=0.3) as running:
        yield running


def test_a_log_handler_that_sleeps_holds_nobody_up(sleepy_server: RawServer) -> None:
    with bystanders(sleepy_server):
        sessions = [WebSocketSession(sleepy_server.port) for _ in range(10)]
        for number, session in enumerate(sessions):
            session.send_text("nonsense") if number % 2 else session.close()
        for session in sessions[1::2]:
            session.read_close_and_end()
        with WebSocketSession(sleepy_server.port) as session:
            assert session.echo("at once") == "at once"
            assert len(sleepy_server.records()) < 10  # the log is still being written
        records = sleepy_server.wait_for_records(11)
        assert len({text for _, _, text, _ in records}) == 11
        assert {error for *_, error in records} == {None}


def test_a_refusal_is_answered_after_its_line_is_written_and_others_do_not_wait(sleepy_server: RawServer) -> None:
    with bystanders(sleepy_server):
        assert ask(sleepy_server.port, "GET", "/socket.io/?transport=none").status == 400
        assert "Transport unknown" in sleepy_server.logged()[1]
