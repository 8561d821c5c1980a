"""What is noted during one turn of the loop is written at its end."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import time
from collections.abc import Callable
from functools import partial

import gevent
from gevent.event import Event

from tests.support.clock import FakeLoop
from webpy_socketio.transport.turn import AT_ONCE, Flushable, Turn


class Writer(Flushable):
    def __init__(self, journal: list[str], name: str, then: Callable[[], object] = bool) -> None:
        self.journal = journal
        self.name = name
        self.then = then
        self.is_noted = False

    def flush(self) -> None:
        self.journal.append(self.name)
        self.then()

    def receive_failure(self) -> None:
        self.journal.append(f"{self.name} failed")


def fail() -> None:
    raise ValueError


def look_and_turn(loop: FakeLoop) -> None:
    """Let the loop look at its sockets, behind which the timer runs, and run its callbacks."""
    loop.advance(0)
    loop.turn()


def test_all_that_were_noted_write_at_the_end_of_the_turn_in_order() -> None:
    loop, journal = FakeLoop(), []
    turn = Turn(loop, clock=loop.clock)
    for name in "abc":
        turn.add(Writer(journal, name))
    assert journal == []
    loop.turn()
    assert journal == ["a", "b", "c"]


def test_one_callback_of_the_loop_is_enough_for_all() -> None:
    loop = FakeLoop()
    turn = Turn(loop, clock=loop.clock)
    for _ in range(10):
        turn.add(Writer([], ""))
    assert len(loop.callbacks) == 1
    loop.turn()
    assert loop.callbacks == []


def test_who_is_noted_while_others_write_has_its_own_turn() -> None:
    loop, journal = FakeLoop(), []
    turn = Turn(loop, clock=loop.clock)
    later = Writer(journal, "later")
    turn.add(Writer(journal, "first", lambda: turn.add(later)))
    loop.turn()
    assert journal == ["first"]
    look_and_turn(loop)
    assert journal == ["first", "later"]
    assert loop.callbacks == []
    assert loop.next_due is None


def test_who_is_noted_says_so_until_it_writes() -> None:
    loop, journal = FakeLoop(), []
    turn = Turn(loop, clock=loop.clock)
    writer = Writer(journal, "")
    turn.add(writer)
    assert writer.is_noted
    loop.turn()
    assert not writer.is_noted


def test_one_that_raises_does_not_keep_the_others_from_writing() -> None:
    loop, journal = FakeLoop(), []
    turn = Turn(loop, clock=loop.clock)
    turn.add(Writer(journal, "broken", fail))
    turn.add(Writer(journal, "fine"))
    loop.turn()
    assert journal == ["broken", "broken failed", "fine"]


def test_after_a_turn_the_next_one_is_asked_for_again() -> None:
    loop, journal = FakeLoop(), []
    turn = Turn(loop, clock=loop.clock)
    for name in ("one", "two"):
        turn.add(Writer(journal, name))
        loop.turn()
    assert journal == ["one", "two"]


class TestMany:
    """More than are written to in one turn."""

    def test_the_others_wait_for_the_next_turns_in_order(self) -> None:
        loop, journal = FakeLoop(), []
        turn = Turn(loop, clock=loop.clock)
        names = [str(number) for number in range(2 * AT_ONCE + 1)]
        for name in names:
            turn.add(Writer(journal, name))
        loop.turn()
        assert journal == names[:AT_ONCE]
        assert loop.callbacks == []
        look_and_turn(loop)
        assert journal == names[: 2 * AT_ONCE]
        look_and_turn(loop)
        assert journal == names
        assert loop.next_due is None

    def test_who_is_noted_between_two_turns_comes_behind_those_that_wait(self) -> None:
        loop, journal = FakeLoop(), []
        turn = Turn(loop, clock=loop.clock)
        for _ in range(AT_ONCE + 1):
            turn.add(Writer(journal, "old"))
        loop.turn()
        turn.add(Writer(journal, "new"))
        assert loop.callbacks == []
        look_and_turn(loop)
        assert journal == ["old"] * (AT_ONCE + 1) + ["new"]

    def test_where_turns_take_long_writing_gets_as_much_time_as_the_rest(self) -> None:
        loop, journal = FakeLoop(), []
        clock = loop.clock
        turn = Turn(loop, clock=clock)
        for number in range(20 * AT_ONCE):
            is_last = number % AT_ONCE == AT_ONCE - 1
            turn.add(Writer(journal, "", lambda: clock.advance(0.001)) if is_last else Writer(journal, ""))
        loop.turn()
        assert len(journal) == AT_ONCE
        clock.advance(0.0045)  # what others do before the timer fires
        look_and_turn(loop)
        assert len(journal) == 6 * AT_ONCE
        look_and_turn(loop)
        assert len(journal) == 7 * AT_ONCE

    def test_a_failure_that_raises_itself_keeps_nobody_waiting_for_ever(self) -> None:
        loop, journal = FakeLoop(), []
        turn = Turn(loop, clock=loop.clock)
        broken = Writer(journal, "broken", fail)
        broken.receive_failure = fail  # type: ignore[method-assign]  # the worst case
        turn.add(broken)
        turn.add(Writer(journal, "fine"))
        try:
            loop.turn()
        except ValueError:
            look_and_turn(loop)
        assert journal == ["broken", "fine"]

    def test_when_it_is_closed_nobody_writes_any_more(self) -> None:
        loop, journal = FakeLoop(), []
        turn = Turn(loop, clock=loop.clock)
        for _ in range(AT_ONCE + 1):
            turn.add(Writer(journal, ""))
        loop.turn()
        turn.close()
        look_and_turn(loop)
        assert len(journal) == AT_ONCE
        assert not loop.timers

    def test_what_comes_in_meanwhile_is_handled_before_the_others_write(self) -> None:
        loop, journal = gevent.get_hub().loop, []
        turn = Turn(loop)
        ours, theirs = socket.socketpair()
        reader, is_done = loop.io(ours.fileno(), 1), Event()
        try:

            def receive() -> None:
                reader.stop()
                loop.run_callback(journal.append, "handled")  # as a worker, which runs handlers

            reader.start(receive)
            turn.add(Writer(journal, "written", partial(theirs.send, b"x")))
            for _ in range(3 * AT_ONCE - 2):
                turn.add(Writer(journal, "written"))
            turn.add(Writer(journal, "written", is_done.set))
            assert is_done.wait(20)
        finally:
            reader.stop()
            reader.close()
            turn.close()
            ours.close()
            theirs.close()
        assert journal == ["written"] * AT_ONCE + ["handled"] + ["written"] * 2 * AT_ONCE


def test_a_signal_that_comes_while_something_is_written_does_not_wait() -> None:
    loop, heard = gevent.get_hub().loop, Event()
    turn = Turn(loop)
    # Nothing here is run by the interpreter, which would look for signals by itself.
    kill = ctypes.CDLL(None).kill
    kill.restype = None
    before = signal.signal(signal.SIGUSR1, lambda number, frame: heard.set())
    try:
        killer = type("Killer", (Flushable,), {"flush": partial(kill, os.getpid(), signal.SIGUSR1)})
        turn.add(killer())
        began = time.monotonic()
        heard.wait(20)
        assert time.monotonic() - began < 10
    finally:
        signal.signal(signal.SIGUSR1, before)
        turn.close()
