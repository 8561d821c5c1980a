"""The message log: one line per message through ``logging``, in the format of ``SOCKETIO_MESSAGE_LOG_FORMAT``."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from functools import partial

__all__ = ["ESCAPES", "MessageLog"]

logger = logging.getLogger("webpy_socketio.messages")
#: Control characters would let a message forge lines of the log.
ESCAPES = {code: f"\\u{code:04x}" for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)}


class _Fields(dict[str, object]):
    """The environ and our own keys; what is missing is ``-``."""

    def __missing__(self, key: str) -> str:
        return "-"


class MessageLog:
    """Writes messages in ``log_format`` (``%``-interpolation of the environ, TIME, TYPE and MESSAGE), or not at all for
    None.
    """

    __slots__ = ("_format", "is_on")

    def __init__(self, log_format: str | None) -> None:
        self._format = log_format
        #: What our logger has found out about levels and remembers until any level changes. One that decides by itself
        #: (`logging.setLoggerClass`), or remembers nothing, is asked for each line.
        is_usual = type(logger).isEnabledFor is logging.Logger.isEnabledFor
        known: dict[int, bool] = vars(logger).get("_cache", {}) if is_usual else {}
        #: Tells whether a line may be wanted; ``write`` looks again. It is asked twice for each echo, and the method of
        #: the logger takes three times as long; nor is it called as if it were a method, which takes twice as long.
        self.is_on: Callable[[], bool | None] = bool if log_format is None else partial(known.get, logging.INFO, True)

    def write(self, environ: Mapping[str, object], kind: str, arguments: list[object]) -> None:
        """Write one line, if it is wanted. ``arguments`` begin with the event's name; a plain message is shown by
        itself.
        """
        if not logger.isEnabledFor(logging.INFO):
            return
        shown = arguments[1] if arguments[0] == "message" and len(arguments) == 2 else arguments
        fields = _Fields(environ)
        fields.update(TIME=time.strftime("%d/%b/%Y:%H:%M:%S %z"), TYPE=kind, MESSAGE=shown)
        try:
            line = str(self._format) % fields
        except (TypeError, ValueError, RecursionError) as error:
            line = f"message_log_format {self._format!r} does not fit: {error}"
        logger.info("%s", line.translate(ESCAPES))
