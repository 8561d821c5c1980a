"""Outboxes that make room themselves: by dropping the oldest packets, or by keeping only the latest of those alike.

Both cost the same for each packet however many wait. Clients of other applications have the plain `Outbox`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final

from ..config import Config
from ..policies import Coalesce
from ..wire.deflate import Deflater
from ..wire.socket_packets import decode_arguments, decode_packet
from .outbox import Budget, Outbox, OutboxOwner, OutgoingPacket

__all__ = ["CoalescingOutbox", "DroppingOutbox", "make_outbox"]

#: What stands in the list where a packet was dropped: it is nothing in any format. Lists close up now and then only.
_GAP: Final = OutgoingPacket(b"")
_GAP.size = 0
#: Gaps that are too few to be worth closing.
_FEW: Final = 32


class DroppingOutbox(Outbox):
    """An outbox for ``drop_oldest``."""

    __slots__ = ("_droppable", "_gaps", "_next")

    def __init__(self, config: Config, budget: Budget, owner: OutboxOwner | None = None) -> None:
        super().__init__(config, budget, owner)
        #: Bytes that may be dropped; not counted, and below zero, until that matters.
        self._droppable = -1
        self._gaps = 0
        #: Before this place of the list there is nothing to drop any more.
        self._next = 0

    def push(self, packet: OutgoingPacket) -> bool:
        """Add a packet, in place of older ones if need be; False if all of them together would not be enough."""
        size = packet.size
        if self._droppable < 0:
            if not self.stuck and self.size + size <= self._limit:
                self.size += size
                self.packets.append(packet)
                return True
            self._droppable = sum([waiting.size for waiting in self.packets if waiting.droppable])
        if packet.droppable:
            if not self._make_room(size, packet):
                return False
            self._droppable += size
        elif self.size + size > self._limit and not self._is_urgent(packet):
            return False
        self._count(size)
        self.packets.append(packet)
        return True

    def _make_room(self, size: int, packet: OutgoingPacket) -> bool:
        missing = self.size + size - self._limit
        if self.stuck:
            missing = max(missing, self._budget.used + size - self._budget.ceiling)
        if missing <= 0:
            return True
        if missing > self._droppable:
            return False
        excess = self.excess_of(packet)
        self.drop(excess, self._drop_oldest(missing))
        return True

    def _drop_oldest(self, missing: int) -> int:
        """Drop ``missing`` bytes of packets; give their number."""
        packets, at = self.packets, self._next
        freed = count = 0
        while freed < missing:
            packet = packets[at]
            if packet.droppable:
                freed += packet.size
                count += 1
                packets[at] = _GAP
            at += 1
        self._next = at
        self._gaps += count
        self._droppable -= freed
        self._count(-freed)
        if self._gaps > _FEW and 2 * self._gaps > len(packets):
            self._close_gaps()
        return count

    def _close_gaps(self) -> None:
        if self._gaps:
            self._next -= self._gaps  # all of them are before it
            self._gaps = 0
            self.packets = [packet for packet in self.packets if packet is not _GAP]

    def _forget(self, before: list[OutgoingPacket]) -> None:
        """Take note that the first of the packets that were here ``before`` have left."""
        if not self.packets:
            self._droppable, self._next = -1, 0
            return
        taken = before[: len(before) - len(self.packets)]
        self._droppable -= sum([packet.size for packet in taken if packet.droppable])
        self._next = max(0, self._next - len(taken))

    def take_frames(self, at_most: int, deflater: Deflater | None = None) -> bytes:
        """Take packets as `Outbox` does."""
        if self._droppable < 0:
            return super().take_frames(at_most, deflater)
        self._close_gaps()
        before = self.packets
        data = super().take_frames(at_most, deflater)
        self._forget(before)
        return data

    def take_packets(self, at_most: int, most_pieces: int) -> list[OutgoingPacket]:
        """Take packets as `Outbox` does."""
        if self._droppable < 0:
            return super().take_packets(at_most, most_pieces)
        self._close_gaps()
        before = self.packets
        taken = super().take_packets(at_most, most_pieces)
        self._forget(before)
        return taken

    def restore(self, packets: list[OutgoingPacket]) -> None:
        """Put packets back as `Outbox` does."""
        self._close_gaps()
        super().restore(packets)
        self._droppable, self._next = -1, 0

    def clear(self) -> None:
        """Drop everything."""
        super().clear()
        self._droppable, self._gaps, self._next = -1, 0, 0


class CoalescingOutbox(Outbox):
    """An outbox for `Coalesce`. As long as a client takes what is there it gets everything.

    A newer value stands where the older one stood: at the end of the queue it might never have its turn, if it changes
    faster than the queue moves.
    """

    __slots__ = ("_on_failure", "_places", "_policy", "_taken")

    def __init__(
        self,
        config: Config,
        budget: Budget,
        owner: OutboxOwner | None,
        policy: Coalesce,
        on_failure: Callable[[], None],
    ) -> None:
        super().__init__(config, budget, owner)
        self._policy = policy
        self._on_failure = on_failure
        #: Where the packet of each key waits, counted from the first packet ever; None while nothing is coalesced.
        self._places: dict[Hashable, int] | None = None
        self._taken = 0

    def push(self, packet: OutgoingPacket) -> bool:
        """Add a packet, or put it in the place of the older one of its key."""
        places = self._places
        key = None if places is None else self._key_of(packet)
        if places is None or key is None:
            return super().push(packet)
        place = places.get(key)
        if place is not None:
            return self._replace(place - self._taken, packet)
        if not super().push(packet):
            return False
        places[key] = self._taken + len(self.packets) - 1
        return True

    def _replace(self, at: int, packet: OutgoingPacket) -> bool:
        growth = packet.size - self.packets[at].size
        if growth > 0 and self.size + growth > self._limit:
            return False
        if growth > 0 and self.stuck and self._budget.used + growth > self._budget.ceiling:
            return False
        self._count(growth)
        self.packets[at] = packet
        return True

    def _key_of(self, packet: OutgoingPacket) -> Hashable | None:
        if not packet.droppable:
            return None
        try:
            key: Hashable | None = packet.key
        except AttributeError:  # this client is the first one for whom that matters
            key = packet.key = self._make_key(packet)
        return key

    def _make_key(self, packet: OutgoingPacket) -> Hashable | None:
        try:
            event = decode_packet(packet.text[1:].decode())
            if event.id is not None:
                return None  # somebody waits for its ack
            event.attachments = packet.binaries
            name, *arguments = decode_arguments(event)
            key = self._policy.key(name, arguments)
            hash(key)
        except Exception:  # the application's function: the event is sent as it is
            self._on_failure()
            return None
        return None if key is None else (event.namespace, name, key)

    def _index(self) -> None:
        """Begin to coalesce, with what waits already."""
        packets, self.packets = self.packets, []
        places: dict[Hashable, int] = {}
        self._taken = 0
        for packet in packets:
            key = self._key_of(packet)
            if key is not None and key in places:
                self._count(-self.packets[places[key]].size)
                self.packets[places[key]] = packet
                continue
            if key is not None:
                places[key] = len(self.packets)
            self.packets.append(packet)
        self._places = places

    def _forget(self, before: list[OutgoingPacket], places: dict[Hashable, int]) -> None:
        """Take note that the first of the packets that were here ``before`` have left."""
        if not self.packets:
            self._places = {} if self.stuck else None
            return
        for place, packet in enumerate(before[: len(before) - len(self.packets)], self._taken):
            key: Any = self._key_of(packet)
            if key is not None and places.get(key) == place:
                del places[key]
        self._taken += len(before) - len(self.packets)

    def take_frames(self, at_most: int, deflater: Deflater | None = None) -> bytes:
        """Take packets as `Outbox` does."""
        before = self.packets
        data = super().take_frames(at_most, deflater)
        if self._places is not None:
            self._forget(before, self._places)
        return data

    def take_packets(self, at_most: int, most_pieces: int) -> list[OutgoingPacket]:
        """Take packets as `Outbox` does."""
        before = self.packets
        taken = super().take_packets(at_most, most_pieces)
        if self._places is not None:
            self._forget(before, self._places)
        return taken

    def restore(self, packets: list[OutgoingPacket]) -> None:
        """Put packets back as `Outbox` does, but for those of which there is a newer one."""
        super().restore(packets)
        if self._places is not None:
            self._index()

    def set_stuck(self, stuck: bool) -> None:
        """Begin to coalesce as soon as the client does not take what is there."""
        super().set_stuck(stuck)
        if stuck and self._places is None:
            self._index()
        elif not stuck and not self.packets:
            self._places = None

    def clear(self) -> None:
        """Drop everything."""
        super().clear()
        self._places = None


def make_outbox(config: Config, budget: Budget, owner: OutboxOwner | None, on_failure: Callable[[], None]) -> Outbox:
    """Make the outbox that fits the settings. ``on_failure`` is called in an ``except`` clause when a function of the
    application raised.
    """
    policy = config.outbox_policy
    if isinstance(policy, Coalesce):
        return CoalescingOutbox(config, budget, owner, policy, on_failure)
    return DroppingOutbox(config, budget, owner) if policy == "drop_oldest" else Outbox(config, budget, owner)
