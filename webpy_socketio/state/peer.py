"""One client's namespaces and the acks that it owes: which Socket.IO packet may come when.

    (none), LEFT  --CONNECT-->  JOINING  --accept-->  JOINED  --DISCONNECT, leave-->  LEFT
                                JOINING  --refuse-->  (none)

A packet for a namespace that we have left may have crossed our DISCONNECT and is ignored; for one that the client never
asked for, or was refused, it is a violation.
"""

from __future__ import annotations

from enum import Enum
from itertools import count
from typing import Final

from ..errors import ProtocolError, UsageError
from ..types import Excess
from ..wire.socket_packets import (
    BINARY_EVENT,
    CONNECT,
    CONNECT_ERROR,
    DISCONNECT,
    EVENT,
    Packet,
    decode_arguments,
    decode_object,
)

__all__ = ["AckReceived", "JoinRequested", "Left", "Membership", "Outcome", "Peer", "State", "new_ack_id"]


#: Ack ids are unique in the process, as in Node: a client may answer a question of its old connection on its new one,
#: and that must not be taken for the answer to another question.
_ack_ids: Final = count()


def new_ack_id() -> int:
    """Give an id for one question to several clients (`Membership.share_ack`)."""
    return next(_ack_ids)


class State(Enum):
    """Where one membership stands."""

    JOINING = "joining"
    JOINED = "joined"
    LEFT = "left"


#: Looked up once: a member of an Enum costs as much as a call before Python 3.12.
_LEFT: Final = State.LEFT
_EVENTS: Final = (EVENT, BINARY_EVENT)


class Membership:
    """One client in one namespace. As an outcome: the packet is an event for it.

    ``owner`` belongs to the caller (the hub keeps its socket there).
    """

    __slots__ = ("_acks", "namespace", "owner", "state")

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.state = State.JOINING
        self.owner: object = None
        self._acks: dict[int, object] | None = None

    def open_ack(self, waiter: object, limit: int) -> int:
        """Note that ``waiter`` wants an ack; give its id. Raises ``UsageError`` above ``limit`` open acks."""
        id_ = next(_ack_ids)
        if not self.share_ack(id_, waiter, limit):
            raise UsageError(f"The client owes {limit} acks already (max_pending_acks); it does not seem to answer.")
        return id_

    def share_ack(self, id_: int, waiter: object, limit: int) -> bool:
        """Note that ``waiter`` wants the ack of an id that others are asked with too; False above ``limit``."""
        if self._acks is None:
            self._acks = {}
        if len(self._acks) >= limit:
            return False
        self._acks[id_] = waiter
        return True

    def take_ack(self, id_: int) -> object | None:
        """Take the waiter of an ack; None if nobody waits (any more)."""
        return self._acks.pop(id_, None) if self._acks else None

    def take_all_acks(self) -> list[object]:
        """Take all waiters: the client is gone."""
        acks, self._acks = self._acks, None
        return list(acks.values()) if acks else []


class JoinRequested:
    """The client asks to join ``membership``'s namespace with this auth payload; ``accept`` or ``refuse`` answers.

    ``query`` is what clients of protocol 4 write behind the namespace's name.
    """

    def __init__(self, membership: Membership, auth: dict[str, object], query: str = "") -> None:
        self.membership = membership
        self.auth = auth
        self.query = query


class AckReceived:
    """The client answers ``waiter`` with ``values``."""

    def __init__(self, waiter: object, values: list[object]) -> None:
        self.waiter = waiter
        self.values = values


class Left:
    """The client left the namespace of ``membership``."""

    def __init__(self, membership: Membership) -> None:
        self.membership = membership


#: None: nothing to do. A `ProtocolError` closes the client.
Outcome = Membership | JoinRequested | AckReceived | Left | ProtocolError | None


class Peer:
    """The machine of one client. ``max_namespaces`` bounds those that it may be in."""

    __slots__ = ("_max_namespaces", "memberships")

    def __init__(self, max_namespaces: int) -> None:
        self._max_namespaces = max_namespaces
        self.memberships: dict[str, Membership] = {}

    def receive_packet(self, packet: Packet) -> Outcome:
        """Take one whole packet; its membership as outcome means: an event for it."""
        membership = self.memberships.get(packet.namespace)
        kind = packet.type
        try:
            if kind == CONNECT:
                return self._receive_connect(membership, packet)
            if membership is None or kind == CONNECT_ERROR:
                return ProtocolError(f"a packet of type {kind} for {packet.namespace!r:.100}, which was not joined")
            if membership.state is _LEFT:
                return None
            if kind in _EVENTS:
                return membership
            if kind == DISCONNECT:
                return self._receive_disconnect(membership, packet)
            return self._receive_ack(membership, packet)
        except ProtocolError as error:
            return error

    def _receive_connect(self, membership: Membership | None, packet: Packet) -> Outcome:
        if membership is not None and membership.state is not State.LEFT:
            return ProtocolError(f"a second CONNECT for {packet.namespace!r}")
        if membership is None and len(self.memberships) >= self._max_namespaces and not self._forget_left():
            excess = Excess("max_namespaces", self._max_namespaces + 1, self._max_namespaces)
            return ProtocolError(f"more than {self._max_namespaces} namespaces", 1008, excess)
        auth = decode_object(packet)
        membership = self.memberships[packet.namespace] = Membership(packet.namespace)
        return JoinRequested(membership, auth)

    def _forget_left(self) -> bool:
        """Make room by forgetting a namespace that the client is in no longer; False if it is in all of them."""
        for name, membership in self.memberships.items():
            if membership.state is State.LEFT:
                del self.memberships[name]
                return True
        return False

    def _receive_ack(self, membership: Membership, packet: Packet) -> Outcome:
        if packet.id is None:
            return ProtocolError("an ack without an id")
        values = decode_arguments(packet)
        waiter = membership.take_ack(packet.id)
        return None if waiter is None else AckReceived(waiter, values)

    def _receive_disconnect(self, membership: Membership, packet: Packet) -> Outcome:
        if packet.data:
            return ProtocolError("DISCONNECT has no payload")
        membership.state = State.LEFT
        return Left(membership)

    def accept(self, membership: Membership) -> None:
        """Let the client in."""
        self._check_state(membership, State.JOINING)
        membership.state = State.JOINED

    def refuse(self, membership: Membership) -> None:
        """Turn the client down; it may ask again."""
        self._check_state(membership, State.JOINING)
        self.memberships.pop(membership.namespace, None)

    def leave(self, membership: Membership) -> None:
        """Take note that we leave; what the client still sends here is ignored."""
        self._check_state(membership, State.JOINING, State.JOINED)
        membership.state = State.LEFT

    @staticmethod
    def _check_state(membership: Membership, *allowed: State) -> None:
        if membership.state not in allowed:
            raise UsageError(f"The namespace {membership.namespace!r} is {membership.state.value} already.")
