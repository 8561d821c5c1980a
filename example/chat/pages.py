"""The pages: the list of rooms, one room, and the system message."""

import math
from typing import Any

import web

from chat import models, notices, security, settings
from chat.database import db
from chat.ratelimit import Buckets
from chat.rendering import internal_error, not_found, page
from chat.text import UnsuitableError, clean_text
from webpy_socketio import NoSocket

_new_rooms = Buckets(burst=5, per_second=1 / 30)


class Index:
    """The list of rooms, and the form that makes one."""

    def GET(self) -> str:  # noqa: D102
        return self.show()

    def POST(self) -> str:  # noqa: D102
        wanted = security.read_form(session).get("name", "")
        if _new_rooms.take(web.ctx.ip):
            web.ctx.status = "429 Too Many Requests"
            return self.show(wanted, "You have made several rooms just now. Please wait a minute.")
        try:
            room = models.create_room(wanted)
        except UnsuitableError as error:
            web.ctx.status = "422 Unprocessable Content"
            return self.show(wanted, str(error))
        notices.tell_lobby(room)
        raise web.seeother(f"/room/{room.slug}")

    def show(self, wanted: str = "", error: str = "") -> str:
        """Return the page, with what was typed and what was wrong with it."""
        rooms = [notices.room_entry(room) for room in models.rooms()]
        return page("index", rooms=rooms, wanted=wanted, error=error, token=security.form_token(session))


class Room:
    """One room. The rest of it is ``static/room.js`` and ``chat/events.py``."""

    def GET(self, slug: str) -> str:  # noqa: D102
        room = models.room_by_slug(slug)
        if room is None:
            raise web.notfound()
        return page("room", room=room)


class SystemMessage:
    """Say something as the system, to all or to one room; first, the password."""

    def GET(self) -> str:  # noqa: D102
        return self.show()

    def POST(self) -> str:  # noqa: D102
        form = security.read_form(session)
        if not session.get("may_announce"):
            return self.log_in(form)
        if "log_out" in form:
            session.may_announce = False
            raise web.seeother("/sysmsg")
        return self.send(form)

    def log_in(self, form: dict[str, str]) -> str:
        """Look at a guess of the password, unless there were too many."""
        wait = math.ceil(security.seconds_until_guess(web.ctx.ip))
        if wait:
            web.ctx.status = "429 Too Many Requests"
            web.header("Retry-After", str(wait))
            return self.show(error=f"Too many attempts. Please wait {wait} seconds.")
        if not security.is_password(form.get("password", "")):
            web.ctx.status = "403 Forbidden"
            return self.show(error="That is not the password.")
        security.renew(session)
        session.may_announce = True
        raise web.seeother("/sysmsg")

    def send(self, form: dict[str, str]) -> str:
        """Send the message, and say that it was sent, or why it was not."""
        typed, target = form.get("message", ""), form.get("room", "")
        room = models.room_by_slug(target)
        if target and room is None:
            return self.show(typed=typed, error="There is no such room.")
        try:
            notices.system_message(clean_text(typed, settings.MESSAGE_LENGTH, "a message"), room)
        except (NoSocket, UnsuitableError) as error:
            return self.show(typed=typed, target=target, error=str(error))
        return self.show(target=target, sent="Message sent")

    def show(self, **values: str) -> str:
        """Return the page: the form, or the question for the password."""
        shown: dict[str, Any] = {"typed": "", "target": "", "error": "", "sent": "", **values}
        shown.update(rooms=models.rooms(), may_announce=session.get("may_announce"))
        return page("sysmsg", token=security.form_token(session), **shown)


urls = ("/", Index, r"/room/([a-z0-9-]+)", Room, "/sysmsg", SystemMessage)
app = web.application(urls, globals())
app.notfound, app.internalerror = not_found, internal_error

web.config.session_parameters.update(cookie_name="chat_session", samesite="Lax", httponly=True)
session = web.session.Session(app, web.session.DBStore(db, "sessions"))
