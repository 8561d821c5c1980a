"""How many greenlets empty the mailboxes.

A mailbox belongs to one socket; its tasks run one at a time and in order. Workers are pooled and reused, but leak
nothing from one task to the next: each task has a fresh `contextvars` context, its greenlet-locals end with it, and a
worker that something of a task still refers to ends before anybody else's task runs.
"""

from __future__ import annotations

import logging
from collections import deque
from contextvars import Context
from sys import getrefcount
from typing import Any

import gevent
from gevent import GreenletExit, getcurrent

from .mailbox import Desk, Mailbox
from .worker import Worker

__all__ = ["MAX_IDLE", "WorkerPool"]

logger = logging.getLogger("webpy_socketio.hub")
#: Idle workers that are kept: more than this many handlers rarely run at once again.
MAX_IDLE = 100


class WorkerPool:
    """The workers of one loop: as many as have something to do, at most ``max_workers``."""

    def __init__(self, max_workers: int) -> None:
        self._max_workers = max_workers
        self._most_idle = MAX_IDLE
        self._ready: deque[Mailbox] = deque()
        self._idle: list[Worker] = []
        self.workers: set[Worker] = set()
        #: Who was given a mailbox by the loop just now and has not waited since.
        self.running: Worker | None = None
        self._hub: Any = None
        self._is_requested = False

    def open(self) -> None:
        """Bind the pool to the calling thread's loop."""
        self._hub = gevent.get_hub()
        self._most_idle = MAX_IDLE
        self._is_requested = False

    @property
    def is_busy(self) -> bool:
        """Tell whether any mailbox runs or waits to run, but for one that the caller itself runs."""
        return bool(self._ready) or len(self.workers) - (getcurrent() in self.workers) > len(self._idle)

    def put(self, mailbox: Mailbox, *task: Any) -> None:
        """Add a task: a function and its arguments. It runs at the end of the loop's turn, with all others of the turn,
        if a worker is free.
        """
        if mailbox.tasks is None:
            mailbox.tasks = deque((task,))
        else:
            mailbox.tasks.append(task)
        if not mailbox.is_scheduled:
            mailbox.is_scheduled = True
            self._ready.append(mailbox)
            if not self._is_requested:
                self.request()

    def put_first(self, mailbox: Mailbox, *task: Any) -> None:
        """Put a task back to the front: it was interrupted while its mailbox's worker ran it."""
        assert mailbox.tasks is not None
        mailbox.tasks.appendleft(task)

    def request(self) -> None:
        """Have the loop call ``run_ready`` soon, if anything is ready."""
        if not self._is_requested and self._ready:
            self._is_requested = True
            self._hub.loop.run_callback(self.run_ready)

    def run_ready(self) -> None:
        """Run what can run until each worker waits or is done. Only to be called in the loop."""
        self._is_requested = False
        while self._ready:
            worker = self._find_worker()
            if worker is None:
                return  # whoever is done first goes on with it
            worker.desk.mailbox = self._ready.popleft()
            self.running = worker
            worker.switch()
            self.running = None
            if worker.dead:
                return  # its greenlet-locals die in a callback of the loop, and then the others have their turn
            worker = None  # or it would count as held on to

    def _find_worker(self) -> Worker | None:
        while self._idle:
            worker = self._idle.pop()
            if getrefcount(worker) <= worker.desk.holders:
                return worker
            worker.throw(GreenletExit)
        if len(self.workers) >= self._max_workers:
            return None
        self.running = worker = Worker(self.serve, self.discharge)
        self.workers.add(worker)
        worker.switch()
        self.running = None
        self._idle.pop()
        worker.desk.holders = getrefcount(worker)
        return worker

    def serve(self, worker: Worker, desk: Desk) -> None:
        """Empty mailboxes in a worker's own greenlet, until it is not needed any more or something is left in it."""
        try:
            while self._wait(worker, desk):
                while desk.mailbox is not None and self._empty(worker, desk, desk.mailbox):
                    pass
                if not desk.is_clean():
                    break
        finally:
            self._dismiss(worker, desk)

    def _wait(self, worker: Worker, desk: Desk) -> bool:
        """Let a worker wait for its next mailbox; False if it is not needed any more."""
        # One that is new was made for a mailbox that waits.
        if desk.holders and len(self._idle) >= self._most_idle:
            return False
        self._idle.append(worker)
        if self.running is not worker:
            self.request()
        try:
            while desk.mailbox is None:
                # Something that a handler left behind may wake the worker: it has nothing to do then.
                self._hub.switch()
        except BaseException:  # the pool ends it, or a time-out that a handler left running
            return False
        return True

    def _empty(self, worker: Worker, desk: Desk, mailbox: Mailbox) -> bool:
        """Run the tasks of a mailbox, and give its worker the next one; False as soon as something of a task may be
        left in that greenlet.
        """
        tasks = mailbox.tasks
        is_untouched, holders = True, getrefcount(worker)
        try:
            while tasks and is_untouched:
                Context().run(*tasks.popleft())
                is_clean = desk.is_clean()
                if not is_clean:
                    worker.end_locals()
                    is_clean = desk.is_clean()
                # Who resumed it after a wait holds on to it as well: then the pool looks, when it is idle.
                is_untouched = is_clean and self.running is worker and getrefcount(worker) == holders
        except Exception:
            logger.exception("A task of a mailbox failed")
            is_untouched = False
        if is_untouched or desk.is_clean():
            self.release(mailbox)
            desk.mailbox = self._ready.popleft() if is_untouched and self._ready else None
        return is_untouched

    def release(self, mailbox: Mailbox) -> None:
        """Take a mailbox back from its worker: more may have come meanwhile."""
        if mailbox.tasks:
            self._ready.append(mailbox)
            self.request()
        else:
            mailbox.tasks = None
            mailbox.is_scheduled = False

    def _dismiss(self, worker: Worker, desk: Desk) -> None:
        """Take note that a worker is about to end: it gets nothing to do any more."""
        if worker in self._idle:
            self._idle.remove(worker)
        if desk.mailbox is None:
            self.workers.discard(worker)

    def discharge(self, worker: Worker) -> None:
        """Forget a worker that has ended; what is left in its mailbox is another worker's."""
        self.workers.discard(worker)
        mailbox, worker.desk.mailbox = worker.desk.mailbox, None
        if mailbox is not None:
            self.release(mailbox)
        self.request()

    def kill(self) -> None:
        """Throw ``GreenletExit`` into handlers that still run, but for the caller's own."""
        busy = self.workers.difference(self._idle, (getcurrent(),))
        gevent.killall(list(busy), GreenletExit, block=False)

    def abandon(self) -> None:
        """Forget in a forked child what waits to run: the parent runs it."""
        for mailbox in (*self._ready, *(worker.desk.mailbox for worker in self.workers)):
            if mailbox is not None and mailbox.tasks is not None:
                mailbox.tasks.clear()  # in place: a worker that goes on in the child may hold it
        self._ready.clear()

    def close(self) -> None:
        """End the idle workers; busy ones end when their handlers do."""
        self._most_idle = 0
        gevent.killall(self._idle[:], GreenletExit, block=False)
