"""What all clients of one process share: the loop's helpers, the settings, and the one door through which a client
ends.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from binascii import b2a_base64
from collections.abc import Callable
from typing import Any, Protocol

import gevent

from ..config import Config
from ..errors import UsageError
from ..events import LAST_STAGES, Registry
from ..limit_rules import Violation
from ..native import mypyc_attr
from ..state.engine_session import EngineSession, State
from ..state.token_bucket import BucketTable
from ..transport.arrivals import Arrivals
from ..transport.busy_poll import make_busy_poll
from ..transport.outbox import Budget, Outbox
from ..transport.polling import PollingCarrier
from ..transport.timers import TimerWheel
from ..transport.turn import Turn
from .addresses import Addresses
from .doorbell import Doorbell, get_ident
from .limits import LimitReports
from .mailbox import Mailbox
from .message_log import MessageLog
from .worker_pool import WorkerPool

__all__ = ["BaseClient", "HubCore"]

logger = logging.getLogger("webpy_socketio.session")
hub_logger = logging.getLogger("webpy_socketio.hub")

#: From base64 to the alphabet that needs no escapes in a URL (RFC 4648 section 5).
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
#: Seconds that killed handlers get to clean up, and that peers get to hear that the server stops.
KILL_TIMEOUT = 1.0
GOODBYE_TIMEOUT = 1.0
#: Lines that wait because a log handler is slow.
MAX_LINES = 10_000
#: Buckets of addresses that are remembered until they are full again (for each rule about rates one): 6 MB.
MAX_ADDRESSES = 20_000
#: Reasons with which the server itself ends a session in good order: a polling client hears them with its next GET.
_ORDERLY = frozenset(("server namespace disconnect", "server shutting down", "forced server close"))
#: Reasons that mean that nobody is there any more.
_UNHEARD = frozenset(("transport close",))


class BaseClient(Protocol):
    """A client, as far as the door is concerned."""

    session: EngineSession
    outbox: Outbox
    timer_slot: int

    @property
    def is_closed(self) -> bool:
        """Tell whether the session is over."""

    @property
    def carrier(self) -> Any:  # Any: a carrier of either kind
        """Give what carries the session."""

    def carriers(self) -> list[Any]:  # Any: as above
        """Give all that it has a connection by."""

    def close_carriers(self, *, by_us: bool, code: int, reason: str) -> None:
        """Close the connections."""

    def end(self, reason: str) -> None:
        """Tell the application."""

    def receive_deadline(self, now: float) -> float | None:
        """Do what is due."""


class Farewell:
    """A polling session that we have closed, until its client asks once more, or long enough."""

    def __init__(self, hub: HubCore, sid: str, carrier: PollingCarrier) -> None:
        self._hub = hub
        self._sid = sid
        self.carrier = carrier
        self.timer_slot = -1

    def say(self) -> bytes:
        """Give the body of the last answer."""
        self._hub.farewells.pop(self._sid, None)
        body = self.carrier.take_farewell()
        self.carrier.outbox.clear()
        return body

    def receive_deadline(self, now: float) -> float | None:
        """The client did not come back."""
        self._hub.farewells.pop(self._sid, None)
        self.carrier.outbox.clear()
        return None


@mypyc_attr(allow_interpreted_subclasses=True)
class HubCore:
    """The shared half of the hub. ``open`` binds it to the calling thread's loop."""

    def __init__(self, config: Config, registry: Registry) -> None:
        self.config = config
        self.registry = registry
        self.clients: dict[str, BaseClient] = {}
        self.farewells: dict[str, Farewell] = {}
        self.addresses = Addresses(config.max_connections_per_address)
        self.message_log = MessageLog(config.message_log_format)
        self.rules = registry.limits
        self._set_up()
        self.is_open = False
        self.is_stopping = False
        #: Stopping took too long: of what still waits, only the ends of sockets are run.
        self.is_out_of_time = False
        self.loop: Any = None

    def _set_up(self) -> None:
        """Make what runs, and what counts, for the clients of one process: a forked child needs its own."""
        self.budget = Budget(self.config.outbox_ceiling)
        self.workers = WorkerPool(self.config.max_workers)
        self._journal = Mailbox()
        self.limits = LimitReports(self.registry.limits, self.workers, self.journal)

    def open(self) -> None:
        """Bind to the calling thread's loop, if that has not happened yet."""
        if self.is_open:
            return
        self.loop = gevent.get_hub().loop
        self.wheel = TimerWheel(self.loop, self.receive_failure)
        self.arrivals = Arrivals(self.loop)
        self.turn = Turn(self.loop, make_busy_poll(self.loop, self.config.busy_poll))
        self.doorbell = Doorbell(self.loop, self.receive_failure)
        self.workers.open()
        self.limits.open(self.loop)
        #: The buckets of addresses (`rates`).
        self.rates = BucketTable(MAX_ADDRESSES)
        self.is_stopping = self.is_out_of_time = False
        self.is_open = True

    def new_id(self) -> str:
        """Make an id: 20 characters with 120 random bits."""
        return b2a_base64(os.urandom(15), newline=False).translate(_URL_SAFE).decode()

    # -- threads ----------------------------------------------------------------------------------------------------

    def is_mine(self) -> bool:
        """Tell whether the caller runs in the hub's own thread."""
        return not self.is_open or get_ident() == self.doorbell.thread

    def post(self, function: Callable[..., object], *args: object) -> bool:
        """Have a function called in the hub's thread, from any other; always True."""
        self.doorbell.ring(function, *args)
        return True

    # -- logging ----------------------------------------------------------------------------------------------------

    def journal(self, log: logging.Logger, level: int, text: str, *args: object, exc_info: Any = None) -> None:
        """Log from the loop, where a log handler must not wait: a worker writes the line."""
        if not log.isEnabledFor(level):
            return
        waiting = len(self._journal.tasks or ())
        if waiting < MAX_LINES:
            self.workers.put(self._journal, _write_line, log, level, text, args, exc_info)
        elif waiting == MAX_LINES:
            lost = "The log is too slow: lines are left out"
            self.workers.put(self._journal, _write_line, hub_logger, logging.WARNING, lost, (), None)

    def receive_failure(self) -> None:
        """Log an exception that our own code raised in a callback of the loop; called in the ``except`` clause."""
        self.journal(hub_logger, logging.ERROR, "A callback of the loop failed", exc_info=sys.exc_info())

    def strike(self, violation: Violation) -> None:
        """Make visible that a limit struck: a log line and the application's hooks. From any thread, never waits.

        ``EngineClient.strike`` fills in who it was.
        """
        if self.is_mine():
            self.limits.report(violation)
        else:
            self.post(self.limits.report, violation)

    # -- the one door -----------------------------------------------------------------------------------------------

    def close(
        self, client: BaseClient, reason: str, detail: str = "", *, close_code: int = 1000, close_reason: str = ""
    ) -> None:
        """End a client: its connections, its sockets, its place in all registries. Whoever wants that comes here.

        ``reason`` is one of Node's names, ``detail`` what an operator wants to know beyond it. ``close_code`` and
        ``close_reason`` are what a WebSocket client is told.
        """
        sid = client.session.sid
        if self.clients.pop(sid, None) is None:
            return
        self.addresses.end(sid)
        if client.session.state is not State.CLOSED:
            client.session.close(reason)
        self.wheel.cancel(client)
        client.end(reason)
        if client.outbox.stuck and reason not in _ORDERLY:
            client.outbox.clear()  # nobody would read it; joined for a last write it would be a copy for each client
        carrier = client.carrier
        client.close_carriers(by_us=reason not in _UNHEARD, code=close_code, reason=close_reason)
        if isinstance(carrier, PollingCarrier) and not carrier.is_waiting:
            self._defer_farewell(sid, carrier, reason)
        elif not isinstance(carrier, PollingCarrier):
            client.outbox.clear()
        self.journal(logger, logging.INFO, "%.6s… closed: %s%s", sid, reason, f" ({detail})" if detail else "")

    def _defer_farewell(self, sid: str, carrier: PollingCarrier, reason: str) -> None:
        if reason in _UNHEARD:
            # The client closed by a POST. Its poll may be under way beside it, on another connection: the loop hands
            # over what became readable together in no certain order. That poll ends like one that was here: NOOP.
            carrier.outbox.clear()
        elif reason not in _ORDERLY:
            carrier.abort()
            carrier.outbox.clear()
            return
        self.farewells[sid] = Farewell(self, sid, carrier)
        self.wheel.schedule(self.farewells[sid], time.monotonic() + self.config.close_timeout)

    # -- stopping ---------------------------------------------------------------------------------------------------

    def stop(self, timeout: float) -> None:
        """Close all clients, let their handlers finish for ``timeout`` seconds, and stop everything."""
        if not self.is_open:
            return
        if not self.is_mine():
            raise UsageError("The hub must be stopped in the thread that runs it.")
        self.is_stopping = True
        for client in list(self.clients.values()):
            self.close(client, "server shutting down", close_code=1001, close_reason="server shutting down")
        self.limits.flush()
        _wait_while(lambda: self.workers.is_busy, timeout)
        self._kill_handlers()
        # What is left in the wheel are connections that close, and polling clients that are yet to hear of it.
        _wait_while(lambda: len(self.wheel) > 0, min(timeout, GOODBYE_TIMEOUT))
        self.shut()

    def _kill_handlers(self) -> None:
        """Throw ``GreenletExit`` into handlers that have not returned, and into those of their sockets' ends, if they
        do not either.
        """
        self.is_out_of_time = True
        for _ in range(1 + len(LAST_STAGES)):
            if self.workers.is_busy:
                self.workers.kill()
                _wait_while(lambda: self.workers.is_busy, KILL_TIMEOUT)

    def shut(self) -> None:
        """Stop the watchers; the hub can be opened again."""
        if self.is_open:
            self.is_open = False
            self.workers.close()
            self.limits.close()
            self.wheel.expire()
            self.wheel.close()
            self.turn.close()
            self.doorbell.close()
            self.farewells.clear()


def _wait_while(condition: Callable[[], bool], timeout: float) -> None:
    until = time.monotonic() + timeout
    gevent.sleep(0)
    while condition() and time.monotonic() < until:
        gevent.sleep(0.01)


def _write_line(log: logging.Logger, level: int, text: str, args: tuple[object, ...], exc_info: Any) -> None:
    log.log(level, text, *args, exc_info=exc_info)
