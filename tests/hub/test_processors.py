"""Processors around every event, the handlers of ``"*"``, and handlers that choose not to ack."""

from __future__ import annotations

from typing import Any

import pytest

from tests.hub.conftest import Log
from tests.support.dummy import DummyClient, connected
from tests.support.waiting import wait_until
from webpy_socketio import NO_ACK, EventError, Refused, add_processor, on_connect, on_event, on_message, on_subscribe
from webpy_socketio.hub.hub import Hub


class TestProcessors:
    def test_they_run_around_every_event_the_first_outermost(self, hub: Hub) -> None:
        seen: list[Any] = []

        @add_processor
        def outer(handler: Any) -> Any:
            seen.append(("outer", handler.event, list(handler.arguments)))
            value = handler()
            seen.append(("outer done", value))
            return value

        @add_processor
        def inner(handler: Any) -> Any:
            seen.append(("inner", handler.event))
            return handler()

        @on_message
        def message(request: Any, socket: Any, context: Any, data: Any) -> str:
            seen.append("handler")
            return "value"

        client = connected(hub)
        seen.clear()
        assert client.ask("message", "hi") == ["value"]
        assert seen == [
            ("outer", "message", ["hi"]),
            ("inner", "message"),
            "handler",
            ("outer done", "value"),
        ]

    def test_what_a_processor_gives_is_the_ack(self, hub: Hub) -> None:
        @add_processor
        def doubled(handler: Any) -> Any:
            value = handler()
            return value * 2 if handler.event == "add" else value

        @on_event("add")
        def add(request: Any, socket: Any, context: Any, a: int, b: int) -> int:
            return a + b

        assert connected(hub).ask("add", 1, 2) == [6]

    def test_one_that_does_not_go_on_keeps_the_handlers_from_running(self, hub: Hub) -> None:
        got: list[Any] = []

        @add_processor
        def guard(handler: Any) -> Any:
            return handler() if handler.event != "secret" or handler.context.get("admin") else "forbidden"

        @on_event("secret")
        def secret(request: Any, socket: Any, context: Any) -> str:
            got.append("ran")
            return "secret"

        client = connected(hub)
        assert client.ask("secret") == ["forbidden"]
        client.socket().context["admin"] = True
        assert client.ask("secret") == ["secret"]
        assert got == ["ran"]

    def test_one_that_raises_is_logged_and_sends_no_ack(self, hub: Hub, log: Log) -> None:
        @add_processor
        def broken(handler: Any) -> Any:
            if handler.event == "message":
                raise ValueError("broken processor")
            return handler()

        client = connected(hub)
        client.say('421["message","hi"]')
        assert client.heard() == []
        assert [str(cause) for cause in log.causes()] == ["broken processor"]

    def test_the_stages_of_a_socket_pass_through_them(self, hub: Hub) -> None:
        stages: list[Any] = []

        @add_processor
        def note(handler: Any) -> Any:
            stages.append((handler.event, list(handler.arguments)))
            return handler()

        client = connected(hub, "room")
        client.say("41")
        wait_until(lambda: len(stages) == 5, what="all stages")
        assert stages == [
            ("connect", [{}]),
            ("subscribe", ["room"]),
            ("disconnect", []),
            ("unsubscribe", ["room"]),
            ("finish", []),
        ]

    @pytest.mark.parametrize("way", ["raises", "gives False"])
    def test_on_connect_can_be_refused_by_one(self, hub: Hub, way: str) -> None:
        @add_processor
        def door(handler: Any) -> Any:
            if handler.event == "connect" and way == "raises":
                raise Refused("closed today")
            return False

        client = DummyClient(hub)
        client.say("40")
        text = "closed today" if way == "raises" else "Connection refused"
        client.wait_for(f'44{{"message":"{text}"}}')

    def test_a_handler_still_refuses_through_them(self, hub: Hub) -> None:
        @add_processor
        def through(handler: Any) -> Any:
            return handler()

        @on_connect
        def refuse(request: Any, socket: Any, context: Any) -> None:
            raise Refused("no")

        client = DummyClient(hub)
        client.say("40")
        client.wait_for('44{"message":"no"}')

    def test_a_subscription_can_be_vetoed_by_one_and_through_one(self, hub: Hub) -> None:
        @add_processor
        def veto(handler: Any) -> Any:
            return False if handler.event == "subscribe" and handler.arguments == ["a"] else handler()

        @on_subscribe(channel="b")
        def handler_veto(request: Any, socket: Any, context: Any, channel: str) -> bool:
            return False

        client = connected(hub)
        assert [client.subscribe(name) for name in "abc"] == [False, False, True]

    def test_one_of_a_wrong_shape_is_an_error_that_says_so(self) -> None:
        with pytest.raises(EventError, match=r"A processor takes \(handler\); .*no_arguments\(\)"):

            @add_processor  # type: ignore[type-var]  # that is the point
            def no_arguments() -> None: ...


class TestAnyEvent:
    def test_it_gets_name_and_arguments_of_what_nothing_else_handles(self, hub: Hub) -> None:
        got: list[Any] = []

        @on_event("*")
        def anything(request: Any, socket: Any, context: Any, *args: Any) -> str:
            got.append(args)
            return "caught"

        @on_event("known")
        def known(request: Any, socket: Any, context: Any) -> str:
            return "known"

        client = connected(hub)
        assert client.ask("known") == ["known"]
        assert client.ask("other", 1, 2) == ["caught"]
        assert client.ask("message", "hi") == ["caught"]
        assert got == [("other", 1, 2), ("message", "hi")]


class TestNoAck:
    def test_a_handler_may_leave_a_question_unanswered(self, hub: Hub) -> None:
        @on_event("quiet")
        def quiet(request: Any, socket: Any, context: Any) -> Any:
            return NO_ACK

        client = connected(hub)
        client.say('427["quiet"]')
        assert client.heard() == []
