"""Messages over one WebSocket: reading, one write per turn, closing from both sides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gevent
import pytest

from tests.support.scripted import let_the_loop_turn, scripted_pair
from tests.support.transcripts import client_frame, close_payload
from tests.support.waiting import wait_until
from webpy_socketio.config import Config
from webpy_socketio.transport.arrivals import Arrivals
from webpy_socketio.transport.outbox import Budget, Outbox, OutgoingPacket
from webpy_socketio.transport.timers import TimerWheel
from webpy_socketio.transport.turn import Turn
from webpy_socketio.transport.websocket import WRITE_SIZE, WebSocketCarrier
from webpy_socketio.types import Excess

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Receiver:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.error: Exception | None = None

    def receive_message(self, carrier: Any, message: str | bytes) -> None:
        self.told.append(message)
        if self.error is not None:
            raise self.error

    def receive_close(self, carrier: Any, code: int, reason: str, violation: bool) -> None:
        self.told.append((code, reason, violation))

    def receive_excess(self, carrier: Any, excess: Excess) -> None:
        self.told.append(excess)

    def receive_room(self, carrier: Any) -> None:
        self.told.append("room")

    def receive_failure(self) -> None:
        self.told.append("failure")


class Wire:
    """A carrier with its outbox on one end of a socket pair."""

    def __init__(self, **settings: Any) -> None:
        config = Config.of(settings)
        loop = gevent.get_hub().loop
        self.failures: list[int] = []
        self.socket, self.peer = scripted_pair()
        self.receiver = Receiver()
        self.budget = Budget(1_000_000)
        self.outbox = Outbox(config, self.budget)
        self.wheel = TimerWheel(loop, lambda: self.failures.append(1))
        self.turn = Turn(loop)
        self.carrier = WebSocketCarrier(self.socket, Arrivals(loop), self.turn, self.wheel, config)
        self.carrier.outbox = self.outbox

    def start(self) -> None:
        self.carrier.start(self.receiver)

    def push(self, *texts: str) -> None:
        for text in texts:
            self.outbox.push(OutgoingPacket(text.encode(), droppable=True))
        self.carrier.wake()

    def wait_for(self, *told: Any) -> None:
        wait_until(lambda: self.receiver.told == list(told), what=f"{told}, not {self.receiver.told}")


@pytest.fixture(params=[{}])
def wire(request: pytest.FixtureRequest) -> Iterator[Wire]:
    wire = Wire(**request.param)
    yield wire
    wire.carrier.abort()
    wire.wheel.close()
    wire.peer.close()
    assert wire.failures == []


#: For peers that do not do what closing asks of them.
impatient = pytest.mark.parametrize("wire", [{"close_timeout": 0.02}], indirect=True, ids=["impatient"])


def text(payload: str) -> bytes:
    return client_frame(TEXT, payload.encode())


class TestReading:
    def test_all_messages_of_one_read_are_given_in_order(self, wire: Wire) -> None:
        wire.start()
        wire.peer.send(text("one") + client_frame(BINARY, b"two") + text("three"))
        wire.wait_for("one", b"two", "three")

    def test_a_message_in_pieces_waits_for_its_end(self, wire: Wire) -> None:
        wire.start()
        frame = text("hello")
        wire.peer.send(frame[:4])
        let_the_loop_turn()
        assert wire.receiver.told == []
        wire.peer.send(frame[4:])
        wire.wait_for("hello")

    def test_early_data_comes_first(self, wire: Wire) -> None:
        wire.peer.send(text("second"))
        wire.carrier.start(wire.receiver, text("first"))
        wire.wait_for("first", "second")

    def test_while_paused_nothing_is_read(self, wire: Wire) -> None:
        wire.start()
        wire.carrier.pause()
        wire.peer.send(text("x"))
        let_the_loop_turn()
        assert wire.receiver.told == []
        wire.carrier.resume()
        wire.wait_for("x")

    def test_before_the_start_resuming_does_nothing(self, wire: Wire) -> None:
        wire.peer.send(text("x"))
        wire.carrier.resume()
        let_the_loop_turn()
        assert wire.receiver.told == []

    def test_a_ping_is_answered_by_itself(self, wire: Wire) -> None:
        wire.start()
        wire.peer.send(client_frame(PING, b"?"))
        assert wire.peer.receive_frame() == (PONG, b"?")
        assert wire.receiver.told == []

    def test_who_pings_without_end_waits_for_its_turn_only_once(self, wire: Wire) -> None:
        wire.carrier._receiver = wire.receiver
        for _ in range(10):
            wire.carrier.receive_data(client_frame(PING, b"x" * 125) * 100)  # more than are joined for one write
        assert len(wire.turn._waiting) == 1

    def test_who_pings_and_does_not_read_gets_only_the_latest_answer_later(self, wire: Wire) -> None:
        wire.carrier._receiver = wire.receiver
        pings = client_frame(PING, b"x" * 125) * 500
        while not wire.carrier._link.is_blocked:
            wire.carrier.receive_data(pings)
            wire.carrier.flush()
        for _ in range(20):
            wire.carrier.receive_data(pings)
            assert len(wire.carrier._raw) < 10_000
        wire.carrier.receive_data(client_frame(PING, b"latest"))
        wire.carrier.start(wire.receiver)
        while (frame := wire.peer.receive_frame()) == (PONG, b"x" * 125):
            pass
        assert frame == (PONG, b"latest")

    def test_a_receiver_that_raises_costs_the_connection(self, wire: Wire) -> None:
        wire.receiver.error = ValueError("no")
        wire.start()
        wire.peer.send(text("x"))
        wire.wait_for("x", "failure")
        assert wire.peer.is_at_end()

    def test_it_can_look_for_the_end(self, wire: Wire) -> None:
        assert wire.carrier.is_gone() is False
        wire.peer.close()
        assert wire.carrier.is_gone() is True


class TestWriting:
    def test_all_of_one_turn_leaves_in_one_system_call(self, wire: Wire) -> None:
        wire.start()
        for number in range(10):
            wire.push(str(number))
        assert wire.socket.sent == []
        assert [wire.peer.receive_frame() for _ in range(10)] == [(TEXT, b"%d" % number) for number in range(10)]
        assert len(wire.socket.sent) == 1

    def test_frames_of_the_protocol_go_ahead(self, wire: Wire) -> None:
        wire.start()
        wire.push("packet")
        wire.carrier.send_now(b"\x8a\x00")
        assert [wire.peer.receive_frame(), wire.peer.receive_frame()] == [(PONG, b""), (TEXT, b"packet")]
        assert len(wire.socket.sent) == 1

    def test_without_anything_to_say_nothing_is_written(self, wire: Wire) -> None:
        wire.start()
        wire.carrier.wake()
        let_the_loop_turn()
        assert wire.socket.sent == []

    def test_much_is_written_in_portions(self, wire: Wire) -> None:
        wire.start()
        wire.push(*("x" * 50_000 for _ in range(8)))
        for _ in range(8):
            assert wire.peer.receive_frame() == (TEXT, b"x" * 50_000)
        assert len(wire.socket.sent) < 8
        assert max(map(len, wire.socket.sent)) <= WRITE_SIZE + 50_100

    def test_what_the_kernel_does_not_take_waits_and_counts(self, wire: Wire) -> None:
        wire.start()
        wire.socket.sends = [3, BlockingIOError()]
        wire.push("first")
        gevent.sleep(0)
        wire.push("second")
        assert wire.outbox.stuck
        assert wire.budget.used == wire.outbox.size > 0
        assert [wire.peer.receive_frame(), wire.peer.receive_frame()] == [(TEXT, b"first"), (TEXT, b"second")]
        wait_until(lambda: not wire.outbox.stuck)
        assert wire.budget.used == 0
        assert "room" in wire.receiver.told

    def test_while_it_is_stuck_packets_stay_whole_in_the_outbox(self, wire: Wire) -> None:
        wire.start()
        wire.push("x" * 8_000_000)
        wait_until(lambda: wire.outbox.stuck)
        wire.push("whole")
        let_the_loop_turn()
        assert [packet.text for packet in wire.outbox.packets] == [b"whole"]
        assert [len(wire.peer.receive_frame()[1]) for _ in range(2)] == [8_000_000, 5]

    def test_without_an_outbox_only_frames_of_the_protocol_are_written(self, wire: Wire) -> None:
        wire.carrier.outbox = None
        wire.start()
        wire.carrier.send_now(b"\x81\x063probe")
        assert wire.peer.receive_frame() == (TEXT, b"3probe")

    def test_where_writing_fails_the_receiver_hears_of_it_and_the_connection_ends(self, wire: Wire) -> None:
        wire.start()
        wire.socket.sends = [ValueError("a fault of ours")]
        wire.push("lost")
        wire.wait_for("failure")
        assert wire.peer.is_at_end()

    def test_a_peer_that_has_gone_is_found_out_by_reading(self, wire: Wire) -> None:
        wire.start()
        wire.socket.sends = [BrokenPipeError()]
        wire.push("into the void")
        gevent.sleep(0)
        assert wire.receiver.told == []
        wire.peer.close()
        wire.wait_for((1006, "", False))


class TestItsTurnIsStillToCome:
    """What ends a connection while its carrier waits for its turn to write."""

    def test_after_aborting_nothing_is_written(self, wire: Wire) -> None:
        wire.start()
        wire.push("never sent")
        wire.carrier.abort()
        wait_until(lambda: not wire.turn._waiting)
        assert wire.socket.sent == []
        assert wire.peer.is_at_end()

    def test_after_closing_everything_has_left_once_and_in_order(self, wire: Wire) -> None:
        wire.start()
        wire.push("one", "two")
        wire.carrier.close()
        wait_until(lambda: not wire.turn._waiting)
        frames = [wire.peer.receive_frame() for _ in range(3)]
        assert frames == [(TEXT, b"one"), (TEXT, b"two"), (CLOSE, b"\x03\xe8")]
        assert len(wire.socket.sent) == 1

    def test_what_is_said_after_it_was_written_to_directly_still_leaves(self, wire: Wire) -> None:
        wire.start()
        wire.push("one")
        wire.carrier.flush()
        wire.push("two")
        assert len(wire.turn._waiting) == 1
        assert [wire.peer.receive_frame() for _ in range(2)] == [(TEXT, b"one"), (TEXT, b"two")]


class TestThePeerCloses:
    def test_its_close_frame_is_answered_and_the_stream_ends(self, wire: Wire) -> None:
        wire.start()
        wire.peer.send(client_frame(CLOSE, close_payload(3000, b"bye")))
        assert wire.peer.receive_frame() == (CLOSE, b"\x0b\xb8")
        assert wire.peer.is_at_end()
        wire.wait_for((3000, "bye", False))
        assert wire.socket.is_closed

    def test_what_was_said_before_is_answered_before_and_nothing_behind_the_close_frame(self, wire: Wire) -> None:
        wire.start()
        wire.receiver.receive_message = lambda carrier, message: wire.push(f"answer to {message}")  # type: ignore[method-assign,assignment]  # that is the test
        wire.receiver.receive_close = lambda *end: wire.push("too late")  # type: ignore[method-assign]  # likewise
        wire.peer.send(text("question") + client_frame(CLOSE, close_payload(1000)))
        assert wire.peer.receive_frame() == (TEXT, b"answer to question")
        assert wire.peer.receive_frame() == (CLOSE, b"\x03\xe8")
        assert wire.peer.is_at_end()

    def test_the_stream_may_just_end(self, wire: Wire) -> None:
        wire.start()
        wire.peer.close()
        wire.wait_for((1006, "", False))
        assert wire.socket.is_closed

    def test_a_close_that_the_kernel_does_not_take_is_waited_for(self, wire: Wire) -> None:
        wire.start()
        wire.socket.sends = [0, 0]
        wire.peer.send(client_frame(CLOSE, close_payload(1000)))
        assert wire.peer.receive_frame() == (CLOSE, b"\x03\xe8")
        assert wire.peer.is_at_end()

    def test_what_is_said_while_the_close_frame_waits_is_dropped(self, wire: Wire) -> None:
        wire.start()
        wire.receiver.receive_close = lambda *end: wire.push("too late")  # type: ignore[method-assign]  # that is the test
        wire.socket.sends = [0, 0, 0]
        wire.peer.send(client_frame(CLOSE, close_payload(1000)))
        assert wire.peer.receive_frame() == (CLOSE, b"\x03\xe8")
        assert wire.peer.is_at_end()

    def test_a_violation_is_told_and_the_peer_may_read_it(self, wire: Wire) -> None:
        wire.start()
        wire.peer.send(client_frame(TEXT, b"x", mask=None))
        opcode, payload = wire.peer.receive_frame()
        assert (opcode, payload[:2]) == (CLOSE, (1002).to_bytes(2, "big"))
        assert wire.peer.is_at_end()  # our half is closed,
        wire.peer.send(b"more that nobody reads")  # and what still comes does no harm
        wire.wait_for((1002, "a client's frames must be masked", True))
        wire.peer.close()
        wait_until(lambda: wire.socket.is_closed)

    @impatient
    def test_a_violator_that_does_not_close_is_cut_off(self, wire: Wire) -> None:
        wire.start()
        wire.peer.send(client_frame(3))
        wait_until(lambda: wire.socket.is_closed)
        assert len(wire.wheel) == 0


class TestWeClose:
    def test_what_waits_and_a_close_frame_leave(self, wire: Wire) -> None:
        wire.start()
        wire.push("last words")
        wire.carrier.close(1001, "bye")
        assert wire.peer.receive_frame() == (TEXT, b"last words")
        assert wire.peer.receive_frame() == (CLOSE, b"\x03\xe9bye")
        assert wire.receiver.told == []

    def test_the_peers_answer_ends_the_stream(self, wire: Wire) -> None:
        wire.start()
        wire.carrier.close()
        wire.peer.send(client_frame(CLOSE, close_payload(1000)))
        assert wire.peer.receive_frame()[0] == CLOSE
        assert wire.peer.is_at_end()
        assert len(wire.wheel) == 0

    def test_so_does_the_end_of_its_stream(self, wire: Wire) -> None:
        wire.start()
        wire.carrier.close()
        wire.peer.close()
        wait_until(lambda: wire.socket.is_closed)
        assert wire.receiver.told == []

    def test_messages_that_cross_our_close_are_dropped(self, wire: Wire) -> None:
        wire.start()
        wire.carrier.close()
        wire.peer.send(text("crossing"))
        let_the_loop_turn()
        assert wire.receiver.told == []
        assert not wire.socket.is_closed

    @impatient
    def test_a_peer_that_does_not_answer_is_cut_off(self, wire: Wire) -> None:
        wire.start()
        wire.carrier.close()
        wait_until(lambda: wire.socket.is_closed)
        assert len(wire.wheel) == 0

    @impatient
    def test_a_peer_that_does_not_read_is_cut_off_too(self, wire: Wire) -> None:
        wire.start()
        wire.push("x" * 8_000_000)
        wire.carrier.close()
        wait_until(lambda: wire.socket.is_closed)
        assert len(wire.wheel) == 0

    def test_closing_while_paused_reads_on_for_the_answer(self, wire: Wire) -> None:
        wire.start()
        wire.carrier.pause()
        wire.carrier.close()
        wire.peer.send(client_frame(CLOSE, close_payload(1000)))
        wait_until(lambda: wire.socket.is_closed)

    @pytest.mark.parametrize("first", ["close", "abort"])
    def test_closing_again_does_nothing(self, wire: Wire, first: str) -> None:
        wire.start()
        getattr(wire.carrier, first)()
        wire.carrier.close(1001, "again")
        wire.carrier.wake()
        frame = wire.peer.receive_frame()
        assert frame == ((CLOSE, b"\x03\xe8") if first == "close" else (-1, b""))
        wire.carrier.abort()
        assert wire.peer.is_at_end()

    def test_aborting_closes_at_once(self, wire: Wire) -> None:
        wire.start()
        wire.push("never sent")
        wire.carrier.abort()
        assert wire.socket.is_closed
        assert wire.peer.is_at_end()
        gevent.sleep(0)
