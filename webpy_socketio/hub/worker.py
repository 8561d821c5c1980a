"""The greenlets that empty mailboxes, and what tasks leave behind in them.

A module of its own, as mypyc cannot compile what is built on a class of gevent's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import gevent
from gevent.local import local

from .mailbox import Desk

__all__ = ["Worker", "cleanups"]

logger = logging.getLogger("webpy_socketio.hub")

#: Where callbacks come from that forget what was kept for a greenlet: its locals, and the thread that `threading`, and
#: with it each line of a log, takes it for.
_FORGETFUL = frozenset((local.__module__, "gevent.threading"))

#: Called in a worker in whose greenlet-locals a task has left something, before they end: for what must not wait for
#: the garbage collector.
cleanups: list[Callable[[], object]] = []


class Worker(gevent.Greenlet):  # type: ignore[type-arg]  # generic in its published types only
    """A greenlet that empties mailboxes: ``serve`` does it, and ``on_end`` is told when it has ended.

    What a task may leave behind in it: greenlet-locals and attributes, which end with the task (locals link to their
    greenlet, to be told of its end), other links, with which the worker ends, and references to it, of which the one in
    a running `gevent.Timeout` would hit a later task. Those are found by counting them. Its ``desk`` knows of all.
    """

    def __init__(self, serve: Callable[[Worker, Desk], None], on_end: Callable[[Worker], object]) -> None:
        self.desk = Desk()
        super().__init__()
        self.desk.tree = {}  # where gevent is not compiled, it has set that of whoever made the worker
        self._serve = serve
        self._on_end = on_end
        self.desk.usual = len(self.__dict__)

    @property
    def spawn_tree_locals(self) -> dict[str, Any]:  # Any: the application's
        """Give what is shared with all greenlets that this one spawns; gevent would share it with all workers."""
        return self.desk.tree

    @spawn_tree_locals.setter
    def spawn_tree_locals(self, values: dict[str, Any] | None) -> None:
        self.desk.tree = {} if values is None else values

    def rawlink(self, callback: Callable[[Any], object]) -> None:
        """Have the end of this greenlet told to ``callback``; that of the running task, if it only forgets what it
        kept for the greenlet.

        All others are told by the loop, as gevent does it: they may switch to somebody who waits for this greenlet.
        """
        if type(callback).__module__ in _FORGETFUL or getattr(callback, "__module__", None) in _FORGETFUL:
            self.desk.locals.append(callback)
        else:
            super().rawlink(callback)
            self.desk.has_links = True

    def unlink(self, callback: Callable[[Any], object]) -> None:
        """Forget a callback."""
        if callback in self.desk.locals:
            self.desk.locals.remove(callback)
        else:
            super().unlink(callback)
            self.desk.has_links = bool(self.has_links())

    def end_locals(self) -> None:
        """Let go of all that the task has left in this greenlet, as if that had ended."""
        _clean_up()
        while self.desk.locals:  # what dies with one of them may make another one
            self.desk.locals.pop()(self)
        self.desk.tree = {}
        for name in list(self.__dict__)[self.desk.usual :]:
            delattr(self, name)

    def _run(self) -> None:
        self.desk.attributes = self.__dict__
        try:
            self._serve(self, self.desk)
        finally:
            # The two would hold each other, and wait for the garbage collector.
            self.desk.attributes = {}
            # Greenlet-locals first: a database connection with its transaction.
            if self.desk.locals:
                self.end_locals()
            # Behind what else is linked to it.
            super().rawlink(self._on_end)


def _clean_up() -> None:
    for cleanup in cleanups:
        try:
            cleanup()
        except Exception:
            logger.exception("Cleaning up behind a handler failed")
