"""One question to many clients: a packet that is encoded once, and who has answered it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from threading import TIMEOUT_MAX
from typing import Any

import gevent
from gevent import monkey
from gevent.event import Event

from ..errors import AnswersMissing, UsageError
from ..state.peer import new_ack_id
from ..transport.outbox import OutgoingPacket
from .acks import AckWaiter, value_of
from .core import HubCore
from .fanout import make_event
from .socket_core import SocketCore, State

__all__ = ["Survey", "ask"]

#: A lock of the operating system: the patched one would wait in a loop that a foreign thread does not run.
_allocate_lock = monkey.get_original("_thread", "allocate_lock")
#: Seconds that the loop may take to tell a foreign thread what it knows.
_LOOP_TIMEOUT = 5.0

#: Session ids that the text of an error shows.
_MOST_SHOWN = 5


class Respondent(AckWaiter):
    """One of the clients."""

    __slots__ = ("_socket", "_survey")

    def __init__(self, survey: Survey, socket: SocketCore) -> None:
        self._survey = survey
        self._socket = socket

    def resolve(self, values: list[Any]) -> None:
        """Take the ack."""
        self._survey.receive(self._socket, values)

    def abandon(self, reason: str) -> None:
        """Take note that the client is gone."""
        self._survey.lose(self._socket)


class Survey:
    """One question. ``on_end`` is called once, when nobody is waited for any more.

    It lives in the loop's own thread. Ack ids are unique in the process, so that all receivers are asked with the same
    one, and share the packet.
    """

    def __init__(self, sockets: Collection[SocketCore], on_end: Callable[[], object]) -> None:
        self.id = new_ack_id()
        self.answers: dict[str, Any] = {}  # Any: what clients answer is user data
        #: Who is there and has not answered in time, or could not be asked: known at the end.
        self.missing: list[SocketCore] = []
        self.is_over = False
        self._on_end = on_end
        self._waiting = dict.fromkeys(sockets)

    def begin(self, packet: OutgoingPacket, limit: int) -> None:
        """Ask; ``limit`` is the number of acks that a client may owe."""
        # Whoever connects yet could only answer afterwards, and its own handler may be who asks.
        self._waiting = {socket: None for socket in self._waiting if socket.state is State.OPEN}
        for socket in list(self._waiting):
            # Reading goes on, as in `socket.call`: two handlers may wait for each other's clients.
            socket.client.begin_call()
            is_noted = socket.membership.share_ack(self.id, Respondent(self, socket), limit)
            if not is_noted:
                socket.client.strike("max_pending_acks", limit + 1, limit)
            if not is_noted or not socket.put(packet):
                self.missing.append(socket)  # unless it is gone, which the end will tell
                self.lose(socket)
        self._check_end()

    def receive(self, socket: SocketCore, values: list[Any]) -> None:
        """Take an answer."""
        self.answers[socket.id] = value_of(values)
        self.lose(socket)

    def lose(self, socket: SocketCore) -> None:
        """Wait for a client no longer."""
        socket.membership.take_ack(self.id)
        if socket in self._waiting:
            del self._waiting[socket]
            socket.client.end_call()
            self._check_end()

    def _check_end(self) -> None:
        if not self._waiting and not self.is_over:
            self.is_over = True
            self.missing = [socket for socket in dict.fromkeys(self.missing) if socket.connected]
            self._on_end()

    def close(self) -> None:
        """Wait for nobody any longer: what is answered now comes too late."""
        self.missing += self._waiting
        for socket in list(self._waiting):
            self.lose(socket)

    def check(self, event: str, timeout: float | None) -> dict[str, Any]:
        """Give the answers. Raises ``AnswersMissing`` if there are not all of them. Called at the end."""
        if not self.missing:
            return self.answers
        labels = [socket.label for socket in self.missing[:_MOST_SHOWN]]
        if len(self.missing) > _MOST_SHOWN:
            labels.append("…")
        count = len(self.missing) + len(self.answers)
        text = (
            f"{len(self.missing)} of {count} clients did not answer the event {event!r} within {timeout} seconds, or "
            f"could not be asked: {', '.join(labels)}"
        )
        raise AnswersMissing(text, self.answers, [socket.id for socket in self.missing])


def ask(
    hub: HubCore, sockets: Collection[SocketCore], namespace: str, arguments: list[Any], timeout: float | None
) -> dict[str, Any]:  # Any: what is sent, and what clients answer, is user data
    """Ask clients and wait; give their answers by session id. From any greenlet and any thread.

    Raises ``AnswersMissing`` after ``timeout`` seconds, ``UsageError`` where waiting is impossible.
    """
    if gevent.getcurrent() is gevent.get_hub():
        raise UsageError("call() waits, which a callback of the loop cannot do; spawn a greenlet for it.")
    return (_ask_here if hub.is_mine() else _ask_from_thread)(hub, sockets, namespace, arguments, timeout)


def _ask_here(
    hub: HubCore, sockets: Collection[SocketCore], namespace: str, arguments: list[Any], timeout: float | None
) -> dict[str, Any]:  # Any: as above
    ended = Event()
    survey = Survey(sockets, ended.set)
    packet = make_event(namespace, survey.id, arguments)
    try:
        survey.begin(packet, hub.config.max_pending_acks)
        ended.wait(timeout)
    finally:  # the waiting may be interrupted too
        survey.close()
    return survey.check(arguments[0], timeout)


def _ask_from_thread(
    hub: HubCore, sockets: Collection[SocketCore], namespace: str, arguments: list[Any], timeout: float | None
) -> dict[str, Any]:  # Any: as above
    lock = _allocate_lock()
    lock.acquire()
    survey = Survey(sockets, lock.release)
    packet = make_event(namespace, survey.id, arguments)
    hub.post(survey.begin, packet, hub.config.max_pending_acks)
    is_over = False
    try:
        # For a lock, a time below 0 is for ever.
        is_over = lock.acquire(True, -1 if timeout is None else min(max(timeout, 0), TIMEOUT_MAX))
    finally:  # the waiting may be interrupted too
        if not is_over:
            hub.post(survey.close)
    if not is_over and not lock.acquire(True, _LOOP_TIMEOUT):
        raise UsageError(f"The server does not run any more: nobody answered {arguments[0]!r}.")
    return survey.check(arguments[0], timeout)
