"""The end of a loop turn: what a client is sent during one turn leaves in one system call.

A broadcast to thousands is written in several turns. Between them the loop sees what has come in, so that nobody waits
for all of it; and what is published meanwhile leaves together with what still waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

__all__ = ["AT_ONCE", "Flushable", "Turn"]

#: Clients that are written to in one turn: about half a millisecond.
AT_ONCE = 100


class Flushable(Protocol):
    """What has something to write."""

    def flush(self) -> None:
        """Write what waits. Must not raise."""


class Turn:
    """Collects who has something to write, and lets them write when the loop's turn ends.

    ``on_failure`` is called in an ``except`` clause when a flush raised.
    """

    __slots__ = ("_loop", "_next", "_on_failure", "_waiting")

    def __init__(self, loop: Any, on_failure: Callable[[], None]) -> None:  # Any: gevent's loop has no type of its own
        self._loop = loop
        self._on_failure = on_failure
        self._waiting: deque[Flushable] = deque()
        # A callback of the loop would run before the loop looks at its sockets; a timer runs behind that.
        self._next = loop.timer(0.0)

    def add(self, flushable: Flushable) -> None:
        """Note that ``flushable`` has something to write; it must not add itself twice before it is flushed."""
        waiting = self._waiting
        if not waiting:
            self._loop.run_callback(self.flush)
        waiting.append(flushable)

    def flush(self) -> None:
        """Let the first of them write; the others in the next turn."""
        waiting = self._waiting
        first = [waiting.popleft() for _ in range(min(len(waiting), AT_ONCE))]
        if waiting:
            self._next.start(self.flush)
        for flushable in first:
            try:
                flushable.flush()
            except Exception:
                self._on_failure()

    def close(self) -> None:
        """Forget everybody."""
        self._next.stop()
        self._next.close()
        self._waiting.clear()
