"""How often somebody may do something: a bucket of tokens, and many buckets by key."""

import time
from collections import OrderedDict
from collections.abc import Callable

Clock = Callable[[], float]


class Bucket:
    """Allow `burst` actions at once and `per_second` in the long run.

    Only elapsed time counts, so that the wall clock may be set without locking anybody out.
    """

    __slots__ = ("_burst", "_clock", "_per_second", "_time", "_tokens")

    def __init__(self, burst: int, per_second: float, clock: Clock = time.monotonic) -> None:
        self._burst = float(burst)
        self._per_second = per_second
        self._clock = clock
        self._tokens = float(burst)
        self._time = clock()

    def take(self) -> float:
        """Take a token and return 0.0, or take none and return the seconds until there is one."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._time) * self._per_second)
        self._time = now
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return 0.0
        return (1.0 - self._tokens) / self._per_second


class Buckets:
    """One bucket for each key, such as a remote address, and at most `limit` of them: the longest unused goes first."""

    def __init__(self, burst: int, per_second: float, limit: int = 1000, clock: Clock = time.monotonic) -> None:
        self._settings = (burst, per_second, clock)
        self._limit = limit
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, key: str) -> float:
        """Take a token from the bucket of `key`; see `Bucket.take`."""
        bucket = self._buckets.setdefault(key, Bucket(*self._settings))
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._limit:
            self._buckets.popitem(last=False)
        return bucket.take()
