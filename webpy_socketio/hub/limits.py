"""Making it visible that a limit struck: a log line and the application's `on_limit` functions, however many there are.

Of one client and one limit the first violation is told at once, the others every ten seconds, summed up. So are
those of all clients beyond the first hundred of a window: nobody floods the log or the hooks, and nobody is left out.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from gevent import GreenletExit

from ..limit_rules import LimitRules, Violation
from .mailbox import Mailbox
from .worker_pool import WorkerPool

__all__ = ["LimitReports"]

logger = logging.getLogger("webpy_socketio.session")

#: Seconds for which violations that are alike are summed up.
WINDOW = 10.0
#: Different violations that are told one by one in a window.
MAX_SINGLE = 100
#: Calls of the hooks that wait because a hook blocks; the log has the rest.
MAX_WAITING = 1_000


class LimitReports:
    """The violations of one hub. ``journal`` writes a log line from the loop."""

    def __init__(self, rules: LimitRules, workers: WorkerPool, journal: Callable[..., None]) -> None:
        self._rules = rules
        self._workers = workers
        self._journal = journal
        self._mailbox = Mailbox()
        self._timer: Any = None  # Any: gevent's timer has no type of its own
        #: What was told in this window, and what came since.
        self._told: dict[tuple[str, str], Violation | None] = {}

    def open(self, loop: Any) -> None:  # Any: gevent's loop, likewise
        """Bind to a loop."""
        self._timer = loop.timer(WINDOW, ref=False)

    def close(self) -> None:
        """Stop the timer; what was not told yet is forgotten (see ``flush``)."""
        self._told = {}
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
            self._timer = None

    def report(self, violation: Violation) -> None:
        """Take note of a violation, in the loop's thread. Costs little, and never waits."""
        if self._timer is None:
            return
        told, limit = self._told, violation.limit
        who = violation.session_id if violation.session_id != "-" else violation.request.get("REMOTE_ADDR", "-")
        if (who, limit) in told:
            self._add((who, limit), violation)
        elif len(told) < MAX_SINGLE:
            told[(who, limit)] = None
            self._tell(violation)
        else:
            crowd = Violation(limit, violation.size, violation.most, detail="several clients", count=violation.count)
            self._add(("", limit), crowd)
        if not self._timer.active:
            self._timer.start(self._end_window)

    def _add(self, key: tuple[str, str], violation: Violation) -> None:
        total = self._told.get(key)
        if total is not None:
            violation.count += total.count
            violation.size = max(violation.size, total.size)
        self._told[key] = violation

    def _end_window(self) -> None:
        # Whoever goes on goes on being summed up.
        totals = self.flush()
        self._told = dict.fromkeys(totals)
        self._timer.stop()
        if totals:
            self._timer.start(self._end_window)

    def flush(self) -> dict[tuple[str, str], Violation]:
        """Tell what was summed up so far; give it."""
        totals = {key: total for key, total in self._told.items() if total is not None}
        self._told = dict.fromkeys(self._told)
        for total in totals.values():
            self._tell(total)
        return totals

    def _tell(self, violation: Violation) -> None:
        self._journal(logger, logging.WARNING, "%s", violation)
        if self._rules.hooks and len(self._mailbox.tasks or ()) < MAX_WAITING:
            self._workers.put(self._mailbox, self._run_hooks, violation)

    def _run_hooks(self, violation: Violation) -> None:
        for hook in self._rules.hooks:
            try:
                hook(violation)
            except (GreenletExit, KeyboardInterrupt):
                raise
            except BaseException:  # gevent.Timeout and SystemExit too: a hook must not end the server
                logger.exception("An on_limit function failed")
