"""Running handlers: what they are given, what they give, and what happens when they fail.

Runs in workers. This is a supervision point: whatever a handler raises ends here, logged once, and costs nobody else
anything.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from gevent import GreenletExit

from ..events import Event, Handler
from .processors import run_processed
from .socket_core import SocketCore

__all__ = ["Answer", "ask_stage", "call", "call_processed", "report", "run_on_error", "run_stage"]

logger = logging.getLogger("webpy_socketio.hub")


class Answer:
    """What the handlers of one event gave: whether any ran, the first value that is not None, whether any failed."""

    # Of the class, as most answers differ in one of them: an __init__ would cost more than all the rest.
    handled = False
    failed = False
    value: object = None


def call(socket: SocketCore, handler: Handler, arguments: Sequence[Any], answer: Answer) -> None:
    """Call one handler and note in ``answer`` what became of it."""
    answer.handled = True
    function = handler.function
    try:
        if len(arguments) == 1:  # as nearly always: to unpack a sequence takes as long as many a handler
            value = function(socket.request, socket, socket.context, arguments[0])
        else:
            value = function(socket.request, socket, socket.context, *arguments)
    except (GreenletExit, KeyboardInterrupt):
        raise
    except BaseException as error:  # gevent.Timeout and SystemExit too: a handler must not end the server
        answer.failed = True
        report(socket, error)
    else:
        if value is not None and answer.value is None:
            answer.value = value


def call_processed(
    socket: SocketCore, event: str, arguments: Sequence[Any], answer: Answer, handlers: Callable[[], None]
) -> None:
    """Run the handlers of an event inside the application's processors; what those give is the event's value."""

    def run_handlers() -> object:
        handlers()
        return answer.value

    try:
        answer.value = run_processed(socket, event, arguments, run_handlers)
    except (GreenletExit, KeyboardInterrupt):
        raise
    except BaseException as error:  # as for handlers
        answer.failed = True
        report(socket, error)
    else:
        answer.handled = answer.handled or answer.value is not None


def ask_stage(socket: SocketCore, event: Event, *arguments: Any, channel: str | None = None) -> bool:
    """Run the handlers of a stage that may be vetoed; False as soon as one gives False, which stops the others."""
    return _run_stage(socket, event, arguments, channel, until_veto=True).value is not False


def run_stage(socket: SocketCore, event: Event, *arguments: Any, channel: str | None = None) -> None:
    """Run all handlers of a stage."""
    _run_stage(socket, event, arguments, channel, until_veto=False)


def _run_stage(
    socket: SocketCore, event: Event, arguments: Sequence[Any], channel: str | None, *, until_veto: bool
) -> Answer:
    answer = Answer()

    def run() -> None:
        for handler in socket.hub.registry.of(socket.home.name, event):
            if handler.pattern is None or handler.matches(channel, socket.channels):
                given = Answer()
                call(socket, handler, arguments, given)
                answer.handled, answer.value = True, given.value
                if until_veto and given.value is False:
                    return

    if socket.hub.registry.processors:
        call_processed(socket, event.value.removeprefix("on_"), arguments, answer, run)
    else:
        run()
    return answer


def report(socket: SocketCore, error: BaseException) -> None:
    """Log what a handler raised, with its traceback, and tell ``on_error``; what is raised there is only logged."""
    logger.error("A handler of socket %s failed", socket.label, exc_info=error)
    run_on_error(socket, error)


def run_on_error(socket: SocketCore, error: BaseException) -> None:
    """Run ``on_error``; what it raises itself is only logged."""
    for handler in socket.hub.registry.of(socket.home.name, Event.ERROR):
        if handler.pattern is not None and not handler.matches(None, socket.channels):
            continue
        try:
            handler.function(socket.request, socket, socket.context, error)
        except (GreenletExit, KeyboardInterrupt):
            raise
        except BaseException:
            logger.exception("on_error of socket %s failed", socket.label)
