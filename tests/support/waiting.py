"""Wait for a condition, never for a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

POLL_INTERVAL = 0.01
"""Seconds between two looks; short beside a test, long beside one look."""


def wait_until(condition: Callable[[], Value | None], timeout: float = 10.0, what: str = "") -> Value:
    """Call ``condition`` until it returns something true, and return that.

    Args:
        condition: looked at every 10 ms; other greenlets run meanwhile.
        timeout: seconds after which to give up.
        what: what is waited for, in words, for the error.

    Raises:
        AssertionError: it was still false at the end.
    """
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what or 'the condition'} did not come true within {timeout:g} s")
        time.sleep(POLL_INTERVAL)
    return value
