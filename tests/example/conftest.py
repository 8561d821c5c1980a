"""The chat's modules in this process, with a database of their own, and the whole chat in a process of its own."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

# The chat's modules lie beside its main file, and import each other accordingly.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "example"))

from chat import settings

from tests.example.browser import Browser
from tests.example.chat_server import ChatServer
from tests.support.ports import free_port

_folder = tempfile.TemporaryDirectory(prefix="chat-")
# Before anything imports chat.database, which opens it.
settings.DATABASE = Path(_folder.name) / "chat.sqlite3"


@pytest.fixture
def db() -> Iterator[object]:
    """The database as it is at the very first start."""
    from chat import database

    for table in ("seats", "messages", "rooms", "sessions", "sqlite_sequence"):
        database.db.query(f"DELETE FROM {table}")
    for statement in database.SCHEMA:
        database.db.query(statement)
    yield database.db


_addresses = count(1)


@pytest.fixture
def address() -> str:
    """A remote address that no other test uses: what it may do often is counted by address."""
    return f"192.0.2.{next(_addresses)}"


@pytest.fixture(scope="module")
def take_chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], ChatServer]]:
    """A function that gives a chat of its own to each test, and starts the next one's, for which none then waits."""
    next_ones: list[ChatServer] = []

    def launch() -> None:
        next_ones.append(ChatServer(tmp_path_factory.mktemp("chat"), free_port()))
        next_ones[-1].launch()

    def take() -> ChatServer:
        if not next_ones:
            launch()
        launch()
        return next_ones.pop(0)

    yield take
    for server in next_ones:
        server.stop()


@pytest.fixture
def chat(take_chat: Callable[[], ChatServer]) -> Iterator[ChatServer]:
    """The chat as its users meet it, just started, with an empty database."""
    with take_chat() as server:
        server.wait()
        yield server


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    """A browser; each page that a test opens in it has cookies of its own."""
    with Browser(chromium) as started:
        yield started
