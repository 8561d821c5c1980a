"""End the greenlets that failed tests left running, so that the process of the tests ends too.

Python waits at its end for all threads that are not daemons, and in a patched process those are greenlets: one client
of a failed test that goes on trying to reconnect would keep a whole CI run waiting.
"""

from __future__ import annotations

import gc

import gevent

KILL_TIMEOUT = 5.0


def running_greenlets() -> list[gevent.Greenlet]:
    """Return all greenlets of this process that have begun and not ended, but the one that asks."""
    current = gevent.getcurrent()
    found = [one for one in gc.get_objects() if isinstance(one, gevent.Greenlet)]
    return [one for one in found if one is not current and not one.dead and one.started]


def pytest_unconfigure() -> None:
    """Kill what still runs after pytest's last word (hook of pytest)."""
    gevent.killall(running_greenlets(), timeout=KILL_TIMEOUT)
