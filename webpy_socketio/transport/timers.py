"""One timer for all heartbeats and deadlines of a process.

Entries lie in slots of 5 ms; the loop's timer is set for the earliest slot that holds any, so an idle process does not
wake up. An entry whose deadline has moved meanwhile says so when its slot comes, and is laid into a later one:
putting a deadline off costs nothing.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

__all__ = ["Timed", "TimerWheel"]

#: Seconds: the precision of all deadlines. Entries are never early, and late by at most this.
SLOT: Final = 0.005


class Timed(Protocol):
    """What can wait in a wheel. ``timer_slot`` belongs to the wheel; it starts as -1."""

    timer_slot: int

    def receive_deadline(self, now: float) -> float | None:
        """Do what is due at ``now``; give the next deadline, or None to be forgotten."""


class TimerWheel:
    """The deadlines of one loop. ``on_failure`` is called in an ``except`` clause when an entry raised."""

    def __init__(self, loop: Any, on_failure: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        # Any: gevent's loop has no type of its own.
        self._clock = clock
        self._on_failure = on_failure
        self._timer = loop.timer(0.0)
        self._loop = loop
        self._slots: dict[int, dict[Timed, None]] = {}
        self._order: list[int] = []
        self._armed = -1

    def __len__(self) -> int:
        return sum(len(entries) for entries in self._slots.values())

    def entries(self) -> list[Timed]:
        """Give all that waits."""
        return [entry for entries in self._slots.values() for entry in entries]

    def schedule(self, entry: Timed, deadline: float) -> None:
        """Lay an entry down until ``deadline`` (monotonic seconds); one that lies elsewhere is moved."""
        if entry.timer_slot >= 0:
            self.cancel(entry)
        slot = int(deadline / SLOT) + 1
        entries = self._slots.get(slot)
        if entries is None:
            entries = self._slots[slot] = {}
            heapq.heappush(self._order, slot)
            if self._order[0] != self._armed:
                self._arm()
        entries[entry] = None
        entry.timer_slot = slot

    def cancel(self, entry: Timed) -> None:
        """Take an entry out; nothing happens if it is in no slot."""
        if entry.timer_slot >= 0:
            self._slots[entry.timer_slot].pop(entry, None)
            entry.timer_slot = -1

    def _arm(self) -> None:
        self._timer.stop()
        self._armed = self._order[0] if self._order else -1
        if self._order:
            delay = max(self._armed * SLOT - self._clock(), 0.0)
            self._timer.close()
            self._timer = self._loop.timer(delay)
            self._timer.start(self._fire)

    def _fire(self) -> None:
        now = self._clock()
        while self._order and self._order[0] * SLOT <= now:
            # The slot stays known while its entries are asked: they may cancel each other.
            slot = heapq.heappop(self._order)
            entries = self._slots[slot]
            while entries:
                self._ask(entries.popitem()[0], now)
            del self._slots[slot]
        self._armed = -1
        self._arm()

    def _ask(self, entry: Timed, now: float) -> None:
        entry.timer_slot = -1
        try:
            deadline = entry.receive_deadline(now)
        except Exception:
            self._on_failure()
            return
        if deadline is not None:
            # Never into the slot that is just being emptied.
            self.schedule(entry, max(deadline, now + SLOT))

    def expire(self) -> None:
        """Treat every entry as if its deadline had passed, for the last time."""
        for entry in self.entries():
            self.cancel(entry)
            try:
                entry.receive_deadline(float("inf"))
            except Exception:
                self._on_failure()

    def close(self) -> None:
        """Stop the loop's timer and forget everything."""
        self._timer.stop()
        self._timer.close()
        for entry in self.entries():
            entry.timer_slot = -1
        self._slots.clear()
        self._order.clear()
