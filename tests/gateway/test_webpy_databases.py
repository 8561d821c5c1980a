"""What a greenlet leaves open in web.py's databases is ended with it."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
import web

from webpy_socketio.gateway.webpy_databases import close_databases
from webpy_socketio.hub.worker import cleanups


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Any]:
    db = web.database(dbn="sqlite", db=str(tmp_path / "test.db"), timeout=0.1)
    db.printing = False
    db.query("CREATE TABLE message (text TEXT)")
    gc.disable()  # or luck would close what is tested here
    yield db
    gc.enable()


def texts(db: Any) -> list[str]:
    return [row.text for row in db.select("message")]


def test_it_is_among_the_clean_ups_of_workers() -> None:
    assert close_databases in cleanups


def test_a_transaction_is_rolled_back_and_its_locks_are_free(db: Any) -> None:
    def leak() -> None:
        db.transaction()
        db.insert("message", text="leaked")
        close_databases()

    gevent.spawn(leak).join()
    db.insert("message", text="kept")
    assert texts(db) == ["kept"]


def test_what_was_committed_stays(db: Any) -> None:
    def work() -> None:
        with db.transaction():
            db.insert("message", text="committed")
        close_databases()

    gevent.spawn(work).join()
    assert texts(db) == ["committed"]


def test_the_connection_is_closed_and_the_next_query_opens_another(db: Any) -> None:
    connection = db.ctx.db
    close_databases()
    with pytest.raises(Exception, match="closed"):
        connection.execute("SELECT 1")
    assert texts(db) == []


def test_other_greenlets_keep_theirs(db: Any) -> None:
    connection = db.ctx.db
    gevent.spawn(close_databases).join()
    assert db.ctx.db is connection


def test_other_local_values_are_left_alone() -> None:
    def work() -> Any:
        web.ctx.user = "ann"
        close_databases()
        return web.ctx.user

    assert gevent.spawn(work).get() == "ann"


def test_a_connection_that_is_broken_is_only_a_line_of_the_log(db: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "webpy_socketio")
    db.ctx.db.close()
    close_databases()
    assert [record.getMessage() for record in caplog.records] == ["A database connection could not be closed"]
