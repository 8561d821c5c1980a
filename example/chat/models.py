"""Rooms and messages, as the rest of the chat sees them. Every function is one short visit to the database."""

import re
import secrets
import sqlite3
import time
from dataclasses import dataclass
from typing import Any

from chat import settings
from chat.database import db
from chat.text import UnsuitableError, clean_line, name_key, slug

_CHANNEL = re.compile(r"room-([1-9][0-9]{0,17})")
_NONCE = re.compile(r"[0-9a-f]{16,64}")


@dataclass(frozen=True, slots=True)
class Room:
    """A room; its `slug` stands in addresses, its `channel` is what the sockets of its people subscribe to."""

    id: int
    slug: str
    name: str

    @property
    def channel(self) -> str:
        """The channel of the room."""
        return f"room-{self.id}"


@dataclass(frozen=True, slots=True)
class Message:
    """Something that somebody said; `time` is in milliseconds since 1970, as JavaScript counts."""

    id: int
    name: str
    text: str
    time: int

    def as_action(self) -> dict[str, Any]:
        """Return the message in the form in which it travels."""
        return {"action": "message", "id": self.id, "name": self.name, "message": self.text, "time": self.time}


def rooms() -> list[Room]:
    """Return all rooms, the oldest first."""
    return [_room(row) for row in db.select("rooms", order="id")]


def room_by_slug(slug: str) -> Room | None:
    """Return the room of the address ``/room/<slug>``, or None."""
    return _first_room(db.select("rooms", where="slug = $slug", vars={"slug": slug}))


def room_by_channel(channel: str) -> Room | None:
    """Return the room whose people subscribe to `channel`, or None."""
    match = _CHANNEL.fullmatch(channel)
    return _first_room(db.select("rooms", where="id = $id", vars={"id": int(match[1])})) if match else None


def create_room(name: object) -> Room:
    """Make a room from a name as it was typed, and return it; `UnsuitableError` says why it cannot be."""
    name = clean_line(name, settings.ROOM_LENGTH, "a name for the room")
    if db.select("rooms", what="count(*) AS number")[0].number >= settings.MAXIMUM_ROOMS:
        raise UnsuitableError("There are as many rooms as this server allows.")
    if list(db.select("rooms", where="name_key = $key", vars={"key": name_key(name)})):
        raise UnsuitableError("There is a room of that name already.")
    address = _free_slug(slug(name))
    try:
        number = db.insert("rooms", slug=address, name=name, name_key=name_key(name))
    except sqlite3.IntegrityError as error:  # another process was faster
        raise UnsuitableError("There is a room of that name already.") from error
    return Room(number, address, name)


def add_message(room: Room, name: str, text: str, nonce: object) -> tuple[Message, bool]:
    """Store what `name` said and return it with True, or with False what was stored under this nonce before."""
    if not isinstance(nonce, str) or not _NONCE.fullmatch(nonce):
        nonce = secrets.token_hex(16)
    now = time.time_ns() // 1_000_000
    try:
        number = db.insert("messages", room_id=room.id, name=name, text=text, time=now, nonce=nonce)
    except sqlite3.IntegrityError:
        where, values = "room_id = $room AND nonce = $nonce", {"room": room.id, "nonce": nonce}
        return _message(db.select("messages", where=where, vars=values)[0]), False
    _forget_old(room)
    return Message(number, name, text, now), True


def messages(room: Room, after: int = 0) -> list[Message]:
    """Return the newest messages of a room, at most `settings.HISTORY`, the oldest first, none up to id `after`."""
    where, values = "room_id = $room AND id > $after", {"room": room.id, "after": after}
    newest = db.select("messages", where=where, vars=values, order="id DESC", limit=settings.HISTORY)
    return [_message(row) for row in newest][::-1]


def _forget_old(room: Room) -> None:
    oldest_kept = "(SELECT id FROM messages WHERE room_id = $room ORDER BY id DESC LIMIT 1 OFFSET $kept)"
    values = {"room": room.id, "kept": settings.KEPT_MESSAGES}
    db.delete("messages", where=f"room_id = $room AND id <= {oldest_kept}", vars=values)


def _free_slug(wanted: str) -> str:
    used = {room.slug for room in rooms()}
    number = 1
    address = wanted
    while address in used:
        number += 1
        address = f"{wanted}-{number}"
    return address


def _first_room(rows: Any) -> Room | None:
    return next((_room(row) for row in list(rows)), None)


def _room(row: Any) -> Room:
    return Room(row.id, row.slug, row.name)


def _message(row: Any) -> Message:
    return Message(row.id, row.name, row.text, row.time)
