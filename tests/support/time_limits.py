"""Make pytest-timeout's limit end a test that waits in a greenlet.

The plugin's own signal handler raises in whichever greenlet happens to run, often the hub, which prints the exception
and goes on; the test then waits for ever. Here the exception is thrown into the greenlet that runs the test.
"""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

import gevent
import pytest


def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> bool | None:
    """Start the clock of one test (hook of pytest-timeout); True says that no other timer is needed."""
    if settings.method != "signal":
        return None
    testing = gevent.getcurrent()

    def expire(number: int, frame: FrameType | None) -> None:
        __tracebackhide__ = True
        late = pytest.fail.Exception(f"{item.nodeid} did not end within {settings.timeout:g} s", pytrace=True)
        if gevent.getcurrent() is testing:
            raise late
        # From the hub or another greenlet this switches at once, as an expired gevent.Timeout would.
        testing.throw(late)

    signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, settings.timeout)
    return True


def pytest_timeout_cancel_timer(item: pytest.Item) -> bool:
    """Stop the clock of a test that ended in time (hook of pytest-timeout)."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    return True
