"""Clients of the first two generations: Engine.IO 3, and Socket.IO protocol 4 on it (socket.io-client 1.x and 2.x, and
the libraries for small machines and phones that speak like them).
"""

from __future__ import annotations

from ..state.engine_session import EngineSession, Outcome, SendPong
from ..state.peer import JoinRequested
from ..state.peer_4 import Peer4
from ..transport.outbox import OutgoingPacket
from ..transport.outgoing_3 import Base64Packet3, Packet3, translate
from ..transport.polling_3 import PollingCarrier3
from ..wire.engine_packets import PONG
from ..wire.engine_packets_3 import decode_payload
from ..wire.socket_packets import encode_connect_4, encode_error_4
from .client import Client
from .core import HubCore
from .engine_client import EngineClient
from .home import Home
from .request import Request
from .socket_core import SocketCore

__all__ = ["Client3", "EngineClient3"]


class EngineClient3(EngineClient):
    """One peer that speaks Engine.IO 3: mixed into `Client`, or into whatever else is spoken over the engine.

    A class that mixes it in has a slot ``packet_kind``, for what ``set_up`` gives when the client is made.
    """

    __slots__ = ()

    packet_kind: type[Packet3]
    """How packets are written for this client."""

    def decode_payload(self, body: bytes) -> list[str | bytes]:
        """Split the body of a POST to its packets. Raises ``ProtocolError``."""
        return decode_payload(body)

    def set_up(self) -> type[Packet3]:
        """Choose what the client can read, by the query of its handshake; give the kind of its packets."""
        query = self.request.query
        takes_binary = not query.get("b64") and "j" not in query  # JSONP has nothing but text
        self.carrier = PollingCarrier3(self.outbox, self.hub.config.max_payload, takes_binary=takes_binary)
        return Packet3 if takes_binary else Base64Packet3

    def send(self, packet: OutgoingPacket) -> bool:
        """Queue a packet, written as the client reads it."""
        return super().send(translate(packet, self.packet_kind))

    def _follow(self, outcome: Outcome) -> None:
        if isinstance(outcome, SendPong):
            self.send(OutgoingPacket((PONG + outcome.data).encode()))
        else:
            super()._follow(outcome)


class Client3(EngineClient3, Client):
    """One peer that speaks Socket.IO protocol 4 over Engine.IO 3."""

    __slots__ = ("packet_kind",)

    def __init__(
        self, hub: HubCore, session: EngineSession, request: Request, namespaces: dict[str, Home[SocketCore]]
    ) -> None:
        super().__init__(hub, session, request, namespaces)
        self.peer: Peer4 = Peer4(hub.config.max_namespaces)
        self.packet_kind = self.set_up()

    def open(self, *, offer_upgrade: bool) -> None:
        """Send the OPEN packet, and let the client join ``/``, which it does not ask for."""
        super().open(offer_upgrade=offer_upgrade)
        self._obey(self.peer.open())

    def session_id(self, namespace: str) -> str:
        """Give the id of its socket in a namespace, as the client makes it itself from its Engine.IO id."""
        return self.session.sid if namespace == "/" else f"{namespace}#{self.session.sid}"

    def label(self, session_id: str) -> str:
        """Give what of an id may stand in the log: it ends with the key to the session."""
        return session_id[: 6 - len(self.session.sid)] + "…"

    def encode_connect(self, namespace: str, session_id: str) -> bytes:
        """Encode the answer to CONNECT."""
        return encode_connect_4(namespace)

    def encode_refusal(self, namespace: str, message: str, data: object) -> bytes:
        """Encode the refusal of CONNECT: its data if there are any, or else its text, as Node's server does."""
        return encode_error_4(namespace, message if data is None else data)

    def _request_of(self, wanted: JoinRequested) -> Request:
        """Give the request, with the namespace's own query behind that of the handshake."""
        request = super()._request_of(wanted)
        if wanted.query:
            request = Request(request, wanted.auth)
            request["QUERY_STRING"] = "&".join(filter(None, (request.get("QUERY_STRING", ""), wanted.query)))
        return request
