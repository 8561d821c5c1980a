"""Counts work instead of time: a machine under load, or a slow one, does the same number of steps as any other."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import gevent
from gevent.event import Event

from tests.support.sources import PACKAGE

#: Seconds that the loop may take for what it should do at once.
PATIENCE = 20.0


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
    loop.run_callback(begin)
    assert done.wait(PATIENCE), "the loop did not come to it"
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
