"""What the hub knows of a socket: one client in one namespace, where it stands, and how a packet reaches it.

What handlers call beyond `send` is in `socket`: a part of its own, as that stays open for what applications do with
classes, while this one may be compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Any, Final, Protocol

from ..errors import ProtocolError, UsageError
from ..native import mypyc_attr
from ..state.peer import Membership
from ..state.token_bucket import BucketTable
from ..transport.outbox import OutgoingPacket
from .acks import AckCallback
from .core import HubCore
from .fanout import make_event
from .held import Held
from .home import Home
from .mailbox import Mailbox
from .request import Request

__all__ = ["SocketCore", "SocketHost", "State"]


class State(Enum):
    """CONNECTING: ``on_connect`` runs, what is sent waits. ENDING: the client is gone, the last handlers run."""

    CONNECTING = "connecting"
    OPEN = "open"
    ENDING = "ending"
    ENDED = "ended"


#: Looked up once: a member of an Enum costs as much as a call before Python 3.12.
_OPEN: Final = State.OPEN
_CONNECTING: Final = State.CONNECTING


class Companion(Protocol):
    """What goes through life with a socket."""

    def kill_local_jobs(self) -> None:
        """End what it has started: the socket is over."""


class SocketHost(Protocol):
    """The client behind a socket, as far as the socket needs it."""

    rates: BucketTable | None
    is_ejected: bool

    def eject(self, detail: str) -> None:
        """Close the client; what it has sent is not handled any more."""

    @property
    def carrier_name(self) -> str:
        """Give the name of the carrier that is used just now."""

    @property
    def shared(self) -> dict[Any, Any]:
        """Give the dictionary that all its sockets share."""

    @property
    def is_writable(self) -> bool:
        """Tell whether a packet would leave at once."""

    def session_id(self, namespace: str) -> str:
        """Give a public session id to its socket in a namespace."""

    def label(self, session_id: str) -> str:
        """Give what of an id may stand in the log."""

    def encode_connect(self, namespace: str, session_id: str) -> bytes:
        """Encode the answer to CONNECT."""

    def encode_refusal(self, namespace: str, message: str, data: object) -> bytes:
        """Encode the refusal of CONNECT."""

    def send(self, packet: OutgoingPacket) -> bool:
        """Queue a packet."""

    def reject(self, error: ProtocolError) -> None:
        """Close the client: what it sent broke the protocol."""

    def begin_call(self) -> None:
        """Take note that a handler waits for an ack."""

    def end_call(self) -> None:
        """Take note that it waits no longer."""

    def subscribe(self, socket: SocketCore, channel: str) -> bool:
        """Subscribe one of its sockets."""

    def unsubscribe(self, socket: SocketCore, channel: str) -> bool:
        """Unsubscribe one of its sockets."""

    def disconnect(self, socket: SocketCore, *, close: bool) -> None:
        """Disconnect one of its sockets."""

    def forget(self, socket: SocketCore) -> None:
        """Disconnect one of its sockets without telling the client."""

    def count_channels(self) -> int:
        """Count the channels of all its sockets."""

    def begin_task(self) -> None:
        """Take note that the begin or the end of a socket waits for its handlers."""

    def finish_task(self) -> None:
        """Take note that something that waited for handlers is done."""

    def strike(self, limit: str, size: float, most: float, detail: str = "") -> None:
        """Make visible that the client exceeded a limit."""


@mypyc_attr(allow_interpreted_subclasses=True)
class SocketCore:
    """One client in one namespace."""

    __slots__ = (
        "channel",
        "client",
        "context",
        "held",
        "hub",
        "id",
        "mailbox",
        "membership",
        "home",
        "instances",
        "reason",
        "request",
        "state",
        "subscribing",
        "unsubscribing",
    )

    def __init__(
        self, hub: HubCore, client: SocketHost, home: Home[SocketCore], membership: Membership, request: Request
    ) -> None:
        self.hub = hub
        self.home = home
        self.client = client
        self.membership = membership
        self.request = request
        self.id = client.session_id(home.name)
        self.context: dict[Any, Any] = {}  # Any: it is the application's
        self.channel: str | None = None
        self.reason: str | None = None
        self.state = State.CONNECTING
        self.mailbox = Mailbox()
        #: Packets that wait for the CONNECT reply; None once that is sent.
        self.held: Held | None = Held()
        #: Channels whose ``on_subscribe`` runs, with what is to be sent to them afterwards.
        self.subscribing: dict[str, list[Callable[[], object]]] | None = None
        #: The objects of class-based namespaces, by where their classes come from; they die with the socket.
        self.instances: dict[object, Companion] | None = None
        #: Channels whose ``on_unsubscribe`` runs.
        self.unsubscribing: set[str] | None = None

    def __repr__(self) -> str:
        return f"<Socket {self.label} of {self.namespace} {self.state.value}>"

    # -- who it is --------------------------------------------------------------------------------------------------

    @property
    def namespace(self) -> str:
        """Give the name of the namespace, such as ``/``."""
        return self.home.name

    @property
    def label(self) -> str:
        """Give what the log calls it: its id, as far as that is public."""
        return self.client.label(self.id)

    @property
    def connected(self) -> bool:
        """Tell whether the client is there; False as soon as its end is known."""
        return self.state is _OPEN or self.state is _CONNECTING

    @property
    def protocol(self) -> str:
        """Give the carrier that is used just now: ``polling`` or ``websocket``."""
        return self.client.carrier_name

    @property
    def channels(self) -> list[str]:
        """Give the channels that the socket is subscribed to, in order of subscription."""
        return self.home.channels.of(self)

    # -- sending ----------------------------------------------------------------------------------------------------

    def send(self, message: object) -> bool:
        """Send a message to this client: the event ``message``. False if it was dropped or the client is gone."""
        return self._emit(["message", message], None)

    def _emit(self, arguments: list[object], callback: Callable[..., object] | None) -> bool:
        if callback is not None and self.connected:
            sent = self._ask(arguments, callback)
        else:
            sent = self.queue(make_event(self.home.name, None, arguments))
        is_on = self.hub.message_log.is_on
        if is_on():
            self.hub.message_log.write(self.request, "send", arguments)
        return sent

    def _ask(self, arguments: list[object], callback: Callable[..., object]) -> bool:
        id_ = self._open_ack(AckCallback(self, callback))
        sent = False
        try:
            sent = self.queue(make_event(self.home.name, id_, arguments))
        finally:
            if not sent:
                self.membership.take_ack(id_)
        return sent

    def queue(self, packet: OutgoingPacket) -> bool:
        """Queue an encoded packet for this client, from any thread; False if it was dropped or the client is gone."""
        if self.hub.is_mine():
            return self.put(packet)
        return self.connected and self.hub.post(self.put, packet)

    def put(self, packet: OutgoingPacket) -> bool:
        """Queue an encoded packet for this client, in the loop's own thread."""
        held = self.held
        if held is None:
            return self.state is _OPEN and self.client.send(packet)
        return held.add(packet, self.hub.config.outbox_limit)

    def _open_ack(self, waiter: object) -> int:
        limit = self.hub.config.max_pending_acks
        try:
            return self.membership.open_ack(waiter, limit)
        except UsageError:
            report = self.client.strike if self.hub.is_mine() else partial(self.hub.post, self.client.strike)
            report("max_pending_acks", limit + 1, limit)
            raise

    @property
    def takes_more(self) -> bool:
        """Tell whether a message would leave at once, or with the answer to CONNECT."""
        return self.state is _CONNECTING or (self.state is _OPEN and self.client.is_writable)

    # -- the end ----------------------------------------------------------------------------------------------------

    def disconnect(self, close: bool = False) -> None:
        """Disconnect the client from this namespace; with ``close`` its connection too."""
        if self.hub.is_mine():
            self.client.disconnect(self, close=close)
        else:
            self.hub.post(self.disconnect, close)
