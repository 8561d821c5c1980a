"""Where the interpreter looks whether a signal has come. It stays interpreted, for compiled code never looks."""

from __future__ import annotations

__all__ = ["look_for_signals"]


def look_for_signals() -> None:
    """Nothing to do: the interpreter looks as it begins a function, and runs the handler.

    gevent's loop looks before the callbacks of its turn. A Ctrl-C that comes while one of them runs would wait until
    something else wakes the loop.
    """
