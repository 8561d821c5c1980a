"""From a client's event to its handlers, and back with the ack. Runs in workers, one event of a socket at a time."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, Final

from ..errors import EventError, ProtocolError
from ..events import Event, Handler, describe
from ..transport.outbox import OutgoingPacket
from ..types import NO_ACK
from ..wire.socket_packets import Packet, decode_arguments, encode_ack
from . import rates, subscriptions
from .handlers import Answer, call, call_processed, report, run_on_error
from .socket_core import SocketCore, State

__all__ = ["run_event"]

logger = logging.getLogger("webpy_socketio.hub")

#: Looked up once: a member of an Enum costs as much as a call before Python 3.12.
_ENDED: Final = State.ENDED
_MESSAGE: Final = Event.MESSAGE
#: What handlers of messages are given where there is none.
_NO_MESSAGE: Final = (None,)


def run_event(socket: SocketCore, packet: Packet) -> None:
    """Run the handlers of an event that the client sent, and ack it if the client asked for that."""
    try:
        hub = socket.hub
        if socket.state is _ENDED or hub.is_out_of_time:
            return
        limits = hub.rules
        if limits.before and rates.refuse(socket, packet, limits.before, None):
            return
        try:
            arguments = decode_arguments(packet)
        except ProtocolError as error:
            socket.client.reject(error)
            return
        if limits.after and rates.refuse(socket, packet, limits.after, arguments):
            return
        name = arguments[0]
        is_on = hub.message_log.is_on
        if is_on():
            hub.message_log.write(socket.request, name, arguments)
        built_in = _BUILT_IN.get(name)
        answer = _run_named(socket, arguments, None) if built_in is None else built_in(socket, arguments[1:])
        if packet.id is not None and answer.handled and not answer.failed and answer.value is not NO_ACK:
            _send_ack(socket, packet.id, answer.value)
    finally:
        socket.client.finish_task()


def _send_ack(socket: SocketCore, id_: int, value: object) -> None:
    values = list(value) if type(value) is tuple else [] if value is None else [value]
    try:
        text, attachments = encode_ack(socket.namespace, id_, values)
    except (TypeError, ValueError) as error:
        report(socket, error)
    else:
        socket.queue(OutgoingPacket(b"4" + text, attachments))


def _run_named(socket: SocketCore, arguments: list[Any], channel: str | None) -> Answer:
    """Run the handlers of an event; ``arguments`` begin with its name."""
    answer = Answer()
    if socket.hub.registry.processors:
        run_handlers = partial(_run_all, socket, arguments, channel, answer)
        call_processed(socket, arguments[0], arguments[1:], answer, run_handlers)
    else:
        _run_all(socket, arguments, channel, answer)
    return answer


def _run_all(socket: SocketCore, arguments: list[Any], channel: str | None, answer: Answer) -> None:
    for handler in socket.hub.registry.named(socket.home.name, arguments[0]):
        if handler.pattern is None or handler.matches(channel, socket.channels):
            if handler.event is _MESSAGE:
                call(socket, handler, arguments[1:2] or _NO_MESSAGE, answer)
            else:
                _run_handler(socket, handler, arguments, answer)


def _run_handler(socket: SocketCore, handler: Handler, arguments: list[Any], answer: Answer) -> None:
    given = arguments if handler.takes_name else arguments[1:]
    if handler.takes(len(given)):
        call(socket, handler, given, answer)
    else:
        answer.failed = True
        _report_count(socket, arguments[0], len(arguments) - 1, handler)


def _report_count(socket: SocketCore, name: str, count: int, handler: Handler) -> None:
    taker = describe(handler.function)
    error = EventError(f"The event {name!r:.100} came with {count} arguments; {taker} does not take them.")
    logger.info("Socket %s: %s", socket.label, error)
    run_on_error(socket, error)


# -- what a client asks of us by an event ---------------------------------------------------------------------------


def _subscribe(socket: SocketCore, arguments: list[Any]) -> Answer:
    return _answer(subscriptions.may_subscribe(socket, arguments) and subscriptions.subscribe(socket, arguments[0]))


def _unsubscribe(socket: SocketCore, arguments: list[Any]) -> Answer:
    channel = arguments[0] if arguments else None
    return _answer(isinstance(channel, str) and subscriptions.unsubscribe(socket, channel))


def _message(socket: SocketCore, arguments: list[Any]) -> Answer:
    channel = arguments[0] if arguments else None
    if not isinstance(channel, str) or not socket.home.channels.holds(socket, channel):
        logger.info("Socket %s: a message to the channel %.50r, to which it is not subscribed", socket.label, channel)
        return _answer(False)
    socket.channel = channel
    try:
        return _run_named(socket, ["message", *arguments[1:]], channel)
    finally:
        socket.channel = None


def _answer(value: bool) -> Answer:
    answer = Answer()
    answer.handled = True
    answer.value = value
    return answer


_BUILT_IN: Final = {"__subscribe__": _subscribe, "__unsubscribe__": _unsubscribe, "__message__": _message}
