"""What waits to be written to one client: whole packets, bounded in bytes.

A packet is encoded once per wire format and shared by all its receivers. Only packets of the application are ever
dropped, with their attachments, and never one that is partly written: what a carrier has taken out is gone from here.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

from ..config import Config
from ..types import Excess
from ..wire import frames
from ..wire.deflate import Deflater
from ..wire.engine_packets import encode_binary

__all__ = ["OVERHEAD", "Budget", "Outbox", "OutboxOwner", "OutgoingPacket"]

#: Bytes of memory that a waiting packet costs beside its own: many small packets must not slip under the limit.
OVERHEAD: Final = 200


class OutgoingPacket:
    """One packet for any number of receivers.

    ``text`` is a whole Engine.IO packet, its type digit included; ``attachments`` are the binary messages behind it.
    ``droppable`` tells that a full outbox may drop it (control, CONNECT and ACK packets are not).
    """

    __slots__ = ("_deflated", "_frames", "_pieces", "attachments", "droppable", "key", "size", "text", "variants")

    #: What it is the latest value of (`policies.Coalesce`); not set until somebody asks.
    key: Any  # Any: the application's, or None

    #: The same packet for clients of Engine.IO 3, by class (`outgoing_3`); not set until there is one.
    variants: dict[type, Any]  # Any: an instance of that class

    #: Compressed frames by the bits of their window; not set until there is a receiver for them.
    _deflated: dict[int, bytes]

    def __init__(self, text: bytes, attachments: list[bytes] | None = None, droppable: bool = False) -> None:
        self.text = text
        self.attachments = attachments
        self.droppable = droppable
        self.size = OVERHEAD + len(text) if not attachments else OVERHEAD + len(text) + sum(map(len, attachments))
        self._frames: bytes | None = None
        self._pieces: tuple[bytes, ...] | None = None

    @property
    def binaries(self) -> list[bytes] | None:
        """Give the binary data of the application."""
        return self.attachments

    def frames(self) -> bytes:
        """Encode for a WebSocket: a text frame and a binary one per attachment."""
        encoded = self._frames
        if encoded is None:
            encoded = frames.encode_frame(frames.TEXT, self.text)
            if self.attachments:
                encoded += b"".join([frames.encode_frame(frames.BINARY, data) for data in self.attachments])
            self._frames = encoded
        return encoded

    def deflated_frames(self, deflater: Deflater) -> bytes:
        """Encode for a WebSocket with compression: once for all receivers, as their windows seldom differ."""
        plain = self.frames()
        if len(plain) < deflater.threshold:
            return plain
        try:
            known = self._deflated
        except AttributeError:  # this is the first of them
            known = self._deflated = {}
        bits = deflater.bits_for(len(plain))
        encoded = known.get(bits)
        if encoded is None:
            encoded = known[bits] = deflater.encode_frames(plain)
        return encoded

    def pieces(self) -> tuple[bytes, ...]:
        """Encode for long-polling: one piece of a payload for the text and one per attachment."""
        encoded = self._pieces
        if encoded is None:
            encoded = self._pieces = (self.text, *map(encode_binary, self.attachments or ()))
        return encoded


class Budget:
    """The bytes that wait for all slow clients of a process together, against their ceiling."""

    __slots__ = ("ceiling", "used")

    def __init__(self, ceiling: int) -> None:
        self.ceiling = ceiling
        self.used = 0


class OutboxOwner(Protocol):
    """Who wants to know when packets are dropped."""

    def receive_drop(self, excess: Excess) -> None:
        """Take note that packets begin to be dropped; by which limit."""

    def receive_relief(self, dropped: int) -> None:
        """Take note that the client reads again, and how many packets were dropped until then."""


class Outbox:
    """The packets that wait for one client. What is too much is refused; `outboxes` has variants that do otherwise.

    ``stuck`` tells that the client does not take what is there, or does not ask for it: from then on its bytes count in
    the process's budget (what leaves at the end of the same loop turn never does). ``dropped`` counts the packets that
    were dropped since it was last up to date.
    """

    __slots__ = ("_budget", "_limit", "_owner", "dropped", "packets", "size", "stuck")

    def __init__(self, config: Config, budget: Budget, owner: OutboxOwner | None = None) -> None:
        self._limit = config.outbox_limit
        self._budget = budget
        self._owner = owner
        self.packets: list[OutgoingPacket] = []
        self.size = 0
        self.stuck = False
        self.dropped = 0

    def push(self, packet: OutgoingPacket) -> bool:
        """Add a packet; False if there is no room for it: the caller then closes the client, or calls ``drop``."""
        size = packet.size
        if self.size + size > self._limit and not self._is_urgent(packet):
            return False
        if self.stuck:
            if self._budget.used + size > self._budget.ceiling and packet.droppable:
                return False
            self._budget.used += size
        self.size += size
        self.packets.append(packet)
        return True

    def _is_urgent(self, packet: OutgoingPacket) -> bool:
        # Acks and control packets may go over the limit, or a flood of events that ask for acks would go without any.
        return not packet.droppable and self.size + packet.size <= 2 * self._limit

    def excess_of(self, packet: OutgoingPacket) -> Excess:
        """Tell why there is no room for a packet."""
        size = self.size + packet.size
        if size > self._limit:
            return Excess("outbox_limit", size, self._limit)
        return Excess("outbox_ceiling", self._budget.used + packet.size, self._budget.ceiling)

    def drop(self, excess: Excess, count: int = 1) -> None:
        """Take note that packets are dropped. The owner hears of the first; from then on the client counts as stuck."""
        is_first = not self.dropped
        self.dropped += count
        if is_first:
            self.set_stuck(True)
            if self._owner is not None:
                self._owner.receive_drop(excess)

    def _count(self, size: int) -> None:
        self.size += size
        if self.stuck:
            self._budget.used += size

    def take_frames(self, at_most: int, deflater: Deflater | None = None) -> bytes:
        """Take packets, encoded for a WebSocket, of about ``at_most`` bytes together (before they are compressed by the
        ``deflater``): at least one.
        """
        packets = self.packets
        if len(packets) == 1:
            if self.stuck:
                self._budget.used -= self.size
            self.size = 0
            packet = packets.pop()
            return packet.frames() if deflater is None else packet.deflated_frames(deflater)
        packets = self._take_some(at_most)
        if deflater is not None:
            return b"".join([packet.deflated_frames(deflater) for packet in packets])
        return b"".join([packet.frames() for packet in packets])

    def _take_some(self, at_most: int) -> list[OutgoingPacket]:
        if self.size <= at_most:
            head, self.packets = self.packets, []
            self._count(-self.size)
            return head
        taken, size = 0, 0
        for packet in self.packets:
            size += packet.size
            taken += 1
            if size >= at_most:
                break
        head, self.packets = self.packets[:taken], self.packets[taken:]
        self._count(-size)
        return head

    def take_packets(self, at_most: int, most_pieces: int) -> list[OutgoingPacket]:
        """Take whole packets of at most ``at_most`` bytes and ``most_pieces`` pieces together, but at least one."""
        taken: list[OutgoingPacket] = []
        size = pieces = 0
        for packet in self.packets:
            size += packet.size
            pieces += 1 + len(packet.attachments or ())
            if taken and (size > at_most or pieces > most_pieces):
                break
            taken.append(packet)
        self.packets = self.packets[len(taken) :]
        self._count(-sum(packet.size for packet in taken))
        return taken

    def restore(self, packets: list[OutgoingPacket]) -> None:
        """Put packets back to the front that could not be written."""
        self.packets = packets + self.packets
        self._count(sum(packet.size for packet in packets))

    def set_stuck(self, stuck: bool) -> None:
        """Take note whether the client takes what is there."""
        if stuck != self.stuck:
            self._budget.used += self.size if stuck else -self.size
            self.stuck = stuck
            if self.dropped and not stuck:
                dropped, self.dropped = self.dropped, 0
                if self._owner is not None:
                    self._owner.receive_relief(dropped)

    def clear(self) -> None:
        """Drop everything: the client is gone."""
        self._count(-self.size)
        self.packets = []
        self._owner = None
