"""The live half of the chat: what happens when a socket subscribes, says something, or ends.

A page subscribes to ``lobby`` or to one ``room-<id>``. Messages are dictionaries with an ``action``. From a room's
page: ``start`` (a name, and the secret of the seat if it had one), ``message``, ``typing``. To it: ``in-use`` or
``started``, ``join``, ``leave``, ``message``, ``typing``, ``system``, ``error``. The answer to a request that cannot be
met travels in its acknowledgement: ``{"ok": False, "error": "…"}``.
"""

from typing import Any

import gevent

from chat import models, notices, settings
from chat.ratelimit import Bucket
from chat.seats import Seat, seats
from chat.text import UnsuitableError, clean_line, clean_text, name_key
from webpy_socketio import Socket, on_connect, on_error, on_finish, on_message, on_subscribe, on_unsubscribe

Request = dict[str, Any]  # the handshake's WSGI environ
Context = dict[str, Any]  # what we note about a connection, for as long as it lasts
Reply = dict[str, Any]  # an acknowledgement


def refuse(error: str) -> Reply:
    """Return the acknowledgement that says why something was not done."""
    return {"ok": False, "error": error}


def resume() -> None:
    """Keep the seats of the last run for those who come back after a restart; call it once, at start."""
    for seat in seats.restore():
        gevent.spawn_later(settings.LOST_GRACE, give_up, seat, seat.empty_since)


def give_up(seat: Seat, empty_since: float) -> None:
    """Free a seat, and say that its owner left, unless somebody has sat on it since."""
    if seats.vacate(seat, empty_since):
        notices.tell_room(seat.room, "leave", seat.name)


@on_connect
def prepare(request: Request, socket: Socket, context: Context) -> None:
    """Give the connection its allowances: requests, and hints that somebody is writing."""
    context["bucket"] = Bucket(burst=10, per_second=1.5)
    context["hints"] = Bucket(burst=4, per_second=1.0)


@on_subscribe
def only_ours(request: Request, socket: Socket, context: Context, channel: str) -> bool:
    """Veto every channel but those below, which look closer, and who asks too often."""
    return not context["bucket"].take() and (channel == notices.LOBBY or channel.startswith("room-"))


@on_subscribe(channel="^lobby$")
def show_rooms(request: Request, socket: Socket, context: Context, channel: str) -> None:
    """Bring the list of rooms up to date, after a reconnect as well."""
    socket.send({"action": "rooms", "rooms": [notices.room_entry(room) for room in models.rooms()]})


@on_subscribe(channel="^room-")
def enter(request: Request, socket: Socket, context: Context, channel: str) -> bool:
    """Let the socket into a room that exists, and into one room only."""
    room = models.room_by_channel(channel)
    if room is None:
        socket.send({"action": "error", "message": "There is no such room. Perhaps it has been removed."})
    if room is None or "room" in context:
        return False
    context["room"] = room
    return True


@on_message(channel="^room-")
def act(request: Request, socket: Socket, context: Context, message: Any) -> Reply | None:
    """Do what a room's page asks for; the return value is the acknowledgement."""
    action = message.get("action") if isinstance(message, dict) else None
    if action == "typing":
        typing(socket, context)
        return None
    if not isinstance(action, str) or action not in ACTIONS:
        return refuse("The server does not know this request.")
    if context["bucket"].take():
        return refuse("That was too fast. Please wait a moment.")
    try:
        return ACTIONS[action](socket, context, message)
    except UnsuitableError as error:
        return refuse(str(error))


def start(socket: Socket, context: Context, message: Any) -> Reply:
    """Take a name in the room. Who comes back to his own seat does so without a word to the others."""
    room, name = context["room"], clean_line(message.get("name"), settings.NAME_LENGTH, "a name")
    if "seat" in context and name_key(context["seat"].name) != name_key(name):
        return refuse("You have a name in this room already.")
    seat, is_new = seats.take(room, name, message.get("secret"), socket.id)
    if seat is None:
        socket.send({"action": "in-use", "name": name})
        return {"ok": True}
    context["seat"] = seat
    after = message.get("after")
    missed = models.messages(room, after if type(after) is int and 0 <= after < 2**63 else 0)
    started = {"name": seat.name, "secret": seat.secret, "users": seats.names(room)}
    socket.send({"action": "started", **started, "messages": [m.as_action() for m in missed]})
    if is_new:
        notices.tell_room(room, "join", seat.name)
    return {"ok": True}


def say(socket: Socket, context: Context, message: Any) -> Reply:
    """Store a message and show it to the others; the acknowledgement is the sender's delivery tick."""
    seat = context.get("seat")
    if seat is None:
        return refuse("Please choose a name first.")
    text = clean_text(message.get("message"), settings.MESSAGE_LENGTH, "a message")
    said, is_new = models.add_message(seat.room, seat.name, text, message.get("nonce"))
    if is_new:
        socket.broadcast_channel(said.as_action(), seat.room.channel)
    return {"ok": True, "id": said.id, "message": said.text, "time": said.time}


def typing(socket: Socket, context: Context) -> None:
    """Tell the others that somebody is writing; a hint too many is silently left out."""
    if "seat" in context and not context["hints"].take():
        socket.broadcast_channel({"action": "typing", "name": context["seat"].name}, context["room"].channel)


ACTIONS = {"start": start, "message": say}


@on_unsubscribe(channel="^room-")
def walk_out(request: Request, socket: Socket, context: Context, channel: str) -> None:
    """Free the seat at once if a page asked for it. A socket that ended is dealt with by `lose_touch`."""
    if socket.connected:
        context.pop("room", None)
        leave(context.pop("seat", None), socket)


@on_finish(channel="^room-")
def lose_touch(request: Request, socket: Socket, context: Context) -> None:
    """Keep the seat for a while: however a socket ends, its page may be back in a moment."""
    seat = context.pop("seat", None)
    if seat is not None:
        said_goodbye = socket.reason == "client namespace disconnect"
        grace = settings.GOODBYE_GRACE if said_goodbye else settings.LOST_GRACE
        gevent.spawn_later(grace, give_up, seat, seats.stand_up(seat, socket.id))


def leave(seat: Seat | None, socket: Socket) -> None:
    """Take the socket off the seat, and free it at once if it was the last one there."""
    if seat is not None:
        give_up(seat, seats.stand_up(seat, socket.id))


@on_error(channel="^room-")
def apologise(request: Request, socket: Socket, context: Context, exception: BaseException) -> None:
    """Tell the page that something broke; the server's log has the traceback."""
    socket.send({"action": "error", "message": "Something went wrong on the server. Please try again."})
