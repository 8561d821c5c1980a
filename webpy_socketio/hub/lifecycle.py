"""A socket's beginning and end.

CONNECTING  --on_connect lets it in-->  OPEN  --the client or we leave-->  ENDING  --the last handlers ran-->  ENDED
CONNECTING  --on_connect refuses-->  ENDED
"""

from __future__ import annotations

from gevent import GreenletExit

from ..errors import Refused
from ..events import LAST_STAGES, Event
from ..state.peer import Peer
from ..state.peer import State as MembershipState
from ..transport.outbox import OutgoingPacket
from ..wire.socket_packets import encode_disconnect
from . import subscriptions
from .acks import AckCallback, AckWaiter
from .handlers import report, run_stage
from .processors import run_processed
from .socket_core import SocketCore, State

__all__ = ["begin_connect", "begin_end", "disconnect", "leave", "resolve_ack"]

# -- the beginning --------------------------------------------------------------------------------------------------


def begin_connect(socket: SocketCore, peer: Peer) -> None:
    """Run ``on_connect`` in a worker; where nobody listens, let the client in at once."""
    if socket.hub.registry.of(socket.namespace, Event.CONNECT) or socket.hub.registry.processors:
        socket.client.begin_task()
        socket.hub.workers.put(socket.mailbox, _run_connect, socket, peer)
    else:
        _accept(socket, peer)


def _run_connect(socket: SocketCore, peer: Peer) -> None:
    try:
        _decide(socket, peer)
    finally:
        socket.client.finish_task()


def _decide(socket: SocketCore, peer: Peer) -> None:
    if not socket.connected:
        _finish(socket)  # it left before anybody heard of it
        return
    try:
        refusal = _ask_handlers(socket)
    except (GreenletExit, KeyboardInterrupt):
        refuse(socket, peer, Refused())
        raise
    if refusal is not None:
        refuse(socket, peer, refusal)
    elif socket.state is State.CONNECTING:
        _accept(socket, peer)


def _ask_handlers(socket: SocketCore) -> Refused | None:
    """Run ``on_connect`` inside the processors; give the refusal, if anybody refuses."""
    try:
        allowed = run_processed(socket, "connect", [socket.request.auth], lambda: _run_on_connect(socket))
    except Refused as refusal:
        return refusal
    except (GreenletExit, KeyboardInterrupt):
        raise
    except BaseException as error:  # of a processor; as for handlers
        report(socket, error)
        return None
    return Refused() if allowed is False else None


def _run_on_connect(socket: SocketCore) -> bool:
    """Run ``on_connect`` until one refuses. Raises ``Refused``."""
    for handler in socket.hub.registry.of(socket.namespace, Event.CONNECT):
        try:
            if handler.function(socket.request, socket, socket.context) is False:
                return False
        except (GreenletExit, KeyboardInterrupt, Refused):
            raise
        except BaseException as error:  # gevent.Timeout and SystemExit too: a handler must not end the server
            report(socket, error)
    return True


def _accept(socket: SocketCore, peer: Peer) -> None:
    peer.accept(socket.membership)
    held, socket.held = socket.held, None
    socket.state = State.OPEN
    socket.home.sockets[socket.id] = socket
    socket.client.send(OutgoingPacket(b"4" + socket.client.encode_connect(socket.namespace, socket.id)))
    for packet in held.packets if held is not None else ():
        socket.queue(packet)


def refuse(socket: SocketCore, peer: Peer, refusal: Refused) -> None:
    """Turn a client down that is connecting: no further events, its subscriptions are undone silently."""
    was_there = socket.connected
    _finish(socket)
    if not was_there:
        return
    if socket.membership.state is MembershipState.JOINING:
        peer.refuse(socket.membership)
    try:
        text = socket.client.encode_refusal(socket.namespace, refusal.message, refusal.data)
    except (TypeError, ValueError) as error:
        report(socket, error)
        text = socket.client.encode_refusal(socket.namespace, refusal.message, None)
    socket.client.send(OutgoingPacket(b"4" + text))


# -- the end --------------------------------------------------------------------------------------------------------


def begin_end(socket: SocketCore, reason: str) -> None:
    """Take note that the client is gone: nobody reaches it any more, and after what it sent its last handlers run."""
    if not socket.connected:
        return
    socket.state = State.ENDING
    socket.reason = reason
    socket.held = None
    _take_out(socket)
    _abandon_acks(socket, reason)
    registry = socket.hub.registry
    is_heard = registry.processors or any(registry.of(socket.namespace, event) for event in LAST_STAGES)
    if socket.mailbox.is_empty and not is_heard:
        _finish(socket)
        return
    # One task each: what kills a handler does not keep the others from running.
    socket.client.begin_task()
    for step in (_run_disconnect, _run_unsubscribe, _run_finish, _run_last):
        socket.hub.workers.put(socket.mailbox, step, socket)


def _run_disconnect(socket: SocketCore) -> None:
    if socket.state is State.ENDING:
        run_stage(socket, Event.DISCONNECT)


def _run_unsubscribe(socket: SocketCore) -> None:
    if socket.state is not State.ENDING:
        return
    try:
        subscriptions.announce_unsubscribes(socket)
    except (GreenletExit, KeyboardInterrupt):
        socket.hub.workers.put_first(socket.mailbox, _run_unsubscribe, socket)
        raise


def _run_finish(socket: SocketCore) -> None:
    if socket.state is State.ENDING:
        run_stage(socket, Event.FINISH)


def _run_last(socket: SocketCore) -> None:
    try:
        _finish(socket)
    finally:
        socket.client.finish_task()


def _finish(socket: SocketCore) -> None:
    if socket.state is State.ENDED:
        return
    socket.state = State.ENDED
    socket.held = None
    _take_out(socket)
    socket.home.channels.unsubscribe_all(socket)
    socket.home.move_out()
    _abandon_acks(socket, "refused")
    if socket.instances is not None:
        instances, socket.instances = socket.instances, None
        for instance in instances.values():
            instance.kill_local_jobs()


def _abandon_acks(socket: SocketCore, reason: str) -> None:
    for waiter in socket.membership.take_all_acks():
        if isinstance(waiter, AckWaiter):
            waiter.abandon(reason)


def _take_out(socket: SocketCore) -> None:
    """Let nobody find the socket by its id: a client of Engine.IO 3 may have another one by the same id again."""
    if socket.home.sockets.get(socket.id) is socket:
        del socket.home.sockets[socket.id]


def disconnect(socket: SocketCore, peer: Peer) -> None:
    """Disconnect a client from one namespace, from our side."""
    if socket.state is State.CONNECTING:
        refuse(socket, peer, Refused())
    elif socket.connected:
        peer.leave(socket.membership)
        socket.client.send(OutgoingPacket(b"4" + encode_disconnect(socket.namespace)))
        begin_end(socket, "server namespace disconnect")


def leave(socket: SocketCore, peer: Peer) -> None:
    """End a client's stay in one namespace without telling it; what it still sends there is ignored."""
    if socket.connected:
        peer.leave(socket.membership)
        begin_end(socket, "server namespace disconnect")


# -- acks -----------------------------------------------------------------------------------------------------------


def resolve_ack(waiter: object, values: list[object]) -> None:
    """Hand the values of an ack to who waits for them: at once to a ``call``, in the socket's order to a callback."""
    if isinstance(waiter, AckWaiter):
        waiter.resolve(values)
    elif isinstance(waiter, AckCallback):
        waiter.socket.hub.workers.put(waiter.socket.mailbox, _run_callback, waiter, values)


def _run_callback(waiter: AckCallback, values: list[object]) -> None:
    try:
        waiter.function(*values)
    except (GreenletExit, KeyboardInterrupt):
        raise
    except BaseException as error:  # as for handlers
        report(waiter.socket, error)
