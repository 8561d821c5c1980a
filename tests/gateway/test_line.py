"""One HTTP connection in the loop: real sockets, a real hub, and a server that writes down what it is to serve."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import gevent
import pytest

from tests.hub.conftest import Log
from tests.support.raw import head
from tests.support.scripted import Peer, ScriptedSocket, let_the_loop_turn, scripted_pair
from tests.support.waiting import wait_until
from webpy_socketio.gateway.line import Line, State
from webpy_socketio.hub.hub import Hub
from webpy_socketio.hub.request import Request
from webpy_socketio.transport.outbox import OutgoingPacket

PAGE = head("GET", "/page")


class Server:
    """The server, as far as a line needs it."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.socketio_config = hub.config
        self.lines: set[Line] = set()
        self.is_last = False
        self.served: list[tuple[Any, bytes, bool]] = []
        self.error: Exception | None = None

    def describe(self, environ: Any, address: Any) -> bool:
        environ.update({"REMOTE_ADDR": address[0], "wsgi.url_scheme": "http"})
        return bool(environ["PATH_INFO"] == "/socket.io/")

    def serve(self, line: Line, sock: Any, data: bytes, head: Any) -> None:
        self.served.append((sock, data, head is not None))
        if self.error is not None:
            raise self.error


class Wire:
    """A line, its client, and a session that the client may ask for."""

    def __init__(self, hub: Hub, pair: tuple[Any, Peer] | None = None) -> None:
        self.server = Server(hub)
        self.hub = hub
        self.client: Any = hub.open_client(Request({}), upgraded=False)
        hub.wheel.schedule(self.client, self.client.next_deadline())
        path = f"/socket.io/?EIO=4&transport=polling&sid={self.client.session.sid}"
        self.poll = head("GET", path)
        self.post = head("POST", path, {"Content-Length": 2}) + b"40"
        self.socket, self.peer = pair or scripted_pair()
        self.line = Line(self.server, self.socket, ("192.0.2.1", 9))

    @property
    def state(self) -> State:
        return self.line._state

    def say(self, data: bytes) -> None:
        self.peer.send(data)
        let_the_loop_turn()

    def push(self, *texts: str) -> None:
        for text in texts:
            self.client.send(OutgoingPacket(text.encode()))

    def hear(self) -> tuple[int, dict[str, str], bytes]:
        """Receive one answer."""
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            piece = self.peer.receive(1)
            assert piece, f"the end, after {data!r}"
            data += piece
        first, *lines = data.decode().split("\r\n")[:-2]
        fields = dict(line.lower().split(": ", 1) for line in lines)
        return int(first.split(" ")[1]), fields, self.peer.receive(int(fields["content-length"]))

    def left(self) -> list[bytes]:
        return [packet.text for packet in self.client.outbox.packets]

    def wait_for(self, state: State) -> None:
        wait_until(lambda: self.state is state, what=f"{state}, not {self.state}")

    def is_forgotten(self) -> bool:
        return not self.server.lines and self.line.timer_slot == -1


@pytest.fixture
def wire(hub: Hub) -> Iterator[Wire]:
    wire = Wire(hub)
    yield wire
    wire.peer.close()
    wire.line.close()


@pytest.fixture
def make_wire(make_hub: Callable[..., Hub]) -> Iterator[Callable[..., Wire]]:
    """A function that makes a line of a hub with settings, on a TCP connection whose buffers hold little."""
    made: list[Wire] = []

    def make(**settings: object) -> Wire:
        with socket.socket() as listener, socket.socket() as theirs:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 100_000)
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
            theirs.connect(listener.getsockname())
            ours, _ = listener.accept()
            raw = ScriptedSocket(ours.dup()._sock)  # type: ignore[attr-defined]  # gevent's has a raw one inside
            peer = Peer(theirs.dup())
            ours.close()
        made.append(Wire(make_hub(**settings), (raw, peer)))
        return made[-1]

    yield make
    for wire in made:
        wire.peer.close()
        wire.line.close()


class TestWaiting:
    def test_a_poll_is_answered_here_and_then_the_next(self, wire: Wire) -> None:
        for text in ("4a", "4b"):
            wire.push(text)
            wire.say(wire.poll)
            status, fields, body = wire.hear()
            assert (status, body) == (200, text.encode())
            assert "connection" not in fields
        assert (wire.server.served, wire.state) == ([], State.WAITING)

    def test_so_is_a_post(self, wire: Wire) -> None:
        wire.say(wire.post)
        assert wire.hear()[::2] == (200, b"ok")
        assert (wire.server.served, wire.state) == ([], State.WAITING)

    @pytest.mark.parametrize(("data", "complete"), [(PAGE, True), (PAGE + b"more", True), (PAGE[:20], False)])
    def test_what_is_not_answered_here_is_served_with_all_its_bytes(
        self, wire: Wire, data: bytes, complete: bool
    ) -> None:
        wire.say(data)
        assert wire.server.served == [(wire.socket, data, complete)]
        assert (wire.state, wire.is_forgotten(), wire.socket.is_closed) == (State.SERVED, True, False)
        wire.socket.close()

    @pytest.mark.parametrize(
        "field", [{"Connection": "close"}, {"Connection": "Upgrade", "Upgrade": "x"}, {"Expect": "100-continue"}]
    )
    def test_neither_is_one_that_wants_more_than_an_answer(self, wire: Wire, field: dict[str, object]) -> None:
        wire.push("4a")
        wire.say(head("GET", f"/socket.io/?EIO=4&transport=polling&sid={wire.client.session.sid}", field))
        assert len(wire.server.served) == 1
        assert wire.left() == [b"4a"]
        wire.socket.close()

    def test_a_poll_of_a_session_that_is_unknown_is_not_either(self, wire: Wire) -> None:
        wire.say(head("GET", "/socket.io/?EIO=4&transport=polling&sid=nobody"))
        assert len(wire.server.served) == 1
        wire.socket.close()

    def test_a_line_that_is_given_back_goes_on_with_what_has_come_meanwhile(self, wire: Wire) -> None:
        wire.say(PAGE)
        wire.line.take_back(wire.socket, wire.post + PAGE[:7])
        assert wire.server.lines == {wire.line}
        let_the_loop_turn()
        assert [data for _, data, _ in wire.server.served] == [PAGE, wire.post + PAGE[:7]]
        wire.line.take_back(wire.socket, b"")
        wire.say(wire.post)
        assert wire.hear()[::2] == (200, b"ok")

    def test_what_has_come_before_the_line_is_answered_at_once(self, hub: Hub) -> None:
        first = Wire(hub)
        ours, peer = scripted_pair()
        peer.send(first.post)
        line = Line(first.server, ours, ("192.0.2.1", 9))
        assert b"".join(ours.sent).endswith(b"\r\n\r\nok")
        assert (line._state, line in first.server.lines, line.timer_slot >= 0) == (State.WAITING, True, True)
        peer.close()
        wait_until(lambda: line._state is State.CLOSED)
        first.line.close()

    def test_and_what_is_not_answered_here_needs_neither_a_watcher_nor_a_deadline(self, hub: Hub) -> None:
        first = Wire(hub)
        ours, peer = scripted_pair()
        peer.send(PAGE)
        line = Line(first.server, ours, ("192.0.2.1", 9))
        assert first.server.served == [(ours, PAGE, True)]
        assert (line._state, line in first.server.lines, line.timer_slot) == (State.SERVED, False, -1)
        assert line._link._reader is None
        for sock in (ours, peer, first.line):
            sock.close()

    def test_one_whose_client_has_left_before_is_closed(self, hub: Hub) -> None:
        first = Wire(hub)
        ours, peer = scripted_pair()
        peer.close()
        line = Line(first.server, ours, ("192.0.2.1", 9))
        assert (line._state, line in first.server.lines, ours.is_closed) == (State.CLOSED, False, True)
        first.line.close()

    def test_a_poll_that_was_there_before_the_line_is_held(self, hub: Hub) -> None:
        first = Wire(hub)
        ours, peer = scripted_pair()
        peer.send(first.poll)
        line = Line(first.server, ours, ("192.0.2.1", 9))
        assert (line._state, line.timer_slot >= 0) == (State.POLLING, True)
        peer.close()
        wait_until(lambda: line._state is State.CLOSED)
        assert not first.client.carrier.is_waiting
        first.line.close()

    def test_a_line_that_is_idle_for_too_long_is_closed(self, make_wire: Callable[..., Wire]) -> None:
        wire = make_wire(head_timeout=0.05, keepalive_timeout=10.0)
        wire.wait_for(State.CLOSED)
        assert wire.peer.is_at_end()
        assert wire.is_forgotten()

    def test_between_two_requests_it_may_take_another_time(self, make_wire: Callable[..., Wire]) -> None:
        wire = make_wire(head_timeout=10.0, keepalive_timeout=0.05)
        wire.say(wire.post)
        assert wire.hear()[0] == 200
        wire.say(PAGE)  # served, and given back
        wire.line.take_back(wire.socket, b"")
        wire.wait_for(State.CLOSED)

    def test_one_whose_client_leaves_is_forgotten(self, wire: Wire) -> None:
        wire.peer.close()
        wire.wait_for(State.CLOSED)
        assert (wire.is_forgotten(), wire.socket.is_closed) == (True, True)

    def test_a_failure_is_logged_and_closes_it(self, wire: Wire, log: Log) -> None:
        wire.server.error = ValueError("a fault of ours")
        wire.say(PAGE)
        wait_until(log.causes)
        assert [str(cause) for cause in log.causes()] == ["a fault of ours"]


class TestAPollThatIsHeld:
    def test_it_is_answered_when_something_comes_and_once_for_all_of_a_turn(self, wire: Wire) -> None:
        wire.say(wire.poll)
        assert wire.state is State.POLLING
        wire.push("4a", "4b")
        assert wire.hear()[2] == b"4a\x1e4b"
        assert wire.left() == []

    def test_it_is_not_too_late_for_what_comes_after_the_time_that_an_idle_line_has(
        self, make_wire: Callable[..., Wire]
    ) -> None:
        wire = make_wire(head_timeout=0.2, keepalive_timeout=0.2)
        wire.say(wire.poll)
        gevent.sleep(0.5)
        wire.push("4a")
        assert wire.hear()[2] == b"4a"

    def test_when_its_client_leaves_the_packets_wait_for_the_next_one(self, wire: Wire) -> None:
        wire.say(wire.poll)
        wire.peer.close()
        wire.wait_for(State.CLOSED)
        wire.push("4a")
        let_the_loop_turn()
        assert wire.left() == [b"4a"]
        assert not wire.client.carrier.is_waiting
        again = Wire(wire.hub)
        again.say(wire.poll)
        assert again.hear()[2] == b"4a"
        again.line.close()

    def test_leaving_in_the_same_turn_in_which_a_packet_comes_loses_nothing(self, wire: Wire) -> None:
        wire.say(wire.poll)
        wire.push("4a")
        wire.peer.close()
        wire.wait_for(State.CLOSED)
        assert wire.left() == [b"4a"]

    def test_who_comes_again_on_another_connection_gets_what_the_first_one_lost(self, wire: Wire) -> None:
        wire.say(wire.poll)
        again = Wire(wire.hub)
        wire.peer.close()
        again.peer.send(wire.poll)  # which of the two the loop sees first is no matter
        wire.wait_for(State.CLOSED)
        again.wait_for(State.POLLING)
        wire.push("4a")
        assert again.hear()[2] == b"4a"
        again.line.close()

    def test_a_second_one_beside_it_is_left_to_the_endpoint(self, wire: Wire) -> None:
        wire.say(wire.poll)
        again = Wire(wire.hub)
        again.say(wire.poll)
        assert len(again.server.served) == 1
        wire.push("4a")
        assert wire.hear()[2] == b"4a"
        again.socket.close()

    def test_a_request_behind_it_has_to_wait_for_the_answer(self, wire: Wire) -> None:
        wire.say(wire.poll)
        wire.say(wire.post)
        assert wire.state is State.POLLING
        wire.push("4a")
        assert wire.hear()[2] == b"4a"
        assert wire.hear()[2] == b"ok"

    def test_of_what_comes_behind_it_no_more_is_read_than_at_a_time(self, make_wire: Callable[..., Wire]) -> None:
        wire = make_wire()
        wire.say(wire.poll)
        wire.say(b"x" * 30_000)
        wire.peer.socket.setblocking(False)
        for _ in range(100):  # more than fits into the kernel's buffers
            with suppress(BlockingIOError):
                wire.peer.socket.send(b"x" * 1_000_000)
            let_the_loop_turn()
        assert 0 < len(wire.line._early) <= 65_536

    def test_the_end_of_its_session_is_its_answer(self, wire: Wire) -> None:
        wire.say(wire.poll)
        wire.hub.close(wire.client, "forced server close")
        assert wire.hear()[2] == b"1"

    def test_an_upgrade_answers_it_at_once(self, wire: Wire) -> None:
        wire.say(wire.poll)
        wire.client.carrier.release()
        assert wire.hear()[2] == b"6"


class TestAnAnswerThatTheKernelDoesNotTakeWhole:
    def test_the_rest_follows_and_then_the_next_request_is_taken(self, wire: Wire) -> None:
        wire.push("4" + "a" * 100)
        wire.socket.sends = [20, BlockingIOError(), 30]
        wire.say(wire.poll)
        assert wire.hear()[2] == b"4" + b"a" * 100
        assert wire.socket.sends == []
        wire.say(wire.post)
        assert wire.hear()[2] == b"ok"

    def test_a_request_that_comes_meanwhile_waits_for_it(self, make_wire: Callable[..., Wire]) -> None:
        wire = make_wire()
        wire.push("4" + "a" * 2_000_000)
        wire.say(wire.poll)
        wire.say(wire.post)
        assert wire.state is State.SENDING
        assert len(wire.hear()[2]) == 2_000_001
        assert wire.hear()[2] == b"ok"

    @pytest.mark.parametrize("taken", [0, 20])
    def test_if_the_connection_breaks_the_packets_wait_again(self, wire: Wire, taken: int) -> None:
        wire.push("4a", "4b")
        wire.socket.sends = [taken, ConnectionResetError()] if taken else [ConnectionResetError()]
        wire.say(wire.poll)
        wire.wait_for(State.CLOSED)
        wire.push("4c")
        assert wire.left() == [b"4a", b"4b", b"4c"]

    def test_if_the_session_ends_meanwhile_they_come_with_the_farewell(self, make_wire: Callable[..., Wire]) -> None:
        wire = make_wire()
        wire.push("4" + "a" * 2_000_000)
        wire.say(wire.poll)
        wire.hub.close(wire.client, "forced server close")
        assert wire.state is State.SENDING
        wire.peer.close()
        wire.wait_for(State.CLOSED)
        assert wire.hub.farewells[wire.client.session.sid].say() == b"4" + b"a" * 2_000_000 + b"\x1e1"

    def test_who_has_ended_its_half_gets_all_of_it_and_then_the_end(self, make_wire: Callable[..., Wire]) -> None:
        wire = make_wire()
        wire.push("4" + "a" * 2_000_000)
        wire.say(wire.poll)
        wire.peer.socket.shutdown(socket.SHUT_WR)
        let_the_loop_turn()
        assert len(wire.hear()[2]) == 2_000_001
        assert wire.peer.is_at_end()
        assert wire.state is State.CLOSED

    def test_who_takes_some_of_it_all_the_time_gets_it_however_long_it_takes(
        self, make_wire: Callable[..., Wire]
    ) -> None:
        wire = make_wire(body_timeout=1.0)
        wire.push("4" + "a" * 2_000_000)
        wire.say(wire.poll)
        received = 0
        while received < 2_000_000:
            received += len(wire.peer.socket.recv(50_000))
            gevent.sleep(0.02)
        wire.wait_for(State.WAITING)

    def test_who_takes_nothing_is_given_up_and_what_was_in_it_waits(self, make_wire: Callable[..., Wire]) -> None:
        wire = make_wire(body_timeout=0.05)
        wire.push("4" + "a" * 2_000_000)
        wire.say(wire.poll)
        wire.wait_for(State.CLOSED)
        assert [len(text) for text in wire.left()] == [2_000_001]
        assert wire.is_forgotten()


class TestStopping:
    def test_the_last_answer_says_so_and_then_the_line_ends(self, wire: Wire) -> None:
        wire.say(wire.poll)
        wire.server.is_last = True
        wire.push("4a")
        _, fields, body = wire.hear()
        assert (fields["connection"], body) == ("close", b"4a")
        assert wire.peer.is_at_end()
        assert wire.state is State.ENDING
        wire.say(wire.post)  # what comes now is dropped
        assert wire.state is State.ENDING
        wire.peer.close()
        wire.wait_for(State.CLOSED)
        assert wire.is_forgotten()

    def test_a_client_that_does_not_end_its_own_half_is_not_waited_for(self, make_wire: Callable[..., Wire]) -> None:
        wire = make_wire(close_timeout=0.05)
        wire.server.is_last = True
        wire.say(wire.post)
        wire.wait_for(State.CLOSED)
        assert wire.hear()[2] == b"ok"

    def test_a_line_that_waits_holds_nobody_up_and_is_closed(self, wire: Wire) -> None:
        wire.line.stop_waiting()
        assert wire.line.timer_slot == -1
        wire.line.end_if_idle()
        assert wire.peer.is_at_end()
        assert wire.is_forgotten()

    def test_one_that_holds_a_poll_is_not(self, wire: Wire) -> None:
        wire.say(wire.poll)
        wire.line.stop_waiting()
        wire.line.end_if_idle()
        assert (wire.state, wire.line.timer_slot >= 0) == (State.POLLING, True)

    def test_no_answer_outlives_the_hub(self, make_wire: Callable[..., Wire]) -> None:
        wire = make_wire()
        wire.push("4" + "a" * 2_000_000)
        wire.say(wire.poll)
        assert wire.state is State.SENDING
        wire.peer.receive(100_000)  # so that it makes progress
        wire.hub.stop(0)
        assert wire.state is State.CLOSED
        assert wire.is_forgotten()

    def test_nor_does_a_poll_however_many_there_are(self, hub: Hub) -> None:
        wires = [Wire(hub) for _ in range(250)]
        for wire in wires:
            wire.peer.send(wire.poll)
        wait_until(lambda: all(wire.state is State.POLLING for wire in wires))
        hub.stop(0)
        assert {wire.state for wire in wires} <= {State.CLOSED, State.WAITING}
        for wire in wires:
            wire.peer.close()
            wire.line.close()

    def test_a_forked_child_drops_its_copy_without_a_word(self, wire: Wire) -> None:
        parents = os.dup(wire.socket.fileno())
        wire.say(wire.poll)
        wire.line.close(in_child=True)
        assert (wire.state, wire.is_forgotten()) == (State.CLOSED, True)
        os.write(parents, b"the parent's answer")
        assert wire.peer.receive(19) == b"the parent's answer"
        assert wire.client.carrier.is_waiting  # the session was not told
        os.close(parents)
        wire.client.carrier.abort()
