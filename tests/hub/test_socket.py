"""The members of a socket, and the values that it sends."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import gevent
import pytest

from tests.hub.conftest import Log
from tests.support.dummy import DummyClient, connected
from tests.support.waiting import wait_until
from webpy_socketio import EventError, UsageError, clients, on_connect, on_event, on_message
from webpy_socketio.hub.hub import Hub


@dataclass
class Point:
    x: int
    y: Decimal


class TestWhoItIs:
    def test_the_id_is_public_and_has_the_old_name_too(self, hub: Hub) -> None:
        client = connected(hub)
        socket = client.socket()
        assert clients() == [socket.id] == [socket.session.session_id]
        assert len(socket.id) == 20
        assert socket.id != client.handshake["sid"]

    def test_ids_do_not_repeat(self, hub: Hub) -> None:
        sockets = [connected(hub).socket() for _ in range(50)]
        assert len({socket.id for socket in sockets} | {client.session.sid for client in hub.clients.values()}) == 100

    def test_the_namespace_is_that_which_the_client_joined(self, hub: Hub) -> None:
        on_message(namespace="/side")(lambda request, socket, context, message: None)
        client = connected(hub)
        assert client.socket().namespace == "/"
        assert client.join("/side").namespace == "/side"

    def test_it_knows_whether_and_why_it_ended(self, hub: Hub) -> None:
        client = connected(hub)
        socket = client.socket()
        assert (socket.connected, socket.reason) == (True, None)
        client.leave()
        assert (socket.connected, socket.reason) == (False, "transport close")

    def test_the_protocol_is_that_of_the_carrier(self, hub: Hub) -> None:
        client = connected(hub)
        socket = client.socket()
        assert socket.protocol == "websocket"
        client.carrier.name = "polling"
        assert socket.protocol == "polling"

    def test_channels_stand_in_the_order_of_subscription(self, hub: Hub) -> None:
        client = connected(hub, "c", "a", "b")
        assert client.socket().channels == ["c", "a", "b"]
        client.ask("__unsubscribe__", "c")
        client.subscribe("c")
        assert client.socket().channels == ["a", "b", "c"]

    def test_changing_the_list_of_channels_changes_nothing(self, hub: Hub) -> None:
        socket = connected(hub, "a").socket()
        socket.channels.clear()
        assert socket.channels == ["a"]

    def test_its_representation_names_it(self, hub: Hub) -> None:
        socket = connected(hub).socket()
        assert repr(socket) == f"<Socket {socket.id} of / open>"


class TestSending:
    def test_send_is_the_event_message(self, hub: Hub) -> None:
        client = connected(hub)
        assert client.socket().send({"a": 1}) is True
        assert client.heard() == ['42["message",{"a":1}]']

    def test_emit_sends_an_event_with_any_number_of_arguments(self, hub: Hub) -> None:
        client = connected(hub)
        assert client.socket().emit("move") is True
        assert client.socket().emit("move", 1, "two", None) is True
        assert client.heard() == ['42["move"]', '42["move",1,"two",null]']

    @pytest.mark.parametrize("name", ["connect", "disconnect", "newListener", "__subscribe__", "__x__", "", None, 5])
    def test_reserved_names_are_an_event_error(self, hub: Hub, name: Any) -> None:
        client = connected(hub)
        with pytest.raises(EventError):
            client.socket().emit(name)
        with pytest.raises(EventError):
            client.socket().call(name)
        assert client.heard() == []

    def test_in_another_namespace_packets_carry_its_name(self, hub: Hub) -> None:
        on_message(namespace="/side")(lambda request, socket, context, message: None)
        client = DummyClient(hub)
        socket = client.join("/side")
        socket.send(b"\1")
        assert client.heard("/side") == ['451-/side,["message",{"_placeholder":true,"num":0}]', b"\1"]

    def test_a_full_outbox_gives_false(self, make_hub: Callable[..., Hub]) -> None:
        client = connected(make_hub(outbox_limit=1_000, outbox_policy="drop_newest"))
        client.carrier.is_blocked = True
        assert [client.socket().send("x" * 600) for _ in range(2)] == [True, False]
        client.unblock()
        assert client.heard() == [f'42["message","{"x" * 600}"]']

    def test_a_callback_of_a_dropped_event_is_not_waited_for(self, make_hub: Callable[..., Hub]) -> None:
        client = connected(make_hub(outbox_limit=1_000, outbox_policy="drop_newest", max_pending_acks=1))
        client.carrier.is_blocked = True
        socket = client.socket()
        assert socket.emit("x", "x" * 2_000, callback=print) is False
        assert socket.emit("x", callback=print) is True
        client.unblock()

    def test_a_callback_of_what_cannot_be_sent_is_not_waited_for(self, make_hub: Callable[..., Hub]) -> None:
        socket = connected(make_hub(max_pending_acks=1)).socket()
        with pytest.raises(TypeError):
            socket.emit("x", object(), callback=print)
        assert socket.emit("x", callback=print) is True


class TestBroadcasting:
    def test_broadcast_reaches_everyone_else(self, hub: Hub) -> None:
        sender, *others = (connected(hub) for _ in range(3))
        sender.socket().broadcast("x")
        assert sender.heard() == []
        assert [other.heard() for other in others] == [['42["message","x"]']] * 2

    def test_send_and_broadcast_reaches_everyone(self, hub: Hub) -> None:
        everyone = [connected(hub) for _ in range(3)]
        everyone[0].socket().send_and_broadcast("x")
        assert [client.heard() for client in everyone] == [['42["message","x"]']] * 3

    def test_alone_a_broadcast_reaches_nobody_and_is_no_error(self, hub: Hub) -> None:
        client = connected(hub)
        client.socket().broadcast("x")
        client.socket().broadcast_channel("x", "nowhere")
        client.socket().broadcast_channel("x")
        assert client.heard() == []

    def test_broadcast_channel_reaches_the_other_subscribers_of_the_channel(self, hub: Hub) -> None:
        sender, member, outsider = connected(hub, "room"), connected(hub, "room"), connected(hub, "lobby")
        sender.socket().broadcast_channel("x", "room")
        assert (sender.heard(), member.heard(), outsider.heard()) == ([], ['42["message","x"]'], [])

    def test_the_sender_need_not_be_subscribed(self, hub: Hub) -> None:
        sender, member = connected(hub), connected(hub, "room")
        sender.socket().broadcast_channel("x", "room")
        assert member.heard() == ['42["message","x"]']

    def test_without_a_channel_all_own_channels_are_meant_and_each_receives_once(self, hub: Hub) -> None:
        sender, both, one, none = (
            connected(hub, "a", "b"),
            connected(hub, "b", "a"),
            connected(hub, "b"),
            connected(hub, "c"),
        )
        sender.socket().broadcast_channel("x")
        assert [client.heard() for client in (sender, both, one, none)] == [
            [],
            ['42["message","x"]'],
            ['42["message","x"]'],
            [],
        ]

    @pytest.mark.parametrize("own", [(), ("room",)])
    def test_send_and_broadcast_channel_reaches_itself_once_subscribed_or_not(
        self, hub: Hub, own: tuple[str, ...]
    ) -> None:
        sender, member = connected(hub, *own), connected(hub, "room")
        sender.socket().send_and_broadcast_channel("x", "room")
        assert sender.heard() == ['42["message","x"]']
        assert member.heard() == ['42["message","x"]']

    def test_send_and_broadcast_channel_means_all_own_channels_too(self, hub: Hub) -> None:
        sender, member = connected(hub, "a", "b"), connected(hub, "a", "b")
        sender.socket().send_and_broadcast_channel("x")
        assert sender.heard() == ['42["message","x"]']
        assert member.heard() == ['42["message","x"]']

    def test_another_namespace_is_not_reached(self, hub: Hub) -> None:
        on_message(namespace="/side")(lambda request, socket, context, message: None)
        main, side = connected(hub), DummyClient(hub)
        side.join("/side")
        main.socket().send_and_broadcast("x")
        assert side.heard("/side") == []

    def test_a_receiver_that_is_full_costs_the_others_nothing(self, make_hub: Callable[..., Hub]) -> None:
        hub = make_hub(outbox_limit=1_000)
        sender, stuck, other = connected(hub), connected(hub), connected(hub)
        stuck.carrier.is_blocked = True
        for _ in range(3):
            sender.socket().broadcast("x" * 400)
        assert stuck.carrier.ended == (1008, "slow consumer")
        assert other.heard() == [f'42["message","{"x" * 400}"]'] * 3


class TestCalling:
    def answering(self, client: DummyClient, *answers: str) -> Any:
        """Let a client answer what it is asked."""

        def answer() -> None:
            for values in answers:
                packet = str(client.wait_for(lambda packet: "ask" in str(packet)))
                client.take()
                client.say(f"43{packet[2 : packet.index('[')]}{values}")

        return gevent.spawn(answer)

    @pytest.mark.parametrize(
        ("ack", "value"), [('["yes"]', "yes"), ("[]", None), ('["a",2]', ("a", 2)), ("[null]", None), ("[[1]]", [1])]
    )
    def test_it_gives_the_value_of_the_ack(self, hub: Hub, ack: str, value: object) -> None:
        client = connected(hub)
        self.answering(client, ack)
        assert client.socket().call("ask", 1) == value

    def test_it_works_in_a_handler_of_the_same_socket(self, hub: Hub) -> None:
        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> object:
            return [socket.call("ask", number) for number in range(2)]

        client = connected(hub)
        self.answering(client, '["one"]', '["two"]')
        assert client.ask("message") == [["one", "two"]]

    def test_without_an_answer_it_is_a_timeout_error(self, hub: Hub) -> None:
        socket = connected(hub).socket()
        with pytest.raises(TimeoutError, match=r"^No ack for the event 'ask' within 0.01 seconds.$"):
            socket.call("ask", timeout=0.01)

    def test_a_late_answer_is_ignored(self, hub: Hub) -> None:
        client = connected(hub)
        with pytest.raises(TimeoutError):
            client.socket().call("ask", timeout=0.01)
        packet = str(client.take()[0])
        client.say(f"43{packet[2 : packet.index('[')]}[1]")
        assert client.heard() == []
        assert client.socket().connected

    def test_calls_that_timed_out_are_not_owed_any_more(self, make_hub: Callable[..., Hub]) -> None:
        socket = connected(make_hub(max_pending_acks=1)).socket()
        for _ in range(3):
            with pytest.raises(TimeoutError):
                socket.call("ask", timeout=0.001)

    def test_a_time_out_around_it_stays_what_it_is(self, hub: Hub) -> None:
        socket = connected(hub).socket()
        outer = gevent.Timeout(0.01)
        with pytest.raises(gevent.Timeout) as caught, outer:
            socket.call("ask", timeout=30)
        assert caught.value is outer

    def test_an_exception_thrown_into_who_waits_stays_what_it_is(self, hub: Hub, log: Log) -> None:
        socket = connected(hub).socket()
        greenlet = gevent.spawn(socket.call, "ask")
        gevent.sleep(0)
        greenlet.kill(ValueError("thrown"))
        assert isinstance(greenlet.exception, ValueError)
        assert log.in_loop == [greenlet.exception]
        log.in_loop.clear()

    def test_an_event_that_is_dropped_is_socket_closed(self, make_hub: Callable[..., Hub]) -> None:
        client = connected(make_hub(outbox_limit=1_000, outbox_policy="drop_newest"))
        client.carrier.is_blocked = True
        with pytest.raises(UsageError, match="could not be sent"):
            client.socket().call("ask", "x" * 2_000)
        client.unblock()

    def test_several_may_wait_at_once(self, hub: Hub) -> None:
        client = connected(hub)
        calls = [gevent.spawn(client.socket().call, f"q{number}") for number in range(3)]
        wait_until(lambda: len(client.carrier.sent) == 3)
        for packet in reversed(client.take()):
            head, _, rest = str(packet)[2:].partition("[")
            client.say(f"43{head}[{rest}")
        assert [call.get(timeout=5) for call in calls] == ["q0", "q1", "q2"]


class TestValues:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("Grüße 👋", '"Grüße 👋"'),
            ("a\n\x00\u2028b", '"a\\n\\u0000\u2028b"'),
            ([1, [2, []]], "[1,[2,[]]]"),
            (1.5, "1.5"),
            (None, "null"),
            (True, "true"),
            ({"a": {"b": None}}, '{"a":{"b":null}}'),
            ((1, 2), "[1,2]"),
            (Decimal("1234567890.12345678901234567890"), "1234567890.12345678901234567890"),
            ({"price": Decimal("0.10")}, '{"price":0.10}'),
            (datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc), '"2026-01-02T03:04:05+00:00"'),
            (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
            (Point(1, Decimal("2.50")), '{"x":1,"y":2.50}'),
            (math.nan, "null"),
            ([math.inf, -math.inf], "[null,null]"),
            ("cut \ud83d", '"cut \ufffd"'),
            (1 << 64, "18446744073709551616"),
            ({1: "a", 2.5: "b", None: "c", False: "d"}, '{"1":"a","2.5":"b","null":"c","false":"d"}'),
        ],
    )
    def test_what_is_sent(self, hub: Hub, value: object, text: str) -> None:
        client = connected(hub)
        client.socket().send(value)
        assert client.heard() == [f'42["message",{text}]']

    @pytest.mark.parametrize(
        ("value", "text", "attachments"),
        [
            (b"\0\xff", '{"_placeholder":true,"num":0}', [b"\0\xff"]),
            (
                {"a": [b"1", {"b": bytearray(b"2")}], "c": memoryview(b"3")},
                '{"a":[{"_placeholder":true,"num":0},{"b":{"_placeholder":true,"num":1}}],"c":{"_placeholder":true,"num":2}}',
                [b"1", b"2", b"3"],
            ),
        ],
    )
    def test_bytes_anywhere_inside_are_sent(self, hub: Hub, value: object, text: str, attachments: list[bytes]) -> None:
        client = connected(hub)
        client.socket().send(value)
        assert client.heard() == [f'45{len(attachments)}-["message",{text}]', *attachments]

    @pytest.mark.parametrize("value", [object(), {1, 2}, {"a": print}, [[object]], {(1,): 2}], ids=repr)
    @pytest.mark.parametrize("method", ["send", "broadcast", "send_and_broadcast", "broadcast_channel", "emit", "call"])
    def test_what_cannot_be_encoded_raises_at_the_call(self, hub: Hub, method: str, value: object) -> None:
        client = connected(hub, "room")
        arguments = ["event", value] if method in ("emit", "call") else [value]
        with pytest.raises(TypeError):
            getattr(client.socket(), method)(*arguments)
        assert client.heard() == []

    def test_a_value_that_contains_itself_raises_at_the_call(self, hub: Hub) -> None:
        loop: list[Any] = []
        loop.append(loop)
        with pytest.raises(ValueError, match="contains itself"):
            connected(hub).socket().send(loop)

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ('"Grüße 👋"', "Grüße 👋"),
            ("[1,[2,[]]]", [1, [2, []]]),
            ("1.5", 1.5),
            ("-0", 0),
            ("null", None),
            ("true", True),
            ('{"a":{"b":null}}', {"a": {"b": None}}),
            ('"cut \\ud83d"', "cut \ufffd"),
            ("18446744073709551616", 18446744073709551616.0),
        ],
    )
    def test_what_arrives(self, hub: Hub, text: str, value: object) -> None:
        got: list[Any] = []

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            got.append(message)

        client = connected(hub)
        client.say(f'42["message",{text}]')
        assert got == [value]
        assert type(got[0]) is type(value)
        assert client.carrier.ended is None

    def test_bytes_arrive_in_place(self, hub: Hub) -> None:
        got: list[Any] = []

        @on_event("file")
        def file(request: Any, socket: Any, context: Any, *args: Any) -> None:
            got.append(args)

        zero, one = ('{"_placeholder":true,"num":0}', '{"_placeholder":true,"num":1}')
        client = connected(hub)
        client.say(f'452-["file",{{"a":{one}}},{zero}]', b"zero", b"one")
        assert got == [({"a": b"one"}, b"zero")]

    @pytest.mark.parametrize(
        "text", ["[1,2", "{", '["a"', "[]", "{}", '"x"', "[null]", '["disconnect"]', '["connect"]', ""]
    )
    def test_what_is_no_event_closes_its_client_only(self, hub: Hub, log: Log, text: str) -> None:
        client, other = connected(hub), connected(hub)
        client.say(f"42{text}")
        code, _ = client.wait_for_end()
        assert code == 1002
        assert other.heard() == []
        assert [line for line in log.lines("session") if "parse error" in line and client.handshake["sid"][:6] in line]


class TestVolatile:
    def test_it_sends_what_can_leave_at_once(self, hub: Hub) -> None:
        client = connected(hub)
        assert client.socket().volatile.emit("tick", 1) is True
        client.take()
        assert client.socket().volatile.send("tock") is True
        assert client.heard() == ['42["message","tock"]']

    def test_it_drops_what_cannot(self, hub: Hub) -> None:
        client = connected(hub)
        client.carrier.is_blocked = True
        client.socket().send("waits")
        assert client.socket().volatile.emit("tick") is False
        assert client.socket().volatile.send("tock") is False
        client.unblock()
        assert client.heard() == ['42["message","waits"]']

    def test_while_connecting_it_leaves_after_the_answer(self, hub: Hub) -> None:
        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> None:
            assert socket.volatile.emit("hello")

        assert connected(hub).heard() == ['42["hello"]']

    def test_nobody_is_there_any_more(self, hub: Hub) -> None:
        client = connected(hub)
        socket = client.socket()
        client.leave()
        assert (socket.volatile.send("x"), socket.volatile.emit("x")) == (False, False)

    def test_reserved_names_are_an_error(self, hub: Hub) -> None:
        with pytest.raises(EventError):
            connected(hub).socket().volatile.emit("connect")
