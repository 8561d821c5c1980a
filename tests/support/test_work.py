from __future__ import annotations

import sys

import gevent
import pytest

from tests.support.work import Noticed, is_linear, is_same, steps
from webpy_socketio.channels import Channels
from webpy_socketio.hub.mailbox import Mailbox
from webpy_socketio.hub.worker_pool import WorkerPool


def leaving(count: int, others: int = 0) -> int:
    channels: Channels[str] = Channels()
    for number in range(count):
        channels.subscribe("ann", f"channel {number}")
    for number in range(others):
        channels.subscribe(f"bob {number}", "channel 0")
    return steps(lambda: channels.unsubscribe_all("ann"))


def test_the_same_takes_the_same_number_of_steps() -> None:
    assert leaving(10) == leaving(10) == leaving(10, others=0) > 0


def test_twice_as_much_takes_twice_the_steps() -> None:
    one, two, three = (leaving(10 * factor) for factor in (1, 2, 3))
    assert three - two == two - one >= 10 * 5


def test_what_others_do_is_not_counted() -> None:
    assert steps(lambda: sum(number for number in range(1_000))) == 0


def test_what_workers_do_is_counted() -> None:
    pool = WorkerPool(1)
    pool.open()
    channels: Channels[str] = Channels()
    mailbox = Mailbox()

    def put(count: int) -> int:
        return steps(lambda: [pool.put(mailbox, channels.of, "ann") for _ in range(count)] and None)

    put(1)
    one, two, three = (put(count) for count in (1, 2, 3))
    assert three - two == two - one > 0
    pool.close()
    gevent.sleep(0)


def test_searches_of_the_interpreter_count_where_they_compare_what_is_noticed() -> None:
    class Thing:
        __eq__ = is_same
        __hash__ = object.__hash__

    names = [Noticed(number) for number in range(100)]
    things = [Thing() for _ in range(100)]
    for many in (names, things):
        assert steps(lambda many=many: many.remove(many[-1])) == 99
        assert steps(lambda many=many: dict.fromkeys(many).pop(many[50])) == 0


def test_what_was_traced_before_is_traced_again_even_after_a_failure() -> None:
    before = sys.gettrace()
    with pytest.raises(ZeroDivisionError):
        steps(lambda: 1 // 0)
    assert sys.gettrace() is before
    assert steps(lambda: None) == 0
    assert sys.gettrace() is before


def test_what_is_linear_is_told_from_what_is_quadratic() -> None:
    def cut_off(size: int) -> None:
        data = b"x" * size
        while data:
            data = data[4:]

    assert is_linear(lambda size: sum(range(size)), 1_000_000)
    assert is_linear(bytes, 1_000_000)
    assert is_linear(lambda size: None, 1_000_000)
    assert not is_linear(lambda size: [number for number in range(size) for _ in range(size)], 2_000)
    assert not is_linear(cut_off, 400_000)
