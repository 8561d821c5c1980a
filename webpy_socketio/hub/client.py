"""One Socket.IO client: packets of its namespaces to the sockets that handlers hold.

What is not user code does not wait for handlers: ACK, CONNECT and DISCONNECT are dealt with at once; events go to
mailboxes.
"""

from __future__ import annotations

from time import monotonic

from ..errors import ProtocolError
from ..state.engine_session import EngineSession
from ..state.packet_stream import PacketStream
from ..state.peer import AckReceived, JoinRequested, Left, Membership, Outcome, Peer
from ..state.peer import State as MembershipState
from ..transport.outbox import OutgoingPacket
from ..wire.socket_packets import Packet, encode_connect, encode_connect_error
from . import dispatch, lifecycle, subscriptions
from .core import HubCore
from .engine_client import EngineClient
from .request import Request
from .socket import Namespace, Socket

__all__ = ["Client"]


class Client(EngineClient):
    """One peer that speaks Socket.IO."""

    __slots__ = ("connect_deadline", "namespaces", "peer", "queued", "stream", "waiting_calls")

    def __init__(
        self, hub: HubCore, session: EngineSession, request: Request, namespaces: dict[str, Namespace]
    ) -> None:
        super().__init__(hub, session, request)
        self.namespaces = namespaces
        self.stream = PacketStream(hub.config.max_attachments)
        self.peer = Peer(hub.config.max_namespaces)
        #: Events that wait in the mailboxes of all its sockets, and handlers that wait in ``call``.
        self.queued = 0
        self.waiting_calls = 0
        #: Until when it must have joined a namespace; infinite once it has.
        self.connect_deadline = monotonic() + hub.config.connect_timeout

    def sockets(self) -> list[Socket]:
        """Give the sockets of all namespaces that the client has asked for."""
        owners = [membership.owner for membership in self.peer.memberships.values()]
        return [owner for owner in owners if isinstance(owner, Socket)]

    # -- in ---------------------------------------------------------------------------------------------------------

    def receive_data(self, data: str | bytes) -> None:
        """Take one message: a packet's text or one of its attachments."""
        packet = self.stream.receive_message(data)
        if type(packet) is Packet:
            outcome = self.peer.receive_packet(packet)
            if type(outcome) is Membership:
                self._queue_event(outcome.owner, packet)  # type: ignore[arg-type]  # the owner of a joined membership is its socket
            elif outcome is not None:
                self._obey(outcome)
        elif packet is not None:
            self._obey(packet)  # type: ignore[arg-type]  # neither a packet nor None, so an error

    def _queue_event(self, socket: Socket, packet: Packet) -> None:
        self.hub.workers.put(socket.mailbox, self._run_event, (socket, packet))
        self.queued += 1
        if self.queued > self.hub.config.mailbox_high and not self.is_paused:
            self._slow_down()

    def _slow_down(self) -> None:
        """Stop reading; not while a handler waits for this very client's ack, which could never come then."""
        if not self.waiting_calls:
            self.pause()
        elif self.queued > self.hub.config.mailbox_hard:
            limit = self.hub.config.mailbox_hard
            detail = f"{self.queued} events wait while a handler is in call(), mailbox_hard is {limit}"
            self.hub.close(self, "transport error", detail, close_code=1008, close_reason="too many events")

    def _run_event(self, job: tuple[Socket, Packet]) -> None:
        try:
            dispatch.run_event(*job)
        finally:
            self._finish_event()

    def _finish_event(self) -> None:
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
        if not self.is_closed:
            self.hub.close(self, "parse error", error.reason, close_code=1002, close_reason=error.reason)

    def _join(self, wanted: JoinRequested) -> None:
        name = wanted.membership.namespace
        if not self.hub.registry.knows(name):
            self.peer.refuse(wanted.membership)
            self.send(OutgoingPacket(b"4" + self.encode_refusal(name, "Invalid namespace", None)))
            return
        socket = Socket(self.hub, self, self._home(name), wanted.membership, self._request_of(wanted))
        wanted.membership.owner = socket
        lifecycle.begin_connect(socket, self.peer)

    def _request_of(self, wanted: JoinRequested) -> Request:
        """Give the request that the handlers of a namespace see."""
        if wanted.membership.namespace != "/":
            return Request(self.request, wanted.auth)
        self.request.auth = wanted.auth
        return self.request

    def _home(self, name: str) -> Namespace:
        home = self.namespaces.get(name)
        if home is None:
            home = self.namespaces[name] = Namespace(name)
        return home

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

    def subscribe(self, socket: Socket, channel: str) -> bool:
        """Subscribe one of its sockets."""
        return subscriptions.subscribe(socket, channel)

    def unsubscribe(self, socket: Socket, channel: str) -> bool:
        """Unsubscribe one of its sockets."""
        return subscriptions.unsubscribe(socket, channel)

    def disconnect(self, socket: Socket, *, close: bool) -> None:
        """Disconnect one of its sockets; with ``close`` the whole client."""
        lifecycle.disconnect(socket, self.peer)
        if close and not self.is_closed:
            self.hub.close(self, "server namespace disconnect")

    # -- deadlines and the end --------------------------------------------------------------------------------------

    def next_deadline(self) -> float:
        """Give the time of the earliest thing that is due."""
        return min(super().next_deadline(), self.connect_deadline)

    def receive_deadline(self, now: float) -> float | None:
        """Do what is due; a client that joined no namespace in time is closed."""
        if now >= self.connect_deadline and not self.is_closed:
            self._check_joined(now)
        return super().receive_deadline(now)

    def _check_joined(self, now: float) -> None:
        states = {membership.state for membership in self.peer.memberships.values()}
        if not states:
            self.hub.close(self, "connect timeout", "no namespace was joined in time")
        elif states == {MembershipState.JOINING}:
            self.connect_deadline = now + self.hub.config.connect_timeout  # on_connect takes its time
        else:
            self.connect_deadline = float("inf")

    def end(self, reason: str) -> None:
        """End all sockets: the client is gone."""
        for socket in self.sockets():
            lifecycle.begin_end(socket, reason)
