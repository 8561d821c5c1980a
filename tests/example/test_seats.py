from __future__ import annotations

import pytest
from chat import models
from chat.seats import Seat, Seats

pytestmark = pytest.mark.usefixtures("db")


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        self.now += 1.0  # no two moments are the same
        return self.now


@pytest.fixture
def seats() -> Seats:
    return Seats(Clock())


@pytest.fixture
def room() -> models.Room:
    return models.rooms()[0]


def sit(seats: Seats, room: models.Room, name: str, secret: object = None, socket: str = "s1") -> Seat:
    seat, _ = seats.take(room, name, secret, socket)
    assert seat is not None
    return seat


def test_a_name_is_new_once_and_then_taken(seats: Seats, room: models.Room) -> None:
    seat, is_new = seats.take(room, "Ann", None, "s1")
    assert is_new
    assert seat is not None
    for other in ("Ann", "ANN", "a\u200dnn"):
        assert seats.take(room, other, None, "s2") == (None, False)
    assert seats.names(room) == ["Ann"]


@pytest.mark.parametrize("secret", [None, "", "wrong", 7, "\ud800", ["x"]])
def test_nothing_but_the_secret_opens_a_seat(seats: Seats, room: models.Room, secret: object) -> None:
    sit(seats, room, "Ann")
    assert seats.take(room, "Ann", secret, "s2") == (None, False)


def test_the_owner_comes_back_to_his_seat(seats: Seats, room: models.Room) -> None:
    seat = sit(seats, room, "Ann")
    seats.stand_up(seat, "s1")
    assert seats.take(room, "ANN", seat.secret, "s2") == (seat, False)
    assert seats.names(room) == ["Ann"], "as it was written first"


def test_names_are_per_room(seats: Seats, room: models.Room) -> None:
    other = models.create_room("Other")
    sit(seats, room, "Ann")
    sit(seats, other, "Ann")
    assert (seats.count(room), seats.count(other)) == (1, 1)


def test_an_empty_seat_is_kept_until_it_is_vacated(seats: Seats, room: models.Room) -> None:
    seat = sit(seats, room, "Ann")
    since = seats.stand_up(seat, "s1")
    assert seats.take(room, "Ann", None, "s2") == (None, False)
    assert seats.vacate(seat, since)
    assert not seats.vacate(seat, since), "once"
    assert seats.names(room) == []
    assert seats.take(room, "Ann", None, "s2")[1]


def test_a_seat_on_which_somebody_sits_is_not_vacated(seats: Seats, room: models.Room) -> None:
    seat = sit(seats, room, "Ann")
    sit(seats, room, "Ann", seat.secret, "s2")
    since = seats.stand_up(seat, "s1")
    assert not seats.vacate(seat, since)
    assert seats.names(room) == ["Ann"]


def test_who_came_back_and_went_again_has_the_whole_grace_again(seats: Seats, room: models.Room) -> None:
    seat = sit(seats, room, "Ann")
    first = seats.stand_up(seat, "s1")
    sit(seats, room, "Ann", seat.secret, "s2")
    second = seats.stand_up(seat, "s2")
    assert not seats.vacate(seat, first)
    assert seats.vacate(seat, second)


def test_an_old_timer_does_not_hit_the_next_owner_of_the_name(seats: Seats, room: models.Room) -> None:
    old = sit(seats, room, "Ann")
    since = seats.stand_up(old, "s1")
    assert seats.vacate(old, since)
    new = sit(seats, room, "Ann")
    assert not seats.vacate(old, since)
    assert seats.names(room) == [new.name]


def test_seats_outlive_a_restart_for_their_owners(seats: Seats, room: models.Room) -> None:
    seat = sit(seats, room, "Ann")
    sit(seats, room, "Bob", socket="s2")
    next_run = Seats(Clock())
    restored = next_run.restore()
    assert [each.name for each in restored] == ["Ann", "Bob"]
    assert next_run.take(room, "Ann", None, "s3") == (None, False)
    assert next_run.take(room, "Ann", seat.secret, "s4") == (restored[0], False)
    assert next_run.vacate(restored[1], restored[1].empty_since)
    assert Seats(Clock()).restore()[0].name == "Ann", "and nobody else is on the disk any more"
