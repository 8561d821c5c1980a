"""What is noted during one turn of the loop is written at its end."""

from __future__ import annotations

from tests.support.clock import FakeLoop
from webpy_socketio.transport.turn import Turn


class Writer:
    def __init__(self, journal: list[str], name: str, error: Exception | None = None) -> None:
        self.journal = journal
        self.name = name
        self.error = error

    def flush(self) -> None:
        self.journal.append(self.name)
        if self.error is not None:
            raise self.error


def test_all_that_were_noted_write_at_the_end_of_the_turn_in_order() -> None:
    loop, journal = FakeLoop(), []
    turn = Turn(loop, lambda: journal.append("failure"))
    for name in "abc":
        turn.add(Writer(journal, name))
    assert journal == []
    loop.turn()
    assert journal == ["a", "b", "c"]


def test_one_callback_of_the_loop_is_enough_for_all() -> None:
    loop = FakeLoop()
    turn = Turn(loop, lambda: None)
    for _ in range(10):
        turn.add(Writer([], ""))
    assert len(loop.callbacks) == 1
    loop.turn()
    assert loop.callbacks == []


def test_who_is_noted_while_others_write_has_its_own_turn() -> None:
    loop, journal = FakeLoop(), []
    turn = Turn(loop, lambda: None)

    class Noting(Writer):
        def flush(self) -> None:
            super().flush()
            turn.add(Writer(journal, "later"))

    turn.add(Noting(journal, "first"))
    loop.turn()
    assert journal == ["first"]
    loop.turn()
    assert journal == ["first", "later"]


def test_one_that_raises_does_not_keep_the_others_from_writing() -> None:
    loop, journal = FakeLoop(), []
    turn = Turn(loop, lambda: journal.append("failure"))
    turn.add(Writer(journal, "broken", ValueError()))
    turn.add(Writer(journal, "fine"))
    loop.turn()
    assert journal == ["broken", "failure", "fine"]


def test_after_a_turn_the_next_one_is_asked_for_again() -> None:
    loop, journal = FakeLoop(), []
    turn = Turn(loop, lambda: None)
    for name in ("one", "two"):
        turn.add(Writer(journal, name))
        loop.turn()
    assert journal == ["one", "two"]
