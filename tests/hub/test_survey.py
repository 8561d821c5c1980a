"""Asking many clients at once: out of band, by the acks of one event."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest

from tests.hub.conftest import Log
from tests.hub.test_out_of_band import in_a_greenlet, in_a_thread
from tests.support.dummy import DummyClient, connected
from tests.support.waiting import wait_until
from webpy_socketio import (
    AnswersMissing,
    EventError,
    UsageError,
    call,
    on_connect,
    on_event,
    on_message,
)
from webpy_socketio.errors import WebpySocketIOError
from webpy_socketio.hub.hub import Hub

Runner = Callable[..., Any]


@pytest.fixture(params=[in_a_greenlet, in_a_thread], ids=["greenlet", "thread"])
def place(request: pytest.FixtureRequest) -> Runner:
    """Where the question is asked."""
    runner: Runner = request.param
    return runner


class Asking:
    """A call that waits while the test answers for the clients."""

    def __init__(self, place: Runner, *args: Any, **options: Any) -> None:
        self._greenlet = gevent.spawn(self._run, place, args, options)

    @staticmethod
    def _run(place: Runner, args: Any, options: Any) -> Any:
        try:
            return place(call, *args, **options)
        except Exception as error:
            return error

    def result(self) -> Any:
        return self._greenlet.get(timeout=5)

    def is_waiting(self) -> bool:
        gevent.sleep(0.01)
        return not self._greenlet.dead


def question(client: DummyClient) -> int:
    """Wait for the question; give its ack id."""
    packet = client.wait_for(lambda packet: re.match(r"4[25]\d*-?\d*\[\"ask\"", str(packet)) is not None)
    client.carrier.sent.remove(packet)
    found = re.search(r"(\d+)\[", str(packet)[2:])
    assert found is not None
    return int(found.group(1))


def answer(client: DummyClient, values: str) -> None:
    client.say(f"43{question(client)}{values}")


def ids(*clients: DummyClient) -> list[str]:
    return [client.socket().id for client in clients]


@pytest.fixture(autouse=True)
def no_acks_left(hub: Hub) -> Iterator[None]:
    """No client owes an ack, or counts as one that is waited for, when all is over."""
    yield
    for client in list(hub.clients.values()):
        assert client.waiting_calls == 0  # type: ignore[attr-defined]  # they are Socket.IO's
        for socket in client.sockets():  # type: ignore[attr-defined]  # likewise
            assert not socket.membership._acks


class Unheard:
    """A hub whose loop runs no more: nothing comes of what is posted."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def __getattr__(self, name: str) -> Any:
        return getattr(self._hub, name)

    def post(self, function: Callable[..., object], *args: object) -> bool:
        return True


class TestAnswers:
    def test_they_come_by_session_id(self, hub: Hub, place: Runner) -> None:
        one, two, three = (connected(hub) for _ in range(3))
        asking = Asking(place, "ask", {"deep": 1}, timeout=5)
        answer(two, '[["b"]]')
        answer(one, "[]")
        assert asking.is_waiting()
        answer(three, "[1,2]")
        assert asking.result() == dict(zip(ids(one, two, three), (None, ["b"], (1, 2)), strict=True))

    def test_all_are_asked_with_one_packet(self, hub: Hub, place: Runner) -> None:
        clients = [connected(hub) for _ in range(3)]
        asking = Asking(place, "ask", timeout=5)
        found = [question(client) for client in clients]
        assert len(set(found)) == 1
        for client in clients:
            client.say(f"43{found[0]}[0]")
        assert len(asking.result()) == 3

    def test_binary_both_ways(self, hub: Hub, place: Runner) -> None:
        one, two = connected(hub), connected(hub)
        asking = Asking(place, "ask", b"\x00\xff", timeout=5)
        one.say(f'461-{question(one)}[{{"_placeholder":true,"num":0}}]', b"\x01\x02")
        assert one.take() == [b"\x00\xff"]
        answer(two, '["text"]')
        assert asking.result() == dict(zip(ids(one, two), (b"\x01\x02", "text"), strict=True))

    def test_to_a_channel_a_session_id_a_list_but_not_to_whom_skip_names(self, hub: Hub, place: Runner) -> None:
        a, b, c, d = connected(hub, "x", "y"), connected(hub, "y"), connected(hub, "z"), connected(hub)
        for to, skip, asked in (
            ("y", None, [a, b]),
            (ids(d)[0], None, [d]),
            (["x", "y", *ids(d)], ids(b), [a, d]),
            (None, "y", [c, d]),
            (None, ["z", *ids(a)], [b, d]),
        ):
            asking = Asking(place, "ask", to=to, skip=skip, timeout=5)
            for client in asked:
                answer(client, "[1]")
            assert sorted(asking.result()) == sorted(ids(*asked))
        assert [client.heard() for client in (a, b, c, d)] == [[], [], [], []]

    def test_in_a_namespace(self, hub: Hub, place: Runner) -> None:
        on_message(namespace="/side")(lambda request, socket, context, message: None)
        client = DummyClient(hub)
        socket = client.join("/side")
        asking = Asking(place, "ask", namespace="/side", timeout=5)
        packet = str(client.wait_for(lambda packet: "ask" in str(packet)))
        client.say(f"43/side,{packet[8 : packet.index('[')]}[1]")
        assert asking.result() == {socket.id: 1}

    @pytest.mark.parametrize("to", [None, "nobody", []])
    def test_nobody_answers_at_once(self, hub: Hub, place: Runner, to: Any) -> None:
        assert place(call, "ask", to=to) == {}

    def test_without_a_server_nobody_does_either(self, hub: Hub) -> None:
        hub.stop(0)
        assert call("ask") == {}

    def test_a_handler_may_ask_its_own_client_and_others(self, hub: Hub) -> None:
        @on_event("vote")
        def vote(request: Any, socket: Any, context: Any) -> Any:
            return sorted(call("ask", to="room", timeout=5).values())

        one, two = connected(hub, "room"), connected(hub, "room")
        one.say('427["vote"]')
        answer(one, "[1]")
        answer(two, "[2]")
        one.wait_for("437[[1,2]]")


class TestWhoLeaves:
    @pytest.mark.parametrize("when", ["before", "after"])
    def test_is_not_waited_for(self, hub: Hub, place: Runner, when: str) -> None:
        one, two = connected(hub), connected(hub)
        [id_] = ids(one)
        asking = Asking(place, "ask", timeout=5)
        question(two)
        if when == "before":
            two.leave()
            answer(one, "[1]")
        else:
            answer(one, "[1]")
            assert asking.is_waiting()
            two.leave()
        assert asking.result() == {id_: 1}

    def test_has_answered_if_it_had(self, hub: Hub, place: Runner) -> None:
        one, two = connected(hub), connected(hub)
        both = ids(one, two)
        asking = Asking(place, "ask", timeout=5)
        answer(two, "[2]")
        two.leave()
        answer(one, "[1]")
        assert asking.result() == dict(zip(both, (1, 2), strict=True))

    def test_the_last_one_ends_it(self, hub: Hub, place: Runner) -> None:
        one = connected(hub)
        asking = Asking(place, "ask", timeout=5)
        question(one)
        one.leave()
        assert asking.result() == {}

    def test_a_server_that_stops_ends_it(self, hub: Hub, place: Runner) -> None:
        one = connected(hub)
        asking = Asking(place, "ask", timeout=5)
        question(one)
        hub.stop(0.1)
        assert asking.result() == {}

    def test_who_connects_yet_is_not_asked(self, hub: Hub) -> None:
        got: list[Any] = []

        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> None:
            socket.subscribe("room")
            got.append(call("ask", to="room", timeout=5))

        connected(hub)
        assert got == [{}]


class TestWhoDoesNotAnswer:
    @pytest.mark.parametrize("timeout", [0, -1])
    def test_is_named_at_once_where_there_is_no_time(self, hub: Hub, place: Runner, timeout: int) -> None:
        client = connected(hub)
        error = Asking(place, "ask", timeout=timeout).result()
        assert (error.answers, error.missing) == ({}, ids(client))
        assert client.client.waiting_calls == 0

    def test_is_named_at_the_timeout_with_what_came(self, hub: Hub, place: Runner) -> None:
        one, two, three = (connected(hub) for _ in range(3))
        asking = Asking(place, "ask", timeout=0.2)
        answer(one, "[1]")
        late = question(two)
        error = asking.result()
        assert isinstance(error, AnswersMissing)
        assert isinstance(error, TimeoutError)
        assert isinstance(error, WebpySocketIOError)
        assert (error.answers, error.missing) == ({ids(one)[0]: 1}, ids(two, three))
        assert str(error) == (
            "2 of 3 clients did not answer the event 'ask' within 0.2 seconds, or could not be asked: "
            f"{', '.join(ids(two, three))}"
        )
        two.say(f"43{late}[2]")
        two.heard()
        assert error.answers == {ids(one)[0]: 1}

    def test_of_many_only_some_are_written_down(self, hub: Hub) -> None:
        clients = [connected(hub) for _ in range(7)]
        error = Asking(in_a_greenlet, "ask", timeout=0.01).result()
        assert error.missing == ids(*clients)
        assert str(error).endswith(f"{ids(clients[4])[0]}, …")

    def test_who_has_left_by_then_is_not_missing(self, hub: Hub, place: Runner) -> None:
        one, two = connected(hub), connected(hub)
        asking = Asking(place, "ask", timeout=0.2)
        question(two)
        two.leave()
        assert asking.result().missing == ids(one)


class TestHowLong:
    def test_another_timeout_around_it_is_not_taken_for_its_own(self, hub: Hub) -> None:
        connected(hub)
        with pytest.raises(gevent.Timeout) as caught, gevent.Timeout(0.02) as outer:
            call("ask", timeout=5)
        assert caught.value is outer

    def test_a_killed_greenlet_leaves_nothing_behind(self, hub: Hub) -> None:
        client = connected(hub)
        greenlet = gevent.spawn(call, "ask")
        question(client)
        greenlet.kill()

    def test_none_waits_for_ever(self, hub: Hub, place: Runner) -> None:
        client = connected(hub)
        asking = Asking(place, "ask", timeout=None)
        assert asking.is_waiting()
        answer(client, "[1]")
        assert len(asking.result()) == 1

    def test_a_callback_of_the_loop_cannot_wait(self, hub: Hub) -> None:
        connected(hub)
        got: list[Any] = []

        def callback() -> None:
            try:
                call("ask")
            except UsageError as error:
                got.append(str(error))

        gevent.get_hub().loop.run_callback(callback)
        wait_until(lambda: bool(got))
        assert got == ["call() waits, which a callback of the loop cannot do; spawn a greenlet for it."]

    def test_a_loop_that_is_gone_is_an_error(self, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
        connected(hub)
        monkeypatch.setattr("webpy_socketio.hub.survey._LOOP_TIMEOUT", 0.01)
        monkeypatch.setattr("webpy_socketio.hub.out_of_band.default_hub", lambda: Unheard(hub))
        with pytest.raises(UsageError, match="does not run any more"):
            in_a_thread(call, "ask", timeout=0.01)


class TestLimits:
    def test_what_cannot_be_encoded_raises_at_the_call(self, hub: Hub, place: Runner) -> None:
        client = connected(hub)
        with pytest.raises(TypeError, match="object cannot be sent"):
            place(call, "ask", object())
        assert client.heard() == []

    def test_reserved_names_are_an_event_error(self, hub: Hub, place: Runner) -> None:
        with pytest.raises(EventError):
            place(call, "connect")


class TestSettings:
    """With other settings than the defaults, so with a hub of its own."""

    @pytest.fixture(autouse=True)
    def no_acks_left(self) -> None:
        """In place of that of the module, which makes a hub with the defaults."""

    def test_a_client_that_owes_too_many_acks_is_missing_at_once(
        self, make_hub: Callable[..., Hub], place: Runner
    ) -> None:
        hub = make_hub(max_pending_acks=1)
        one, two = connected(hub), connected(hub)
        one.socket().emit("other", callback=print)
        asking = Asking(place, "ask", timeout=5)
        answer(two, "[2]")
        error = asking.result()
        assert (error.answers, error.missing) == ({ids(two)[0]: 2}, ids(one))

    def test_so_is_one_whose_outbox_is_full(self, make_hub: Callable[..., Hub], place: Runner) -> None:
        hub = make_hub(outbox_limit=1_000, outbox_policy="drop_newest")
        one, two = connected(hub), connected(hub)
        one.carrier.is_blocked = True
        assert one.socket().emit("x", "y" * 700)
        asking = Asking(place, "ask", timeout=5)
        answer(two, "[2]")
        error = asking.result()
        assert (error.answers, error.missing) == ({ids(two)[0]: 2}, ids(one))
        one.unblock()

    def test_one_that_is_closed_for_it_is_not(self, make_hub: Callable[..., Hub], place: Runner) -> None:
        hub = make_hub(outbox_limit=1_000)
        one, two = connected(hub), connected(hub)
        one.carrier.is_blocked = True
        assert one.socket().emit("x", "y" * 700)
        asking = Asking(place, "ask", timeout=5)
        answer(two, "[2]")
        assert list(asking.result()) == ids(two)

    def test_answers_are_read_although_handlers_are_behind(self, make_hub: Callable[..., Hub]) -> None:
        hub = make_hub(mailbox_high=2, mailbox_low=1)

        @on_event("vote")
        def vote(request: Any, socket: Any, context: Any) -> Any:
            return list(call("ask", timeout=5).values())

        client = connected(hub)
        client.say('427["vote"]', *['42["nothing"]'] * 5)
        assert client.carrier.is_reading
        answer(client, "[1]")
        client.wait_for("437[[1]]")

    def test_it_is_written_to_the_message_log(self, make_hub: Callable[..., Hub], log: Log) -> None:
        connected(make_hub(message_log_format="%(TYPE)s: %(MESSAGE)s"))
        Asking(in_a_greenlet, "ask", 1, timeout=0.01).result()
        assert "send: ['ask', 1]" in log.lines("messages")
