"""The end of a loop turn: what a client is sent during one turn leaves in one system call.

A broadcast is written in several turns. Between them the loop sees what has come in, so that nobody waits for all of
it; and what is published meanwhile leaves together with what still waits. Where a turn takes long, as many clients are
flooding us, writing gets as much time as all the rest: nobody has to wait for many such turns.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from ..native import mypyc_attr
from .busy_poll import BusyPoll
from .signals import look_for_signals

__all__ = ["AT_ONCE", "Flushable", "Turn"]

#: Clients that are written to in any turn: less than a tenth of a millisecond. With fewer, looking at the sockets would
#: cost more than what joins on the way saves.
AT_ONCE: Final = 16


@mypyc_attr(allow_interpreted_subclasses=True)
class Flushable:
    """What has something to write. ``is_noted`` belongs to the turn; it starts as False.

    A class and no protocol: compiled code does not look up what it calls of a class, here once per delivery.
    """

    __slots__ = ("is_noted",)

    is_noted: bool

    def flush(self) -> None:
        """Write what waits."""
        raise NotImplementedError

    def receive_failure(self) -> None:
        """Take note that ``flush`` raised; called in the ``except`` clause."""
        raise NotImplementedError


class Turn:
    """Collects who has something to write, and lets them write when the loop's turn ends; ``busy_poll`` hears of the
    last.
    """

    __slots__ = ("busy_poll", "_clock", "_is_due", "_left_at", "_loop", "_next", "_waiting")

    def __init__(
        self, loop: Any, busy_poll: BusyPoll | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        # Any: gevent's loop has no type of its own.
        self.busy_poll = busy_poll
        self._loop = loop
        self._clock = clock
        self._waiting: deque[Flushable] = deque()
        self._is_due = False
        self._left_at = 0.0
        # A callback of the loop would run before the loop looks at its sockets. A timer (in libev, of the lowest
        # priority) runs behind that look, and the callback that it asks for behind the handlers of what has come in.
        self._next = loop.timer(0.0, priority=loop.MINPRI)

    def add(self, flushable: Flushable) -> None:
        """Note that ``flushable``, which is not noted yet, has something to write."""
        flushable.is_noted = True
        self._waiting.append(flushable)
        if not self._is_due:
            self._is_due = True
            self._loop.run_callback(self._begin)

    def _begin(self) -> None:
        self._write(self._clock(), 0.0)

    def _go_on(self) -> None:
        now = self._clock()
        self._write(now, now - self._left_at)

    def _write(self, now: float, seconds: float) -> None:
        """Let the first of them write, for ``seconds`` if there are many; the others in the next turn."""
        waiting = self._waiting
        try:
            # Whoever is noted meanwhile comes in the next turn.
            for number in range(1, len(waiting) + 1):
                flushable = waiting.popleft()
                flushable.is_noted = False
                try:
                    flushable.flush()
                except Exception:
                    flushable.receive_failure()
                if number % AT_ONCE == 0 and self._clock() - now >= seconds:
                    break
        finally:
            self._is_due = bool(waiting)
            if waiting:
                self._left_at = self._clock()
                self._next.start(self._loop.run_callback, self._go_on)
        if self.busy_poll is not None and not self._is_due:
            self.busy_poll.expect()
        look_for_signals()

    def close(self) -> None:
        """Forget everybody."""
        self._next.stop()
        self._next.close()
        if self.busy_poll is not None:
            self.busy_poll.close()
            self.busy_poll = None  # a turn that was due still ends
        self._waiting.clear()
