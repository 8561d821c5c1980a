"""One client: its mailboxes' high and low marks, what is dealt with at once, and the time to join."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import Event

from tests.hub.conftest import Log
from tests.support.dummy import DummyClient, connected
from tests.support.waiting import wait_until
from webpy_socketio import SocketClosed, on_connect, on_disconnect, on_event, on_message
from webpy_socketio.hub.hub import Hub

MakeHub = Callable[..., Hub]
MARKS = {"mailbox_low": 2, "mailbox_high": 4, "mailbox_hard": 8}


class TestTheMarks:
    @pytest.fixture
    def gate(self, make_hub: Any) -> Event:
        """Handlers of ``message`` wait for it."""
        gate = Event()

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            gate.wait()
            socket.send(message)

        return gate

    def test_above_the_high_mark_reading_stops(self, make_hub: MakeHub, gate: Event) -> None:
        client = connected(make_hub(**MARKS))
        client.say(*['42["message",1]'] * 4)
        assert client.carrier.is_reading
        client.say('42["message",1]')
        assert not client.carrier.is_reading
        gate.set()

    def test_at_the_low_mark_it_goes_on(self, make_hub: MakeHub) -> None:
        steps: list[Event] = [Event() for _ in range(6)]

        hub = make_hub(**MARKS)

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            steps[message].wait()

        client = connected(hub)
        client.say(*[f'42["message",{number}]' for number in range(6)])
        reading = []
        for number in range(6):
            steps[number].set()
            wait_until(lambda number=number: client.client.queued == 5 - number)
            reading.append(client.carrier.is_reading)
        assert reading == [False, False, False, True, True, True]

    def test_nothing_is_lost_and_the_order_is_kept(self, make_hub: MakeHub, gate: Event) -> None:
        client = connected(make_hub(**MARKS))
        client.say(*[f'42["message",{number}]' for number in range(20)])  # one read may bring more than the mark
        gate.set()
        assert client.heard() == [f'42["message",{number}]' for number in range(20)]
        assert client.carrier.is_reading

    def test_they_count_for_all_namespaces_of_a_client_together(self, make_hub: MakeHub, gate: Event) -> None:
        hub = make_hub(**MARKS)
        side_gate = Event()

        @on_message(namespace="/side")
        def side(request: Any, socket: Any, context: Any, message: Any) -> None:
            side_gate.wait()

        client = connected(hub)
        client.join("/side")
        client.say(*['42["message",1]', '42/side,["message",1]'] * 2)
        assert client.carrier.is_reading
        client.say('42/side,["message",1]')
        assert not client.carrier.is_reading
        gate.set()
        side_gate.set()
        wait_until(lambda: client.carrier.is_reading)

    def test_another_client_is_read_on(self, make_hub: MakeHub, gate: Event) -> None:
        hub = make_hub(**MARKS)
        client, other = connected(hub), connected(hub)
        client.say(*['42["message",1]'] * 9)
        assert other.carrier.is_reading
        assert other.subscribe("room")
        gate.set()

    def test_events_nobody_handles_count_too(self, make_hub: MakeHub) -> None:
        may_go_on = Event()
        hub = make_hub(**MARKS)

        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> None:
            may_go_on.wait()

        client = DummyClient(hub)
        client.say("40", *['42["unheard of"]'] * 5)
        assert not client.carrier.is_reading
        may_go_on.set()
        wait_until(lambda: client.carrier.is_reading)

    def test_a_killed_handler_counts_down(self, make_hub: MakeHub) -> None:
        greenlets: list[Any] = []
        hub = make_hub(**MARKS)

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            greenlets.append(gevent.getcurrent())
            Event().wait()

        client = connected(hub)
        client.say(*['42["message",1]'] * 5)
        for number in range(5):
            wait_until(lambda number=number: len(greenlets) > number)
            greenlets[number].kill()
        wait_until(lambda: client.carrier.is_reading)
        assert client.client.queued == 0

    def test_a_client_that_closes_while_it_is_not_read_ends_in_order(self, make_hub: MakeHub, gate: Event) -> None:
        hub = make_hub(**MARKS)
        got: list[str] = []

        @on_disconnect
        def disconnect(request: Any, socket: Any, context: Any) -> None:
            got.append(socket.reason)

        client = connected(hub)
        client.say(*['42["message",1]'] * 6)
        client.socket().disconnect(close=True)
        gate.set()
        wait_until(lambda: got)
        assert got == ["server namespace disconnect"]


class TestTheMarksDuringACall:
    @pytest.fixture
    def calling(self, make_hub: Any) -> Callable[..., DummyClient]:
        """A function that makes a client in whose handler a call waits; further messages wait behind it."""

        def make(**settings: Any) -> DummyClient:
            hub = make_hub(**MARKS, **settings)

            @on_event("go")
            def go(request: Any, socket: Any, context: Any) -> None:
                try:
                    context["answer"] = socket.call("ask", timeout=30)
                except SocketClosed as error:
                    context["answer"] = error

            client = connected(hub)
            client.say('42["go"]')
            return client

        return make

    @staticmethod
    def answer(client: DummyClient, value: str) -> None:
        packet = str(client.wait_for(lambda packet: "ask" in str(packet)))
        client.say(f"43{packet[2 : packet.index('[')]}[{value}]")

    def test_reading_does_not_stop(self, calling: Callable[..., DummyClient]) -> None:
        client = calling()
        context = client.socket().context
        client.say(*['42["x"]'] * 6)
        assert client.carrier.is_reading
        self.answer(client, "1")
        client.heard()
        assert context["answer"] == 1

    def test_it_goes_on_when_a_call_begins(self, make_hub: MakeHub) -> None:
        gate = Event()
        hub = make_hub(**MARKS)

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            gate.wait()
            context["answer"] = socket.call("ask", timeout=30)

        client = connected(hub)
        client.say('42["message"]', *['42["x"]'] * 5)
        assert not client.carrier.is_reading
        gate.set()
        self.answer(client, '"yes"')
        client.heard()
        assert client.socket().context["answer"] == "yes"

    def test_when_it_is_over_reading_stops_if_there_is_still_too_much(self, make_hub: MakeHub) -> None:
        gate = Event()
        hub = make_hub(**MARKS)

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            socket.call("ask", timeout=30)
            gate.wait()

        client = connected(hub)
        client.say('42["message"]', *['42["x"]'] * 5)
        assert client.carrier.is_reading
        self.answer(client, "1")
        wait_until(lambda: not client.carrier.is_reading)
        gate.set()
        wait_until(lambda: client.carrier.is_reading)

    def test_the_hard_limit_closes_with_1008(self, calling: Callable[..., DummyClient], log: Log) -> None:
        client = calling()
        context = client.socket().context
        client.say(*['42["x"]'] * 7)
        assert client.carrier.ended is None
        client.say('42["x"]')
        assert client.carrier.ended == (1008, "too many events")
        wait_until(lambda: "answer" in context)
        assert isinstance(context["answer"], SocketClosed)
        wait_until(lambda: any("mailbox_hard is 8" in line for line in log.lines("session")))


class TestWhatDoesNotWaitForHandlers:
    @pytest.fixture
    def busy(self, hub: Hub) -> DummyClient:
        """A client whose handler does not return."""

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            Event().wait()

        client = connected(hub)
        client.say('42["message"]', '42["message"]')
        return client

    def test_acks(self, busy: DummyClient) -> None:
        call = gevent.spawn(busy.socket().call, "ask")
        packet = str(busy.wait_for(lambda packet: "ask" in str(packet)))
        busy.say(f"43{packet[2 : packet.index('[')]}[1]")
        assert call.get(timeout=5) == 1

    def test_joining_another_namespace(self, busy: DummyClient) -> None:
        on_message(namespace="/side")(lambda request, socket, context, message: None)
        assert busy.join("/side").connected

    def test_leaving(self, busy: DummyClient) -> None:
        socket = busy.socket()
        busy.say("41")
        assert (socket.connected, socket.reason) == (False, "client namespace disconnect")

    def test_pings_of_the_heartbeat(self, busy: DummyClient) -> None:
        busy.client.receive_deadline(busy.client.session.deadline + 0.001)
        assert busy.take() == ["2"]
        busy.say("3")
        assert busy.carrier.ended is None

    def test_the_end_of_the_stream(self, busy: DummyClient) -> None:
        socket = busy.socket()
        busy.leave()
        assert not socket.connected

    def test_violations(self, busy: DummyClient) -> None:
        busy.say("9")
        assert busy.carrier.ended is not None


class TestJoining:
    def test_who_joins_no_namespace_in_time_is_closed(self, make_hub: MakeHub, log: Log) -> None:
        client = DummyClient(make_hub(connect_timeout=0.02))
        assert client.wait_for_end()
        wait_until(lambda: any("no namespace was joined in time" in line for line in log.lines("session")))
        assert client.take() == []

    def test_who_joined_is_not(self, make_hub: MakeHub) -> None:
        hub = make_hub(connect_timeout=0.02)
        client, late = connected(hub), DummyClient(hub)
        late.wait_for_end()
        assert client.carrier.ended is None
        assert client.subscribe("room")

    def test_who_joined_and_left_is_not(self, make_hub: MakeHub) -> None:
        hub = make_hub(connect_timeout=0.02)
        client, late = connected(hub), DummyClient(hub)
        client.say("41")
        late.wait_for_end()
        assert client.carrier.ended is None

    def test_who_was_refused_is(self, make_hub: MakeHub) -> None:
        hub = make_hub(connect_timeout=0.02)

        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> bool:
            return False

        client = DummyClient(hub)
        client.say("40")
        assert client.wait_for_end()

    def test_who_asked_for_an_unknown_namespace_is(self, make_hub: MakeHub) -> None:
        client = DummyClient(make_hub(connect_timeout=0.02))
        client.say("40/unheard,")
        assert client.wait_for_end()

    def test_a_slow_on_connect_is_not_the_clients_fault(self, make_hub: MakeHub) -> None:
        hub = make_hub(connect_timeout=0.02)
        may_go_on = Event()

        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> None:
            may_go_on.wait()

        client = DummyClient(hub)
        client.say("40")
        DummyClient(hub).wait_for_end()
        assert client.carrier.ended is None
        may_go_on.set()
        client.wait_for(lambda packet: str(packet).startswith('40{"sid"'))

    def test_whom_a_slow_on_connect_refused_is_closed_in_the_end(self, make_hub: MakeHub) -> None:
        hub = make_hub(connect_timeout=0.02)
        may_go_on = Event()

        @on_connect
        def connect(request: Any, socket: Any, context: Any) -> bool:
            may_go_on.wait()
            return False

        client = DummyClient(hub)
        client.say("40")
        DummyClient(hub).wait_for_end()
        may_go_on.set()
        assert client.wait_for_end()
        assert client.take() == ['44{"message":"Connection refused"}']

    def test_the_number_of_namespaces_has_a_limit(self, make_hub: MakeHub) -> None:
        hub = make_hub(max_namespaces=2)
        for name in ("/a", "/b", "/c"):
            on_message(namespace=name)(lambda request, socket, context, message: None)
        client = DummyClient(hub)
        client.join("/a")
        client.join("/b")
        client.say("41/a,")
        client.join("/c")
        client.say("40/a,")
        assert client.wait_for_end()

    def test_the_number_of_attachments_has_a_limit(self, make_hub: MakeHub) -> None:
        client = connected(make_hub(max_attachments=1))
        client.say('452-["x"]')
        code, reason = client.wait_for_end()
        assert (code, "attachments" in reason) == (1008, True)

    def test_joining_twice_closes(self, hub: Hub) -> None:
        client = connected(hub)
        client.say("40")
        assert client.wait_for_end() == (1002, "a second CONNECT for '/'")
