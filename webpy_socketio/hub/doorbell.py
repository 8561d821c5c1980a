"""The way into the loop from other OS threads: a queue, and a watcher that wakes the loop (``run_callback`` would
not).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from gevent import monkey

__all__ = ["Doorbell", "get_ident"]

#: Tells the operating system's threads apart; the patched one would tell greenlets apart.
get_ident = monkey.get_original("_thread", "get_ident")


class Doorbell:
    """Calls that other threads want made in the loop of the thread that made this. Their order per thread is kept."""

    __slots__ = ("_calls", "_on_failure", "_watcher", "thread")

    def __init__(self, loop: Any, on_failure: Callable[[], None]) -> None:  # Any: gevent's loop has no type of its own
        self._calls: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._on_failure = on_failure
        self._watcher = loop.async_(ref=False)
        self._watcher.start(self._answer)
        #: The loop's own.
        self.thread = get_ident()

    def ring(self, function: Callable[..., object], *args: Any) -> None:  # Any: handed through
        """Have ``function(*args)`` called in the loop. Never waits. To be called from any thread."""
        self._calls.append((function, args))
        self._watcher.send()

    def _answer(self) -> None:
        while self._calls:
            function, args = self._calls.popleft()
            try:
                function(*args)
            except Exception:
                self._on_failure()

    def close(self) -> None:
        """Stop to listen."""
        self._watcher.stop()
        self._watcher.close()
