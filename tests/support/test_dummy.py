"""The client that speaks wire text into a hub, and the one on a socket pair."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gevent
import pytest

from tests.support import dummy
from tests.support.dummy import DummyClient, connected
from tests.support.waiting import wait_until
from tests.support.wired import WiredClient, wired
from webpy_socketio.config import Config
from webpy_socketio.events import Event, Handler, Registry
from webpy_socketio.hub.hub import Hub


def echo(request: Any, socket: Any, context: Any, message: Any) -> Any:
    if message == "slow":
        gevent.sleep(0.01)
    socket.send(message)
    return "acked"


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A hub of its own, with one handler: it sends messages back."""
    handlers = Registry()
    for namespace in ("/", "/side"):
        handlers.add(Handler(Event.MESSAGE, echo, None, namespace, None))
    hub = Hub(Config(message_log_format=None), handlers)
    hub.open()
    yield hub
    hub.stop(0.05)


class TestDummyClient:
    def test_it_reads_the_handshake(self, hub: Hub) -> None:
        client = DummyClient(hub)
        assert client.handshake["sid"] in hub.clients
        assert client.take() == []

    def test_it_joins_and_gives_the_socket(self, hub: Hub) -> None:
        client = DummyClient(hub)
        socket = client.join(auth='{"a":1}')
        assert socket is client.socket()
        assert socket.request.auth == {"a": 1}
        assert client.take() == []
        assert client.join("/side").namespace == "/side"

    def test_what_is_said_is_dealt_with_when_it_returns(self, hub: Hub) -> None:
        client = connected(hub)
        client.say('42["message",1]', '42["message",2]')
        assert client.take() == ['42["message",1]', '42["message",2]']
        assert client.take() == []

    def test_what_was_heard_waits_for_handlers_that_wait(self, hub: Hub) -> None:
        client = connected(hub)
        client.say('42["message","slow"]')
        assert client.take() == []
        assert client.heard() == ['42["message","slow"]']

    def test_in_another_namespace_too(self, hub: Hub) -> None:
        client = DummyClient(hub)
        client.join("/side")
        client.say('42/side,["message","slow"]')
        assert client.heard("/side") == ['42/side,["message","slow"]']

    def test_it_asks_and_gets_the_ack(self, hub: Hub) -> None:
        client = connected(hub)
        assert client.ask("message", 1) == ["acked"]
        assert client.take() == ['42["message",1]']

    def test_it_subscribes(self, hub: Hub) -> None:
        client = connected(hub, "a", "b")
        assert client.socket().channels == ["a", "b"]
        assert client.subscribe("a") is False

    def test_blocked_it_takes_nothing_until_it_is_unblocked(self, hub: Hub) -> None:
        client = connected(hub)
        client.carrier.is_blocked = True
        client.say('42["message",1]')
        assert client.take() == []
        assert client.client.outbox.stuck
        client.unblock()
        assert client.take() == ['42["message",1]']
        assert not client.client.outbox.stuck

    def test_it_leaves(self, hub: Hub) -> None:
        client = connected(hub)
        client.leave()
        assert hub.clients == {}

    def test_it_sees_how_the_hub_closes(self, hub: Hub) -> None:
        client = connected(hub)
        client.say("9")
        assert client.wait_for_end() == client.carrier.ended == (1000, "")

    def test_it_gives_up_on_what_does_not_come(self, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(dummy, "PATIENCE", 0.01)
        with pytest.raises(AssertionError, match="'never' did not come"):
            connected(hub).wait_for("never")
        with pytest.raises(AssertionError, match="did not close"):
            connected(hub).wait_for_end()

    def test_attachments_are_heard_behind_their_packet(self, hub: Hub) -> None:
        client = connected(hub)
        client.socket().send(b"\0")
        assert client.heard() == ['451-["message",{"_placeholder":true,"num":0}]', b"\0"]


class TestWiredClient:
    def test_it_reads_the_handshake_and_joins(self, hub: Hub) -> None:
        client = WiredClient(hub)
        assert client.handshake["sid"] in hub.clients
        assert client.join() in hub.sockets("/")

    def test_it_speaks_and_hears(self, hub: Hub) -> None:
        client = wired(hub)
        client.say('42["message",1]', '42["message",2]')
        assert [client.hear(), client.hear()] == ['42["message",1]', '42["message",2]']

    def test_what_comes_with_the_request_comes_first(self, hub: Hub) -> None:
        client = WiredClient(hub, early=("40", '42["message",1]'))
        assert client.hear().startswith("40")
        assert client.hear() == '42["message",1]'

    def test_it_closes_and_is_closed(self, hub: Hub) -> None:
        one, other = wired(hub), wired(hub)
        one.close()
        assert one.hear_close() == (1000, "")
        other.say("9")
        assert other.hear_close() == (1000, "")

    def test_its_servers_end_writes_every_system_call_down(self, hub: Hub) -> None:
        client = wired(hub)
        client.socket.sent.clear()
        client.say('42["message",1]')
        client.hear()
        wait_until(lambda: client.socket.sent == [b'\x81\x0f42["message",1]'])
