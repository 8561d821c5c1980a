"""The loop looks for an answer instead of sleeping, as long as answers come that fast."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gevent
import pytest

from tests.support.clock import FakeClock, FakeLoop, FakeWatcher
from tests.support.waiting import wait_until
from webpy_socketio.transport.busy_poll import (
    LONG_PAUSE,
    MAX_PAUSE,
    WORTHWHILE,
    BusyPoll,
    count_cores,
    count_preemptions,
    make_busy_poll,
)
from webpy_socketio.transport.turn import Flushable, Turn

SECONDS = 0.0001


class Writer(Flushable):
    def flush(self) -> None: ...

    def receive_failure(self) -> None: ...


class Bench:
    """A busy poll on a loop that does what a test says."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        loop = FakeLoop(self.clock)
        self.preemptions = 0
        self.poll = BusyPoll(loop, SECONDS, self.clock, lambda: self.preemptions)
        self.idle: FakeWatcher = loop.idlers[0]

    @property
    def is_looking(self) -> bool:
        return self.idle.callback is not None

    def look(self, seconds: float = 0.0) -> None:
        """The loop has nothing else to do, for so long."""
        assert self.idle.callback is not None
        self.idle.callback()
        if seconds:
            self.clock.advance(seconds)
            self.idle.callback()

    def find(self, count: int) -> None:
        """So many messages come while it looks."""
        for _ in range(count):
            self.look()
            self.poll.expect()

    def look_in_vain(self) -> None:
        self.look(SECONDS)
        assert not self.is_looking

    def count_turns_until_it_looks(self) -> int:
        turns = 0
        while not self.is_looking:
            self.poll.expect()
            turns += 1
        return turns


def test_it_does_not_look_before_something_was_sent() -> None:
    assert not Bench().is_looking


def test_it_looks_after_something_was_sent_and_gives_up_when_the_time_is_over() -> None:
    bench = Bench()
    bench.poll.expect()
    bench.look(0.9 * SECONDS)
    assert bench.is_looking
    bench.clock.advance(0.1 * SECONDS)
    bench.look()
    assert not bench.is_looking


def test_the_time_begins_when_the_loop_would_sleep() -> None:
    bench = Bench()
    bench.poll.expect()
    bench.clock.advance(10)  # it is busy
    bench.look(0.9 * SECONDS)
    assert bench.is_looking


def test_what_comes_meanwhile_begins_the_time_anew() -> None:
    bench = Bench()
    bench.poll.expect()
    for _ in range(3):
        bench.look(0.9 * SECONDS)
        bench.poll.expect()
    bench.look(0.9 * SECONDS)
    assert bench.is_looking


def test_after_each_look_in_vain_more_turns_pass_up_to_a_bound() -> None:
    bench = Bench()
    turns = []
    for _ in range(8):
        turns.append(bench.count_turns_until_it_looks())
        bench.look_in_vain()
    assert turns == [1, 2, 4, 8, 16, 32, MAX_PAUSE + 1, MAX_PAUSE + 1]


@pytest.mark.parametrize(("found", "turns"), [(0, 64), (WORTHWHILE - 1, 64), (WORTHWHILE, 1), (2 * WORTHWHILE, 1)])
def test_a_look_during_which_much_has_come_ends_the_pauses(found: int, turns: int) -> None:
    bench = Bench()
    for _ in range(6):
        bench.count_turns_until_it_looks()
        bench.look_in_vain()
    bench.count_turns_until_it_looks()
    bench.find(found)
    bench.look_in_vain()
    assert bench.count_turns_until_it_looks() == turns


def test_what_came_before_a_pause_is_not_counted_again() -> None:
    bench = Bench()
    for _ in range(2):
        bench.count_turns_until_it_looks()
        bench.find(WORTHWHILE - 1)
        bench.look_in_vain()
    assert bench.count_turns_until_it_looks() == 4


def test_a_loop_that_is_never_idle_learns_nothing() -> None:
    bench = Bench()
    bench.count_turns_until_it_looks()
    bench.look_in_vain()
    bench.count_turns_until_it_looks()
    for _ in range(100):
        bench.poll.expect()
    bench.look_in_vain()
    assert bench.count_turns_until_it_looks() == 4


@pytest.mark.parametrize(("preemptions", "is_looking"), [(0, True), (1, True), (2, False), (30, False)])
def test_it_rests_when_others_take_the_core(preemptions: int, is_looking: bool) -> None:
    bench = Bench()
    bench.poll.expect()
    bench.find(WORTHWHILE)
    bench.preemptions += preemptions
    bench.find(WORTHWHILE)
    assert bench.is_looking is is_looking
    if not is_looking:
        assert bench.count_turns_until_it_looks() == LONG_PAUSE + 1


def test_others_that_took_the_core_long_ago_do_not_matter() -> None:
    bench = Bench()
    for _ in range(3):
        bench.preemptions += 1
        bench.poll.expect()
        bench.find(WORTHWHILE)
    assert bench.is_looking


def test_preemptions_are_counted() -> None:
    before = count_preemptions()
    cores = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(cores)})
        with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as rival:
            try:
                until = time.monotonic() + 20
                while count_preemptions() < before + 2 and time.monotonic() < until:
                    pass
            finally:
                rival.kill()
    finally:
        os.sched_setaffinity(0, cores)
    assert count_preemptions() >= before + 2


def test_a_closed_one_looks_no_more() -> None:
    bench = Bench()
    bench.poll.expect()
    bench.poll.close()
    assert not bench.is_looking
    assert bench.idle.is_closed


def test_a_turn_that_wrote_something_starts_it_and_its_end_ends_it() -> None:
    loop = FakeLoop()
    turn = Turn(loop, BusyPoll(loop, SECONDS, loop.clock), loop.clock)
    turn.add(Writer())
    assert loop.idlers[0].callback is None
    loop.turn()
    assert loop.idlers[0].callback is not None
    turn.close()
    assert loop.idlers[0].is_closed


def test_a_turn_that_is_due_when_it_is_closed_does_not_start_it() -> None:
    loop = FakeLoop()
    turn = Turn(loop, BusyPoll(loop, SECONDS, loop.clock), loop.clock)
    turn.add(Writer())
    turn.close()
    loop.turn()
    assert loop.idlers[0].callback is None


@pytest.mark.parametrize(("seconds", "cores", "wanted"), [(SECONDS, 2, True), (0.0, 2, False), (SECONDS, 1, False)])
def test_it_is_for_more_than_one_core(
    monkeypatch: pytest.MonkeyPatch, seconds: float, cores: int, wanted: bool
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)))
    is_limited = count_cores() < cores  # by the container in which the test runs
    assert (make_busy_poll(FakeLoop(), seconds) is not None) is (wanted and not is_limited)


def test_where_nobody_says_which_cores_are_ours_all_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert count_cores(tmp_path / "missing") == 3


@pytest.mark.parametrize(
    ("text", "cores"),
    [("max 100000\n", 4), ("50000 100000\n", 0.5), ("200000 100000\n", 2), ("900000 100000\n", 4), ("", 4), ("x y", 4)],
)
def test_the_limit_of_a_container_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, cores: float
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(4)))
    (tmp_path / "cpu.max").write_text(text)
    assert count_cores(tmp_path / "cpu.max") == cores


class TestInGeventsLoop:
    """What libev does with it."""

    @staticmethod
    @contextmanager
    def real(seconds: float) -> Iterator[tuple[BusyPoll, list[float]]]:
        """Give one on the thread's own loop, and the list of the times when it looked at the clock."""
        looks: list[float] = []

        def clock() -> float:
            looks.append(time.monotonic())
            return looks[-1]

        poll = BusyPoll(gevent.get_hub().loop, seconds, clock)
        try:
            yield poll, looks
        finally:
            poll.close()

    def test_it_gives_up_and_lets_the_loop_sleep(self) -> None:
        with self.real(0.001) as (poll, looks):
            poll.expect()
            wait_until(lambda: bool(looks) and looks[-1] - looks[0] >= 0.001, timeout=20, what="the end of looking")
            count = len(looks)
            gevent.sleep(0.1)
            assert len(looks) == count

    def test_others_that_wait_for_an_idle_loop_come_first(self) -> None:
        with self.real(60.0) as (poll, _):
            poll.expect()
            with gevent.Timeout(20):
                gevent.idle()

    def test_what_happens_is_seen_while_it_looks(self) -> None:
        with self.real(60.0) as (poll, _):
            poll.expect()
            with gevent.Timeout(20):
                gevent.spawn_later(0.01, lambda: None).join()

    def test_a_loop_with_nothing_else_to_do_ends(self) -> None:
        def wait() -> Any:
            with self.real(60.0) as (poll, _):
                poll.expect()
                return gevent.wait(timeout=None)

        assert gevent.get_hub().threadpool.spawn(wait).get(timeout=10) is True
