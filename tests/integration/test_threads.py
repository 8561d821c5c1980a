"""Threads of the operating system send to clients of the loop: nothing is lost, and the order per thread is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest

from tests.apps.raw_server import RawServer
from tests.support.raw import PollingSession, Session, WebSocketSession
from tests.support.waiting import wait_until

THREADS = 4
COUNT = 300


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RawServer]:
    # The default limits: the clients of this test take their time.
    with RawServer(tmp_path) as running:
        printed = running.program.output()
        yield running
        assert running.program.output() == printed
        assert {level for _, level, _, _ in running.records()} <= {"INFO"}


@pytest.fixture
def listeners(server: RawServer) -> Iterator[list[Session]]:
    sessions: list[Any] = [WebSocketSession(server.port) for _ in range(4)]
    sessions += [PollingSession(server.port) for _ in range(2)]
    for session in sessions:
        session.emit("join me", "threads", ack=1)
        assert session.receive_ack(1) == [True]
    yield sessions
    for session in sessions:
        session.send_packet("1")
        session.close()


def collect(session: Session, kinds: int) -> dict[tuple[str, int], list[int]]:
    """Receive all that the threads send to one client: kind and thread to the numbers, in order."""
    received: dict[tuple[str, int], list[int]] = {}
    for _ in range(kinds * THREADS * COUNT):
        event = session.receive()
        kind, thread, number = event if event[0] == "tick" else event[1]
        received.setdefault((kind, thread), []).append(number)
    return received


def come_and_go(server: RawServer) -> None:
    """Be the clients that change the registries while the threads look at them."""
    while True:
        with WebSocketSession(server.port) as session:
            session.emit("join me", "threads")


def test_what_threads_send_arrives_in_order_and_completely(server: RawServer, listeners: list[Session]) -> None:
    chosen = listeners[0]
    done = server.seen("threads done")
    restless = [gevent.spawn(come_and_go, server) for _ in range(5)]
    collectors = [gevent.spawn(collect, session, 4 if session is chosen else 3) for session in listeners]
    server.ask_for("/threads", threads=THREADS, count=COUNT, ids=chosen.id)
    try:
        for session, collector in zip(listeners, collectors, strict=True):
            received = collector.get(timeout=50)
            kinds = ("tick", "channel", "all", "one") if session is chosen else ("tick", "channel", "all")
            assert received == {(kind, thread): list(range(COUNT)) for kind in kinds for thread in range(THREADS)}
    finally:
        gevent.killall([*restless, *collectors])
    wait_until(lambda: server.seen("threads done") == done + THREADS)
    assert server.seen("no socket") == 0
