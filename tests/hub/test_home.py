"""The namespace that sockets live in."""

from __future__ import annotations

from webpy_socketio.hub.home import Home


def test_it_can_be_found_while_anybody_lives_there() -> None:
    homes: dict[str, Home[str]] = {}
    home = Home("/chat", homes)
    assert homes == {}
    home.move_in()
    home.move_in()
    home.move_out()
    assert homes == {"/chat": home}
    home.move_out()
    assert homes == {}


def test_the_last_one_closes_no_door_but_its_own() -> None:
    homes: dict[str, Home[str]] = {}
    old, new = Home("/chat", homes), Home("/chat", homes)
    old.move_in()
    homes.clear()  # as in a forked child
    new.move_in()
    old.move_out()
    assert homes == {"/chat": new}
