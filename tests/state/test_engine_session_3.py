"""The table of an Engine.IO 3 session: the client pings, and everything that it sends is a sign of life."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.transcripts import told
from webpy_socketio.state.engine_session import MAX_DELAY, Lane, State
from webpy_socketio.state.engine_session_3 import EngineSession3

CURRENT, CANDIDATE = Lane.CURRENT, Lane.CANDIDATE
DEAD = ("CloseSession", "", "ping timeout")


def session(state: State = State.OPEN) -> EngineSession3:
    made = EngineSession3("sid", upgraded=state is State.UPGRADED, ping_interval=25, ping_timeout=20, now=100)
    if state is State.PROBING:
        made.receive_packet(CANDIDATE, "2probe", 100)
    if state is State.CLOSED:
        made.close("transport close")
    assert made.state is state
    return made


def receive(made: EngineSession3, lane: Lane, packet: str | bytes, now: float = 101) -> Any:
    return told(made.receive_packet(lane, packet, now))


def ended(reason: str, detail: str) -> tuple[str, str, str]:
    return ("CloseSession", detail, reason)


#: What comes on the current lane: the outcome in every state but CLOSED, in which there is none.
ON_CURRENT: dict[str | bytes, Any] = {
    "4": "",
    '42["a"]': '2["a"]',
    "2": ("SendPong", ""),
    "2probe": ("SendPong", "probe"),
    "b4AQIDBA==": b"\x01\x02\x03\x04",
    "b4": b"",
    b"\x04": b"",
    b"\x04\x01": b"\x01",
    "1": ended("transport close", ""),
    "0": ended("transport error", "unexpected packet '0'"),
    "3": ended("transport error", "unexpected packet '3'"),
    "5": ended("transport error", "unexpected packet '5'"),
    "6": ended("transport error", "unexpected packet '6'"),
    "": ended("parse error", "unexpected packet ''"),
    "abc": ended("parse error", "unexpected packet 'a'"),
    "bAQID": ended("parse error", "binary data in text must begin with b4"),
    "b4!": ended("parse error", "binary data in text must be base64"),
    b"": ended("parse error", "binary data begins with its type, the byte 4, not b''"),
    b"\x02": ended("parse error", "binary data begins with its type, the byte 4, not b'\\x02'"),
    b"4": ended("parse error", "binary data begins with its type, the byte 4, not b'4'"),
}


@pytest.mark.parametrize("packet", ON_CURRENT)
@pytest.mark.parametrize("state", [State.OPEN, State.PROBING, State.UPGRADED])
def test_each_packet_on_the_current_lane(state: State, packet: str | bytes) -> None:
    made, expected = session(state), ON_CURRENT[packet]
    assert receive(made, CURRENT, packet) == expected
    is_end = isinstance(expected, tuple) and expected[0] == "CloseSession"
    assert made.state is (State.CLOSED if is_end else state)


@pytest.mark.parametrize("packet", ON_CURRENT)
def test_a_closed_session_hears_nothing(packet: str | bytes) -> None:
    assert receive(session(State.CLOSED), CURRENT, packet) is None


def test_the_upgrade_is_that_of_protocol_4() -> None:
    made = session()
    assert receive(made, CANDIDATE, "5")[0] == "CloseLane"
    assert receive(made, CANDIDATE, "2probe") == ("Probed",)
    assert receive(made, CANDIDATE, "5") == ("Upgraded",)
    assert receive(made, CANDIDATE, "2probe")[0] == "CloseLane"
    assert made.state is State.UPGRADED


@given(
    st.sampled_from(State),
    st.lists(st.tuples(st.sampled_from(Lane), st.one_of(st.text(max_size=8), st.binary(max_size=3)))),
)
def test_no_packets_raise(state: State, packets: list[tuple[Lane, str | bytes]]) -> None:
    made = session(state)
    for lane, packet in packets:
        receive(made, lane, packet)


# -- heartbeats ------------------------------------------------------------------------------------------------------


def due(made: EngineSession3, now: float) -> Any:
    return told(made.receive_deadline(now))


def watch(made: EngineSession3, until: float) -> Any:
    """Look at each deadline when it comes, as the timer wheel does; give the first outcome before ``until``."""
    while made.deadline <= until:
        outcome = due(made, made.deadline)
        if outcome is not None:
            return outcome, made.deadline
    return None


def test_a_silent_client_is_gone_after_the_interval_and_the_time_out() -> None:
    made = session()
    assert watch(made, 144.9) is None
    assert watch(made, 200) == (DEAD, 145)
    assert made.state is State.CLOSED
    assert due(made, 200) is None


@pytest.mark.parametrize("sign", ["2", "2x", "4", "4text", b"\x04", "b4AQ=="])
def test_everything_on_the_current_lane_is_a_sign_of_life(sign: str | bytes) -> None:
    made = session()
    for now in (120, 160, 204):
        receive(made, CURRENT, sign, now)
        assert watch(made, now + 44.9) is None
    assert watch(made, 300) == (DEAD, 249)


@pytest.mark.parametrize("packet", ["2probe", "5", "4x", b"x"])
def test_what_comes_on_the_candidate_is_no_sign_of_life(packet: str | bytes) -> None:
    made = session()
    receive(made, CANDIDATE, packet, 140)
    assert watch(made, 200) == (DEAD, 145)


def test_the_deadline_never_moves_to_an_earlier_time() -> None:
    made = session()
    before = made.deadline
    for now in (101, 125, 130, 150, 160, 190, 204):
        receive(made, CURRENT, "2", now)
        due(made, now)
        assert made.deadline >= before
        before = made.deadline


def test_after_a_blocked_loop_a_client_gets_a_moment_to_be_heard() -> None:
    made = session()
    assert due(made, 125) is None
    assert due(made, 160) is None
    assert made.deadline == 160 + MAX_DELAY
    receive(made, CURRENT, "2", 160.05)
    assert due(made, 160 + MAX_DELAY) is None
    assert watch(made, 205) is None
    assert watch(made, 300) == (DEAD, 205.05)


def test_after_a_blocked_loop_a_client_that_is_gone_is_found_out() -> None:
    made = session()
    assert due(made, 160) is None
    assert due(made, 160 + MAX_DELAY) == DEAD


def test_while_we_do_not_read_the_client_hears_a_pong_at_each_interval() -> None:
    made = session()
    assert made.deadline == 125
    assert told(made.suspend_deadline(125)) == ("SendPong", "")
    assert made.deadline == 150
    assert told(made.suspend_deadline(150)) == ("SendPong", "")
    assert watch(made, 300) == (DEAD, 195)
