"""A web.py application whose requests wait for each other while they use web.py's per-request state.

``n`` requests of one batch meet in the middle of their work, so that all of them are open at once whatever the machine
does; then each says what it finds. Import this before the patches to have everything on the unpatched thread-local.
"""

import os
import tempfile

import web
import web.session
from web import ctx

web.config.debug = False

urls = ("/ctx", "Ctx", "/session", "Session", "/database", "Database")
app = web.application(urls, globals())
directory = tempfile.mkdtemp()
session = web.session.Session(app, web.session.DiskStore(os.path.join(directory, "sessions")), {"user": None})
database = web.database(dbn="sqlite", db=os.path.join(directory, "notes.sqlite3"))
database.printing = False
database.query("create table opened_at_import (name text)")

MEETING_TIMEOUT = 5.0
"""Seconds after which a request goes on although others never came; only a broken application needs it."""

_arrived = {}


def meet(batch, parties):
    """Wait until `parties` requests of this batch are here."""
    from gevent.event import Event

    waiting = _arrived.setdefault(batch, [])
    waiting.append(Event())
    if len(waiting) == parties:
        for event in waiting:
            event.set()
    waiting[-1].wait(MEETING_TIMEOUT)


class Meeting:
    """A page that notes the user in one of web.py's places, waits for the other requests, and reads it again."""

    def GET(self):
        query = web.input()
        self.write(query.user)
        meet(query.batch, int(query.n))
        web.header("X-User", query.user)
        return f"{self.read()} {web.input().user}"


class Ctx(Meeting):
    def write(self, user):
        web.ctx.user = user
        ctx.copied = user

    def read(self):
        return f"{ctx.user} {web.ctx.copied}"


class Session(Meeting):
    def write(self, user):
        session.user = user
        self.session_id = session.session_id

    def read(self):
        assert session.session_id == self.session_id
        return f"{session['user']} {session.user}"


class Database(Meeting):
    """A temporary table is seen by its own connection only."""

    def write(self, user):
        self.transaction = database.transaction()
        database.query("create temporary table mine (name text)")
        database.insert("mine", name=user)

    def read(self):
        names = [row.name for row in database.select("mine")]
        self.transaction.rollback()
        return f"{' '.join(names)} {len(names)}"


application = app.wsgifunc()
