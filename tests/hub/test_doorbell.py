"""The way into the loop from other threads."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest
from gevent import monkey
from gevent.event import Event

from tests.support.scripted import let_the_loop_turn
from tests.support.waiting import wait_until
from webpy_socketio.hub.doorbell import Doorbell, get_ident

start_thread = monkey.get_original("_thread", "start_new_thread")
real_ident = monkey.get_original("_thread", "get_ident")


@pytest.fixture
def failures() -> list[int]:
    return []


@pytest.fixture
def doorbell(failures: list[int]) -> Iterator[Doorbell]:
    doorbell = Doorbell(gevent.get_hub().loop, lambda: failures.append(1))
    yield doorbell
    doorbell.close()


def test_a_call_is_made_in_the_loops_thread(doorbell: Doorbell) -> None:
    called = Event()
    threads: list[int] = []

    def answer() -> None:
        threads.append(real_ident())
        called.set()

    start_thread(lambda: doorbell.ring(answer), ())
    assert called.wait(5)
    assert threads == [real_ident()]


def test_calls_of_one_thread_keep_their_order(doorbell: Doorbell) -> None:
    got: list[int] = []

    def ring() -> None:
        for number in range(1000):
            doorbell.ring(got.append, number)

    start_thread(ring, ())
    wait_until(lambda: len(got) == 1000)
    assert got == list(range(1000))


def test_a_call_that_raises_does_not_stop_the_others(doorbell: Doorbell, failures: list[int]) -> None:
    got: list[int] = []
    for function, argument in ((got.append, 1), (int, "no number"), (got.append, 2)):
        doorbell.ring(function, argument)
    wait_until(lambda: len(got) == 2)
    assert (got, failures) == ([1, 2], [1])


def test_it_knows_its_thread(doorbell: Doorbell) -> None:
    got: list[int] = []
    start_thread(lambda: got.append(get_ident()), ())
    wait_until(lambda: got)
    assert doorbell.thread == get_ident() != got[0]


def test_greenlets_are_in_its_thread(doorbell: Doorbell) -> None:
    assert gevent.spawn(get_ident).get(timeout=5) == doorbell.thread


def test_ringing_after_the_end_harms_nobody() -> None:
    doorbell = Doorbell(gevent.get_hub().loop, lambda: None)
    got: list[int] = []
    doorbell.close()
    doorbell.ring(got.append, 1)
    let_the_loop_turn()
    assert got == []
