"""The end of a loop turn: what a client is sent during one turn leaves in one system call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

__all__ = ["Flushable", "Turn"]


class Flushable(Protocol):
    """What has something to write."""

    def flush(self) -> None:
        """Write what waits. Must not raise."""


class Turn:
    """Collects who has something to write, and lets them write when the loop's turn ends.

    ``on_failure`` is called in an ``except`` clause when a flush raised.
    """

    __slots__ = ("_loop", "_on_failure", "_waiting")

    def __init__(self, loop: Any, on_failure: Callable[[], None]) -> None:  # Any: gevent's loop has no type of its own
        self._loop = loop
        self._on_failure = on_failure
        self._waiting: list[Flushable] = []

    def add(self, flushable: Flushable) -> None:
        """Note that ``flushable`` has something to write; it must not add itself twice before it is flushed."""
        waiting = self._waiting
        if not waiting:
            self._loop.run_callback(self.flush)
        waiting.append(flushable)

    def flush(self) -> None:
        """Let all of them write."""
        waiting, self._waiting = self._waiting, []
        for flushable in waiting:
            try:
                flushable.flush()
            except Exception:
                self._on_failure()
