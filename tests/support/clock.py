"""A clock that stands still until a test moves it, and a loop whose timers go by it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any


class FakeClock:
    """Call it for the time; ``advance`` moves it (seconds)."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class FakeTimer:
    """What ``loop.timer(delay)`` gives. Like libev's, it must be closed by whoever made it."""

    def __init__(self, loop: FakeLoop, delay: float) -> None:
        self._loop = loop
        self._delay = delay
        self.due: float | None = None
        self.callback: Callable[[], object] | None = None
        self.is_closed = False

    def start(self, callback: Callable[..., object], *args: Any) -> None:
        assert not self.is_closed, "a closed timer was started"
        self.callback = partial(callback, *args)
        self.due = self._loop.clock() + self._delay

    def stop(self) -> None:
        self.due = None

    def close(self) -> None:
        self.stop()
        self.is_closed = True
        self._loop.timers.discard(self)


class FakeWatcher:
    """What the loop's other methods give. A test calls its ``callback`` in place of the loop."""

    def __init__(self) -> None:
        self.callback: Callable[[], object] | None = None
        self.is_closed = False

    @property
    def active(self) -> bool:
        return self.callback is not None

    def start(self, callback: Callable[..., object], *args: Any) -> None:
        assert not self.is_closed, "a closed watcher was started"
        self.callback = partial(callback, *args)

    def stop(self) -> None:
        self.callback = None

    def close(self) -> None:
        self.stop()
        self.is_closed = True


class FakeLoop:
    """A loop with timers and callbacks, which run only when a test says so.

    ``haste`` (seconds) makes the next timer fire too early, as a loop does whose own time is stale.
    """

    MINPRI = -2

    def __init__(self, clock: FakeClock | None = None, haste: float = 0.0) -> None:
        self.clock = clock or FakeClock()
        self.haste = haste
        self.timers: set[FakeTimer] = set()
        self.callbacks: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        self.timers_fired = 0
        self.idlers: list[FakeWatcher] = []
        self.checks: list[FakeWatcher] = []

    def timer(self, delay: float, *, priority: int = 0) -> FakeTimer:
        timer = FakeTimer(self, delay)
        self.timers.add(timer)
        return timer

    def idle(self, *, ref: bool, priority: int) -> FakeWatcher:
        assert not ref, "a loop must not live for that"
        assert priority == self.MINPRI, "others of its kind come first"
        self.idlers.append(FakeWatcher())
        return self.idlers[-1]

    def check(self, *, ref: bool, priority: int) -> FakeWatcher:
        assert not ref, "a loop must not live for that"
        assert priority == self.MINPRI, "it comes behind all that the loop has found"
        self.checks.append(FakeWatcher())
        return self.checks[-1]

    def io(self, file: int, events: int) -> FakeWatcher:
        return FakeWatcher()

    def run_callback(self, callback: Callable[..., object], *args: Any) -> None:
        self.callbacks.append((callback, args))

    def turn(self) -> None:
        """Run the callbacks that are there now; those that they add wait for the next turn."""
        callbacks, self.callbacks = self.callbacks, []
        for callback, args in callbacks:
            callback(*args)

    def advance(self, seconds: float) -> None:
        """Let time pass; each timer fires at its own time."""
        until = self.clock.now + seconds
        while (timer := self._next(until)) is not None:
            assert timer.due is not None and timer.callback is not None
            self.clock.now = max(self.clock.now, timer.due - self.haste)
            timer.due = None
            self.haste = 0.0
            self.timers_fired += 1
            timer.callback()
        self.clock.now = until

    def _next(self, until: float) -> FakeTimer | None:
        due = [timer for timer in self.timers if timer.due is not None and timer.due - self.haste <= until]
        return min(due, key=lambda timer: timer.due or 0.0, default=None)

    @property
    def next_due(self) -> float | None:
        """The time of the earliest timer that runs; None if none does."""
        return min((timer.due for timer in self.timers if timer.due is not None), default=None)
