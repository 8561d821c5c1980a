"""Which handlers run, what they are given, and which ack their client gets."""

from __future__ import annotations

from typing import Any

import gevent
import pytest
from gevent.event import Event

from tests.hub.conftest import Log
from tests.support.dummy import DummyClient, connected
from tests.support.waiting import wait_until
from webpy_socketio import (
    EventError,
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


class TestWhichHandlersRun:
    def test_without_a_channel_a_handler_always_runs(self, hub: Hub) -> None:
        got: list[Any] = []

        @on_message
        def unbound(request: Any, socket: Any, context: Any, message: Any) -> None:
            got.append((socket.channel, message))

        connected(hub).say('42["message","before"]')
        client = connected(hub, "room")
        client.say('42["message","subscribed"]', '42["__message__","room","addressed"]')
        client.heard()
        assert got == [(None, "before"), (None, "subscribed"), ("room", "addressed")]

    def test_a_message_to_a_channel_matches_that_channel_only(self, hub: Hub) -> None:
        got: list[str] = []

        @on_message(channel="^room-")
        def rooms(request: Any, socket: Any, context: Any, message: Any) -> None:
            got.append(f"rooms {message}")

        @on_message(channel="dashboard")
        def dashboard(request: Any, socket: Any, context: Any, message: Any) -> None:
            got.append(f"dashboard {message}")

        client = connected(hub, "room-1", "dashboard")
        client.say('42["__message__","room-1","a"]', '42["__message__","dashboard","b"]')
        client.heard()
        assert got == ["rooms a", "dashboard b"]

    def test_a_message_to_no_channel_matches_any_channel_of_the_socket(self, hub: Hub) -> None:
        got: list[str] = []

        @on_message(channel="^room-")
        def rooms(request: Any, socket: Any, context: Any, message: Any) -> None:
            got.append(message)

        connected(hub, "lobby").say('42["message","nobody"]')
        connected(hub, "lobby", "room-1").say('42["message","somebody"]')
        assert got == ["somebody"]

    def test_a_pattern_is_matched_at_the_beginning_as_re_match_does(self, hub: Hub) -> None:
        got: list[str] = []

        @on_message(channel="room")
        def rooms(request: Any, socket: Any, context: Any, message: Any) -> None:
            got.append(socket.channel)

        client = connected(hub, "roomy", "my-room")
        client.say('42["__message__","roomy",1]', '42["__message__","my-room",2]')
        client.heard()
        assert got == ["roomy"]

    def test_a_handler_runs_once_however_many_channels_match(self, hub: Hub) -> None:
        got: list[str] = []

        @on_message(channel="room-.*")
        def rooms(request: Any, socket: Any, context: Any, message: Any) -> None:
            got.append(message)

        connected(hub, "room-1", "room-2", "room-3").say('42["message","x"]')
        assert got == ["x"]

    def test_handlers_run_in_order_of_registration(self, hub: Hub) -> None:
        got: list[str] = []

        @on_event("message")
        def first(request: Any, socket: Any, context: Any, *args: Any) -> None:
            got.append("first")

        @on_message(channel="room")
        def second(request: Any, socket: Any, context: Any, message: Any) -> None:
            got.append("second")

        @on_message
        def third(request: Any, socket: Any, context: Any, message: Any) -> None:
            got.append("third")

        connected(hub, "room").say('42["message","x"]')
        assert got == ["first", "second", "third"]

    def test_subscriptions_match_the_channel_concerned(self, hub: Hub) -> None:
        got: list[tuple[str, str]] = []

        @on_subscribe(channel="^room-")
        def into_room(request: Any, socket: Any, context: Any, channel: str) -> None:
            got.append(("subscribe", channel))

        @on_unsubscribe(channel="^room-")
        def out_of_room(request: Any, socket: Any, context: Any, channel: str) -> None:
            got.append(("unsubscribe", channel))

        client = connected(hub, "lobby", "room-1", "attic")
        client.ask("__unsubscribe__", "lobby")
        client.ask("__unsubscribe__", "room-1")
        assert got == [("subscribe", "room-1"), ("unsubscribe", "room-1")]

    def test_named_events_match_any_channel_of_the_socket(self, hub: Hub) -> None:
        got: list[str] = []

        @on_event("move", channel="^game-")
        def move(request: Any, socket: Any, context: Any, place: str) -> None:
            got.append(place)

        connected(hub, "lobby").say('42["move","a1"]')
        connected(hub, "lobby", "game-7").say('42["move","b2"]')
        assert got == ["b2"]

    def test_errors_and_the_end_match_any_channel_of_the_socket(self, hub: Hub, log: Log) -> None:
        got: list[str] = []

        @on_message
        def broken(request: Any, socket: Any, context: Any, message: Any) -> None:
            raise ValueError(message)

        @on_error(channel="^room-")
        def error(request: Any, socket: Any, context: Any, exception: BaseException) -> None:
            got.append(f"error {exception}")

        @on_disconnect(channel="^room-")
        def disconnect(request: Any, socket: Any, context: Any) -> None:
            got.append("disconnect")

        @on_finish(channel="^room-")
        def finish(request: Any, socket: Any, context: Any) -> None:
            got.append("finish")

        for client in (connected(hub, "lobby"), connected(hub, "lobby", "room-1")):
            client.say('42["message","x"]')
            client.leave()
            wait_until(lambda client=client: not hub.workers.is_busy)
        assert got == ["error x", "disconnect", "finish"]
        assert [str(cause) for cause in log.causes()] == ["x", "x"]


class TestWhatHandlersGet:
    def test_they_get_the_request_the_socket_and_the_context(self, hub: Hub) -> None:
        got: list[Any] = []

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            got.append((request, socket, context))

        client = DummyClient(hub, {"REMOTE_ADDR": "192.0.2.1", "HTTP_COOKIE": "a=1"})
        socket = client.join()
        client.say('42["message",1]')
        [(request, given, context)] = got
        assert given is socket
        assert request is socket.request
        assert context is socket.context
        assert (request["REMOTE_ADDR"], request.cookies) == ("192.0.2.1", {"a": "1"})

    def test_the_context_is_one_per_connection_and_lasts_from_connect_to_finish(self, hub: Hub) -> None:
        got: list[Any] = []

        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> None:
            context["seen"] = ["connect"]

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            context["seen"].append(message)

        @on_finish
        def finish(request: Any, socket: Any, context: Any) -> None:
            got.append(context["seen"])

        one, other = connected(hub), connected(hub)
        one.say('42["message","one"]')
        other.say('42["message","other"]')
        one.leave()
        other.leave()
        assert got == [["connect", "one"], ["connect", "other"]]

    def test_on_message_gets_the_first_argument_and_on_event_gets_all(self, hub: Hub) -> None:
        got: list[Any] = []

        @on_message
        def first(request: Any, socket: Any, context: Any, message: Any) -> None:
            got.append(message)

        @on_event("message")
        def everything(request: Any, socket: Any, context: Any, *args: Any) -> None:
            got.append(args)

        connected(hub).say('42["message",1,2,3]', '42["message"]')
        assert got == [1, (1, 2, 3), None, ()]

    def test_a_message_to_a_channel_brings_its_arguments_without_the_channel(self, hub: Hub) -> None:
        got: list[Any] = []

        @on_message
        def first(request: Any, socket: Any, context: Any, message: Any) -> None:
            got.append(message)

        @on_event("message")
        def everything(request: Any, socket: Any, context: Any, *args: Any) -> None:
            got.append(args)

        client = connected(hub, "room")
        client.say('42["__message__","room",{"a":1}]', '42["__message__","room"]')
        client.heard()
        assert got == [{"a": 1}, ({"a": 1},), None, ()]

    def test_a_named_event_brings_its_arguments(self, hub: Hub) -> None:
        got: list[Any] = []

        @on_event("move")
        def move(request: Any, socket: Any, context: Any, piece: str, to: str = "e4", *rest: Any) -> None:
            got.append((piece, to, rest))

        connected(hub).say('42["move","pawn"]', '42["move","king","e2",null,[]]')
        assert got == [("pawn", "e4", ()), ("king", "e2", (None, []))]

    def test_the_channel_is_that_of_the_message_being_handled(self, hub: Hub) -> None:
        got: list[Any] = []

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            got.append(socket.channel)

        client = connected(hub, "room")
        client.say('42["message",1]', '42["__message__","room",2]', '42["message",3]')
        client.heard()
        assert got == [None, "room", None]
        assert client.socket().channel is None

    def test_the_channel_is_forgotten_when_the_handler_was_killed(self, hub: Hub) -> None:
        got: list[Any] = []

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            got.append(socket.channel)
            if message == "die":
                raise gevent.GreenletExit

        client = connected(hub, "room")
        client.say('42["__message__","room","die"]', '42["message","live"]')
        client.heard()
        assert got == ["room", None]

    @pytest.mark.parametrize("packet", ['42["__subscribe__"]', '42["message","__subscribe__"]'])
    def test_a_plain_string_that_names_a_built_in_event_is_just_a_message(self, hub: Hub, packet: str) -> None:
        got: list[Any] = []

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            got.append(message)

        client = connected(hub)
        client.say(packet)
        client.heard()
        assert got == (["__subscribe__"] if "message" in packet else [])
        assert client.socket().channels == []


class TestWrongNumberOfArguments:
    @pytest.fixture
    def heard(self, make_hub: Any) -> list[Any]:
        """What ``on_error`` hears of an event that takes one argument or two."""
        heard: list[Any] = []

        @on_event("move")
        def move(request: Any, socket: Any, context: Any, piece: str, to: str = "e4") -> str:
            return "moved"

        @on_error
        def error(request: Any, socket: Any, context: Any, exception: BaseException) -> None:
            heard.append(exception)

        return heard

    @pytest.mark.parametrize(("arguments", "number"), [("", 0), (",1,2,3", 3)])
    def test_it_is_an_event_error_to_on_error(self, hub: Hub, heard: list[Any], arguments: str, number: int) -> None:
        connected(hub).say(f'42["move"{arguments}]')
        [error] = heard
        assert type(error) is EventError
        assert str(error).startswith(f"The event 'move' came with {number} arguments; TestWrongNumber")
        assert "piece: 'str', to: 'str' = 'e4'" in str(error)

    def test_it_names_the_event_but_not_at_any_length(self, hub: Hub, heard: list[Any]) -> None:
        on_event("*")(lambda request, socket, context, name: None)
        connected(hub).say(f'42["{"x" * 100_000}",1]')
        assert len(str(heard[0])) < 500

    def test_it_is_logged_once_without_a_traceback(self, hub: Hub, heard: list[Any], log: Log) -> None:
        client = connected(hub)
        client.say('42["move"]')
        lines = [line for line in log.lines("hub") if "move" in line]
        assert lines == [f"Socket {client.socket().id}: {heard[0]}"]
        assert log.errors() == []

    def test_no_ack_is_sent_and_the_connection_goes_on(self, hub: Hub, heard: list[Any]) -> None:
        client = connected(hub)
        client.say('421["move"]', '422["move","king"]')
        assert client.heard() == ['432["moved"]']

    def test_handlers_whom_it_fits_run(self, hub: Hub, heard: list[Any]) -> None:
        got: list[Any] = []

        @on_event("move")
        def any_number(request: Any, socket: Any, context: Any, *args: Any) -> str:
            got.append(args)
            return "any"

        client = connected(hub)
        client.say('421["move",1,2,3]')
        assert client.heard() == []
        assert got == [(1, 2, 3)]


class TestAcks:
    @pytest.mark.parametrize(
        ("value", "ack"),
        [
            ("yes", '437["yes"]'),
            (0, "437[0]"),
            (False, "437[false]"),
            ([1, 2], "437[[1,2]]"),
            (("a", 2), '437["a",2]'),
            ((), "437[]"),
            ((None,), "437[null]"),
            (None, "437[]"),
        ],
    )
    def test_the_returned_value_is_the_ack_and_a_tuple_several_arguments(
        self, hub: Hub, value: object, ack: str
    ) -> None:
        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> object:
            return value

        client = connected(hub)
        client.say('427["message","x"]')
        assert client.heard() == [ack]

    def test_an_ack_may_be_binary(self, hub: Hub) -> None:
        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> object:
            return {"file": b"\0\1"}

        client = connected(hub)
        client.say('427["message","x"]')
        assert client.heard() == ['461-7[{"file":{"_placeholder":true,"num":0}}]', b"\0\1"]

    def test_without_being_asked_for_no_ack_is_sent(self, hub: Hub) -> None:
        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> str:
            return "unasked"

        client = connected(hub)
        client.say('42["message","x"]')
        assert client.heard() == []

    def test_one_ack_is_sent_after_the_last_handler_with_the_first_value(self, hub: Hub) -> None:
        @on_message
        def silent(request: Any, socket: Any, context: Any, message: Any) -> None:
            socket.send("from the first")

        @on_message
        def first(request: Any, socket: Any, context: Any, message: Any) -> str:
            return "first value"

        @on_event("message")
        def last(request: Any, socket: Any, context: Any, *args: Any) -> str:
            socket.send("from the last")
            return "second value"

        client = connected(hub)
        client.say('427["message","x"]')
        assert client.heard() == [
            '42["message","from the first"]',
            '42["message","from the last"]',
            '437["first value"]',
        ]

    def test_if_a_handler_raised_none_is_sent(self, hub: Hub, log: Log) -> None:
        @on_message
        def good(request: Any, socket: Any, context: Any, message: Any) -> str:
            return "good"

        @on_message
        def bad(request: Any, socket: Any, context: Any, message: Any) -> None:
            raise ValueError("bad")

        client = connected(hub)
        client.say('427["message","x"]')
        assert client.heard() == []
        assert [str(cause) for cause in log.causes()] == ["bad"]

    @pytest.mark.parametrize("event", ["message", "unheard of", "__private__"])
    def test_if_nobody_handles_the_event_none_is_sent(self, hub: Hub, event: str) -> None:
        client = connected(hub)
        client.say(f'427["{event}","x"]')
        assert client.heard() == []

    def test_if_no_channel_matches_nobody_handles_it(self, hub: Hub) -> None:
        @on_message(channel="room")
        def chat(request: Any, socket: Any, context: Any, message: Any) -> str:
            return "handled"

        client = connected(hub, "lobby")
        client.say('427["message","x"]')
        assert client.heard() == []

    def test_an_ack_that_cannot_be_encoded_is_a_handlers_error(self, hub: Hub, log: Log) -> None:
        heard: list[Any] = []

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> object:
            return {"a", "set"}

        @on_error
        def error(request: Any, socket: Any, context: Any, exception: BaseException) -> None:
            heard.append(exception)

        client = connected(hub)
        client.say('427["message","x"]')
        assert client.heard() == []
        assert isinstance(heard[0], TypeError)
        assert log.causes() == heard

    def test_it_is_sent_only_when_the_handler_returns(self, hub: Hub) -> None:
        may_return = Event()

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> str:
            may_return.wait()
            return "done"

        client = connected(hub)
        client.say('427["message","x"]')
        assert client.take() == []
        may_return.set()
        assert client.heard() == ['437["done"]']

    def test_a_client_that_left_gets_none(self, hub: Hub) -> None:
        may_return = Event()

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> str:
            may_return.wait()
            return "done"

        client = connected(hub)
        client.say('427["message","x"]')
        client.leave()
        may_return.set()
        wait_until(lambda: not hub.workers.is_busy)
        assert client.take() == []


class TestOrder:
    def test_handlers_of_one_socket_run_one_at_a_time_and_in_order(self, hub: Hub) -> None:
        got: list[str] = []
        may_go_on = Event()

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            got.append(f"begin {message}")
            may_go_on.wait()
            got.append(f"end {message}")

        client = connected(hub)
        client.say('42["message",1]', '42["message",2]')
        client.say('42["message",3]')
        assert got == ["begin 1"]
        may_go_on.set()
        client.heard()
        assert got == [f"{what} {number}" for number in (1, 2, 3) for what in ("begin", "end")]

    def test_different_events_of_one_socket_keep_their_order_too(self, hub: Hub) -> None:
        got: list[str] = []

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            gevent.sleep(0.001)
            got.append("message")

        @on_event("move")
        def move(request: Any, socket: Any, context: Any) -> None:
            got.append("move")

        @on_subscribe
        def subscribe(request: Any, socket: Any, context: Any, channel: str) -> None:
            got.append("subscribe")

        client = connected(hub)
        client.say('42["message"]', '42["move"]', '42["__subscribe__","room"]', '42["message"]', '42["move"]')
        client.heard()
        assert got == ["message", "move", "subscribe", "message", "move"]

    def test_a_handler_that_waits_keeps_only_its_own_socket_waiting(self, hub: Hub) -> None:
        got: list[str] = []
        may_go_on = Event()

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            if message == "wait":
                may_go_on.wait()
            got.append(message)

        waiting, other = connected(hub), connected(hub)
        waiting.say('42["message","wait"]')
        other.say('42["message","quick"]')
        assert got == ["quick"]
        may_go_on.set()
        waiting.heard()
        assert got == ["quick", "wait"]

    def test_the_sockets_of_one_client_in_two_namespaces_run_side_by_side(self, hub: Hub) -> None:
        got: list[str] = []
        may_go_on = Event()

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            may_go_on.wait()
            got.append("main")

        @on_message(namespace="/side")
        def side(request: Any, socket: Any, context: Any, message: Any) -> None:
            got.append("side")

        client = connected(hub)
        client.join("/side")
        client.say('42["message"]', '42/side,["message"]')
        assert got == ["side"]
        may_go_on.set()
        client.heard()
        assert got == ["side", "main"]

    def test_an_event_is_bound_to_its_handlers_when_it_is_its_turn(self, hub: Hub) -> None:
        got: list[str] = []

        @on_event("learn")
        def learn(request: Any, socket: Any, context: Any) -> None:
            @on_event("learned")
            def learned(request: Any, socket: Any, context: Any) -> None:
                got.append("learned")

        connected(hub).say('42["learn"]', '42["learned"]')
        assert got == ["learned"]


class TestWhoMayReachWhom:
    @pytest.fixture(autouse=True)
    def chat(self, make_hub: Any) -> None:
        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> str:
            socket.broadcast_channel(message, socket.channel)
            return "delivered"

    def test_a_client_subscribes_and_is_told(self, hub: Hub) -> None:
        client = connected(hub)
        assert client.ask("__subscribe__", "room") == [True]
        assert client.ask("__subscribe__", "room") == [False]
        assert client.socket().channels == ["room"]
        assert client.ask("__unsubscribe__", "room") == [True]
        assert client.ask("__unsubscribe__", "room") == [False]
        assert client.socket().channels == []

    def test_a_message_to_a_channel_reaches_its_handlers_and_is_acked_by_them(self, hub: Hub) -> None:
        sender, receiver = connected(hub, "room"), connected(hub, "room")
        assert sender.ask("__message__", "room", "hello") == ["delivered"]
        assert receiver.heard() == ['42["message","hello"]']

    @pytest.mark.parametrize("channel", ["elsewhere", 5, None, ["room"], {}])
    def test_a_message_to_a_channel_of_others_is_refused(self, hub: Hub, log: Log, channel: object) -> None:
        outsider, member = connected(hub, "room"), connected(hub, "elsewhere")
        assert outsider.ask("__message__", channel, "psst") == [False]
        assert member.heard() == []
        assert len([line for line in log.lines("hub") if "not subscribed" in line]) == 1

    def test_a_message_to_no_channel_at_all_is_refused(self, hub: Hub) -> None:
        assert connected(hub, "room").ask("__message__") == [False]

    def test_a_client_may_not_subscribe_to_a_session_id(self, hub: Hub, log: Log) -> None:
        victim = connected(hub)
        assert connected(hub).ask("__subscribe__", victim.socket().id) == [False]
        assert any("named like a session id" in line for line in log.lines("hub"))

    @pytest.mark.parametrize("name", ["A" * 20, "abcdefghij_-12345678", "0" * 20])
    def test_nor_to_any_name_of_twenty_characters_of_an_id(self, hub: Hub, name: str) -> None:
        assert connected(hub).ask("__subscribe__", name) == [False]

    @pytest.mark.parametrize("name", ["A" * 19, "A" * 21, "twenty characters !!", "é" * 20, "a" * 20 + "\n"])
    def test_names_that_only_resemble_ids_are_channels(self, hub: Hub, name: str) -> None:
        assert connected(hub).ask("__subscribe__", name) == [True]

    @pytest.mark.parametrize("arguments", [[], [""], [None], [7], [["room"]], [{}], [True]])
    def test_a_channel_is_a_string_that_is_not_empty(self, hub: Hub, arguments: list[Any]) -> None:
        client = connected(hub)
        assert client.ask("__subscribe__", *arguments) == [False]
        assert client.ask("__unsubscribe__", *arguments) == [False]

    def test_a_channels_name_has_a_limit(self, hub: Hub, log: Log) -> None:
        client = connected(hub)
        assert client.ask("__subscribe__", "x" * 255) == [True]
        assert client.ask("__subscribe__", "x" * 256) == [False]
        wait_until(lambda: any("max_channel_name exceeded" in line for line in log.lines("session")))

    def test_so_has_the_number_of_channels_that_a_client_asks_for(self, make_hub: Any, log: Log) -> None:
        client = connected(make_hub(max_channels=2), "a", "b")
        assert client.ask("__subscribe__", "c") == [False]
        wait_until(lambda: any("max_channels exceeded" in line for line in log.lines("session")))
        client.ask("__unsubscribe__", "a")
        assert client.ask("__subscribe__", "c") == [True]

    def test_the_built_in_events_work_without_an_ack(self, hub: Hub) -> None:
        client = connected(hub)
        client.say('42["__subscribe__","room"]')
        assert client.heard() == []
        assert client.socket().channels == ["room"]
