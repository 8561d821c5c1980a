"""Subscribing: the events around it, the veto, what is sent meanwhile; and unsubscribing."""

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
    UsageError,
    channel_members,
    on_connect,
    on_event,
    on_finish,
    on_message,
    on_subscribe,
    on_unsubscribe,
)
from webpy_socketio.hub.hub import Hub


class TestSubscribing:
    def test_on_subscribe_runs_before_the_subscription(self, hub: Hub) -> None:
        got: list[Any] = []

        @on_subscribe
        def subscribe(request: Any, socket: Any, context: Any, channel: str) -> None:
            got.append((channel, socket.channels, channel_members(channel)))

        client = connected(hub, "lobby", "room")
        id_ = client.socket().id
        assert got == [("lobby", [], []), ("room", ["lobby"], [])]
        assert (client.socket().channels, channel_members("room")) == (["lobby", "room"], [id_])

    def test_from_a_handler_it_gives_true_and_runs_the_event_too(self, hub: Hub) -> None:
        got: list[str] = []

        @on_subscribe
        def subscribe(request: Any, socket: Any, context: Any, channel: str) -> None:
            got.append(channel)

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> bool:
            return bool(socket.subscribe(message))

        client = connected(hub)
        assert client.ask("message", "room") == [True]
        assert got == ["room"]
        assert client.socket().channels == ["room"]

    def test_the_first_false_stops_further_handlers_and_vetoes(self, hub: Hub) -> None:
        got: list[str] = []

        @on_subscribe
        def allows(request: Any, socket: Any, context: Any, channel: str) -> str:
            got.append("allows")
            return ""

        @on_subscribe
        def vetoes(request: Any, socket: Any, context: Any, channel: str) -> bool:
            got.append("vetoes")
            return False

        @on_subscribe
        def is_not_asked(request: Any, socket: Any, context: Any, channel: str) -> None:
            got.append("is not asked")

        client = connected(hub)
        assert not client.subscribe("room")
        assert client.socket().subscribe("room") is False
        assert got == ["allows", "vetoes"] * 2
        assert (client.socket().channels, channel_members("room")) == ([], [])

    @pytest.mark.parametrize("value", [None, 0, "", [], True])
    def test_nothing_but_false_is_a_veto(self, hub: Hub, value: object) -> None:
        @on_subscribe
        def subscribe(request: Any, socket: Any, context: Any, channel: str) -> object:
            return value

        assert connected(hub).subscribe("room")

    def test_a_handler_that_fails_does_not_veto(self, hub: Hub, log: Log) -> None:
        @on_subscribe
        def subscribe(request: Any, socket: Any, context: Any, channel: str) -> None:
            raise ValueError("no")

        assert connected(hub).subscribe("room")
        assert len(log.errors()) == 1

    def test_a_handler_that_is_killed_leaves_nothing_behind(self, hub: Hub) -> None:
        @on_subscribe
        def subscribe(request: Any, socket: Any, context: Any, channel: str) -> None:
            if not context:
                context["killed"] = True
                raise gevent.GreenletExit

        client = connected(hub)
        client.say('421["__subscribe__","room"]')
        assert client.heard() == []
        assert client.socket().channels == []
        assert client.subscribe("room")

    def test_after_a_veto_it_may_be_asked_again(self, hub: Hub) -> None:
        @on_subscribe
        def second_time(request: Any, socket: Any, context: Any, channel: str) -> bool:
            context["asked"] = context.get("asked", 0) + 1
            return bool(context["asked"] > 1)

        client = connected(hub)
        assert [client.subscribe("room"), client.subscribe("room")] == [False, True]

    @pytest.mark.parametrize("channel", ["", None, 5, b"room", ["room"]])
    def test_what_is_no_name_is_the_callers_fault(self, hub: Hub, channel: Any) -> None:
        with pytest.raises(UsageError, match="named by a string"):
            connected(hub).socket().subscribe(channel)

    def test_a_session_id_is_the_callers_fault(self, hub: Hub) -> None:
        socket = connected(hub).socket()
        with pytest.raises(UsageError, match="looks like a session id"):
            socket.subscribe(socket.id)

    def test_on_the_server_names_and_numbers_have_no_limit(self, make_hub: Callable[..., Hub]) -> None:
        socket = connected(make_hub(max_channels=1)).socket()
        assert socket.subscribe("a")
        assert socket.subscribe("b")
        assert socket.subscribe("x" * 1000)


class TestRepeating:
    def test_it_gives_false_and_no_event(self, hub: Hub) -> None:
        got: list[str] = []

        @on_subscribe
        def subscribe(request: Any, socket: Any, context: Any, channel: str) -> None:
            got.append(channel)

        client = connected(hub, "room")
        assert client.ask("__subscribe__", "room") == [False]
        assert client.socket().subscribe("room") is False
        assert got == ["room"]
        assert client.socket().channels == ["room"]

    def test_also_while_its_on_subscribe_blocks(self, hub: Hub) -> None:
        got: list[str] = []
        may_go_on = Event()

        @on_subscribe
        def subscribe(request: Any, socket: Any, context: Any, channel: str) -> None:
            got.append(channel)
            may_go_on.wait()

        client = connected(hub)
        client.say('421["__subscribe__","room"]', '422["__subscribe__","room"]')
        assert client.socket().subscribe("room") is False
        may_go_on.set()
        assert client.heard() == ["431[true]", "432[false]"]
        assert got == ["room"]

    def test_on_subscribe_itself_may_not_subscribe_to_the_same_channel(self, hub: Hub) -> None:
        got: list[Any] = []

        @on_subscribe
        def subscribe(request: Any, socket: Any, context: Any, channel: str) -> None:
            got.append(socket.subscribe(channel))

        assert connected(hub).subscribe("room")
        assert got == [False]

    def test_but_to_another_one(self, hub: Hub) -> None:
        @on_subscribe(channel="room")
        def subscribe(request: Any, socket: Any, context: Any, channel: str) -> None:
            socket.subscribe("lobby")

        assert connected(hub, "room").socket().channels == ["lobby", "room"]


class TestWhatOnSubscribeSends:
    def test_to_the_channel_leaves_after_the_subscription(self, hub: Hub) -> None:
        got: list[int] = []

        @on_subscribe
        def subscribe(request: Any, socket: Any, context: Any, channel: str) -> None:
            socket.broadcast_channel(f"{context['name']} comes", channel)
            got.append(len(old.carrier.sent))

        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> None:
            context["name"] = "somebody"

        old = DummyClient(hub)
        old.join()
        old.subscribe("room")
        new = connected(hub, "room")
        assert got == [0, 0]
        assert old.heard() == ['42["message","somebody comes"]']
        assert new.heard() == []

    def test_to_the_channel_and_itself_reaches_itself_once(self, hub: Hub) -> None:
        @on_subscribe
        def subscribe(request: Any, socket: Any, context: Any, channel: str) -> None:
            socket.send_and_broadcast_channel("welcome", channel)
            socket.send("first")

        client = connected(hub)
        client.say('421["__subscribe__","room"]')
        assert client.heard() == ['42["message","first"]', '42["message","welcome"]', "431[true]"]

    def test_it_is_dropped_when_the_subscription_is_vetoed(self, hub: Hub) -> None:
        @on_subscribe(channel="closed")
        def subscribe(request: Any, socket: Any, context: Any, channel: str) -> bool:
            socket.send_and_broadcast_channel("welcome", channel)
            return False

        client = connected(hub)
        assert not client.subscribe("closed")
        assert client.heard() == []

    def test_it_is_sent_as_it_was_at_the_call(self, hub: Hub) -> None:
        @on_subscribe
        def subscribe(request: Any, socket: Any, context: Any, channel: str) -> None:
            message = ["then"]
            socket.send_and_broadcast_channel(message, channel)
            message[0] = "later"

        assert connected(hub, "room").heard() == ['42["message",["then"]]']

    def test_what_cannot_be_encoded_raises_at_the_call(self, hub: Hub) -> None:
        got: list[BaseException] = []

        @on_subscribe
        def subscribe(request: Any, socket: Any, context: Any, channel: str) -> None:
            try:
                socket.broadcast_channel(object(), channel)
            except TypeError as error:
                got.append(error)

        connected(hub, "room")
        assert len(got) == 1

    def test_to_other_channels_leaves_at_once(self, hub: Hub) -> None:
        may_go_on = Event()

        @on_subscribe(channel="room")
        def subscribe(request: Any, socket: Any, context: Any, channel: str) -> None:
            socket.broadcast_channel("on my way", "lobby")
            may_go_on.wait()

        listener, client = connected(hub, "lobby"), connected(hub)
        client.say('42["__subscribe__","room"]')
        assert listener.heard() == ['42["message","on my way"]']
        may_go_on.set()

    def test_what_other_handlers_send_to_the_channel_meanwhile_waits_too(self, hub: Hub) -> None:
        may_go_on = Event()

        @on_subscribe(channel="room")
        def subscribe(request: Any, socket: Any, context: Any, channel: str) -> None:
            if context.get("slow"):
                may_go_on.wait()

        member, client = connected(hub, "room"), connected(hub)
        client.socket().context["slow"] = True
        client.say('42["__subscribe__","room"]')
        client.socket().broadcast_channel("from elsewhere", "room")
        assert member.heard() == []
        may_go_on.set()
        client.heard()
        assert member.heard() == ['42["message","from elsewhere"]']


class TestTheClientLeavesMeanwhile:
    def test_the_subscription_does_not_come_about(self, hub: Hub) -> None:
        got: list[Any] = []
        may_go_on = Event()

        @on_subscribe
        def subscribe(request: Any, socket: Any, context: Any, channel: str) -> None:
            socket.send_and_broadcast_channel("welcome", channel)
            may_go_on.wait()

        @on_unsubscribe
        def unsubscribe(request: Any, socket: Any, context: Any, channel: str) -> None:
            got.append(channel)

        @on_finish
        def finish(request: Any, socket: Any, context: Any) -> None:
            got.append(socket.channels)

        client = connected(hub)
        socket = client.socket()
        client.say('42["__subscribe__","room"]')
        client.leave()
        may_go_on.set()
        wait_until(lambda: got)
        assert got == [[]]
        assert socket.subscribe("room") is False
        assert client.take() == []


class TestUnsubscribing:
    def test_on_unsubscribe_runs_while_still_subscribed(self, hub: Hub) -> None:
        got: list[Any] = []

        @on_unsubscribe
        def unsubscribe(request: Any, socket: Any, context: Any, channel: str) -> None:
            got.append((channel, socket.channels))
            socket.broadcast_channel("bye", channel)

        client, other = connected(hub, "room", "lobby"), connected(hub, "room")
        assert client.ask("__unsubscribe__", "room") == [True]
        assert got == [("room", ["room", "lobby"])]
        assert client.socket().channels == ["lobby"]
        assert other.heard() == ['42["message","bye"]']

    def test_from_a_handler_it_gives_true_and_runs_the_event(self, hub: Hub) -> None:
        got: list[str] = []

        @on_unsubscribe
        def unsubscribe(request: Any, socket: Any, context: Any, channel: str) -> bool:
            got.append(channel)
            return False  # nobody can be kept in a channel

        socket = connected(hub, "room").socket()
        assert socket.unsubscribe("room") is True
        assert (got, socket.channels) == (["room"], [])

    @pytest.mark.parametrize("channel", ["elsewhere", "", None])
    def test_it_gives_false_and_no_event_if_nothing_changes(self, hub: Hub, channel: Any) -> None:
        got: list[str] = []

        @on_unsubscribe
        def unsubscribe(request: Any, socket: Any, context: Any, channel: str) -> None:
            got.append(channel)

        client = connected(hub, "room")
        assert client.socket().unsubscribe(channel) is False
        assert client.ask("__unsubscribe__", channel) == [False]
        assert got == []

    def test_repeating_it_while_on_unsubscribe_blocks_gives_false(self, hub: Hub) -> None:
        got: list[str] = []
        may_go_on = Event()

        @on_unsubscribe
        def unsubscribe(request: Any, socket: Any, context: Any, channel: str) -> None:
            got.append(channel)
            may_go_on.wait()

        client = connected(hub, "room")
        client.say('421["__unsubscribe__","room"]', '422["__unsubscribe__","room"]')
        assert client.socket().unsubscribe("room") is False
        assert client.socket().channels == ["room"]
        may_go_on.set()
        assert client.heard() == ["431[true]", "432[false]"]
        assert got == ["room"]

    def test_a_handler_that_fails_does_not_keep_the_socket_subscribed(self, hub: Hub, log: Log) -> None:
        @on_unsubscribe
        def unsubscribe(request: Any, socket: Any, context: Any, channel: str) -> None:
            raise ValueError("no") if context else gevent.GreenletExit

        client = connected(hub, "a", "b")
        client.say('42["__unsubscribe__","a"]')
        client.heard()
        client.socket().context["fail"] = True
        assert client.ask("__unsubscribe__", "b") == [True]
        assert client.socket().channels == []
        assert len(log.errors()) == 1

    def test_each_namespace_has_channels_of_its_own(self, hub: Hub) -> None:
        @on_event("say", namespace="/side")
        def say(request: Any, socket: Any, context: Any, text: str) -> None:
            socket.send_and_broadcast_channel(text, "room")

        main, side = connected(hub, "room"), DummyClient(hub)
        side.join("/side")
        side.say('42/side,["__subscribe__","room"]', '42/side,["say","hello"]')
        assert side.heard("/side") == ['42/side,["message","hello"]']
        assert main.heard() == []
        assert channel_members("room") == [main.socket().id]
        assert channel_members("room", namespace="/side") == [side.socket("/side").id]
