from __future__ import annotations

import pytest
from chat.ratelimit import Bucket, Buckets


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_allowed_and_the_next_must_wait() -> None:
    bucket = Bucket(burst=3, per_second=0.5, clock=Clock())
    assert [bucket.take() for _ in range(4)] == [0.0, 0.0, 0.0, 2.0]


def test_the_wait_is_true() -> None:
    clock = Clock()
    bucket = Bucket(burst=1, per_second=0.25, clock=clock)
    assert bucket.take() == 0.0
    clock.now += 3.0
    assert bucket.take() == pytest.approx(1.0)
    clock.now += 1.0
    assert bucket.take() == 0.0


def test_a_refusal_costs_nothing() -> None:
    clock = Clock()
    bucket = Bucket(burst=1, per_second=1.0, clock=clock)
    assert bucket.take() == 0.0
    assert [bucket.take() for _ in range(50)] == [1.0] * 50
    clock.now += 1.0
    assert bucket.take() == 0.0


def test_a_long_rest_allows_one_burst_and_no_more() -> None:
    clock = Clock()
    bucket = Bucket(burst=2, per_second=1.0, clock=clock)
    clock.now += 10_000.0
    assert [bucket.take() for _ in range(3)] == [0.0, 0.0, 1.0]


def test_keys_do_not_pay_for_each_other() -> None:
    buckets = Buckets(burst=1, per_second=1.0, clock=Clock())
    assert [buckets.take("a"), buckets.take("b"), buckets.take("a")] == [0.0, 0.0, 1.0]


def test_only_the_longest_unused_key_is_forgotten() -> None:
    buckets = Buckets(burst=1, per_second=1.0, limit=2, clock=Clock())
    for key in ("a", "b", "a", "c"):
        buckets.take(key)
    assert buckets.take("a") == 1.0, "used more recently than b, so it is remembered"
    assert buckets.take("b") == 0.0, "forgotten, so it starts anew"
