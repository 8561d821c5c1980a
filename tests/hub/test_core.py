"""What all clients of one process share: the journal, and logging that may sleep."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest

from tests.hub.conftest import FaultySettings, Log
from tests.support.dummy import DummyClient, connected
from tests.support.scripted import let_the_loop_turn
from tests.support.waiting import wait_until
from tests.support.wired import WiredClient, wired
from webpy_socketio import on_message
from webpy_socketio.hub.hub import Hub


class SleepyHandler(logging.Handler):
    """Waits before it writes, as one does that speaks to a network; its lock is held meanwhile."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        gevent.sleep(0.005)
        self.lines.append(record.getMessage())


@pytest.fixture
def sleepy() -> Iterator[SleepyHandler]:
    handler = SleepyHandler()
    logger = logging.getLogger("webpy_socketio")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


class TestALogHandlerThatSleeps:
    def test_the_end_of_a_session_breaks_nothing(self, hub: Hub, sleepy: SleepyHandler) -> None:
        clients = [wired(hub) for _ in range(3)]
        for client in clients[:2]:
            client.peer.close()
        wait_until(lambda: len(sleepy.lines) == 2)
        assert all("closed: transport close" in line for line in sleepy.lines)
        clients[2].say('42["__subscribe__","room"]', '421["__unsubscribe__","room"]')
        assert clients[2].hear() == "431[true]"

    def test_a_protocol_violation_breaks_nothing(self, hub: Hub, sleepy: SleepyHandler) -> None:
        client, other = wired(hub), wired(hub)
        client.say("9nonsense")
        client.hear_close()
        wait_until(lambda: sleepy.lines)
        other.say('421["__unsubscribe__","room"]')
        assert other.hear() == "431[false]"

    def test_a_fault_of_ours_in_a_callback_breaks_nothing(
        self, hub: Hub, sleepy: SleepyHandler, log: Log, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client, other = wired(hub), wired(hub)
        monkeypatch.setattr(hub, "config", FaultySettings())
        client.say("40/side,")
        client.hear_close()
        monkeypatch.undo()
        wait_until(lambda: any("callback of the loop failed" in line for line in sleepy.lines))
        assert [type(cause) for cause in log.causes()] == [ZeroDivisionError]
        other.say('421["__unsubscribe__","room"]')
        assert other.hear() == "431[false]"

    def test_refusals_in_handlers_keep_only_their_socket_waiting(self, hub: Hub, sleepy: SleepyHandler) -> None:
        client, other = wired(hub), wired(hub)
        client.say('421["__subscribe__",5]')
        other.say('421["__unsubscribe__","room"]')
        assert other.hear() == "431[false]"
        assert client.hear() == "431[false]"
        assert len(sleepy.lines) == 1

    def test_the_message_log_keeps_only_its_socket_waiting(
        self, make_hub: Callable[..., Hub], sleepy: SleepyHandler, log: Log
    ) -> None:
        hub = make_hub(message_log_format="%(MESSAGE)s")

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            socket.send(message)

        client = wired(hub)
        client.say('42["message","a"]', '42["message","b"]')
        assert [client.hear(), client.hear()] == ['42["message","a"]', '42["message","b"]']
        wait_until(lambda: sleepy.lines == ["a", "a", "b", "b"])

    def test_lines_keep_their_order(self, hub: Hub, sleepy: SleepyHandler) -> None:
        clients = [WiredClient(hub) for _ in range(4)]
        for client in clients:
            hub.close(client.client, "transport error", client.handshake["sid"])
        wait_until(lambda: len(sleepy.lines) == 4)
        assert [line.partition("(")[2][:-1] for line in sleepy.lines] == [c.handshake["sid"] for c in clients]


class TestSecrets:
    def test_only_the_beginning_of_the_secret_id_is_logged(self, hub: Hub, log: Log) -> None:
        client = connected(hub)
        sid = client.handshake["sid"]
        client.leave()
        wait_until(lambda: log.lines("session"))
        [line] = log.lines("session")
        assert line == f"{sid[:6]}… closed: transport close"

    def test_a_journal_that_nobody_reads_costs_nothing(self, hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.ERROR, "webpy_socketio"):
            DummyClient(hub).leave()
            assert not hub.workers.is_busy


class TestStop:
    def test_a_websocket_hears_why_and_the_stream_ends(self, hub: Hub) -> None:
        client = wired(hub)
        stop = gevent.spawn(hub.stop, 5)
        assert client.hear_close() == (1001, "server shutting down")
        client.close(1001)
        stop.get(timeout=5)
        assert client.peer.is_at_end()
        assert client.socket.is_closed

    def test_who_does_not_answer_is_closed_all_the_same(self, hub: Hub) -> None:
        client = wired(hub)
        hub.stop(0.02)
        assert client.hear_close() == (1001, "server shutting down")
        assert client.peer.is_at_end()
        assert client.socket.is_closed

    def test_nothing_is_left_behind(self, hub: Hub) -> None:
        clients = [wired(hub) for _ in range(3)]
        hub.stop(0.02)
        assert (hub.clients, hub.farewells, len(hub.wheel)) == ({}, {}, 0)
        assert all(client.socket.is_closed for client in clients)
        for client in clients:
            client.peer.close()  # nobody is there to notice, and nothing breaks
        let_the_loop_turn()
