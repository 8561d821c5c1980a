"""One client of Socket.IO protocol 4 (1.x and 2.x): as `peer`, but for how it joins.

It is in ``/`` without asking. Behind the name of another namespace it may write a query: ``/chat?token=x``.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from ..errors import ProtocolError
from ..wire.socket_packets import CONNECT, Packet
from .peer import JoinRequested, Outcome, Peer, State

__all__ = ["Peer4"]

#: Fields of a query: more are a mistake or an attack.
_MAX_FIELDS = 100


class Peer4(Peer):
    """The machine of one client."""

    __slots__ = ()

    def open(self) -> Outcome:
        """Begin: the client is to join ``/``."""
        return self.receive_packet(Packet(CONNECT, "/", None, ""))

    def receive_packet(self, packet: Packet) -> Outcome:
        """Take one whole packet, as `Peer` does; the fields of a query are the auth payload."""
        if packet.type != CONNECT:
            return super().receive_packet(packet)
        packet.namespace, _, query = packet.namespace.partition("?")
        root = self.memberships.get("/")
        if packet.namespace == "/" and root is not None and root.state is not State.LEFT:
            return None  # small clients ask for it all the same
        try:
            fields = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_FIELDS))
        except ValueError:
            return ProtocolError(f"more than {_MAX_FIELDS} fields in the query of a namespace")
        outcome = super().receive_packet(packet)
        if isinstance(outcome, JoinRequested):
            outcome.query = query
            outcome.auth = {**fields, **outcome.auth}
        return outcome
