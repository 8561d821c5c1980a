"""Who waits for a client's ack. The values of one come as a list; most have one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gevent import Timeout
from gevent.event import AsyncResult

from ..errors import SocketClosed

__all__ = ["AckCallback", "AckWaiter", "CallWaiter", "value_of"]


def value_of(values: list[Any]) -> Any:  # Any: the client's answer is user data
    """Give an ack's value: a tuple if there are several, None if there is none."""
    return None if not values else values[0] if len(values) == 1 else tuple(values)


class AckWaiter:
    """Somebody who is woken by an ack at once: it does not wait for the handlers of the socket."""

    __slots__ = ()

    def resolve(self, values: list[Any]) -> None:  # Any: the client's answer is user data
        """Take the ack."""
        raise NotImplementedError

    def abandon(self, reason: str) -> None:
        """Take note that it will not come: the client is gone."""
        raise NotImplementedError


class CallWaiter(AckWaiter):
    """A greenlet in ``socket.call``."""

    __slots__ = ("_result",)

    def __init__(self) -> None:
        self._result: AsyncResult[list[Any]] = AsyncResult()  # Any: as above

    def resolve(self, values: list[Any]) -> None:
        """Take the ack."""
        self._result.set(values)

    def abandon(self, reason: str) -> None:
        """Take note that the client is gone."""
        self._result.set_exception(SocketClosed(f"The client is gone ({reason})."))

    def wait(self, event: str, timeout: float) -> Any:  # Any: as above
        """Wait for the ack's value. Raises ``TimeoutError`` or ``SocketClosed``."""
        with Timeout(timeout) as own:
            try:
                return value_of(self._result.get() or [])
            except Timeout as expired:
                if expired is not own:
                    raise  # somebody else's, around this call
                raise TimeoutError(f"No ack for the event {event!r} within {timeout} seconds.") from None


class AckCallback:
    """A function of the application that wants the values of an ack; it runs in the socket's order."""

    __slots__ = ("function", "socket")

    def __init__(self, socket: Any, function: Callable[..., object]) -> None:  # Any: a socket, which knows this module
        self.socket = socket
        self.function = function
