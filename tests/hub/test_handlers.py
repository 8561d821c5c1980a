"""What happens when handlers fail: nothing to anybody else."""

from __future__ import annotations

import asyncio
from typing import Any

import gevent
import pytest
from gevent.event import Event

from tests.hub.conftest import Log
from tests.support.dummy import connected
from tests.support.waiting import wait_until
from webpy_socketio import on_disconnect, on_error, on_event, on_message
from webpy_socketio.hub.hub import Hub

#: Handler errors, whatever they derive from.
ERRORS = [ValueError("no"), SystemExit(3), gevent.Timeout(1), asyncio.CancelledError(), BaseException("bare")]


def name_of(error: BaseException) -> str:
    return type(error).__name__


class TestAnException:
    @pytest.mark.parametrize("error", ERRORS, ids=name_of)
    def test_it_goes_to_on_error_and_to_the_log_with_its_traceback(
        self, hub: Hub, log: Log, error: BaseException
    ) -> None:
        heard: list[Any] = []

        @on_message
        def broken(request: Any, socket: Any, context: Any, message: Any) -> None:
            raise error

        @on_error
        def hear(request: Any, socket: Any, context: Any, exception: BaseException) -> None:
            heard.append((request, socket, context, exception))

        client = connected(hub)
        socket = client.socket()
        client.say('42["message","x"]')
        assert heard == [(socket.request, socket, socket.context, error)]
        [(text, cause)] = log.errors()
        assert socket.id in text
        assert cause is error
        assert cause.__traceback__ is not None

    @pytest.mark.parametrize("error", ERRORS, ids=name_of)
    def test_it_does_not_stop_the_others_nor_end_the_connection(self, hub: Hub, log: Log, error: BaseException) -> None:
        @on_message
        def broken(request: Any, socket: Any, context: Any, message: Any) -> None:
            raise error

        @on_message
        def fine(request: Any, socket: Any, context: Any, message: Any) -> None:
            socket.send(message)

        client = connected(hub)
        client.say('42["message","a"]', '42["message","b"]')
        assert client.heard() == ['42["message","a"]', '42["message","b"]']
        assert client.socket().connected
        assert client.carrier.ended is None
        assert log.causes() == [error, error]

    def test_every_on_error_hears_of_it_in_order(self, hub: Hub, log: Log) -> None:
        heard: list[str] = []

        @on_message
        def broken(request: Any, socket: Any, context: Any, message: Any) -> None:
            raise ValueError("no")

        @on_error
        def first(request: Any, socket: Any, context: Any, exception: BaseException) -> None:
            heard.append("first")

        @on_error
        def second(request: Any, socket: Any, context: Any, exception: BaseException) -> None:
            heard.append("second")

        connected(hub).say('42["message","x"]')
        assert heard == ["first", "second"]
        assert len(log.errors()) == 1

    @pytest.mark.parametrize("error", ERRORS, ids=name_of)
    def test_an_exception_inside_on_error_is_only_logged(self, hub: Hub, log: Log, error: BaseException) -> None:
        heard: list[Any] = []

        @on_message
        def broken(request: Any, socket: Any, context: Any, message: Any) -> None:
            raise ValueError("cause")

        @on_error
        def worse(request: Any, socket: Any, context: Any, exception: BaseException) -> None:
            heard.append(exception)
            raise error

        @on_error
        def calm(request: Any, socket: Any, context: Any, exception: BaseException) -> None:
            heard.append("calm")

        client = connected(hub)
        client.say('42["message","x"]')
        client.heard()
        assert [str(heard[0]), heard[1:]] == ["cause", ["calm"]]
        assert [str(cause) for cause in log.causes()] == ["cause", str(error)]

    def test_handlers_of_named_events_are_treated_alike(self, hub: Hub, log: Log) -> None:
        heard: list[Any] = []

        @on_event("move")
        def broken(request: Any, socket: Any, context: Any) -> None:
            raise ValueError("no")

        @on_error
        def hear(request: Any, socket: Any, context: Any, exception: BaseException) -> None:
            heard.append(str(exception))

        connected(hub).say('42["move"]')
        assert heard == ["no"]
        assert len(log.errors()) == 1

    def test_on_error_of_another_namespace_does_not_hear_of_it(self, hub: Hub, log: Log) -> None:
        heard: list[Any] = []

        @on_message(namespace="/a")
        def broken(request: Any, socket: Any, context: Any, message: Any) -> None:
            raise ValueError("no")

        @on_error
        def hear(request: Any, socket: Any, context: Any, exception: BaseException) -> None:
            heard.append(exception)

        client = connected(hub)
        client.join("/a")
        client.say('42/a,["message","x"]')
        assert heard == []
        assert len(log.errors()) == 1

    def test_a_time_out_around_the_handlers_own_work_is_its_own_business(self, hub: Hub) -> None:
        @on_message
        def patient(request: Any, socket: Any, context: Any, message: Any) -> str:
            with gevent.Timeout(0.001, False):
                gevent.sleep(10)
            return "gave up"

        assert connected(hub).ask("message", "x") == ["gave up"]


class TestGreenletExit:
    """It ends the handler, as gevent has it, and only that."""

    def test_the_mailbox_goes_on(self, hub: Hub) -> None:
        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            if message == "die":
                raise gevent.GreenletExit
            socket.send(message)

        client = connected(hub)
        client.say('42["message","die"]', '42["message","live"]')
        assert client.heard() == ['42["message","live"]']

    def test_a_handler_that_is_killed_by_the_application_frees_its_socket(self, hub: Hub) -> None:
        greenlets: list[Any] = []

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            if message == "hang":
                greenlets.append(gevent.getcurrent())
                Event().wait()
            socket.send(message)

        client = connected(hub)
        client.say('42["message","hang"]', '42["message","next"]')
        gevent.kill(greenlets[0])
        assert client.heard() == ['42["message","next"]']

    def test_it_is_no_error_to_anybody(self, hub: Hub, log: Log) -> None:
        heard: list[Any] = []

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            raise gevent.GreenletExit

        @on_error
        def hear(request: Any, socket: Any, context: Any, exception: BaseException) -> None:
            heard.append(exception)

        client = connected(hub)
        client.say('427["message","x"]')
        assert client.heard() == []
        assert heard == []
        assert log.errors() == []

    def test_in_on_error_it_frees_the_socket_too(self, hub: Hub, log: Log) -> None:
        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            if message == "bad":
                raise ValueError(message)
            socket.send(message)

        @on_error
        def hear(request: Any, socket: Any, context: Any, exception: BaseException) -> None:
            raise gevent.GreenletExit

        client = connected(hub)
        client.say('42["message","bad"]', '42["message","good"]')
        assert client.heard() == ['42["message","good"]']
        assert len(log.errors()) == 1


class TestKeyboardInterrupt:
    """Control-C that arrives in a handler reaches the main greenlet, and costs no socket anything."""

    def test_it_reaches_the_main_greenlet(self, hub: Hub, log: Log) -> None:
        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            if message == "Ctrl-C":
                raise KeyboardInterrupt
            socket.send(message)

        client = connected(hub)
        with pytest.raises(KeyboardInterrupt):
            client.say('42["message","Ctrl-C"]', '42["message","next"]')
        assert client.wait_for('42["message","next"]')
        log.in_loop.clear()

    def test_the_end_of_the_socket_is_complete(self, hub: Hub, log: Log) -> None:
        got: list[str] = []

        @on_disconnect
        def disconnect(request: Any, socket: Any, context: Any) -> None:
            got.append("first")
            raise KeyboardInterrupt

        @on_disconnect
        def never_reached(request: Any, socket: Any, context: Any) -> None:
            got.append("second")

        client = connected(hub, "room")
        socket = client.socket()
        with pytest.raises(KeyboardInterrupt):
            client.leave()
        wait_until(lambda: not hub.workers.is_busy)
        assert socket.channels == []
        assert got == ["first"]
        log.in_loop.clear()
