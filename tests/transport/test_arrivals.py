"""Sockets that become readable together are read in the order in which that happened."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import gevent
import pytest

from tests.support.clock import FakeLoop
from tests.support.scripted import let_the_loop_turn
from webpy_socketio.transport.arrivals import Arrivals, Readable

#: No order that sorting, or reversing, would give.
ORDER = (3, 1, 4, 0, 2, 7, 5, 6)


class Reader(Readable):
    """Reads one end of a socket pair; ``then`` is called when it has."""

    def __init__(self, arrivals: Arrivals, journal: list[int], number: int) -> None:
        self.arrivals = arrivals
        self.journal = journal
        self.number = number
        self.ours, self.theirs = socket.socketpair()
        self.ours.setblocking(False)
        self.watcher = arrivals.make_reader(self.ours.fileno())
        self.then: Callable[[], object] = bool
        self.start()

    def start(self) -> None:
        self.arrivals.start(self.watcher, self)

    def stop(self) -> None:
        if self.watcher.active:
            self.arrivals.stop(self.watcher, self)

    def read_now(self) -> None:
        self.journal.append(self.number)
        self.ours.recv(100)
        self.then()

    def close(self) -> None:
        self.stop()
        self.watcher.close()
        self.ours.close()
        self.theirs.close()


@pytest.fixture
def journal() -> list[int]:
    return []


@pytest.fixture
def readers(journal: list[int]) -> Iterator[list[Reader]]:
    arrivals = Arrivals(gevent.get_hub().loop)
    readers = [Reader(arrivals, journal, number) for number in range(len(ORDER))]
    let_the_loop_turn()
    yield readers
    for reader in readers:
        reader.close()


def say(readers: list[Reader]) -> None:
    for number in ORDER:
        readers[number].theirs.send(b"x")


def test_they_are_read_in_the_order_in_which_something_came(readers: list[Reader], journal: list[int]) -> None:
    for _ in range(3):
        say(readers)
        let_the_loop_turn()
    assert journal == [*ORDER] * 3


def test_who_stops_is_not_read_though_something_has_come(readers: list[Reader], journal: list[int]) -> None:
    stopped = ORDER[3]
    readers[ORDER[0]].then = readers[stopped].stop
    say(readers)
    let_the_loop_turn()
    assert journal == [number for number in ORDER if number != stopped]
    readers[stopped].start()
    let_the_loop_turn()
    assert journal[-1] == stopped


def test_one_that_raises_keeps_nobody_from_being_read(
    readers: list[Reader], journal: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise ValueError

    failures: list[Any] = []
    monkeypatch.setattr(gevent.get_hub(), "handle_error", lambda *error: failures.append(error[1]))
    readers[ORDER[2]].then = fail
    say(readers)
    let_the_loop_turn()
    assert journal == [*ORDER]
    assert failures == [ValueError]


@pytest.mark.parametrize("module", ["gevent.libuv.loop", "gevent.libev.corecext"])
def test_on_each_kind_of_loop_the_first_is_read_first(module: str, journal: list[int]) -> None:
    loop = type("Loop", (FakeLoop,), {"__module__": module})()
    arrivals = Arrivals(loop)
    owners = [type("Owner", (Readable,), {"read_now": partial(journal.append, number)})() for number in range(4)]
    watchers = [arrivals.make_reader(number) for number in range(4)]
    for watcher, owner in zip(watchers, owners, strict=True):
        arrivals.start(watcher, owner)
    for watcher in watchers if "libuv" in module else reversed(watchers):
        for _ in range(2):  # libuv may tell of one twice
            watcher.callback()
    arrivals.stop(watchers[2], owners[2])
    loop.checks[0].callback()
    assert journal == [0, 1, 3]


def test_a_loop_without_readers_has_nothing_to_do_for_it() -> None:
    loop = FakeLoop()
    arrivals = Arrivals(loop)
    owners = [Readable(), Readable()]
    watchers = [arrivals.make_reader(number) for number in range(2)]
    for _ in range(2):
        for watcher, owner in zip(watchers, owners, strict=True):
            arrivals.start(watcher, owner)
        assert loop.checks[-1].active
        for watcher, owner in zip(watchers, owners, strict=True):
            assert loop.checks[-1].active
            arrivals.stop(watcher, owner)
        assert loop.checks[-1].is_closed
    assert len(loop.checks) == 2
