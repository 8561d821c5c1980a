"""Counts work instead of time: a machine under load, or a slow one, does the same number of steps as any other.

Where the interpreter does the work, two times of one run are compared, and no time with a constant.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from time import process_time
from types import FrameType
from typing import Any

import gevent
from gevent.event import Event

from tests.support.scripted import let_the_loop_turn
from tests.support.sources import PACKAGE

#: Seconds that the loop may take for what it should do at once.
PATIENCE = 20.0

LONGER, ROUNDS = 4, 5
#: How much more time `LONGER` as much may take; were the time quadratic, it would be the square of `LONGER`.
MOST = 2.5 * LONGER
#: Seconds: what is quadratic takes longer, if its input is as large as ours may become.
NOTHING = 0.02


def is_linear(run: Callable[[int], object], size: int) -> bool:
    """Tell whether ``run(size)`` costs about as much more than ``run(size // 4)`` as it is longer.

    The least of several times is taken, of this process's own: whatever else the machine does only adds to it. The
    garbage collector is off: all that earlier tests have left is gone through in each long run, and in no short one.
    """
    short = long = float("inf")
    for _ in range(ROUNDS):
        short = min(short, _seconds(run, size // LONGER))
        long = min(long, _seconds(run, size))
        if long < max(MOST * short, NOTHING):
            return True
    return False


def _seconds(run: Callable[[int], object], size: int) -> float:
    gc.disable()
    try:
        began = process_time()
        run(size)
        return process_time() - began
    finally:
        gc.enable()


def steps(function: Callable[[], object]) -> int:
    """Call a function in the loop; count the lines of the package that are executed in it and in what it leaves to
    workers, as long as those do not wait. A line that repeats itself counts each time.

    What the interpreter searches by itself, as ``in`` and ``remove`` do in a list, takes one step however long the list
    is. Searches for a ``Noticed`` name, or for objects with ``is_same`` as their ``__eq__``, count all the same.
    """
    count, done, before = 0, Event(), sys.gettrace()
    failures: list[BaseException] = []

    def enter(frame: FrameType, event: str, argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(f"{PACKAGE}/") and frame.f_code not in _COMPARISONS:
            return None
        return step

    def step(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return step

    def begin() -> None:
        # Here and not in the caller: up to Python 3.11 each greenlet has tracing of its own, and passes it on to those
        # that it switches to for the first time.
        sys.settrace(enter)
        try:
            function()
        except Exception as error:
            failures.append(error)
        finally:
            loop.run_callback(end)  # behind the workers, whom the function has had called

    def end() -> None:
        sys.settrace(before)
        done.set()

    loop = gevent.get_hub().loop
    gc.collect()
    let_the_loop_turn()  # what earlier tests have left to do is not counted
    gc.disable()
    try:
        loop.run_callback(begin)
        assert done.wait(PATIENCE), "the loop did not come to it"
    finally:
        gc.enable()
    if failures:
        raise failures[0]
    return count


def is_same(one: object, other: object) -> bool:
    """Compare as objects do by themselves, but in Python."""
    return one is other


class Noticed(str):
    """A name that is compared in Python."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return str.__eq__(self, other) is True

    __hash__ = str.__hash__


_COMPARISONS = (is_same.__code__, Noticed.__eq__.__code__)
