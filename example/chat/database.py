"""The SQLite file behind web.py's ``web.database``: how it is opened, and its tables.

web.py keeps one connection per greenlet. SQLite blocks the whole process while it waits for another connection's
lock, so no transaction here may span a point at which greenlets switch: each statement is one, on its own.
"""

import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any

import web

from chat import settings

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS rooms (
        id INTEGER PRIMARY KEY AUTOINCREMENT, slug TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
        name_key TEXT NOT NULL UNIQUE)""",
    # The nonce is the sender's: a message sent again because its answer was lost is not stored a second time.
    """CREATE TABLE IF NOT EXISTS messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT, room_id INTEGER NOT NULL REFERENCES rooms (id), name TEXT NOT NULL,
        text TEXT NOT NULL, time INTEGER NOT NULL, nonce TEXT NOT NULL, UNIQUE (room_id, nonce))""",
    "CREATE INDEX IF NOT EXISTS messages_by_room ON messages (room_id, id)",
    # On disk, so that everybody keeps his name over a restart of the server.
    """CREATE TABLE IF NOT EXISTS seats (
        room_id INTEGER NOT NULL REFERENCES rooms (id), name_key TEXT NOT NULL, name TEXT NOT NULL,
        secret TEXT NOT NULL, PRIMARY KEY (room_id, name_key))""",
    # The columns that web.session.DBStore asks for.
    """CREATE TABLE IF NOT EXISTS sessions (
        session_id CHAR(128) NOT NULL UNIQUE, atime DATETIME NOT NULL DEFAULT current_timestamp, data TEXT)""",
    """INSERT INTO rooms (slug, name, name_key) SELECT 'welcome', 'Welcome', 'welcome'
        WHERE NOT EXISTS (SELECT 1 FROM rooms)""",
)


class Connection(sqlite3.Connection):
    """A connection with the settings that SQLite does not keep in the file."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.execute("PRAGMA foreign_keys = ON")
        self.execute("PRAGMA synchronous = NORMAL")  # safe with WAL, and no wait for the disk at each message


def open_database(path: Path) -> Any:
    """Open the file at `path`, with its tables made where they are missing, and return web.py's database object."""
    database = web.database(dbn="sqlite", db=str(path), timeout=5.0, factory=Connection)
    database.printing = False
    # Readers and the writer do not wait for each other. The answer is a row, and reading it ends the statement.
    list(database.query("PRAGMA journal_mode = WAL"))
    for statement in SCHEMA:
        database.query(statement)
    return database


# web.py's session store hands times to sqlite3, whose own way of writing them is deprecated from Python 3.12 on.
sqlite3.register_adapter(datetime, datetime.isoformat)

db = open_database(settings.DATABASE)
