"""HTTP long-polling: the answers to GETs, and what becomes of packets whose answer was not written."""

from __future__ import annotations

from typing import Any

import gevent
import pytest

from tests.support.scripted import let_the_loop_turn
from webpy_socketio.config import Config
from webpy_socketio.transport import polling as polling_module
from webpy_socketio.transport.outbox import Budget, Outbox, OutgoingPacket
from webpy_socketio.transport.polling import MAX_PIECES, Poll, PollingCarrier


class Connection:
    """The connection of a GET; ``is_lost`` tells that the peer has closed it."""

    def __init__(self) -> None:
        self.is_lost = False

    def is_gone(self) -> bool:
        return self.is_lost


class Polling:
    """A carrier with its outbox; ``get`` is a GET in a greenlet of its own, as a request would be."""

    def __init__(self, max_payload: int = 1_000_000) -> None:
        self.budget = Budget(1_000_000)
        self.outbox = Outbox(Config(), self.budget)
        self.carrier = PollingCarrier(self.outbox, max_payload)

    def push(self, *texts: str, attachments: int = 0) -> None:
        for text in texts:
            assert self.outbox.push(OutgoingPacket(text.encode(), [b"x"] * attachments, droppable=True))
        self.carrier.wake()

    def get(self, connection: Connection | None = None, *, written: bool = True) -> Any:
        """Begin a GET; its value is the answer's body, once that is there."""

        def request() -> bytes:
            poll = self.carrier.open_poll(connection)
            assert poll is not None
            body = self.carrier.wait_payload(poll)
            self.carrier.settle_poll(poll, written=written)
            return body

        greenlet = gevent.spawn(request)
        gevent.sleep(0)
        return greenlet

    def open(self, told: list[int], connection: Connection | None = None) -> Poll:
        """Open a GET that cannot wait: ``told`` gets a 1 each time it may be answered."""
        poll = self.carrier.open_poll(connection, lambda: told.append(1))
        assert poll is not None
        return poll

    def answer(self) -> bytes:
        """Give the answer to a GET that has something to say at once."""
        body: bytes = self.get().get(timeout=5)
        return body

    def left(self) -> list[str]:
        return [packet.text.decode() for packet in self.outbox.packets]


class TestAnswers:
    def test_what_waits_is_the_answer(self) -> None:
        polling = Polling()
        polling.push("42[1]", "42[2]")
        assert polling.answer() == b"42[1]\x1e42[2]"
        assert polling.left() == []

    def test_a_get_waits_for_the_first_packet(self) -> None:
        polling = Polling()
        get = polling.get()
        assert not get.ready()
        assert polling.carrier.is_waiting
        polling.push("42[1]")
        assert get.get(timeout=5) == b"42[1]"
        assert not polling.carrier.is_waiting

    def test_attachments_are_base64_behind_their_packet(self) -> None:
        polling = Polling()
        polling.push("452-[]", attachments=2)
        assert polling.answer() == b"452-[]\x1ebeA==\x1ebeA=="

    def test_an_answer_has_no_more_pieces_than_clients_take(self) -> None:
        polling = Polling()
        polling.push(*(str(number) for number in range(MAX_PIECES + 5)))
        assert polling.answer().count(b"\x1e") == MAX_PIECES - 1
        assert polling.answer().count(b"\x1e") == 4

    def test_packets_with_attachments_are_not_torn_apart(self) -> None:
        polling = Polling()
        for _ in range(3):
            polling.push("456-[]", attachments=6)
        assert [polling.answer().count(b"456-") for _ in range(2)] == [2, 1]

    def test_nor_are_they_larger_than_allowed_but_for_a_single_packet(self) -> None:
        polling = Polling(max_payload=1_000)
        polling.push("a" * 500, "b" * 500, "c" * 5_000)
        assert [polling.answer()[:1] for _ in range(3)] == [b"a", b"b", b"c"]

    def test_a_second_get_at_once_is_refused(self) -> None:
        polling = Polling()
        get = polling.get()
        assert polling.carrier.open_poll(None) is None
        polling.push("42[1]")
        assert get.get(timeout=5) == b"42[1]"


class TestAnswersWithoutAGreenlet:
    """`take_payload`: who cannot wait is told by ``on_ready`` when there may be something."""

    def test_what_waits_is_given_at_once_and_nobody_is_told(self) -> None:
        polling, told = Polling(), list[int]()
        polling.push("1")
        poll = polling.open(told)
        assert polling.carrier.take_payload(poll) == b"1"
        assert (told, polling.carrier.is_waiting) == ([], False)

    def test_it_is_told_when_something_comes(self) -> None:
        polling, told = Polling(), list[int]()
        poll = polling.open(told)
        polling.carrier.wake()  # it is not held yet
        assert polling.carrier.take_payload(poll) is None
        assert (told, polling.carrier.is_waiting) == ([], True)
        polling.push("1", "2")
        assert told == [1]
        assert polling.carrier.take_payload(poll) == b"1\x1e2"
        polling.push("3")
        assert (told, polling.left()) == ([1], ["3"])

    def test_it_may_have_been_told_in_vain(self) -> None:
        polling, told = Polling(), list[int]()
        poll = polling.open(told)
        for _ in range(2):
            assert polling.carrier.take_payload(poll) is None
            polling.carrier.wake()
        assert told == [1, 1]
        polling.push("1")
        assert polling.carrier.take_payload(poll) == b"1"

    @pytest.mark.parametrize(
        ("change", "answer"), [("release", b"6"), ("abort", b"6"), ("close", b"1")], ids=["upgrade", "abort", "close"]
    )
    def test_it_is_told_of_what_ends_it(self, change: str, answer: bytes) -> None:
        polling, told = Polling(), list[int]()
        poll = polling.open(told)
        assert polling.carrier.take_payload(poll) is None
        getattr(polling.carrier, change)()
        assert told == [1]
        assert polling.carrier.take_payload(poll) == answer

    def test_it_is_told_that_another_has_taken_its_place(self) -> None:
        polling, told, connection = Polling(), list[int](), Connection()
        poll = polling.open(told, connection)
        assert polling.carrier.take_payload(poll) is None
        connection.is_lost = True
        again = polling.open(told)
        assert told == [1]
        polling.push("1")
        assert polling.carrier.take_payload(poll) == b"6"
        assert polling.carrier.take_payload(again) == b"1"

    def test_one_that_was_not_held_gets_it_although_its_client_sends_nothing_more(self) -> None:
        polling, connection = Polling(), Connection()
        connection.is_lost = True  # as far as one can tell: it may have ended its own half only
        polling.push("1")
        assert polling.carrier.take_payload(polling.open([], connection)) == b"1"

    def test_one_that_was_held_does_not(self) -> None:
        polling, connection = Polling(), Connection()
        poll = polling.open([], connection)
        assert polling.carrier.take_payload(poll) is None
        connection.is_lost = True
        polling.push("1")
        assert polling.carrier.take_payload(poll) == b"6"
        assert polling.left() == ["1"]


class TestWhatWasNotWritten:
    def test_it_waits_again_at_the_front(self) -> None:
        polling = Polling()
        polling.push("1", "2")
        assert polling.get(written=False).get(timeout=5) == b"1\x1e2"
        polling.push("3")
        assert polling.answer() == b"1\x1e2\x1e3"

    def test_a_get_on_a_connection_that_is_gone_gives_way_to_the_next(self) -> None:
        polling = Polling()
        connection = Connection()
        old = polling.get(connection)
        connection.is_lost = True
        new = polling.get(Connection())
        assert old.get(timeout=5) == b"6"
        assert not new.ready()
        polling.push("42[1]")
        assert new.get(timeout=5) == b"42[1]"

    def test_what_the_first_had_taken_goes_to_the_second(self) -> None:
        polling = Polling()
        connection = Connection()
        polling.push("1")
        poll = polling.carrier.open_poll(connection)
        assert poll is not None
        assert polling.carrier.wait_payload(poll) == b"1"
        connection.is_lost = True  # while the answer is being written
        assert polling.answer() == b"1"
        polling.carrier.settle_poll(poll, written=False)
        assert polling.left() == []

    def test_nothing_is_taken_for_a_connection_that_is_gone(self) -> None:
        polling = Polling()
        connection = Connection()
        get = polling.get(connection)
        connection.is_lost = True
        polling.push("1")
        assert get.get(timeout=5) == b"6"
        assert polling.answer() == b"1"

    def test_without_a_connection_to_look_at_a_get_does_not_give_way(self) -> None:
        polling = Polling()
        polling.get(None)
        assert polling.carrier.open_poll(Connection()) is None
        polling.push("1")


class TestTheBudget:
    def test_what_waits_for_a_client_that_does_not_ask_counts(self) -> None:
        polling = Polling()
        polling.push("1")
        polling.answer()
        polling.push("2")
        assert polling.budget.used == polling.outbox.size > 0
        polling.answer()
        assert polling.budget.used == 0

    def test_what_waits_while_a_get_is_open_does_not(self) -> None:
        polling = Polling()
        get = polling.get()
        polling.push("1")
        assert polling.budget.used == 0
        get.get(timeout=5)


class TestUpgrade:
    def test_a_waiting_get_is_answered_with_noop(self) -> None:
        polling = Polling()
        get = polling.get()
        polling.carrier.release()
        assert get.get(timeout=5) == b"6"

    def test_meanwhile_gets_are_not_held_for_long(self) -> None:
        polling = Polling()
        polling.carrier.release()
        assert polling.answer() == b"6"

    def test_but_long_enough_for_a_packet_that_comes(self) -> None:
        polling = Polling()
        polling.carrier.release()
        get = polling.get()
        polling.push("42[1]")
        assert get.get(timeout=5) == b"42[1]"

    def test_if_it_does_not_come_about_gets_are_held_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(polling_module, "PROBING_WAIT", 0)
        polling = Polling()
        polling.carrier.release()
        assert polling.answer() == b"6"
        polling.carrier.hold()
        get = polling.get()
        let_the_loop_turn()
        assert not get.ready()
        polling.push("1")
        assert get.get(timeout=5) == b"1"

    def test_holding_changes_nothing_after_the_end(self) -> None:
        polling = Polling()
        polling.carrier.abort()
        polling.carrier.hold()
        assert polling.answer() == b"6"

    def test_when_it_is_done_an_open_get_ends_with_noop_and_takes_nothing(self) -> None:
        polling = Polling()
        retired: list[int] = []
        get = polling.get()
        polling.carrier.retire(lambda: retired.append(1))
        polling.push("1")
        assert get.get(timeout=5) == b"6"
        assert (retired, polling.left()) == ([1], ["1"])

    @pytest.mark.parametrize("written", [True, False])
    def test_packets_on_their_way_are_waited_for(self, written: bool) -> None:
        polling = Polling()
        left: list[list[str]] = []
        polling.push("1")
        poll = polling.carrier.open_poll(None)
        assert poll is not None
        polling.carrier.wait_payload(poll)
        polling.carrier.retire(lambda: left.append(polling.left()))
        assert left == []
        polling.carrier.settle_poll(poll, written=written)
        assert left == [[] if written else ["1"]]

    def test_the_new_carrier_is_not_taken_for_stuck(self) -> None:
        polling = Polling()
        get = polling.get()
        polling.carrier.retire(lambda: None)
        get.get(timeout=5)
        assert not polling.outbox.stuck


class TestTheEnd:
    def test_a_waiting_get_hears_what_waits_and_close(self) -> None:
        polling = Polling()
        get = polling.get()
        polling.outbox.push(OutgoingPacket(b"41"))
        polling.carrier.close()
        assert get.get(timeout=5) == b"41\x1e1"

    def test_the_next_get_hears_it(self) -> None:
        polling = Polling()
        polling.push("41")
        polling.carrier.close()
        assert polling.carrier.take_farewell() == b"41\x1e1"

    def test_it_is_said_once(self) -> None:
        polling = Polling()
        polling.carrier.close()
        assert polling.carrier.take_farewell() == b"1"
        assert polling.carrier.take_farewell() == b"6"

    def test_the_last_answer_has_a_limit_too(self) -> None:
        polling = Polling()
        polling.push(*(str(number) for number in range(100)))
        polling.carrier.close()
        assert polling.carrier.take_farewell().count(b"\x1e") == MAX_PIECES - 1

    def test_who_closes_itself_hears_noop(self) -> None:
        polling = Polling()
        get = polling.get()
        polling.push()
        polling.carrier.abort()
        assert get.get(timeout=5) == b"6"

    def test_what_was_not_written_is_dropped(self) -> None:
        polling = Polling()
        polling.push("1")
        poll = polling.carrier.open_poll(None)
        assert poll is not None
        polling.carrier.wait_payload(poll)
        polling.carrier.abort()
        polling.carrier.settle_poll(poll, written=False)
        assert (polling.left(), polling.outbox.size, polling.budget.used) == ([], 0, 0)


class TestAsACarrier:
    def test_it_has_a_name_and_cannot_be_paused(self) -> None:
        carrier = Polling().carrier
        carrier.pause()
        carrier.resume()
        assert (carrier.name, carrier.is_gone(), carrier.is_waiting) == ("polling", False, False)

    def test_waking_without_a_get_is_nothing(self) -> None:
        polling = Polling()
        polling.carrier.wake()
        polling.push("1")
        assert polling.answer() == b"1"
