"""The clock and the loop of the unit tests."""

from __future__ import annotations

import pytest

from tests.support.clock import FakeClock, FakeLoop


def test_the_clock_moves_only_when_told() -> None:
    clock = FakeClock(5.0)
    assert (clock(), clock()) == (5.0, 5.0)
    clock.advance(0.5)
    assert clock() == 5.5


def test_timers_fire_at_their_time_and_in_order() -> None:
    loop = FakeLoop(FakeClock(0.0))
    fired: list[tuple[str, float]] = []
    for name, delay in (("late", 2.0), ("early", 1.0), ("never", 9.0)):
        loop.timer(delay).start(lambda name=name: fired.append((name, loop.clock())))
    loop.advance(3.0)
    assert fired == [("early", 1.0), ("late", 2.0)]
    assert (loop.clock(), loop.timers_fired, loop.next_due) == (3.0, 2, 9.0)


def test_a_timer_may_start_another_in_the_same_span() -> None:
    loop = FakeLoop(FakeClock(0.0))
    fired: list[float] = []
    loop.timer(1.0).start(lambda: loop.timer(1.0).start(lambda: fired.append(loop.clock())))
    loop.advance(2.0)
    assert fired == [2.0]


def test_stopped_and_closed_timers_do_not_fire() -> None:
    loop = FakeLoop()
    fired: list[str] = []
    stopped, closed = loop.timer(1.0), loop.timer(1.0)
    stopped.start(lambda: fired.append("stopped"))
    closed.start(lambda: fired.append("closed"))
    stopped.stop()
    closed.close()
    loop.advance(5.0)
    assert fired == []
    assert loop.timers == {stopped}
    with pytest.raises(AssertionError, match="closed"):
        closed.start(lambda: None)


def test_a_hasty_loop_fires_too_early_once() -> None:
    loop = FakeLoop(FakeClock(0.0), haste=0.25)
    fired: list[float] = []
    for delay in (1.0, 2.0):
        loop.timer(delay).start(lambda: fired.append(loop.clock()))
    loop.advance(2.0)
    assert fired == [0.75, 2.0]


def test_callbacks_wait_for_their_turn() -> None:
    loop = FakeLoop()
    called: list[object] = []
    loop.run_callback(called.append, 1)
    loop.run_callback(loop.run_callback, called.append, 2)
    assert called == []
    loop.turn()
    assert called == [1]
    loop.turn()
    assert called == [1, 2]
