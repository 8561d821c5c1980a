"""What the server says without being asked: to the people of a room, to the list of rooms, to everybody."""

from typing import Any

import webpy_socketio
from chat.models import Room
from chat.seats import seats

#: The channel of the page that lists the rooms.
LOBBY = "lobby"


def room_entry(room: Room) -> dict[str, Any]:
    """Return what the list of rooms shows of a room."""
    return {"id": room.id, "slug": room.slug, "name": room.name, "count": seats.count(room)}


def tell_lobby(room: Room) -> None:
    """Tell the list of rooms that a room is new, or how many people are in it now."""
    # emit, unlike broadcast_channel, does not mind that perhaps nobody is looking.
    webpy_socketio.emit("message", {"action": "room", "room": room_entry(room)}, to=LOBBY)


def tell_room(room: Room, action: str, name: str) -> None:
    """Tell a room that somebody came or went, with the names of those who are there now; and the list of rooms."""
    message = {"action": action, "name": name, "users": seats.names(room)}
    webpy_socketio.emit("message", message, to=room.channel)
    tell_lobby(room)


def system_message(text: str, room: Room | None) -> None:
    """Say something as the system, to one room or to everybody; raise `NoSocket` if nobody can hear it."""
    message = {"action": "system", "message": text}
    if room is None:
        webpy_socketio.broadcast(message)
    else:
        webpy_socketio.broadcast_channel(message, room.channel)
