from __future__ import annotations

import re
import sqlite3
from typing import Any

import gevent
import pytest
from chat import models, settings
from chat.database import open_database
from chat.text import UnsuitableError

pytestmark = pytest.mark.usefixtures("db")


def test_the_first_start_has_one_room() -> None:
    assert models.rooms() == [models.Room(1, "welcome", "Welcome")]


def test_a_room_is_found_by_its_address_and_by_its_channel() -> None:
    room = models.create_room("Tea & Cake")
    assert (room.slug, room.channel) == ("tea-cake", f"room-{room.id}")
    assert models.room_by_slug("tea-cake") == room
    assert models.room_by_channel(room.channel) == room


@pytest.mark.parametrize(
    "channel",
    [
        "room-",
        "room-0",
        "room-01",
        "room--1",
        "room-1 ",
        "room-1\n",
        "room-९",
        "room-1x",
        "lobby",
        "room-99",
        "room-" + "9" * 18,
    ],
)
def test_what_is_no_channel_of_a_room_finds_none(channel: str) -> None:
    assert models.room_by_channel(channel) is None


@pytest.mark.parametrize("name", ["Tea", "TEA", " tea ", "T\u200dea"])
def test_a_name_is_taken_however_it_is_written(name: str) -> None:
    models.create_room("Tea")
    with pytest.raises(UnsuitableError, match="already"):
        models.create_room(name)


def test_rooms_whose_names_make_one_slug_have_different_addresses() -> None:
    names = ["日本", "中国", "Room", "room 2"]
    assert [models.create_room(name).slug for name in names] == ["room", "room-2", "room-3", "room-2-2"]


def test_there_is_a_limit_to_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "MAXIMUM_ROOMS", 2)
    models.create_room("Second")
    with pytest.raises(UnsuitableError, match="as many rooms"):
        models.create_room("Third")


@pytest.fixture
def room() -> models.Room:
    return models.rooms()[0]


def test_messages_come_back_in_order_and_after_an_id(room: models.Room) -> None:
    said = [models.add_message(room, "Ann", text, None)[0] for text in ("one", "two", "three")]
    assert models.messages(room) == said
    assert models.messages(room, after=said[0].id) == said[1:]
    assert [m.as_action()["message"] for m in models.messages(room, after=said[1].id)] == ["three"]


def test_history_is_the_newest_messages_of_that_room_only(room: models.Room) -> None:
    other = models.create_room("Other")
    for number in range(settings.HISTORY + 5):
        models.add_message(room, "Ann", f"{number}", None)
        models.add_message(other, "Bob", "elsewhere", None)
    texts = [message.text for message in models.messages(room)]
    assert texts == [f"{number}" for number in range(5, settings.HISTORY + 5)]


def test_old_messages_are_forgotten(room: models.Room, db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "KEPT_MESSAGES", 3)
    for number in range(10):
        models.add_message(room, "Ann", f"{number}", None)
    assert [row.text for row in db.select("messages", order="id")] == ["7", "8", "9"]


def test_a_message_sent_twice_is_stored_once(room: models.Room) -> None:
    nonce = "0123456789abcdef"
    first, is_new = models.add_message(room, "Ann", "hello", nonce)
    again, is_new_again = models.add_message(room, "Ann", "hello", nonce)
    assert (is_new, is_new_again) == (True, False)
    assert again == first
    assert models.messages(room) == [first]


def test_a_nonce_of_one_room_means_nothing_in_another(room: models.Room) -> None:
    nonce = "0123456789abcdef"
    models.add_message(room, "Ann", "hello", nonce)
    assert models.add_message(models.create_room("Other"), "Ann", "hello", nonce)[1]


@pytest.mark.parametrize("nonce", [None, 7, "", "short", "Z" * 20, "0" * 65, ["0" * 20]])
def test_an_unusable_nonce_is_replaced(room: models.Room, nonce: object, db: Any) -> None:
    assert models.add_message(room, "Ann", "a", nonce)[1]
    assert models.add_message(room, "Ann", "b", nonce)[1]
    assert all(re.fullmatch("[0-9a-f]{32}", row.nonce) for row in db.select("messages"))


def test_sql_in_texts_is_text(room: models.Room) -> None:
    text = "'); DROP TABLE messages; -- $room $$ ? %s"
    models.add_message(room, text, text, None)
    assert [(m.name, m.text) for m in models.messages(room)] == [(text, text)]


def test_many_greenlets_write_at_once(room: models.Room, db: Any) -> None:
    def write(number: int) -> None:
        for each in range(5):
            models.add_message(room, f"writer {number}", f"{each}", None)
            gevent.sleep(0)

    greenlets = [gevent.spawn(write, number) for number in range(40)]
    gevent.joinall(greenlets, timeout=30, raise_error=True)
    assert db.select("messages", what="count(*) AS number")[0].number == 200


def test_a_writer_elsewhere_does_not_keep_readers_out(room: models.Room) -> None:
    other = sqlite3.connect(settings.DATABASE)
    try:
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO rooms (slug, name, name_key) VALUES ('x', 'x', 'x')")
        assert models.rooms() == [room]
        other.rollback()
    finally:
        other.close()


def test_opening_a_database_again_keeps_what_it_holds(room: models.Room) -> None:
    models.create_room("Kept")
    again = open_database(settings.DATABASE)
    assert [row.name for row in again.select("rooms", order="id")] == ["Welcome", "Kept"]
    again.ctx.db.close()
