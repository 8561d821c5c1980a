"""Looking for the next message a little longer, in place of sleeping at once.

The kernel wakes a process that sleeps after 10 to 50 µs, on virtual machines above all: the loop needs less for a
message. Where answers come at once, again and again, the loop goes on looking for them. Where it waits in vain, it
sleeps, and lets more and more turns pass before it looks again. So messages that come at random hardly ever keep it
awake, unless they come so often that it is busy anyway. Nor does it look while others keep waking on its core.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

__all__ = ["LONG_PAUSE", "MAX_PAUSE", "WORTHWHILE", "BusyPoll", "count_cores", "count_preemptions", "make_busy_poll"]

#: Turns of writing in a row that came while the loop looked for them, for which one look in vain is not too much.
WORTHWHILE: Final = 16
#: Turns that pass at most between two looks that were not worthwhile.
MAX_PAUSE: Final = 63
#: Turns that pass when others have taken the core twice during `WORTHWHILE` of them.
LONG_PAUSE: Final = 255

#: Where Linux says how many µs of CPU time a container may use, and in how many (cgroup v2, "CPU Interface Files").
_QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")
_WHOSE: Final = getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF)


def count_preemptions() -> int:
    """Count how often the kernel has given our core to somebody else, though we had something to do."""
    return resource.getrusage(_WHOSE).ru_nivcsw


class BusyPoll:
    """Keeps a loop awake for ``seconds`` after a turn in which something was sent, as long as that proves useful.

    Whatever else is ready has its turn first: the loop looks only when it would sleep.
    """

    __slots__ = (
        "_clock",
        "_count_preemptions",
        "_found",
        "_idle",
        "_is_looking",
        "_pause",
        "_preemptions",
        "_seconds",
        "_to_skip",
        "_until",
    )

    def __init__(
        self,
        loop: Any,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        count_preemptions: Callable[[], int] = count_preemptions,
    ) -> None:  # Any: gevent's loop has no type of its own
        self._clock = clock
        self._count_preemptions = count_preemptions
        self._seconds = seconds
        # libev runs an idle watcher, and does not sleep, while nothing of its priority or above happens. It keeps no
        # loop alive that has nothing else to wait for.
        self._idle = loop.idle(ref=False, priority=loop.MINPRI)
        self._is_looking = False
        #: When to give up; 0 until the loop has nothing else to do.
        self._until = 0.0
        #: Turns of writing that came while it was looking, and the preemptions before that.
        self._found = 0
        self._preemptions = 0
        #: Turns to let pass since the last look that was not worthwhile, and how many of them are left.
        self._pause = 0
        self._to_skip = 0

    def expect(self) -> None:
        """Take note of the end of a turn of writing, to which there may be an answer soon."""
        if self._is_looking:
            if self._until:  # the loop would have slept by now
                self._until = 0.0
                self._found += 1
                if self._found % WORTHWHILE == 0:
                    self._look_at_others()
        elif self._to_skip:
            self._to_skip -= 1
        else:
            self._is_looking = True
            self._until = 0.0
            self._found = 0
            self._preemptions = self._count_preemptions()
            self._idle.start(self._look)

    def _look(self) -> None:
        now = self._clock()
        if not self._until:
            self._until = now + self._seconds
        elif now >= self._until:
            self._pause = 0 if self._found >= WORTHWHILE else min(2 * self._pause + 1, MAX_PAUSE)
            self._rest(self._pause)

    def _look_at_others(self) -> None:
        before, self._preemptions = self._preemptions, self._count_preemptions()
        if self._preemptions - before >= 2:
            self._rest(LONG_PAUSE)

    def _rest(self, turns: int) -> None:
        self._idle.stop()
        self._is_looking = False
        self._to_skip = turns

    def close(self) -> None:
        """Look no more."""
        self._rest(0)
        self._idle.close()


def count_cores(quota_file: Path = _QUOTA) -> float:
    """Give the cores that this process may use together: by its affinity, and by its container's limit."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = quota_file.read_text().split()
        return min(cores, int(quota) / int(period))
    except (OSError, ValueError):  # there is no such file, or "max" in it
        return cores


def make_busy_poll(loop: Any, seconds: float) -> BusyPoll | None:
    """Make one, if it is wanted and there is a second core on which the peer may run meanwhile. Of a limit that allows
    less than two, looking would use up what the work needs.
    """
    return BusyPoll(loop, seconds) if seconds and count_cores() >= 2 else None
