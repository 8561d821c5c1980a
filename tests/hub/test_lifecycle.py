"""A socket's beginning and end, and the callbacks of its acks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import Event

from tests.hub.conftest import Log
from tests.support.dummy import DummyClient, connected
from tests.support.waiting import wait_until
from webpy_socketio import (
    Refused,
    SocketClosed,
    broadcast_channel,
    channel_members,
    channels,
    clients,
    on_connect,
    on_disconnect,
    on_error,
    on_event,
    on_finish,
    on_message,
    on_subscribe,
    on_unsubscribe,
)
from webpy_socketio.hub.hub import Hub


def settle(hub: Hub) -> None:
    wait_until(lambda: not hub.workers.is_busy, what="no handler runs")


class TestConnecting:
    def test_a_client_is_in_with_an_id_of_twenty_characters(self, hub: Hub) -> None:
        client = DummyClient(hub)
        client.say("40")
        [id_] = clients()
        assert client.take() == [f'40{{"sid":"{id_}"}}']
        assert len(id_) == 20
        assert id_ != client.handshake["sid"]

    def test_on_connect_runs_before_the_reply(self, hub: Hub) -> None:
        got: list[Any] = []

        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> None:
            got.append((list(client.carrier.sent), clients(), socket.connected, request.auth))

        client = DummyClient(hub)
        client.say('40{"token":"t"}')
        assert got == [([], [], True, {"token": "t"})]
        assert len(client.take()) == 1

    def test_the_reply_waits_for_handlers_that_wait(self, hub: Hub) -> None:
        may_go_on = Event()

        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> None:
            may_go_on.wait()

        client = DummyClient(hub)
        client.say("40")
        assert (client.take(), clients()) == ([], [])
        may_go_on.set()
        client.wait_for(lambda packet: str(packet).startswith('40{"sid"'))
        assert len(clients()) == 1

    def test_all_handlers_run_in_order(self, hub: Hub) -> None:
        got: list[str] = []

        @on_connect
        def first(request: Any, socket: Any, context: Any) -> None:
            got.append("first")

        @on_connect
        def second(request: Any, socket: Any, context: Any) -> None:
            got.append("second")

        connected(hub)
        assert got == ["first", "second"]

    def test_what_handlers_send_meanwhile_leaves_after_the_reply(self, hub: Hub) -> None:
        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> None:
            assert socket.send("welcome") is True
            assert socket.emit("file", b"\0") is True
            socket.subscribe("room")
            socket.send_and_broadcast_channel("hello", "room")

        client = DummyClient(hub)
        client.say("40")
        assert client.take() == [
            f'40{{"sid":"{clients()[0]}"}}',
            '42["message","welcome"]',
            '451-["file",{"_placeholder":true,"num":0}]',
            b"\0",
            '42["message","hello"]',
        ]

    def test_so_does_what_others_send_to_its_channels(self, hub: Hub) -> None:
        may_go_on = Event()

        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> None:
            socket.subscribe("room")
            may_go_on.wait()

        client = DummyClient(hub)
        client.say("40")
        broadcast_channel("news", "room")
        assert client.take() == []
        may_go_on.set()
        client.wait_for('42["message","news"]')
        assert str(client.take()[0]).startswith('40{"sid"')

    def test_a_broadcast_to_everyone_does_not_reach_who_is_not_in_yet(self, hub: Hub) -> None:
        may_go_on = Event()

        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> None:
            if context.setdefault("slow", bool(clients())):
                may_go_on.wait()

        old, new = connected(hub), DummyClient(hub)
        new.say("40")
        old.socket().send_and_broadcast("everyone")
        may_go_on.set()
        new.wait_for(lambda packet: str(packet).startswith('40{"sid"'))
        assert len(new.take()) == 1

    def test_what_is_sent_meanwhile_has_a_limit(self, make_hub: Callable[..., Hub]) -> None:
        hub, got = make_hub(outbox_limit=1_000_000), []

        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> None:
            got.extend(socket.send("x" * 100) for _ in range(20_000))

        connected(hub)
        assert 1_000 < sum(got) <= 10_000
        assert got == sorted(got, reverse=True)

    def test_events_that_arrive_meanwhile_wait(self, hub: Hub) -> None:
        got: list[str] = []
        may_go_on = Event()

        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> None:
            may_go_on.wait()
            got.append("connect")

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> str:
            got.append(message)
            return "acked"

        client = DummyClient(hub)
        client.say("40", '427["message","early"]')
        assert got == []
        may_go_on.set()
        client.wait_for('437["acked"]')
        assert got == ["connect", "early"]
        assert str(client.take()[0]).startswith('40{"sid"')

    def test_call_is_refused_as_its_answer_could_not_come(self, hub: Hub) -> None:
        got: list[str] = []

        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> None:
            try:
                socket.call("ask")
            except Exception as error:
                got.append(f"{type(error).__name__}: {error}")

        connected(hub)
        assert got == [
            "UsageError: call() needs a connected client; in on_connect its answer could not come. Use emit()."
        ]

    def test_emit_with_a_callback_works(self, hub: Hub) -> None:
        got: list[Any] = []

        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> None:
            socket.emit("ask", callback=got.append)

        client = connected(hub)
        [packet] = client.heard()
        client.say(str(packet).replace("42", "43", 1).replace('["ask"]', '["answer"]'))
        assert got == ["answer"]

    def test_an_exception_does_not_refuse(self, hub: Hub, log: Log) -> None:
        got: list[BaseException] = []

        @on_connect
        def broken(request: Any, socket: Any, context: Any) -> None:
            raise ValueError("no")

        @on_connect
        def fine(request: Any, socket: Any, context: Any) -> None:
            socket.send("still here")

        @on_error
        def hear(request: Any, socket: Any, context: Any, exception: BaseException) -> None:
            got.append(exception)

        client = connected(hub)
        assert client.heard() == ['42["message","still here"]']
        assert log.causes() == got

    def test_each_namespace_is_connected_by_itself(self, hub: Hub) -> None:
        got: list[Any] = []

        @on_connect
        def main(request: Any, socket: Any, context: Any) -> None:
            got.append((socket.namespace, request.auth))

        @on_connect(namespace="/side")
        def side(request: Any, socket: Any, context: Any) -> None:
            got.append((socket.namespace, request.auth))

        client = DummyClient(hub)
        one, other = client.join(auth='{"a":1}'), client.join("/side", '{"b":2}')
        assert got == [("/", {"a": 1}), ("/side", {"b": 2})]
        assert one.request.auth == {"a": 1}
        assert one.id != other.id
        assert one.context is not other.context

    def test_an_unknown_namespace_is_refused_and_the_connection_goes_on(self, hub: Hub) -> None:
        client = DummyClient(hub)
        client.say("40/unheard,")
        assert client.take() == ['44/unheard,{"message":"Invalid namespace"}']
        client.join()


class TestRefusing:
    @pytest.fixture
    def ends(self, make_hub: Any) -> list[str]:
        """What the handlers of an end are told."""
        ends: list[str] = []

        @on_unsubscribe
        def unsubscribe(request: Any, socket: Any, context: Any, channel: str) -> None:
            ends.append(f"unsubscribe {channel}")

        @on_disconnect
        def disconnect(request: Any, socket: Any, context: Any) -> None:
            ends.append("disconnect")

        @on_finish
        def finish(request: Any, socket: Any, context: Any) -> None:
            ends.append("finish")

        return ends

    def test_false_refuses(self, hub: Hub) -> None:
        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> bool:
            return False

        client = DummyClient(hub)
        client.say("40")
        assert client.take() == ['44{"message":"Connection refused"}']
        assert clients() == []

    @pytest.mark.parametrize("value", [None, 0, "", [], True])
    def test_nothing_but_false_does(self, hub: Hub, value: object) -> None:
        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> object:
            return value

        connected(hub)

    @pytest.mark.parametrize(
        ("refusal", "packet"),
        [
            (Refused, '44{"message":"Connection refused"}'),
            (Refused("Not you"), '44{"message":"Not you"}'),
            (Refused("Not you", {"retry": 5}), '44{"message":"Not you","data":{"retry":5}}'),
            (Refused("Not you", data=[1]), '44{"message":"Not you","data":[1]}'),
        ],
    )
    def test_refused_brings_a_message_and_data(self, hub: Hub, refusal: Any, packet: str) -> None:
        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> None:
            raise refusal

        client = DummyClient(hub)
        client.say("40")
        assert client.take() == [packet]

    def test_data_that_cannot_be_sent_is_an_error_and_the_client_is_still_told(self, hub: Hub, log: Log) -> None:
        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> None:
            raise Refused("Not you", {1, 2})

        client = DummyClient(hub)
        client.say("40")
        assert client.take() == ['44{"message":"Not you"}']
        assert [type(cause) for cause in log.causes()] == [TypeError]

    def test_further_handlers_do_not_run(self, hub: Hub, log: Log) -> None:
        got: list[str] = []

        @on_connect
        def refuses(request: Any, socket: Any, context: Any) -> bool:
            return False

        @on_connect
        def is_not_asked(request: Any, socket: Any, context: Any) -> None:
            got.append("asked")

        DummyClient(hub).say("40")
        assert got == []
        assert log.errors() == []

    def test_what_was_sent_is_dropped_and_subscriptions_are_undone_silently(self, hub: Hub, ends: list[str]) -> None:
        sockets: list[Any] = []

        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> bool:
            sockets.append(socket)
            socket.subscribe("room")
            socket.send("dropped")
            assert channel_members("room") == [socket.id]
            return False

        client = DummyClient(hub)
        client.say("40")
        assert client.take() == ['44{"message":"Connection refused"}']
        assert channels() == []
        client.leave()
        settle(hub)
        assert ends == []
        assert (sockets[0].connected, sockets[0].send("x"), sockets[0].channels) == (False, False, [])

    def test_events_that_arrived_meanwhile_are_dropped(self, hub: Hub, ends: list[str]) -> None:
        got: list[Any] = []
        may_go_on = Event()

        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> bool:
            may_go_on.wait()
            return False

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            got.append(message)

        client = DummyClient(hub)
        client.say("40", '427["message","early"]')
        may_go_on.set()
        settle(hub)
        assert client.take() == ['44{"message":"Connection refused"}']
        assert got == []

    def test_the_client_may_ask_again(self, hub: Hub) -> None:
        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> bool:
            return bool(request.auth)

        client = DummyClient(hub)
        client.say("40")
        assert client.take() == ['44{"message":"Connection refused"}']
        client.join(auth='{"token":"t"}')

    def test_disconnect_in_on_connect_refuses(self, hub: Hub, ends: list[str]) -> None:
        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> None:
            socket.disconnect()

        client = DummyClient(hub)
        client.say("40")
        settle(hub)
        assert client.take() == ['44{"message":"Connection refused"}']
        assert (client.carrier.ended, ends) == (None, [])

    def test_disconnect_with_close_ends_the_connection(self, hub: Hub, ends: list[str]) -> None:
        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> None:
            socket.disconnect(close=True)

        client = DummyClient(hub)
        client.say("40")
        assert client.wait_for_end() == (1000, "")
        assert client.take() == ['44{"message":"Connection refused"}']
        settle(hub)
        assert ends == []

    def test_a_client_that_leaves_while_it_is_refused_gets_no_events(self, hub: Hub, ends: list[str]) -> None:
        may_go_on = Event()

        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> bool:
            socket.subscribe("room")
            may_go_on.wait()
            return False

        client = DummyClient(hub)
        client.say("40")
        client.leave()
        may_go_on.set()
        settle(hub)
        assert (ends, client.take(), channels()) == ([], [], [])


class TestLeavingWhileConnecting:
    def test_whom_on_connect_let_in_gets_the_last_events(self, hub: Hub) -> None:
        got: list[str] = []
        may_go_on = Event()

        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> None:
            socket.subscribe("room")
            may_go_on.wait()
            got.append(f"connect {socket.connected}")

        @on_disconnect
        def disconnect(request: Any, socket: Any, context: Any) -> None:
            got.append(f"disconnect {socket.reason}")

        @on_unsubscribe
        def unsubscribe(request: Any, socket: Any, context: Any, channel: str) -> None:
            got.append(f"unsubscribe {channel}")

        @on_finish
        def finish(request: Any, socket: Any, context: Any) -> None:
            got.append("finish")

        client = DummyClient(hub)
        client.say("40")
        client.leave()
        may_go_on.set()
        settle(hub)
        assert got == ["connect False", "disconnect transport close", "unsubscribe room", "finish"]
        assert client.take() == []

    def test_who_left_before_on_connect_ran_is_nobodys_business(self, hub: Hub) -> None:
        got: list[str] = []

        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> None:
            got.append("connect")

        @on_finish
        def finish(request: Any, socket: Any, context: Any) -> None:
            got.append("finish")

        client = DummyClient(hub)
        client.say("40", "41")
        settle(hub)
        assert got == []
        assert client.take() == []


class TestTheEnd:
    @pytest.fixture
    def story(self, make_hub: Any) -> list[Any]:
        """What the handlers of an end see, in order."""
        story: list[Any] = []

        @on_disconnect
        def disconnect(request: Any, socket: Any, context: Any) -> None:
            story.append(("disconnect", socket.reason, socket.connected, socket.channels))

        @on_unsubscribe
        def unsubscribe(request: Any, socket: Any, context: Any, channel: str) -> None:
            story.append(("unsubscribe", channel, socket.channels))

        @on_finish
        def finish(request: Any, socket: Any, context: Any) -> None:
            story.append(("finish", socket.reason, socket.channels))

        return story

    @staticmethod
    def whole(reason: str) -> list[Any]:
        return [
            ("disconnect", reason, False, ["a", "b"]),
            ("unsubscribe", "a", ["a", "b"]),
            ("unsubscribe", "b", ["a", "b"]),
            ("finish", reason, ["a", "b"]),
        ]

    def test_the_steps_come_in_order_and_channels_stay_readable(self, hub: Hub, story: list[Any]) -> None:
        client = connected(hub, "a", "b")
        socket = client.socket()
        client.leave()
        settle(hub)
        assert story == self.whole("transport close")
        assert (socket.channels, channels(), clients()) == ([], [], [])

    def test_messages_received_in_full_are_handled_first(self, hub: Hub, story: list[Any]) -> None:
        may_go_on = Event()

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            may_go_on.wait()
            story.append((message, socket.connected))

        client = connected(hub, "a", "b")
        client.say('42["message",1]', '42["message",2]', '42["message",3]')
        client.leave()
        may_go_on.set()
        settle(hub)
        assert story == [(1, False), (2, False), (3, False), *self.whole("transport close")]

    def test_the_client_ends_one_namespace(self, hub: Hub, story: list[Any]) -> None:
        client = connected(hub, "a", "b")
        client.say("41")
        settle(hub)
        assert story == self.whole("client namespace disconnect")
        assert client.carrier.ended is None
        client.join()

    def test_the_server_ends_one_namespace(self, hub: Hub, story: list[Any]) -> None:
        client = connected(hub, "a", "b")
        client.socket().disconnect()
        settle(hub)
        assert client.take() == ["41"]
        assert story == self.whole("server namespace disconnect")
        assert client.carrier.ended is None

    def test_the_server_ends_the_connection(self, hub: Hub, story: list[Any]) -> None:
        client = connected(hub, "a", "b")
        client.socket().disconnect(close=True)
        settle(hub)
        assert client.take() == ["41"]
        assert client.carrier.ended == (1000, "")
        assert story == self.whole("server namespace disconnect")

    def test_all_namespaces_end_with_the_connection(self, hub: Hub, story: list[Any]) -> None:
        @on_disconnect(namespace="/side")
        def side(request: Any, socket: Any, context: Any) -> None:
            story.append(("side", socket.reason))

        client = connected(hub)
        client.join("/side")
        client.leave()
        settle(hub)
        assert sorted(story) == [
            ("disconnect", "transport close", False, []),
            ("finish", "transport close", []),
            ("side", "transport close"),
        ]

    def test_a_protocol_violation_ends_it(self, hub: Hub, story: list[Any]) -> None:
        client = connected(hub, "a", "b")
        client.say("42not json")
        settle(hub)
        assert story == self.whole("parse error")
        assert client.carrier.ended is not None

    @pytest.mark.parametrize("again", ["leave", "disconnect", "say 41", "stop"])
    def test_it_comes_exactly_once(self, hub: Hub, story: list[Any], again: str) -> None:
        client = connected(hub, "a", "b")
        socket = client.socket()
        client.say("41")
        if again == "leave":
            client.leave()
        elif again == "disconnect":
            socket.disconnect(close=True)
        elif again == "stop":
            hub.stop(1)
        else:
            client.say("41")
        settle(hub)
        assert story == self.whole("client namespace disconnect")
        assert socket.reason == "client namespace disconnect"

    def test_each_step_is_isolated_from_the_failures_of_the_others(self, hub: Hub, log: Log, story: list[Any]) -> None:
        @on_disconnect
        def broken_disconnect(request: Any, socket: Any, context: Any) -> None:
            raise SystemExit(1)

        @on_unsubscribe
        def broken_unsubscribe(request: Any, socket: Any, context: Any, channel: str) -> None:
            raise ValueError(channel)

        @on_finish
        def broken_finish(request: Any, socket: Any, context: Any) -> None:
            raise gevent.Timeout(1)

        client = connected(hub, "a", "b")
        socket = client.socket()
        client.leave()
        settle(hub)
        assert story == self.whole("transport close")
        assert socket.channels == []
        assert len(log.errors()) == 4

    @pytest.mark.parametrize("stage", ["disconnect", "unsubscribe", "finish"])
    def test_a_step_that_is_killed_does_not_keep_the_others_from_running(
        self, hub: Hub, story: list[Any], stage: str
    ) -> None:
        def kill(request: Any, socket: Any, context: Any, *channel: str) -> None:
            raise gevent.GreenletExit

        {"disconnect": on_disconnect, "unsubscribe": on_unsubscribe, "finish": on_finish}[stage](kill)
        client = connected(hub, "a", "b")
        socket = client.socket()
        client.leave()
        settle(hub)
        assert story == self.whole("transport close")
        assert (socket.channels, channels()) == ([], [])

    def test_broadcast_channel_still_works(self, hub: Hub) -> None:
        @on_finish
        def finish(request: Any, socket: Any, context: Any) -> None:
            socket.broadcast_channel("gone")
            socket.broadcast_channel("from room", "room")

        client, listener = connected(hub, "room"), connected(hub, "room")
        client.leave()
        settle(hub)
        assert listener.heard() == ['42["message","gone"]', '42["message","from room"]']

    def test_connected_is_false_as_soon_as_the_end_is_known(self, hub: Hub) -> None:
        got: list[Any] = []
        may_go_on = Event()

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            got.append((socket.connected, socket.send("x"), socket.emit("x", callback=print)))
            may_go_on.wait()
            got.append((socket.connected, socket.send("x"), socket.emit("x", callback=print)))

        client = connected(hub)
        client.say('42["message"]')
        client.leave()
        may_go_on.set()
        settle(hub)
        assert got == [(True, True, True), (False, False, False)]

    def test_who_ends_is_reached_by_nobody_any_more(self, hub: Hub) -> None:
        may_go_on = Event()

        @on_disconnect
        def disconnect(request: Any, socket: Any, context: Any) -> None:
            may_go_on.wait()

        client, other = connected(hub, "room"), connected(hub, "room")
        client.leave()
        assert clients() == [other.socket().id]
        assert broadcast_channel("x", "room") is None
        other.socket().send_and_broadcast("y")
        assert client.take() == []
        assert other.heard() == ['42["message","x"]', '42["message","y"]']
        may_go_on.set()

    def test_unsubscribing_in_on_disconnect_is_announced_once(self, hub: Hub, story: list[Any]) -> None:
        @on_disconnect
        def disconnect_too(request: Any, socket: Any, context: Any) -> None:
            assert socket.unsubscribe("a") is True

        client = connected(hub, "a", "b")
        client.leave()
        settle(hub)
        assert [step[1] for step in story if step[0] == "unsubscribe"] == ["a", "b"]

    def test_unsubscribing_in_on_finish_changes_nothing(self, hub: Hub, story: list[Any]) -> None:
        @on_finish
        def finish_too(request: Any, socket: Any, context: Any) -> None:
            story.append((socket.unsubscribe("a"), socket.subscribe("c"), socket.channels))

        client = connected(hub, "a")
        client.leave()
        settle(hub)
        assert story[-1] == (False, False, ["a"])

    def test_an_unsubscription_under_way_is_not_announced_twice(self, hub: Hub) -> None:
        got: list[str] = []
        may_go_on = Event()

        @on_event("go")
        def go(request: Any, socket: Any, context: Any) -> None:
            gevent.spawn(socket.unsubscribe, "a")

        @on_unsubscribe
        def unsubscribe(request: Any, socket: Any, context: Any, channel: str) -> None:
            got.append(channel)
            if channel == "a":
                may_go_on.wait()

        client = connected(hub, "a", "b")
        client.say('42["go"]')
        wait_until(lambda: got)
        client.leave()
        wait_until(lambda: got == ["a", "b"])
        may_go_on.set()
        settle(hub)
        assert got == ["a", "b"]

    def test_disconnect_in_a_handler_runs_the_end_after_the_handler(self, hub: Hub, story: list[Any]) -> None:
        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> str:
            socket.disconnect()
            story.append(("still in the handler", socket.connected))
            return "no ack any more"

        client = connected(hub, "a", "b")
        client.say('427["message"]')
        settle(hub)
        assert story == [("still in the handler", False), *self.whole("server namespace disconnect")]
        assert client.take() == ["41"]

    def test_what_was_sent_before_leaves_before(self, hub: Hub) -> None:
        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            socket.send("last words")
            socket.disconnect(close=True)

        client = connected(hub)
        client.say('42["message"]')
        assert client.wait_for_end() == (1000, "")
        assert client.take() == ['42["message","last words"]', "41"]

    def test_an_end_without_handlers_ends_too(self, hub: Hub) -> None:
        client = connected(hub, "room")
        socket = client.socket()
        client.leave()
        assert (socket.connected, socket.reason, socket.channels) == (False, "transport close", [])
        assert clients() == []

    def test_disconnecting_twice_does_nothing(self, hub: Hub, story: list[Any]) -> None:
        client = connected(hub)
        socket = client.socket()
        socket.disconnect()
        socket.disconnect()
        settle(hub)
        assert client.take() == ["41"]
        assert [step[0] for step in story] == ["disconnect", "finish"]


class TestCall:
    def test_it_raises_at_once_when_the_client_is_gone(self, hub: Hub) -> None:
        got: list[str] = []

        @on_disconnect
        def disconnect(request: Any, socket: Any, context: Any) -> None:
            try:
                socket.call("ask")
            except SocketClosed as error:
                got.append(str(error))

        connected(hub).leave()
        settle(hub)
        assert got == ["The client is gone (transport close)."]

    @pytest.mark.parametrize("how", ["leave", "41", "disconnect", "stop"])
    def test_also_where_it_waits_already(self, hub: Hub, how: str) -> None:
        got: list[str] = []

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            try:
                socket.call("ask", timeout=30)
            except SocketClosed as error:
                got.append(str(error))

        client = connected(hub)
        socket = client.socket()
        client.say('42["message"]')
        assert len(client.take()) == 1
        if how == "leave":
            client.leave()
        elif how == "disconnect":
            socket.disconnect()
        elif how == "stop":
            hub.stop(5)
        else:
            client.say(how)
        wait_until(lambda: got)
        assert got == [f"The client is gone ({socket.reason})."]

    def test_all_that_wait_are_told(self, hub: Hub) -> None:
        got: list[BaseException] = []

        def ask(socket: Any) -> None:
            try:
                socket.call("ask")
            except SocketClosed as error:
                got.append(error)

        client = connected(hub)
        greenlets = [gevent.spawn(ask, client.socket()) for _ in range(3)]
        wait_until(lambda: len(client.carrier.sent) == 3)
        client.leave()
        gevent.joinall(greenlets, timeout=5)
        assert len(got) == 3


class TestStop:
    def test_clients_are_told_and_handlers_run(self, hub: Hub) -> None:
        got: list[str] = []

        @on_disconnect
        def disconnect(request: Any, socket: Any, context: Any) -> None:
            gevent.sleep(0.01)
            got.append(socket.reason)

        client = connected(hub)
        hub.stop(5)
        assert client.carrier.ended == (1001, "server shutting down")
        assert got == ["server shutting down"]

    def test_it_lets_handlers_finish(self, hub: Hub) -> None:
        got: list[str] = []

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            gevent.sleep(0.05)
            got.append(message)

        @on_finish
        def finish(request: Any, socket: Any, context: Any) -> None:
            got.append("finish")

        connected(hub).say('42["message","a"]', '42["message","b"]')
        hub.stop(5)
        assert got == ["a", "b", "finish"]

    def test_a_handler_that_does_not_return_gets_greenlet_exit_and_the_end_runs(self, hub: Hub) -> None:
        got: list[str] = []

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            try:
                Event().wait()
            except gevent.GreenletExit:
                got.append(f"killed {message}")
                raise

        @on_disconnect
        def disconnect(request: Any, socket: Any, context: Any) -> None:
            got.append("disconnect")

        @on_unsubscribe
        def unsubscribe(request: Any, socket: Any, context: Any, channel: str) -> None:
            got.append(f"unsubscribe {channel}")

        @on_finish
        def finish(request: Any, socket: Any, context: Any) -> None:
            got.append(f"finish {socket.channels}")

        client = connected(hub, "room")
        socket = client.socket()
        client.say('42["message","first"]', '42["message","waits"]', '42["message","waits too"]')
        hub.stop(0.05)
        assert got == ["killed first", "disconnect", "unsubscribe room", "finish ['room']"]
        assert socket.channels == []

    def test_the_same_for_the_last_handlers_themselves(self, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
        got: list[str] = []
        monkeypatch.setattr("webpy_socketio.hub.core.KILL_TIMEOUT", 0.05)

        def hang(name: str) -> None:
            try:
                Event().wait()
            finally:
                got.append(name)

        @on_disconnect
        def disconnect(request: Any, socket: Any, context: Any) -> None:
            hang("disconnect")

        @on_unsubscribe
        def unsubscribe(request: Any, socket: Any, context: Any, channel: str) -> None:
            hang("unsubscribe")

        @on_finish
        def finish(request: Any, socket: Any, context: Any) -> None:
            hang("finish")

        client = connected(hub, "room")
        socket = client.socket()
        hub.stop(0.05)
        assert got == ["disconnect", "unsubscribe", "finish"]
        assert socket.channels == []

    def test_on_connect_that_does_not_return_refuses(self, hub: Hub) -> None:
        got: list[str] = []

        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> None:
            socket.subscribe("room")
            Event().wait()

        @on_finish
        def finish(request: Any, socket: Any, context: Any) -> None:
            got.append("finish")

        DummyClient(hub).say("40")
        hub.stop(0.05)
        assert (got, hub.namespaces) == ([], {})

    def test_a_handler_may_stop_the_server_itself(self, hub: Hub) -> None:
        got: list[str] = []

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            hub.stop(30)
            got.append("stopped")

        @on_finish
        def finish(request: Any, socket: Any, context: Any) -> None:
            got.append("finish")

        client, other = connected(hub), connected(hub)
        client.say('42["message"]')
        wait_until(lambda: len(got) == 3, timeout=5)
        assert got == ["finish", "stopped", "finish"]
        assert not hub.is_open
        assert other.carrier.ended == (1001, "server shutting down")

    def test_stopping_again_does_nothing(self, hub: Hub) -> None:
        hub.stop(1)
        hub.stop(1)
        assert not hub.is_open

    def test_it_may_be_opened_again(self, hub: Hub) -> None:
        connected(hub)
        hub.stop(1)
        hub.open()
        client = connected(hub, "room")
        assert clients() == [client.socket().id]


class TestCallbacks:
    def ack(self, packet: object, *values: str) -> str:
        id_ = "".join(c for c in str(packet)[2:].partition("[")[0] if c.isdigit())
        return f"43{id_}[{','.join(values)}]"

    def test_a_callback_gets_the_values_of_the_ack(self, hub: Hub) -> None:
        got: list[Any] = []
        client = connected(hub)
        assert client.socket().emit("ask", 1, callback=lambda *values: got.append(values)) is True
        [packet] = client.heard()
        assert str(packet).endswith('["ask",1]')
        client.say(self.ack(packet, '"a"', "2"))
        assert got == [("a", 2)]

    def test_it_is_called_once_however_often_the_client_acks(self, hub: Hub) -> None:
        got: list[Any] = []
        client = connected(hub)
        client.socket().emit("ask", callback=got.append)
        [packet] = client.heard()
        client.say(self.ack(packet, "1"), self.ack(packet, "2"))
        assert got == [1]
        assert client.carrier.ended is None

    def test_callbacks_keep_the_order_of_the_socket(self, hub: Hub) -> None:
        got: list[Any] = []
        may_go_on = Event()

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            may_go_on.wait()
            got.append(message)

        client = connected(hub)
        for number in (1, 2):
            client.socket().emit("ask", callback=lambda value, number=number: got.append((number, value)))
        one, two = client.heard()
        client.say('42["message","before"]', self.ack(two, '"b"'), self.ack(one, '"a"'), '42["message","after"]')
        assert got == []
        may_go_on.set()
        client.heard()
        assert got == ["before", (2, "b"), (1, "a"), "after"]

    def test_a_callback_may_block_and_send(self, hub: Hub) -> None:
        client = connected(hub)
        socket = client.socket()

        def answer(value: object) -> None:
            gevent.sleep(0.001)
            socket.send(value)

        socket.emit("ask", callback=answer)
        [packet] = client.heard()
        client.say(self.ack(packet, '"back"'))
        assert client.heard() == ['42["message","back"]']

    @pytest.mark.parametrize("error", [ValueError("no"), SystemExit(1), gevent.Timeout(1)])
    def test_what_it_raises_is_a_handlers_error(self, hub: Hub, log: Log, error: BaseException) -> None:
        heard: list[BaseException] = []

        @on_error
        def hear(request: Any, socket: Any, context: Any, exception: BaseException) -> None:
            heard.append(exception)

        def broken() -> None:
            raise error

        client = connected(hub)
        client.socket().emit("ask", callback=broken)
        [packet] = client.heard()
        client.say(self.ack(packet))
        assert heard == [error]
        assert log.causes() == [error]
        assert client.carrier.ended is None

    def test_a_callback_that_does_not_take_the_values_is_a_handlers_error(self, hub: Hub, log: Log) -> None:
        client = connected(hub)
        client.socket().emit("ask", callback=lambda: None)
        [packet] = client.heard()
        client.say(self.ack(packet, "1", "2"))
        assert client.heard() == []
        assert [type(cause) for cause in log.causes()] == [TypeError]

    def test_a_callback_that_is_killed_frees_the_socket(self, hub: Hub) -> None:
        def die() -> None:
            raise gevent.GreenletExit

        client = connected(hub)
        client.socket().emit("ask", callback=die)
        [packet] = client.heard()
        client.say(self.ack(packet))
        assert client.heard() == []

    def test_after_the_end_no_callback_is_called(self, hub: Hub) -> None:
        got: list[Any] = []
        client = connected(hub)
        client.socket().emit("ask", callback=got.append)
        [packet] = client.heard()
        client.say("41", self.ack(packet, "1"))
        assert got == []
        assert client.carrier.ended is None

    def test_an_ack_of_another_socket_is_not_taken_for_this_ones(self, hub: Hub) -> None:
        got: list[Any] = []
        one, other = connected(hub), connected(hub)
        one.socket().emit("ask", callback=got.append)
        [packet] = one.heard()
        other.say(self.ack(packet, '"forged"'))
        assert (got, other.carrier.ended) == ([], None)

    def test_a_binary_ack_arrives_as_bytes(self, hub: Hub) -> None:
        got: list[Any] = []
        client = connected(hub)
        client.socket().emit("ask", callback=got.append)
        [packet] = client.heard()
        ack = self.ack(packet, '{"_placeholder":true,"num":0}')
        client.say("461-" + ack[2:], b"\0\1")
        assert got == [b"\0\1"]

    def test_the_number_of_acks_that_a_client_owes_has_a_limit(self, make_hub: Callable[..., Hub]) -> None:
        client = connected(make_hub(max_pending_acks=2))
        socket = client.socket()
        for _ in range(2):
            socket.emit("ask", callback=print)
        with pytest.raises(Exception, match="max_pending_acks"):
            socket.emit("ask", callback=print)
        assert socket.send("without an ack") is True

    def test_subscribe_handlers_run_in_the_callbacks_too(self, hub: Hub) -> None:
        got: list[Any] = []

        @on_subscribe
        def subscribe(request: Any, socket: Any, context: Any, channel: str) -> None:
            got.append(channel)

        client = connected(hub)
        socket = client.socket()
        socket.emit("ask", callback=socket.subscribe)
        [packet] = client.heard()
        client.say(self.ack(packet, '"room"'))
        assert (got, socket.channels) == (["room"], ["room"])
