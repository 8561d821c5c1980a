"""The exception tree: who is at fault decides what is raised.

`ProtocolError` and `HandshakeRefused` are the peer's fault and never reach application code. `Refused` is the
application's own word to a client. `UsageError` and what is below it is the caller's fault, and always raised to the
caller.
"""

from __future__ import annotations

from typing import Any

from .types import Excess

__all__ = [
    "AnswersMissing",
    "BackplaneError",
    "EventError",
    "HandshakeRefused",
    "NoSocket",
    "ProtocolError",
    "Refused",
    "SocketClosed",
    "UsageError",
    "WebpySocketIOError",
]


class WebpySocketIOError(Exception):
    """Root of everything that this package raises."""


class ProtocolError(WebpySocketIOError):
    """The peer broke a protocol: its connection is closed, nobody else's.

    ``close_code`` is the WebSocket status code for it (RFC 6455 section 7.4.1), ``excess`` the limit that struck, if it
    was one.
    """

    def __init__(self, reason: str, close_code: int = 1002, excess: Excess | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.close_code = close_code
        self.excess = excess


class HandshakeRefused(WebpySocketIOError):
    """A request was turned down before a session exists, or for a session that it may not touch.

    ``status`` is the HTTP status line, ``code`` one of Engine.IO's error codes 0 to 5, ``message`` its text; ``detail``
    is for the log.
    """

    def __init__(self, status: str, code: int, message: str, detail: str = "") -> None:
        super().__init__(f"{message}: {detail}" if detail else message)
        self.status = status
        self.code = code
        self.message = message
        self.detail = detail


class Refused(WebpySocketIOError):
    """Raise it in ``on_connect`` to refuse a client: it receives CONNECT_ERROR with this message and data.

    ``message`` is the text of the client's ``connect_error``; ``data`` any JSON value, its ``data`` attribute. Raised
    in the ``admit`` hook, it refuses the handshake with ``status``, an HTTP status from 400 to 599, and the message.
    """

    def __init__(self, message: str = "Connection refused", data: object = None, *, status: int = 403) -> None:
        super().__init__(message)
        if not isinstance(status, int) or not 400 <= status <= 599:
            raise UsageError(f"status must be an HTTP status from 400 to 599, not {status!r}.")
        self.message = message
        self.data = data
        self.status = status


class UsageError(WebpySocketIOError):
    """The caller asked for something that cannot be; the text says what was expected and how to mend it."""


class NoSocket(UsageError):
    """Nobody can receive what was sent out of band."""


class EventError(UsageError):
    """A handler cannot be registered like this, or an event does not fit its handler."""


class SocketClosed(UsageError):
    """The client left while, or before, an answer of it was waited for."""


class AnswersMissing(WebpySocketIOError, TimeoutError):
    """Of the clients that were asked together, some did not answer in time.

    ``answers`` are those that came, by session id; ``missing`` are the session ids of the others.
    """

    def __init__(self, message: str, answers: dict[str, Any], missing: list[str]) -> None:  # Any: user data
        super().__init__(message)
        self.answers = answers
        self.missing = missing


class BackplaneError(WebpySocketIOError):
    """The carrier between processes failed: this process goes on alone."""
