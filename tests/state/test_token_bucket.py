"""How often somebody may do something, told by a clock that the test turns."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webpy_socketio.state.token_bucket import BucketTable, TokenBucket


def test_it_begins_full() -> None:
    bucket = TokenBucket(1.0, 3.0, now=100.0)
    assert [bucket.take(1, 100.0) for _ in range(4)] == [0, 0, 0, 1.0]


def test_it_fills_by_its_rate_and_no_further_than_its_burst() -> None:
    bucket = TokenBucket(2.0, 4.0, now=0.0)
    assert bucket.take(4, 0.0) == 0
    assert bucket.take(1, 0.25) == 0.25
    assert bucket.take(1, 0.5) == 0
    assert [bucket.take(1, 1_000.0) for _ in range(5)] == [0, 0, 0, 0, 0.5]


def test_what_is_refused_costs_nothing() -> None:
    bucket = TokenBucket(1.0, 2.0, now=0.0)
    bucket.take(1, 0.0)
    assert [bucket.take(2, 0.0), bucket.take(1, 0.0)] == [1.0, 0]


def test_what_it_can_never_hold_is_never_given() -> None:
    assert TokenBucket(1.0, 2.0, now=0.0).take(2.5, 0.0) == inf


def test_it_tells_how_much_it_would_have_to_hold() -> None:
    bucket = TokenBucket(1.0, 2.0, now=0.0)
    bucket.take(2, 0.0)
    bucket.take(1, 0.0)
    assert bucket.wanted(1) == 3.0


def test_a_clock_that_goes_back_takes_nothing_away() -> None:
    bucket = TokenBucket(1.0, 2.0, now=10.0)
    assert [bucket.take(1, 10.0), bucket.take(1, 5.0), bucket.take(1, 10.0)] == [0, 0, 1.0]


def test_nothing_may_be_done_by_those_who_have_nothing() -> None:
    bucket = TokenBucket(1.0, 1.0, now=0.0)
    bucket.take(1, 0.0)
    assert bucket.take(0, 0.0) == 0


@given(st.floats(0.1, 1_000), st.floats(1, 1_000), st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), max_size=50))
def test_no_more_is_given_than_the_burst_and_the_rate_allow(
    rate: float, burst: float, steps: list[tuple[float, float]]
) -> None:
    bucket, now, given_away = TokenBucket(rate, burst, now=0.0), 0.0, 0.0
    for wait, cost in steps:
        now += wait
        given_away += cost if bucket.take(cost, now) == 0 else 0
    assert given_away <= (burst + rate * now) * (1 + 1e-9) + 1e-6


class TestTable:
    def test_each_key_has_a_bucket_of_its_own(self) -> None:
        table = BucketTable(10)
        assert [table.bucket(key, 1.0, 1.0, 0.0).take(1, 0.0) for key in "aab"] == [0, 1.0, 0]

    def test_full_ones_are_forgotten_when_others_come(self) -> None:
        table = BucketTable(10)
        for key in "ab":
            table.bucket(key, 1.0, 1.0, 0.0).take(1, 0.0)
        table.bucket("c", 1.0, 1.0, 100.0)
        assert len(table) == 1

    def test_those_in_use_are_kept(self) -> None:
        table = BucketTable(10)
        for key in "abc":
            table.bucket(key, 1.0, 1.0, 0.0).take(1, 0.0)
        assert len(table) == 3
        assert table.bucket("a", 1.0, 1.0, 0.0).take(1, 0.0) == 1.0

    @pytest.mark.parametrize("limit", [1, 3])
    def test_there_are_never_more_than_its_limit(self, limit: int) -> None:
        table = BucketTable(limit)
        for key in range(100):
            table.bucket(key, 1.0, 1.0, 0.0).take(1, 0.0)
            assert len(table) <= limit

    def test_whoever_was_not_seen_for_longest_goes_first(self) -> None:
        table = BucketTable(2)
        first = table.bucket("first", 1.0, 9.0, 0.0)
        first.take(1, 0.0)
        table.bucket("second", 1.0, 9.0, 0.0).take(1, 0.0)
        assert table.bucket("first", 1.0, 9.0, 0.0) is first
        table.bucket("third", 1.0, 9.0, 0.0)
        assert table.bucket("first", 1.0, 9.0, 0.0) is first
