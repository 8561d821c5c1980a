"""Class-based namespaces: one class per namespace, one instance per socket, one method per event."""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import Event as Signal

from tests.hub.conftest import Log, hub, log, make_hub
from tests.support.dummy import DummyClient, connected
from tests.support.waiting import wait_until
from webpy_socketio import NO_ACK, EventError, Namespace, Refused, SocketClosed, Violation, on_event, on_limit
from webpy_socketio.events import registry
from webpy_socketio.hub.hub import Hub
from webpy_socketio.namespaces import BaseNamespace, BroadcastMixin, RoomsMixin

__all__ = ["hub", "log", "make_hub"]


@pytest.fixture(autouse=True)
def clean(hub: Hub) -> None:
    """The registry is empty, and a hub is open."""


def joined(hub: Hub, namespace: str = "/chat", auth: str = "") -> DummyClient:
    client = DummyClient(hub)
    client.join(namespace, auth)
    return client


def ask(client: DummyClient, event: str, *arguments: Any, namespace: str = "/chat") -> list[Any]:
    """Emit with an ack; give what has come, or nothing if no ack came."""
    from json import dumps, loads

    client.say(f"42{namespace},7{dumps([event, *arguments])}")
    packets = [str(packet) for packet in client.heard(namespace)]
    prefix = f"43{namespace},7"
    found = [loads(packet[len(prefix) :]) for packet in packets if packet.startswith(prefix)]
    return found[0] if found else ["no ack", *(packet for packet in packets)]


class TestRegistering:
    def test_a_class_without_a_namespace_of_its_own_is_a_base_for_others(self, hub: Hub) -> None:
        class Base(Namespace):
            def on_who(self) -> str:
                return type(self).__name__

        assert not registry.knows("/chat")

        class Chat(Base):
            namespace = "/chat"

        class Refined(Chat):
            def on_more(self) -> None: ...

        class News(Refined):
            namespace = "news"

        assert ask(joined(hub), "who") == ["Chat"]
        assert ask(joined(hub, "/news"), "who", namespace="/news") == ["News"]

    def test_two_classes_of_one_namespace_both_run_and_the_first_value_is_the_ack(self, hub: Hub) -> None:
        ran: list[str] = []

        class One(Namespace):
            namespace = "/chat"

            def on_who(self) -> str:
                ran.append("one")
                return "one"

        class Two(One):
            namespace = "/chat"

        @on_event("who", namespace="/chat")
        def who(request: Any, socket: Any, context: Any) -> str:
            ran.append("function")
            return "function"

        assert ask(joined(hub), "who") == ["one"]
        assert ran == ["one", "one", "function"]

    def test_the_main_namespace_has_classes_too(self, hub: Hub) -> None:
        class Main(Namespace):
            namespace = "/"

            def on_add(self, a: int, b: int) -> int:
                return a + b

        client = DummyClient(hub)
        client.join()
        assert client.ask("add", 1, 2) == [3]

    @pytest.mark.parametrize(
        ("method", "signature", "expected"),
        [
            ("on_connect", "self", "(self, auth)"),
            ("on_connect", "self, auth, more", "(self, auth)"),
            ("on_disconnect", "self", "(self, reason)"),
            ("on_message", "self", "(self, message)"),
            ("on_subscribe", "self", "(self, channel)"),
            ("on_error", "self", "(self, exception)"),
            ("on_finish", "self, x", "(self)"),
            ("recv_connect", "self, auth", "(self)"),
            ("recv_message", "self", "(self, data)"),
            ("recv_event", "self", "(self, name, *args)"),
            ("initialize", "self, x", "(self)"),
            ("on_move", "", "(self, *args)"),
        ],
    )
    def test_a_method_that_does_not_fit_is_an_error_when_the_class_is_made(
        self, method: str, signature: str, expected: str
    ) -> None:
        scope: dict[str, Any] = {}
        exec(f"def {method}({signature}): pass", scope)
        with pytest.raises(EventError) as caught:
            type("Chat", (Namespace,), {"namespace": "/chat", method: scope[method]})
        assert str(caught.value) == f"Chat.{method} takes {expected}; {method}({signature}) does not."
        assert not registry.knows("/chat")

    def test_methods_may_be_static_or_of_the_class_or_have_defaults(self, hub: Hub) -> None:
        class Chat(Namespace):
            namespace = "/chat"

            @staticmethod
            def on_static(a: int) -> int:
                return a

            @classmethod
            def on_class(cls, a: int) -> list[Any]:
                return [cls.__name__, a]

            def on_default(self, a: int, b: int = 2, *, c: int = 3) -> list[int]:
                return [a, b, c]

            on_duty = True

        client = joined(hub)
        assert [ask(client, name, 1) for name in ("static", "class", "default")] == [[1], [["Chat", 1]], [[1, 2, 3]]]
        assert ask(client, "duty") == ["no ack"]

    @pytest.mark.parametrize("name", ["on___x__", "on_newListener", "on_connect_error"])
    def test_reserved_names_are_an_error(self, name: str) -> None:
        with pytest.raises(EventError, match="is a reserved name"):
            type("Chat", (Namespace,), {"namespace": "/chat", name: lambda self: None})

    @pytest.mark.parametrize("namespace", [5, "/a,b", re.compile(b"x"), None])
    def test_what_is_no_namespace_is_an_error(self, namespace: Any) -> None:
        with pytest.raises(EventError, match="namespace must be a string"):
            type("Chat", (Namespace,), {"namespace": namespace})


class TestReloading:
    TEXT = (
        "from webpy_socketio import Namespace\n"
        "class Chat(Namespace):\n"
        "    namespace = '/chat'\n"
        "    def on_{event}(self):\n"
        "        self.count = getattr(self, 'count', 0) + 1\n"
        "        return ['{answer}', self.count]\n"
    )

    def load(
        self, spec: str, event: str, answer: str, monkeypatch: pytest.MonkeyPatch, name: str = "reloaded_app"
    ) -> None:
        module = types.ModuleType(name)
        module.__dict__.update(__spec__=spec, __file__="reloaded_app.py")
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(self.TEXT.format(event=event, answer=answer), "reloaded_app.py", "exec"), module.__dict__)

    def test_a_class_takes_the_place_of_its_older_self_and_instances_keep_their_state(
        self, hub: Hub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.load("first", "ask", "old", monkeypatch)
        client = joined(hub)
        assert ask(client, "ask") == [["old", 1]]
        self.load("second", "ask", "new", monkeypatch)
        assert ask(client, "ask") == [["new", 2]]
        assert ask(joined(hub), "ask") == [["new", 1]]
        assert len([h for h in registry._handlers.values() if h.name == "ask"]) == 1

    def test_a_method_that_is_gone_handles_nothing_any_more(self, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
        self.load("first", "ask", "old", monkeypatch)
        self.load("second", "other", "new", monkeypatch)
        client = joined(hub)
        assert ask(client, "ask") == ["no ack"]
        assert ask(client, "other") == [["new", 1]]

    @pytest.mark.parametrize("order", [("__main__", "reloaded_app"), ("reloaded_app", "__main__")])
    def test_the_second_import_of_the_main_file_wins_whichever_came_first(
        self, hub: Hub, monkeypatch: pytest.MonkeyPatch, order: tuple[str, str]
    ) -> None:
        for name in order:
            with monkeypatch.context() as patch:
                self.load(f"spec of {name}", "ask", name, patch, name)
        assert ask(joined(hub), "ask") == [["reloaded_app", 1]]
        assert len([h for h in registry._handlers.values() if h.name == "ask"]) == 1

    def test_an_instance_that_cannot_go_on_is_made_anew(self, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
        self.load("first", "ask", "old", monkeypatch)
        client = joined(hub)
        ask(client, "ask")
        text = self.TEXT.replace("    namespace =", "    __slots__ = ('more',)\n    namespace =")
        monkeypatch.setattr(TestReloading, "TEXT", text)
        self.load("second", "ask", "new", monkeypatch)
        assert ask(client, "ask") == [["new", 1]]


class TestLife:
    def test_one_instance_per_socket_with_what_belongs_to_it(self, hub: Hub) -> None:
        seen: list[Any] = []

        class Chat(Namespace):
            namespace = "/chat"

            def on_connect(self, auth: Any) -> None:
                self.count = 0
                seen.append((auth, self.ns_name, self.socket.namespace, self.request is self.environ, self.rooms))
                assert self.environ["REMOTE_ADDR"] == "192.0.2.7"
                assert self.context is self.socket.context

            def on_count(self) -> int:
                self.count += 1
                return self.count

        one, two = joined(hub, auth='{"token":"t"}'), joined(hub)
        assert [ask(one, "count"), ask(one, "count"), ask(two, "count")] == [[1], [2], [1]]
        assert seen == [({"token": "t"}, "/chat", "/chat", True, []), ({}, "/chat", "/chat", True, [])]

    def test_initialize_runs_on_all_classes_and_before_on_connect(self, hub: Hub) -> None:
        ran: list[str] = []

        class Mixin:
            def initialize(self) -> None:
                ran.append("mixin")

        class Base(Namespace):
            def initialize(self) -> None:
                ran.append("base")

        class Chat(Base, Mixin):
            namespace = "/chat"

            def initialize(self) -> None:
                ran.append("chat")

            def on_connect(self, auth: Any) -> None:
                ran.append("connect")

            def recv_connect(self) -> None:
                ran.append("recv_connect")

        joined(hub)
        assert ran == ["chat", "base", "mixin", "connect", "recv_connect"]

    def test_false_and_refused_refuse_and_end_what_was_spawned(self, hub: Hub) -> None:
        jobs: list[Any] = []

        class Chat(Namespace):
            namespace = "/chat"

            def on_connect(self, auth: Any) -> Any:
                jobs.append(self.spawn(gevent.sleep, 60))
                if "why" in auth:
                    raise Refused(auth["why"])
                return False

            def on_disconnect(self, reason: str) -> None:
                raise AssertionError("it never was connected")

        client = DummyClient(hub)
        client.say("40/chat,")
        client.wait_for('44/chat,{"message":"Connection refused"}')
        client.say('40/chat,{"why":"not you"}')
        client.wait_for('44/chat,{"message":"not you"}')
        wait_until(lambda: all(job.dead for job in jobs))
        assert len(jobs) == 2

    def test_recv_connect_refuses_too(self, hub: Hub) -> None:
        class Chat(Namespace):
            namespace = "/chat"

            def recv_connect(self) -> bool:
                return False

        client = DummyClient(hub)
        client.say("40/chat,")
        client.wait_for('44/chat,{"message":"Connection refused"}')

    def test_what_initialize_raises_is_reported_and_ends_what_it_spawned(self, hub: Hub, log: Log) -> None:
        jobs: list[Any] = []

        class Chat(Namespace):
            namespace = "/chat"

            def initialize(self) -> None:
                jobs.append(self.spawn(gevent.sleep, 60))
                raise ValueError("broken")

        socket = joined(hub).socket("/chat")
        assert [str(cause) for cause in log.causes()] == ["broken"]
        assert socket.instances == {}
        wait_until(lambda: jobs[0].dead)

    @pytest.mark.parametrize("way", ["client", "connection", "server"])
    def test_the_end_is_told_once_and_in_order(self, hub: Hub, way: str) -> None:
        ran: list[Any] = []

        class Chat(Namespace):
            namespace = "/chat"

            def on_connect(self, auth: Any) -> None:
                self.join("room")

            def on_disconnect(self, reason: str) -> None:
                ran.append((reason, self.rooms))

            def recv_disconnect(self) -> None:
                ran.append("recv_disconnect")
                super().recv_disconnect()

            def disconnect(self, *args: Any, **options: Any) -> None:
                ran.append(("disconnect", options))
                super().disconnect(*args, **options)

            def on_unsubscribe(self, channel: str) -> None:
                ran.append(channel)

            def on_finish(self) -> None:
                ran.append("finish")

        client = joined(hub)
        socket = client.socket("/chat")
        if way == "client":
            client.say("41/chat,")
        elif way == "connection":
            client.leave()
        else:
            socket.disconnect()
        reason = {"client": "client namespace disconnect", "connection": "transport close"}
        wait_until(lambda: "finish" in ran)
        assert ran == [
            (reason.get(way, "server namespace disconnect"), ["room"]),
            "recv_disconnect",
            ("disconnect", {"silent": True}),
            "room",
            "finish",
        ]
        wait_until(lambda: socket.instances is None)

    def test_disconnect_by_the_application_is_told_to_the_client_and_not_again_to_itself(self, hub: Hub) -> None:
        ran: list[str] = []

        class Chat(Namespace):
            namespace = "/chat"

            def on_bye(self) -> None:
                self.disconnect()

            def recv_disconnect(self) -> None:
                ran.append("recv_disconnect")

            def on_disconnect(self, reason: str) -> None:
                ran.append(reason)

        client = joined(hub)
        client.say('42/chat,["bye"]')
        client.wait_for("41/chat,")
        wait_until(lambda: bool(ran))
        assert ran == ["server namespace disconnect"]

    def test_a_silent_disconnect_is_not_told(self, hub: Hub) -> None:
        class Chat(Namespace):
            namespace = "/chat"

            def on_bye(self) -> None:
                self.disconnect(silent=True)

        client = joined(hub)
        socket = client.socket("/chat")
        client.say('42/chat,["bye"]')
        wait_until(lambda: not socket.connected)
        assert hub.namespaces == {}
        client.join()
        assert client.heard() == []

    @pytest.mark.parametrize("silent", [False, True])
    def test_disconnect_in_on_connect_refuses(self, hub: Hub, silent: bool) -> None:
        class Chat(Namespace):
            namespace = "/chat"

            def on_connect(self, auth: dict[str, Any]) -> None:
                self.disconnect(silent=silent)

        client = connected(hub)
        client.say("40/chat,")
        client.wait_for('44/chat,{"message":"Connection refused"}')
        assert list(hub.namespaces) == ["/"]

    def test_what_on_disconnect_raises_does_not_keep_the_rest_from_running(self, hub: Hub, log: Log) -> None:
        ran: list[str] = []

        class Chat(Namespace):
            namespace = "/chat"

            def on_disconnect(self, reason: str) -> None:
                raise ValueError("broken")

            def recv_disconnect(self) -> None:
                ran.append("recv_disconnect")

            def on_error(self, exception: BaseException) -> None:
                ran.append(str(exception))

        joined(hub).leave()
        wait_until(lambda: len(ran) == 2)
        assert ran == ["recv_disconnect", "broken"]
        assert len(log.causes()) == 1


class TestEvents:
    def test_names_map_to_methods_as_in_gevent_socketio_and_beyond(self, hub: Hub) -> None:
        class Chat(Namespace):
            namespace = "/chat"

            def on_user_message(self, *args: Any) -> int:
                return len(args)

        client = joined(hub)
        for name in ("user_message", "user message", "user-message", "user.message", "user:message"):
            assert ask(client, name, 1, 2) == [2]
        for name in ("usermessage", "user__message", "User message", "user messages"):
            assert ask(client, name) == ["no ack"]

    def test_values_are_acks_and_no_ack_is_none(self, hub: Hub) -> None:
        class Chat(Namespace):
            namespace = "/chat"

            def on_two(self) -> Any:
                return 1, b"2"

            def on_none(self) -> None: ...

            def on_silent(self) -> Any:
                return NO_ACK

        client = joined(hub)
        client.say('42/chat,7["two"]')
        assert client.heard("/chat") == ['461-/chat,7[1,{"_placeholder":true,"num":0}]', b"2"]
        assert (ask(client, "none"), ask(client, "silent")) == ([], ["no ack"])

    def test_handlers_of_one_socket_run_in_order(self, hub: Hub) -> None:
        ran: list[int] = []

        class Chat(Namespace):
            namespace = "/chat"

            def on_item(self, number: int) -> None:
                gevent.sleep(0)
                ran.append(number)

        client = joined(hub)
        client.say(*(f'42/chat,["item",{number}]' for number in range(20)))
        client.heard("/chat")
        assert ran == list(range(20))

    def test_a_wrong_number_of_arguments_goes_to_on_error(self, hub: Hub, log: Log) -> None:
        got: list[str] = []

        class Chat(Namespace):
            namespace = "/chat"

            def on_two(self, a: Any, b: Any) -> None: ...

            def on_error(self, exception: BaseException) -> None:
                got.append(str(exception))

        assert ask(joined(hub), "two", 1) == ["no ack"]
        [text] = got
        name = "TestEvents.test_a_wrong_number_of_arguments_goes_to_on_error.<locals>.Chat.on_two"
        assert text.startswith(f"The event 'two' came with 1 arguments; {name}(self, a: ")

    def test_recv_event_takes_what_nothing_else_handles(self, hub: Hub) -> None:
        class Chat(Namespace):
            namespace = "/chat"

            def on_known(self) -> str:
                return "known"

            def recv_event(self, name: str, *args: Any) -> Any:
                return name, *args

        client = joined(hub)
        assert ask(client, "known") == ["known"]
        assert ask(client, "un known", 1, {"a": 2}) == ["un known", 1, {"a": 2}]

    def test_a_message_goes_to_on_message_with_its_first_argument(self, hub: Hub) -> None:
        class Chat(Namespace):
            namespace = "/chat"

            def on_message(self, message: Any) -> Any:
                return [message]

            def recv_message(self, data: Any) -> Any:
                raise AssertionError("on_message is there")

        client = joined(hub)
        assert [ask(client, "message", *args) for args in (("a",), ({"b": 1}, 2), ())] == [
            [["a"]],
            [[{"b": 1}]],
            [[None]],
        ]

    def test_without_on_message_it_goes_to_recv_message_and_recv_json(self, hub: Hub) -> None:
        class Chat(Namespace):
            namespace = "/chat"

            def recv_message(self, data: Any) -> Any:
                return "text", data

            def recv_json(self, data: Any) -> Any:
                return "json", super().recv_json(data)

        class Texts(Namespace):
            namespace = "/texts"

            def recv_message(self, data: Any) -> Any:
                return "any", data

        client = joined(hub)
        client.join("/texts")
        assert ask(client, "message", "a") == ["text", "a"]
        assert ask(client, "message", {"b": 1}) == ["json", {"b": 1}]
        assert ask(client, "message", [1], namespace="/texts") == ["any", [1]]

    def test_a_method_of_packet_gets_all_of_it(self, hub: Hub) -> None:
        class Chat(Namespace):
            namespace = "/chat"

            def on_any_thing(self, packet: Any) -> Any:
                return packet

            def recv_error(self, packet: Any) -> Any:
                return packet["args"]

        client = joined(hub)
        packet = {"type": "event", "name": "any thing", "args": [1, [2]], "endpoint": "/chat"}
        assert ask(client, "any thing", 1, [2]) == [packet]
        assert ask(client, "error", "it", "broke") == [["it", "broke"]]

    def test_a_class_may_dispatch_itself(self, hub: Hub) -> None:
        class Chat(Namespace):
            namespace = "/chat"

            def process_event(self, packet: Any) -> Any:
                if packet["name"] == "special":
                    return "by itself"
                return super().process_event(packet)

            def on_known(self, *args: Any) -> Any:
                return ["known", *args]

            def on_subscribe(self, channel: str) -> None:
                raise AssertionError("it is for channels")

        client = joined(hub)
        assert ask(client, "special") == ["by itself"]
        assert ask(client, "known", 1) == [["known", 1]]
        for name in ("unknown", "subscribe"):
            [_, told] = ask(client, name, "x")
            assert told.startswith('42/chat,["error","no_such_method"')

    def test_a_decorator_for_exceptions_is_around_methods_and_jobs(self, hub: Hub) -> None:
        caught: list[str] = []

        class Chat(Namespace):
            namespace = "/chat"

            def exception_handler_decorator(self, function: Any) -> Any:
                def wrapped(*args: Any) -> Any:
                    try:
                        return function(*args)
                    except ValueError as error:
                        caught.append(str(error))

                return wrapped

            def fail(self, text: str) -> None:
                raise ValueError(text)

            def on_fail(self) -> None:
                self.spawn(self.fail, "job").join()
                self.fail("method")

        assert ask(joined(hub), "fail") == []
        assert caught == ["job", "method"]

    def test_channels_can_be_vetoed(self, hub: Hub) -> None:
        class Chat(Namespace):
            namespace = "/chat"

            def on_subscribe(self, channel: str) -> bool:
                return channel != "secret"

        client = joined(hub)
        assert ask(client, "__subscribe__", "open") == [True]
        assert ask(client, "__subscribe__", "secret") == [False]

    def test_the_classes_of_gevent_socketio_work_by_their_names(self, hub: Hub) -> None:
        class Chat(BaseNamespace, RoomsMixin, BroadcastMixin):
            namespace = "/chat"

            def on_nickname(self, nickname: str) -> tuple[bool, str]:
                self.session["nickname"] = nickname
                self.broadcast_event("announcement", f"{nickname} has connected")
                self.join("main_room")
                return True, nickname

        one, two = joined(hub), joined(hub)
        assert ask(one, "nickname", "ann") == [True, "ann"]
        assert two.take() == ['42/chat,["announcement","ann has connected"]']
        assert one.socket("/chat").channels == ["main_room"]


class TestAccess:
    def chat(self) -> None:
        class Chat(Namespace):
            namespace = "/chat"

            def get_initial_acl(self) -> list[str]:
                assert self.request is not None
                return ["on_login", "recv_connect"]

            def on_connect(self, auth: Any) -> None: ...

            def on_login(self) -> None:
                self.add_acl_method("on_secret")

            def on_logout(self) -> None:
                self.reset_acl()

            def on_lift(self) -> None:
                self.lift_acl_restrictions()

            def on_secret(self) -> str:
                return "secret"

            def on_message(self, message: Any) -> str:
                return "message"

    def test_a_list_closes_all_other_methods(self, hub: Hub) -> None:
        self.chat()
        client = joined(hub)
        told = '42/chat,["error","method_access_denied","You do not have access to method \\"on_secret\\""]'
        assert ask(client, "secret") == ["no ack", told]
        assert ask(client, "message", "x")[0] == "no ack"
        assert ask(client, "login") == []
        assert ask(client, "secret") == ["secret"]

    def test_it_can_be_changed_reset_and_lifted(self, hub: Hub) -> None:
        self.chat()
        client = joined(hub)
        [instance] = (client.socket("/chat").instances or {}).values()
        assert isinstance(instance, Namespace)
        ask(client, "login")
        instance.del_acl_method("on_secret")
        assert ask(client, "secret")[0] == "no ack"
        ask(client, "login")
        instance.reset_acl()
        assert ask(client, "secret")[0] == "no ack"
        instance.lift_acl_restrictions()
        assert (ask(client, "secret"), ask(client, "message", "x")) == (["secret"], ["message"])
        with pytest.raises(ValueError, match="all methods are allowed"):
            instance.del_acl_method("on_secret")
        instance.add_acl_method("on_login")
        assert ask(client, "secret")[0] == "no ack"


class TestSending:
    def chat(self) -> None:
        class Chat(Namespace):
            namespace = "/chat"

            def on_connect(self, auth: Any) -> None:
                self.got: list[Any] = []

            def on_do(self, what: str, *args: Any) -> Any:
                return getattr(self, what)(*args)

            def on_emit_with_callback(self) -> None:
                self.emit("question", 1, callback=lambda *values: self.got.append(values))
                self.send("text", json=True, callback=lambda *values: self.got.append(values))

            def on_got(self) -> Any:
                return self.got

            def on_call(self) -> Any:
                return {"answer": self.call("question", timeout=5)}

    def test_to_the_client_itself(self, hub: Hub) -> None:
        self.chat()
        client = joined(hub)
        assert ask(client, "do", "emit", "news", 1) == [True]
        assert ask(client, "do", "send", {"a": 1}) == [True]
        client.say('42/chat,["do","emit","news",1]', '42/chat,["do","send",[2]]')
        assert client.heard("/chat") == ['42/chat,["news",1]', '42/chat,["message",[2]]']

    def test_with_a_callback_and_waiting(self, hub: Hub) -> None:
        self.chat()
        client = joined(hub)
        client.say('42/chat,["emit with callback"]')
        ids = [re.match(r"42/chat,(\d+)\[", str(packet)) for packet in client.heard("/chat")]
        client.say(*(f'43/chat,{found.group(1)}["answer",{number}]' for number, found in enumerate(ids) if found))
        assert ask(client, "got") == [[["answer", 0], ["answer", 1]]]
        client.say('42/chat,5["call"]')
        question = str(client.wait_for(lambda packet: "question" in str(packet)))
        client.say(f"43/chat,{question[8 : question.index('[')]}[7]")
        client.wait_for('43/chat,5[{"answer":7}]')

    def test_to_others(self, hub: Hub) -> None:
        self.chat()
        one, two, three = (joined(hub) for _ in range(3))
        for client in (one, two):
            assert ask(client, "do", "join", "room") == [True]
        assert ask(three, "do", "subscribe", "other") == [True]
        assert ask(one, "do", "broadcast_event", "all", 1) == [3]
        assert ask(one, "do", "broadcast_event_not_me", "others", 2) == [2]
        assert ask(one, "do", "emit_to_room", "room", "room", 3) == [1]
        everybody = ['42/chat,["all",1]', '42/chat,["others",2]']
        assert (two.heard("/chat"), three.heard("/chat")) == ([*everybody, '42/chat,["room",3]'], everybody)
        assert ask(two, "do", "leave", "room") == [True]
        assert ask(one, "do", "emit_to_room", "room", "room", 4) == [0]
        assert ask(three, "do", "unsubscribe", "nothing") == [False]

    def test_reserved_names_are_an_error(self, hub: Hub, log: Log) -> None:
        self.chat()
        client = joined(hub)
        assert ask(client, "do", "broadcast_event", "connect") == ["no ack"]
        assert "reserved name" in str(log.causes()[0])

    def test_the_session_is_shared_by_the_namespaces_of_the_client(self, hub: Hub) -> None:
        class Put(Namespace):
            namespace = re.compile("^/(one|two)$")

            def on_put(self, key: str) -> Any:
                self.session.setdefault("keys", []).append(key)
                return list(self.session["keys"])

        one, other = joined(hub, "/one"), joined(hub, "/one")
        one.join("/two")
        assert ask(one, "put", "a", namespace="/one") == [["a"]]
        assert ask(one, "put", "b", namespace="/two") == [["a", "b"]]
        assert ask(other, "put", "c", namespace="/one") == [["c"]]


class TestJobs:
    def chat(self, started: list[Any], ended: Callable[[], None]) -> None:
        class Chat(Namespace):
            namespace = "/chat"

            def work(self, *numbers: int) -> None:
                started.append(numbers)
                try:
                    Signal().wait()
                finally:
                    ended()

            def on_work(self, *numbers: int) -> None:
                self.spawn(self.work, *numbers)

            def on_quick(self) -> int:
                self.spawn(lambda: None).join()
                return len(self.jobs)

            def on_fail(self) -> None:
                def fail() -> None:
                    raise ValueError("in a job")

                self.spawn(fail).join()

            def on_kill(self) -> None:
                self.kill_local_jobs()

            def on_error(self, exception: BaseException) -> None:
                started.append(str(exception))

    def test_they_are_killed_when_the_socket_ends(self, hub: Hub) -> None:
        started: list[Any] = []
        ended: list[int] = []
        self.chat(started, lambda: ended.append(1))
        client, other = joined(hub), joined(hub)
        client.say('42/chat,["work",1]', '42/chat,["work",2]')
        other.say('42/chat,["work",3]')
        wait_until(lambda: len(started) == 3)
        [instance] = (client.socket("/chat").instances or {}).values()
        client.leave()
        wait_until(lambda: len(ended) == 2)
        gevent.sleep(0)
        assert len(ended) == 2
        assert isinstance(instance, Namespace)
        with pytest.raises(SocketClosed, match="has ended"):
            instance.spawn(print)

    def test_those_that_are_done_are_forgotten(self, hub: Hub) -> None:
        self.chat([], lambda: None)
        assert ask(joined(hub), "quick") == [0]

    def test_they_can_be_killed_by_hand(self, hub: Hub) -> None:
        started: list[Any] = []
        ended: list[int] = []
        self.chat(started, lambda: ended.append(1))
        client = joined(hub)
        client.say('42/chat,["work"]')
        wait_until(lambda: bool(started))
        ask(client, "kill")
        wait_until(lambda: bool(ended))

    def test_what_they_raise_is_logged_and_goes_to_on_error_in_order(self, hub: Hub, log: Log) -> None:
        started: list[Any] = []
        self.chat(started, lambda: None)
        client = joined(hub)
        assert ask(client, "fail") == []
        wait_until(lambda: started == ["in a job"])
        assert [str(cause) for cause in log.causes()] == ["in a job"]


class TestPatterns:
    @pytest.fixture
    def tenants(self) -> list[str]:
        ran: list[str] = []

        class Tenant(Namespace):
            namespace = re.compile("^/tenant-")

            def on_who(self) -> str:
                ran.append("class")
                return self.ns_name

        @on_event("who", namespace="/tenant-1")
        def exact(request: Any, socket: Any, context: Any) -> None:
            ran.append("exact")

        @on_event("who", namespace=re.compile(".*-1$"))
        def other(request: Any, socket: Any, context: Any) -> None:
            ran.append("other pattern")

        return ran

    def test_a_client_may_ask_for_any_name_that_matches(self, hub: Hub, tenants: list[str]) -> None:
        client = joined(hub, "/tenant-42")
        assert ask(client, "who", namespace="/tenant-42") == ["/tenant-42"]
        client.say("40/other,")
        client.wait_for('44/other,{"message":"Invalid namespace"}')

    def test_handlers_of_the_name_and_of_patterns_run_in_order_of_registration(
        self, hub: Hub, tenants: list[str]
    ) -> None:
        assert ask(joined(hub, "/tenant-1"), "who", namespace="/tenant-1") == ["/tenant-1"]
        assert tenants == ["class", "exact", "other pattern"]

    def test_each_name_is_a_namespace_of_its_own(self, hub: Hub, tenants: list[str]) -> None:
        one, two = joined(hub, "/tenant-1"), joined(hub, "/tenant-2")
        assert one.socket("/tenant-1").broadcast("x") == 0
        assert sorted(hub.namespaces) == ["/tenant-1", "/tenant-2"]
        two.leave()
        wait_until(lambda: sorted(hub.namespaces) == ["/tenant-1"])

    def test_a_name_that_is_too_long_is_refused(self, hub: Hub, tenants: list[str]) -> None:
        limit = hub.config.max_namespace_name
        told: list[Any] = []

        @on_limit
        def hear(violation: Violation) -> None:
            told.append((violation.limit, violation.size, violation.most))

        name = "/tenant-".ljust(limit, "x")
        client = joined(hub, name)
        client.say(f"40{name}x,")
        client.wait_for(f'44{name}x,{{"message":"Invalid namespace"}}')
        wait_until(lambda: told == [("max_namespace_name", limit + 1, limit)])

    def test_nothing_is_left_of_thousands_of_names(
        self, hub: Hub, tenants: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("webpy_socketio.registry.MAX_FOUND", 100)
        for number in range(300):
            client = joined(hub, f"/tenant-{number}")
            assert ask(client, "who", namespace=f"/tenant-{number}") == [f"/tenant-{number}"]
            client.leave()
        wait_until(lambda: hub.namespaces == {})
        assert len(registry._found) <= 100

    def test_a_home_outlives_its_first_socket_while_another_is_connecting(self, hub: Hub) -> None:
        go = Signal()

        class Tenant(Namespace):
            namespace = re.compile("^/tenant-")

            def on_connect(self, auth: Any) -> None:
                if auth.get("slow"):
                    go.wait(5)

        first, slow = joined(hub, "/tenant-1"), DummyClient(hub)
        home = hub.namespaces["/tenant-1"]
        slow.say('40/tenant-1,{"slow":true}')
        first.leave()
        wait_until(lambda: not home.sockets)
        assert hub.namespaces["/tenant-1"] is home
        go.set()
        slow.wait_for(lambda packet: str(packet).startswith("40/tenant-1,"))
        third = joined(hub, "/tenant-1")
        assert third.socket("/tenant-1").broadcast("x") == 1
