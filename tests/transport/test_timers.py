"""The timer wheel: never early, lazily rescheduled, and not stopped by an entry that raises."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.clock import FakeClock, FakeLoop
from webpy_socketio.transport.timers import SLOT, TimerWheel

#: Seconds that are allowed beyond the slot, for floating-point numbers.
EPSILON = 1e-6


class Entry:
    """Writes down when it was asked; ``answer`` is what it answers."""

    def __init__(self, answer: Callable[[float], float | None] = lambda now: None) -> None:
        self.timer_slot = -1
        self.answer = answer
        self.asked: list[float] = []

    def receive_deadline(self, now: float) -> float | None:
        self.asked.append(now)
        return self.answer(now)


class Wheel:
    """A wheel on a fake loop, whose clock begins at ``now``."""

    def __init__(self, now: float = 1000.0, haste: float = 0.0) -> None:
        self.loop = FakeLoop(FakeClock(now), haste)
        self.failures = 0
        self.wheel = TimerWheel(self.loop, self.fail, self.loop.clock)

    def fail(self) -> None:
        self.failures += 1


def test_an_entry_is_asked_at_its_deadline_and_forgotten() -> None:
    wheel, entry = Wheel(), Entry()
    wheel.wheel.schedule(entry, 1010.0)
    wheel.loop.advance(9.999)
    assert entry.asked == []
    wheel.loop.advance(100)
    [asked] = entry.asked
    assert 1010.0 <= asked <= 1010.0 + SLOT + EPSILON
    assert (len(wheel.wheel), entry.timer_slot) == (0, -1)


@given(st.lists(st.floats(min_value=0, max_value=100), min_size=1, max_size=20), st.floats(0, 1e6))
def test_no_entry_is_early_or_later_than_a_slot(delays: list[float], now: float) -> None:
    wheel = Wheel(now)
    entries = [Entry() for _ in delays]
    for entry, delay in zip(entries, delays, strict=True):
        wheel.wheel.schedule(entry, now + delay)
    wheel.loop.advance(200)
    for entry, delay in zip(entries, delays, strict=True):
        [asked] = entry.asked
        assert now + delay - EPSILON <= asked <= now + delay + SLOT + EPSILON


def test_a_loop_that_fires_too_early_does_not_make_entries_early() -> None:
    wheel, entry = Wheel(haste=0.5), Entry()
    wheel.wheel.schedule(entry, 1001.0)
    wheel.loop.advance(2)
    [asked] = entry.asked
    assert asked >= 1001.0
    assert wheel.loop.timers_fired == 2


def test_a_deadline_in_the_past_is_asked_at_once() -> None:
    wheel, entry = Wheel(), Entry()
    wheel.wheel.schedule(entry, 900.0)
    wheel.loop.advance(0.001)
    assert len(entry.asked) == 1


def test_an_entry_may_give_its_next_deadline() -> None:
    wheel, entry = Wheel(), Entry(lambda now: now + 1 if now < 1004.5 else None)
    wheel.wheel.schedule(entry, 1001.0)
    wheel.loop.advance(100)
    assert [round(asked) for asked in entry.asked] == [1001, 1002, 1003, 1004, 1005]


def test_a_deadline_that_was_put_off_costs_no_timer() -> None:
    deadline = [1001.0]
    wheel = Wheel()
    entry = Entry(lambda now: deadline[0] if now < deadline[0] else None)
    wheel.wheel.schedule(entry, deadline[0])
    for _ in range(1000):
        deadline[0] += 0.02  # as with each sign of life: the wheel is not told
    wheel.loop.advance(0.5)
    assert wheel.loop.timers_fired == 0
    wheel.loop.advance(100)
    assert len(entry.asked) == 2
    assert entry.asked[1] >= deadline[0]
    assert wheel.loop.timers_fired == 2


def test_an_entry_whose_next_deadline_has_passed_is_asked_again_a_little_later() -> None:
    wheel, entry = Wheel(), Entry(lambda now: 0.0 if now < 1001.2 else None)
    wheel.wheel.schedule(entry, 1001.0)
    wheel.loop.advance(2)
    assert len(entry.asked) > 2
    steps = [later - earlier for earlier, later in zip(entry.asked, entry.asked[1:], strict=False)]
    assert min(steps) >= SLOT - EPSILON


def test_scheduling_again_moves_an_entry() -> None:
    wheel, entry = Wheel(), Entry()
    wheel.wheel.schedule(entry, 1001.0)
    wheel.wheel.schedule(entry, 1005.0)
    wheel.wheel.schedule(entry, 1003.0)
    assert len(wheel.wheel) == 1
    wheel.loop.advance(100)
    [asked] = entry.asked
    assert 1003.0 <= asked < 1003.1


def test_an_earlier_entry_moves_the_timer() -> None:
    wheel, late, early = Wheel(), Entry(), Entry()
    wheel.wheel.schedule(late, 1050.0)
    wheel.wheel.schedule(early, 1001.0)
    wheel.loop.advance(2)
    assert (len(early.asked), len(late.asked)) == (1, 0)
    wheel.loop.advance(100)
    assert len(late.asked) == 1


def test_a_cancelled_entry_is_not_asked() -> None:
    wheel, entry, other = Wheel(), Entry(), Entry()
    wheel.wheel.schedule(entry, 1001.0)
    wheel.wheel.schedule(other, 1001.0)
    wheel.wheel.cancel(entry)
    wheel.loop.advance(10)
    assert (entry.asked, len(other.asked)) == ([], 1)


def test_cancelling_what_is_in_no_slot_does_nothing() -> None:
    wheel, entry = Wheel(), Entry()
    wheel.wheel.cancel(entry)
    wheel.wheel.schedule(entry, 1001.0)
    wheel.loop.advance(10)
    wheel.wheel.cancel(entry)
    wheel.wheel.cancel(entry)
    assert len(wheel.wheel) == 0


def test_an_entry_that_raises_is_forgotten_and_the_others_are_asked() -> None:
    def fail(now: float) -> None:
        raise ValueError("no")

    wheel, broken, others = Wheel(), Entry(fail), [Entry(lambda now: now + 1) for _ in range(5)]
    for entry in (*others[:2], broken, *others[2:]):
        wheel.wheel.schedule(entry, 1001.0)
    wheel.loop.advance(2.5)
    assert wheel.failures == 1
    assert len(broken.asked) == 1
    assert all(len(entry.asked) == 2 for entry in others)


def test_an_entry_may_cancel_another_of_its_slot() -> None:
    wheel = Wheel()
    entries: list[Entry] = []

    def cancel_others(now: float) -> None:
        for entry in entries:
            wheel.wheel.cancel(entry)

    entries += [Entry(cancel_others) for _ in range(3)]
    for entry in entries:
        wheel.wheel.schedule(entry, 1001.0)
    wheel.loop.advance(10)
    assert sum(len(entry.asked) for entry in entries) == 1


def test_an_entry_may_schedule_others_for_now() -> None:
    wheel, other = Wheel(), Entry()
    entry = Entry(lambda now: wheel.wheel.schedule(other, now))
    wheel.wheel.schedule(entry, 1001.0)
    wheel.loop.advance(10)
    assert len(other.asked) == 1


def test_an_idle_wheel_wakes_nobody() -> None:
    wheel, entry = Wheel(), Entry()
    assert wheel.loop.next_due is None
    wheel.wheel.schedule(entry, 1001.0)
    wheel.loop.advance(10)
    assert wheel.loop.next_due is None
    wheel.loop.advance(1000)
    assert wheel.loop.timers_fired == 1


def test_many_entries_of_one_time_share_one_timer() -> None:
    wheel, entries = Wheel(), [Entry() for _ in range(1000)]
    for entry in entries:
        wheel.wheel.schedule(entry, 1001.0)
    assert len(wheel.loop.timers) == 1
    assert len(wheel.wheel) == 1000
    wheel.loop.advance(10)
    assert wheel.loop.timers_fired == 1
    assert all(len(entry.asked) == 1 for entry in entries)


def test_timers_are_closed_that_are_not_needed_any_more() -> None:
    wheel = Wheel()
    for number in range(100):
        wheel.wheel.schedule(Entry(), 1100.0 - number)
    assert len(wheel.loop.timers) == 1
    wheel.wheel.close()
    assert len(wheel.loop.timers) == 0


def test_closing_forgets_all_and_what_lay_in_it_may_still_be_cancelled() -> None:
    wheel, entry = Wheel(), Entry()
    wheel.wheel.schedule(entry, 1001.0)
    wheel.wheel.close()
    assert len(wheel.wheel) == 0
    wheel.wheel.cancel(entry)
    wheel.loop.advance(10)
    assert entry.asked == []


def test_expiring_asks_all_at_once_and_keeps_none() -> None:
    def fail(now: float) -> None:
        raise ValueError("no")

    wheel, entries, broken = Wheel(), [Entry(lambda now: now + 1) for _ in range(3)], Entry(fail)
    for number, entry in enumerate((broken, *entries)):
        wheel.wheel.schedule(entry, 1001.0 + number)
    wheel.wheel.expire()
    assert [len(entry.asked) for entry in (broken, *entries)] == [1, 1, 1, 1]
    assert (len(wheel.wheel), wheel.failures) == (0, 1)


@pytest.mark.parametrize("now", [0.0, 1.0, 1e5, 1e7])
def test_clocks_of_any_age_will_do(now: float) -> None:
    wheel, entry = Wheel(now), Entry()
    wheel.wheel.schedule(entry, now + 0.2)
    wheel.loop.advance(1)
    [asked] = entry.asked
    assert now + 0.2 - EPSILON <= asked <= now + 0.2 + SLOT + EPSILON
