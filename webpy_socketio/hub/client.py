"""One Socket.IO client: packets of its namespaces to the sockets that handlers hold.

What is not user code does not wait for handlers: ACK, CONNECT and DISCONNECT are dealt with at once; events go to
mailboxes.
"""

from __future__ import annotations

from time import monotonic
from typing import Any, Final

from ..errors import ProtocolError
from ..limit_rules import Violation
from ..native import mypyc_attr
from ..state.engine_session import EngineSession
from ..state.packet_stream import PacketStream
from ..state.peer import AckReceived, JoinRequested, Left, Membership, Outcome, Peer
from ..state.peer import State as MembershipState
from ..state.token_bucket import BucketTable
from ..transport.outbox import OutgoingPacket
from ..wire.socket_packets import Packet, encode_connect, encode_connect_error
from . import dispatch, lifecycle, subscriptions
from .core import HubCore
from .engine_client import EngineClient
from .home import Home
from .request import Request
from .socket import Socket
from .socket_core import SocketCore

__all__ = ["Client"]

#: One for all: an idle client is to cost little.
_NEVER: Final = float("inf")


@mypyc_attr(allow_interpreted_subclasses=True)
class Client(EngineClient):
    """One peer that speaks Socket.IO."""

    __slots__ = (
        "_shared",
        "connect_deadline",
        "is_ejected",
        "namespaces",
        "peer",
        "queued",
        "rates",
        "stream",
        "waiting_calls",
    )

    def __init__(
        self, hub: HubCore, session: EngineSession, request: Request, namespaces: dict[str, Home[SocketCore]]
    ) -> None:
        super().__init__(hub, session, request)
        self.namespaces = namespaces
        self.stream = PacketStream(hub.config.max_attachments)
        self.peer = Peer(hub.config.max_namespaces)
        self._shared: dict[Any, Any] | None = None
        #: Events that wait in the mailboxes of all its sockets, and handlers that wait in ``call``.
        self.queued = 0
        self.waiting_calls = 0
        #: Its buckets, where rates are limited, and whether it broke such a limit for good.
        self.rates: BucketTable | None = None
        self.is_ejected = False
        #: Until when it must have joined a namespace; infinite once it has.
        self.connect_deadline = monotonic() + hub.config.connect_timeout

    def sockets(self) -> list[SocketCore]:
        """Give the sockets of all namespaces that the client has asked for."""
        owners = [membership.owner for membership in self.peer.memberships.values()]
        return [owner for owner in owners if isinstance(owner, SocketCore)]

    # -- in ---------------------------------------------------------------------------------------------------------

    def receive_data(self, data: str | bytes) -> None:
        """Take one message: a packet's text or one of its attachments."""
        packet = self.stream.receive_message(data)
        outcome = self.peer.receive_packet(packet) if type(packet) is Packet else packet
        if type(outcome) is Membership:
            # The owner of a joined membership is its socket.
            socket: SocketCore = outcome.owner  # type: ignore[assignment]  # see above
            self.hub.workers.put(socket.mailbox, dispatch.run_event, socket, packet)
            self.queued += 1
            if self.queued > self.hub.config.mailbox_high and not self.is_paused:
                self._slow_down()
        elif outcome is not None:
            self._obey(outcome)  # type: ignore[arg-type]  # a packet has become what its peer says

    def _slow_down(self) -> None:
        """Stop reading; not while a handler waits for this very client's ack, which could never come then."""
        if not self.waiting_calls:
            self.pause()
        elif self.queued > self.hub.config.mailbox_hard:
            limit = self.hub.config.mailbox_hard
            detail = f"{self.queued} events wait while a handler is in call(), mailbox_hard is {limit}"
            self.is_over_limit = True
            self.strike("mailbox_hard", self.queued, limit, "events that wait while a handler is in call()")
            self.hub.close(self, "transport error", detail, close_code=1008, close_reason="too many events")

    def wait_until_resumed(self, timeout: float) -> bool:
        """Wait while reading is stopped, as the engine does; who goes on sending all the same is closed."""
        if super().wait_until_resumed(timeout):
            return True
        limit = self.hub.config.mailbox_hard
        if self.queued > limit and not self.is_closed:
            self.is_over_limit = True
            self.strike("mailbox_hard", self.queued, limit, "events that wait")
            self.hub.close(self, "transport error", f"{self.queued} events wait, mailbox_hard is {limit}")
        return False

    def begin_task(self) -> None:
        """Take note that the begin or the end of a socket waits for its handlers, as an event does."""
        self.queued += 1
        if self.queued > self.hub.config.mailbox_high and not self.is_paused and not self.is_closed:
            self._slow_down()

    def finish_task(self) -> None:
        """Take note that something that waited for handlers is done."""
        self.queued -= 1
        if self.is_paused and self.queued <= self.hub.config.mailbox_low:
            self.resume()

    def begin_call(self) -> None:
        """Take note that a handler waits for an ack of this client: reading must go on."""
        self.waiting_calls += 1
        if self.is_paused:
            self.resume()

    def end_call(self) -> None:
        """Take note that a handler waits no longer."""
        self.waiting_calls -= 1
        if self.queued > self.hub.config.mailbox_high and not self.is_paused and not self.is_closed:
            self._slow_down()

    def _obey(self, outcome: Outcome) -> None:
        if isinstance(outcome, AckReceived):
            lifecycle.resolve_ack(outcome.waiter, outcome.values)
        elif isinstance(outcome, JoinRequested):
            self._join(outcome)
        elif isinstance(outcome, Left):
            lifecycle.begin_end(outcome.membership.owner, "client namespace disconnect")  # type: ignore[arg-type]  # a membership's owner is its socket
        elif isinstance(outcome, ProtocolError):
            self.reject(outcome)

    def reject(self, error: ProtocolError) -> None:
        """Close the client: what it sent broke the protocol."""
        if self.is_closed:
            return
        if error.excess is not None:
            self.is_over_limit = True
            self.strike(*error.excess)
        self.hub.close(self, "parse error", error.reason, close_code=error.close_code, close_reason=error.reason)

    def strike(self, limit: str, size: float, most: float, detail: str = "") -> None:
        """Make visible that this client exceeded a limit, with its first socket if there is one."""
        socket = next(iter(self.sockets()), None)
        label = f"{self.session.sid[:6]}…" if socket is None else socket.label
        self.hub.strike(
            Violation(limit, size, most, session_id=label, request=self.request, socket=socket, detail=detail)
        )

    def _join(self, wanted: JoinRequested) -> None:
        name = wanted.membership.namespace
        # Names that only a regular expression knows are the client's, and are kept in more than one place.
        is_long = len(name) > self.hub.config.max_namespace_name
        if is_long or not self.hub.registry.knows(name):
            if is_long:
                self.strike("max_namespace_name", len(name), self.hub.config.max_namespace_name)
            self.peer.refuse(wanted.membership)
            self.send(OutgoingPacket(b"4" + self.encode_refusal(name, "Invalid namespace", None)))
            return
        socket = Socket(self.hub, self, self._home(name), wanted.membership, self._request_of(wanted))
        socket.home.move_in()
        wanted.membership.owner = socket
        lifecycle.begin_connect(socket, self.peer)

    def _request_of(self, wanted: JoinRequested) -> Request:
        """Give the request that the handlers of a namespace see."""
        if wanted.membership.namespace != "/":
            return Request(self.request, wanted.auth)
        self.request.auth = wanted.auth
        return self.request

    def _home(self, name: str) -> Home[SocketCore]:
        home = self.namespaces.get(name)
        return Home(name, self.namespaces) if home is None else home

    # -- for its sockets --------------------------------------------------------------------------------------------

    def session_id(self, namespace: str) -> str:
        """Give a public session id to its socket in a namespace."""
        return self.hub.new_id()

    def label(self, session_id: str) -> str:
        """Give what of an id may stand in the log."""
        return session_id

    def encode_connect(self, namespace: str, session_id: str) -> bytes:
        """Encode the answer to CONNECT."""
        return encode_connect(namespace, session_id)

    def encode_refusal(self, namespace: str, message: str, data: object) -> bytes:
        """Encode the refusal of CONNECT."""
        return encode_connect_error(namespace, message, data)

    @property
    def carrier_name(self) -> str:
        """Give the name of the carrier that is used just now."""
        return self.carrier.name

    @property
    def shared(self) -> dict[Any, Any]:  # Any: it is the application's
        """Give the dictionary that all its sockets share."""
        if self._shared is None:
            self._shared = {}
        return self._shared

    def subscribe(self, socket: SocketCore, channel: str) -> bool:
        """Subscribe one of its sockets."""
        return subscriptions.subscribe(socket, channel)

    def unsubscribe(self, socket: SocketCore, channel: str) -> bool:
        """Unsubscribe one of its sockets."""
        return subscriptions.unsubscribe(socket, channel)

    def eject(self, detail: str) -> None:
        """Close the client; what it has sent is not handled any more."""
        self.is_ejected = True
        if not self.is_closed:
            self.hub.close(self, "transport error", detail, close_code=1008, close_reason="rate limit")

    def count_channels(self) -> int:
        """Count the channels of all its sockets."""
        return sum(socket.home.channels.count(socket) for socket in self.sockets())

    def disconnect(self, socket: SocketCore, *, close: bool) -> None:
        """Disconnect one of its sockets; with ``close`` the whole client."""
        lifecycle.disconnect(socket, self.peer)
        if close and not self.is_closed:
            self.hub.close(self, "server namespace disconnect")

    def forget(self, socket: SocketCore) -> None:
        """Disconnect one of its sockets without telling the client."""
        lifecycle.leave(socket, self.peer)

    # -- deadlines and the end --------------------------------------------------------------------------------------

    def next_deadline(self) -> float:
        """Give the time of the earliest thing that is due."""
        return min(super().next_deadline(), self.connect_deadline)

    def receive_deadline(self, now: float) -> float | None:
        """Do what is due; a client that joined no namespace in time is closed."""
        if now >= self.connect_deadline and not self.is_closed:
            self._check_joined(now)
        was_closed = self.is_closed
        deadline = super().receive_deadline(now)
        if self.is_closed and not was_closed and not self.peer.memberships:
            config = self.hub.config
            patience = config.ping_interval + config.ping_timeout
            self.strike("ping_timeout", patience, patience, "no namespace was joined before")
        return deadline

    def _check_joined(self, now: float) -> None:
        states = {membership.state for membership in self.peer.memberships.values()}
        if not states:
            timeout = self.hub.config.connect_timeout
            detail = "no namespace was joined in time"
            self.strike("connect_timeout", timeout, timeout, detail)
            self.hub.close(self, "connect timeout", detail, close_code=1008, close_reason=detail)
        elif states == {MembershipState.JOINING}:
            self.connect_deadline = now + self.hub.config.connect_timeout  # on_connect takes its time
        else:
            self.connect_deadline = _NEVER

    def end(self, reason: str) -> None:
        """End all sockets: the client is gone."""
        for socket in self.sockets():
            lifecycle.begin_end(socket, reason)
