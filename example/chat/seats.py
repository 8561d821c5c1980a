"""Who is in which room.

A *seat* is a name in a room. It belongs to whoever knows its secret, which the server gives to the page that took the
name and the page keeps for as long as its tab lives. Any number of sockets may sit on one seat: the one that is about
to be noticed dead, the one that has just come back, a second tab. A seat on which no socket sits is kept for a while,
so that a reload, a network that broke off, or a restart of the server does not cost anybody his name.
"""

import hmac
import secrets
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from chat.database import db
from chat.models import Room
from chat.text import name_key


@dataclass(slots=True, eq=False)
class Seat:
    """One name in one room; `empty_since` is when its last socket went, on the clock of `Seats`."""

    room: Room
    name: str
    secret: str
    sockets: set[str] = field(default_factory=set)
    empty_since: float = 0.0


class Seats:
    """All seats of all rooms: in memory, and written through to the database for the next start."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rooms: defaultdict[int, dict[str, Seat]] = defaultdict(dict)

    def restore(self) -> list[Seat]:
        """Read the seats that the last run of the server left, all of them empty from now on, and return them."""
        query = "SELECT seats.*, slug, rooms.name AS room_name FROM seats JOIN rooms ON rooms.id = room_id"
        for row in list(db.query(query)):
            seat = Seat(Room(row.room_id, row.slug, row.room_name), row.name, row.secret, empty_since=self._clock())
            self._rooms[row.room_id][row.name_key] = seat
        return [seat for room in self._rooms.values() for seat in room.values()]

    def take(self, room: Room, name: str, secret: object, socket_id: str) -> tuple[Seat | None, bool]:
        """Sit down as `name`: return the seat and whether it is new, or (None, False) if it is somebody else's."""
        key = name_key(name)
        seat = self._rooms[room.id].get(key)
        is_new = seat is None
        if seat is None:
            seat = Seat(room, name, secrets.token_urlsafe(16))
            self._rooms[room.id][key] = seat
            db.insert("seats", room_id=room.id, name_key=key, name=name, secret=seat.secret)
        elif not _is_same(secret, seat.secret):
            return None, False
        seat.sockets.add(socket_id)
        return seat, is_new

    def stand_up(self, seat: Seat, socket_id: str) -> float:
        """Take a socket off its seat, and return the time at which this happened, for `vacate`."""
        seat.sockets.discard(socket_id)
        seat.empty_since = self._clock()
        return seat.empty_since

    def vacate(self, seat: Seat, empty_since: float) -> bool:
        """Give up a seat if nobody has sat on it since `empty_since`, and return whether it was given up."""
        places, key = self._rooms[seat.room.id], name_key(seat.name)
        if places.get(key) is not seat or seat.sockets or seat.empty_since != empty_since:
            return False
        del places[key]
        db.delete("seats", where="room_id = $room AND name_key = $key", vars={"room": seat.room.id, "key": key})
        return True

    def names(self, room: Room) -> list[str]:
        """Return who is in a room, in order of arrival."""
        return [seat.name for seat in self._rooms[room.id].values()]

    def count(self, room: Room) -> int:
        """Return how many people are in a room."""
        return len(self._rooms[room.id])


def _is_same(secret: object, right: str) -> bool:
    return isinstance(secret, str) and hmac.compare_digest(secret.encode(errors="replace"), right.encode())


seats = Seats()
