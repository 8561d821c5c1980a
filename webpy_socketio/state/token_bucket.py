"""How often somebody may do something: buckets of tokens, one alone and many by key.

A bucket holds ``burst`` tokens at most and gains ``rate`` of them a second; what is done costs tokens. The time comes
in as ``now``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

__all__ = ["BucketTable", "TokenBucket"]


class TokenBucket:
    """One bucket, full at first. ``rate`` is tokens per second, ``burst`` the most that it holds."""

    __slots__ = ("_at", "_tokens", "burst", "rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate = rate
        self.burst = burst
        self._tokens = burst
        self._at = now

    def take(self, cost: float, now: float) -> float:
        """Take ``cost`` tokens and give 0, or take none and give the seconds until there are as many: infinite if
        there never are.
        """
        self._fill(now)
        if cost <= self._tokens:
            self._tokens -= cost
            return 0.0
        return float("inf") if cost > self.burst else (cost - self._tokens) / self.rate

    def wanted(self, cost: float) -> float:
        """Give the tokens that the bucket would have to hold for a cost that was refused just now."""
        return self.burst - self._tokens + cost

    def is_full(self, now: float) -> bool:
        """Tell whether the bucket is as if it were new: then it may be forgotten."""
        self._fill(now)
        return self._tokens >= self.burst

    def _fill(self, now: float) -> None:
        if now > self._at:
            self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
            self._at = now


class BucketTable:
    """Buckets by key, ``limit`` of them at most. Full ones are forgotten first, then those not used for longest."""

    __slots__ = ("_buckets", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buckets: OrderedDict[Hashable, TokenBucket] = OrderedDict()

    def bucket(self, key: Hashable, rate: float, burst: float, now: float) -> TokenBucket:
        """Give the bucket of a key, a new one if there is none."""
        bucket = self._buckets.get(key)
        if bucket is not None:
            self._buckets.move_to_end(key)
            return bucket
        # Two go for each that comes, at most: the table shrinks again after a rush, and nobody pays for it alone.
        for _ in range(2):
            if not self._buckets:
                break
            oldest = next(iter(self._buckets))
            if len(self._buckets) < self._limit and not self._buckets[oldest].is_full(now):
                break
            del self._buckets[oldest]
        bucket = self._buckets[key] = TokenBucket(rate, burst, now)
        return bucket

    def __len__(self) -> int:
        return len(self._buckets)
