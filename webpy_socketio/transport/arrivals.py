"""First come, first served: in which order sockets are read that became readable together.

libev calls what it has found in one look in the reverse order: whoever was first would be served last, and of two that
bid for the last seat the later one would have it. So a readable socket is only noted; when all are, they are read, in
the order in which the kernel has told of them. That is the one in which they became readable, for those that were quiet
before; those that the look before has told of come in the same order as then.
"""

from __future__ import annotations

import sys
from typing import Any, Final

from ..native import mypyc_attr

__all__ = ["Arrivals", "Readable"]

_READ: Final = 1  # of libev's event mask


@mypyc_attr(allow_interpreted_subclasses=True)
class Readable:
    """What can be read. A class and no protocol, as `turn.Flushable` is."""

    __slots__ = ()

    def read_now(self) -> None:
        """Take what has come, once and without waiting."""
        raise NotImplementedError


class Arrivals:
    """Who became readable in one turn of ``loop``."""

    __slots__ = ("_add", "_arrived", "_check", "_is_in_order", "_readers", "loop")

    def __init__(self, loop: Any) -> None:  # Any: gevent's loop has no type of its own
        self.loop = loop
        #: A dictionary, as some loops tell of a socket more than once, and as many may stop to be read at once.
        self._arrived: dict[Readable, None] = {}
        self._add = self._arrived.setdefault
        self._is_in_order = "libev" not in type(loop).__module__
        #: Runs behind all that the loop has found, while anybody is watched.
        self._check: Any = None
        self._readers = 0

    def make_reader(self, file: int) -> Any:  # Any: a watcher of the loop
        """Make a watcher for a descriptor, for ``start`` and ``stop``."""
        return self.loop.io(file, _READ)

    def start(self, reader: Any, owner: Readable) -> None:
        """Have ``owner`` read when there is something; its ``reader`` must not be active."""
        reader.start(self._add, owner)
        self._readers += 1
        if self._check is None:
            self._check = self.loop.check(ref=False, priority=self.loop.MINPRI)
            self._check.start(self._read_all)

    def stop(self, reader: Any, owner: Readable) -> None:
        """Have ``owner`` read no more, not even what has come already; its ``reader`` must be active."""
        reader.stop()
        self._arrived.pop(owner, None)
        self._readers -= 1
        if not self._readers:
            self._check.stop()
            self._check.close()
            self._check = None

    def _read_all(self) -> None:
        arrived = self._arrived
        if self._is_in_order:
            for owner in reversed(list(arrived)):
                arrived[owner] = arrived.pop(owner)
        while arrived:
            try:
                arrived.popitem()[0].read_now()
            except BaseException:  # gevent's to report, as of any watcher; the others are read all the same
                self.loop.handle_error(None, *sys.exc_info())
