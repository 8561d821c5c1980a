"""The table of an Engine.IO session, cell by cell; heartbeats and upgrades as transcripts. All times are made up."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.transcripts import told
from webpy_socketio.errors import UsageError
from webpy_socketio.state.engine_session import MAX_DELAY, EngineSession, Lane, SendPing, State

CURRENT, CANDIDATE = Lane.CURRENT, Lane.CANDIDATE


def session(*, upgraded: bool = False, interval: float = 25, timeout: float = 20, now: float = 100) -> EngineSession:
    return EngineSession("sid", upgraded=upgraded, ping_interval=interval, ping_timeout=timeout, now=now)


def session_in(state: State) -> EngineSession:
    """Bring a session into a state by what leads there."""
    made = session(upgraded=state is State.UPGRADED)
    if state is State.PROBING:
        made.receive_packet(CANDIDATE, "2probe", 100)
    if state is State.CLOSED:
        made.close("transport close")
    assert made.state is state
    return made


def receive(made: EngineSession, lane: Lane, packet: str | bytes, now: float = 101) -> Any:
    return told(made.receive_packet(lane, packet, now))


def ended(reason: str, detail: str = "") -> tuple[str, str, str]:
    return ("CloseSession", detail, reason)


def test_a_session_begins_open_on_polling_and_upgraded_on_a_websocket() -> None:
    assert session().state is State.OPEN
    assert session(upgraded=True).state is State.UPGRADED
    assert session().sid == "sid"


# -- the table -------------------------------------------------------------------------------------------------------

UNKNOWN = "parse error"
MISPLACED = "transport error"

#: What comes on the current lane: the outcome in every state but CLOSED, in which there is none.
ON_CURRENT: dict[str | bytes, Any] = {
    "4": "",
    "4text": "text",
    '42["a"]': '2["a"]',
    "40": "0",
    "3": None,
    "3probe": None,
    "b": b"",
    "bAQIDBA==": b"\x01\x02\x03\x04",
    b"": b"",
    b"\x01": b"\x01",
    b"4text": b"4text",
    "1": ended("transport close"),
    "1x": ended("transport close"),
    "0": ended(MISPLACED, "unexpected packet '0'"),
    "0{}": ended(MISPLACED, "unexpected packet '0'"),
    "2": ended(MISPLACED, "unexpected packet '2'"),
    "2probe": ended(MISPLACED, "unexpected packet '2'"),
    "5": ended(MISPLACED, "unexpected packet '5'"),
    "6": ended(MISPLACED, "unexpected packet '6'"),
    "": ended(UNKNOWN, "unexpected packet ''"),
    "7": ended(UNKNOWN, "unexpected packet '7'"),
    "abc": ended(UNKNOWN, "unexpected packet 'a'"),
    "²": ended(UNKNOWN, "unexpected packet '²'"),
    " 4": ended(UNKNOWN, "unexpected packet ' '"),
    "bA": ended(UNKNOWN, "binary data in text must be base64"),
    "b!": ended(UNKNOWN, "binary data in text must be base64"),
}


@pytest.mark.parametrize("packet", ON_CURRENT)
@pytest.mark.parametrize("state", [State.OPEN, State.PROBING, State.UPGRADED])
def test_each_packet_on_the_current_lane(state: State, packet: str | bytes) -> None:
    made, expected = session_in(state), ON_CURRENT[packet]
    assert receive(made, CURRENT, packet) == expected
    assert made.state is (State.CLOSED if isinstance(expected, tuple) else state)


@pytest.mark.parametrize("packet", ON_CURRENT)
def test_a_closed_session_hears_nothing(packet: str | bytes) -> None:
    made = session_in(State.CLOSED)
    assert receive(made, CURRENT, packet) is None
    assert made.state is State.CLOSED


#: What a candidate may send, and where that leads; everything else costs it its connection.
ON_CANDIDATE: dict[tuple[State, str | bytes], Any] = {
    (State.OPEN, "2probe"): (("Probed",), State.PROBING),
    (State.PROBING, "5"): (("Upgraded",), State.UPGRADED),
    (State.PROBING, "5x"): (("Upgraded",), State.UPGRADED),
}
CANDIDATE_PACKETS = [*ON_CURRENT, "5x", "2prob", "2probes", "2 probe", "0probe"]


@pytest.mark.parametrize("packet", CANDIDATE_PACKETS)
@pytest.mark.parametrize("state", State)
def test_each_packet_on_the_candidate(state: State, packet: str | bytes) -> None:
    made = session_in(state)
    outcome = receive(made, CANDIDATE, packet)
    if (state, packet) in ON_CANDIDATE:
        assert (outcome, made.state) == ON_CANDIDATE[state, packet]
        return
    assert outcome == ("CloseLane", f"unexpected packet {str(packet[:6])!r} in an upgrade")
    assert made.state is (State.OPEN if state is State.PROBING else state)


@given(
    st.sampled_from(State),
    st.lists(st.tuples(st.sampled_from(Lane), st.one_of(st.text(max_size=8), st.binary(max_size=3)))),
)
def test_no_packets_raise(state: State, packets: list[tuple[Lane, str | bytes]]) -> None:
    made = session_in(state)
    for lane, packet in packets:
        receive(made, lane, packet)


# -- upgrading -------------------------------------------------------------------------------------------------------


def test_the_upgrade_of_the_document() -> None:
    made = session()
    assert receive(made, CANDIDATE, "2probe") == ("Probed",)
    assert receive(made, CURRENT, "4still on polling") == "still on polling"
    assert receive(made, CANDIDATE, "5") == ("Upgraded",)
    assert receive(made, CURRENT, "4on the websocket") == "on the websocket"


def test_a_bad_upgrade_costs_the_candidate_and_not_the_session() -> None:
    made = session()
    receive(made, CANDIDATE, "2probe")
    assert receive(made, CANDIDATE, "4too early")[0] == "CloseLane"
    assert receive(made, CANDIDATE, "5")[0] == "CloseLane"  # the probe is not worth anything any more
    assert receive(made, CURRENT, "4on") == "on"


def test_a_lost_candidate_can_be_followed_by_another() -> None:
    made = session()
    receive(made, CANDIDATE, "2probe")
    made.lose_candidate()
    assert made.state is State.OPEN
    assert receive(made, CANDIDATE, "5")[0] == "CloseLane"
    assert receive(made, CANDIDATE, "2probe") == ("Probed",)
    assert receive(made, CANDIDATE, "5") == ("Upgraded",)


@pytest.mark.parametrize("state", [State.OPEN, State.UPGRADED, State.CLOSED])
def test_the_loss_of_a_candidate_that_did_not_probe_is_nothing(state: State) -> None:
    made = session_in(state)
    made.lose_candidate()
    assert made.state is state


def test_a_session_is_upgraded_once() -> None:
    made = session_in(State.UPGRADED)
    assert receive(made, CANDIDATE, "2probe")[0] == "CloseLane"
    assert made.state is State.UPGRADED


# -- heartbeats ------------------------------------------------------------------------------------------------------


def due(made: EngineSession, now: float) -> Any:
    return told(made.receive_deadline(now))


PING = ("SendPing",)
DEAD = ended("ping timeout")


@pytest.mark.parametrize("state", [State.OPEN, State.PROBING, State.UPGRADED])
def test_a_ping_is_sent_at_each_interval_after_the_last_answer(state: State) -> None:
    made = session_in(state)
    assert made.deadline == 125
    assert due(made, 124.9) is None
    assert due(made, 125) == PING
    assert receive(made, CURRENT, "3", 126) is None
    assert made.deadline == 151
    assert due(made, 150.9) is None
    assert due(made, 151) == PING
    assert made.state is state


@pytest.mark.parametrize("state", [State.OPEN, State.PROBING, State.UPGRADED])
def test_a_silent_client_is_gone_when_its_time_to_answer_is_over(state: State) -> None:
    made = session_in(state)
    assert due(made, 125) == PING
    assert made.deadline == 145
    assert due(made, 144.9) is None
    assert due(made, 145) == DEAD
    assert made.state is State.CLOSED
    assert due(made, 200) is None


def test_small_delays_do_not_add_up() -> None:
    made = session()
    assert due(made, 125.05) == PING
    assert made.deadline == 145
    assert due(made, 145.05) == DEAD


def test_a_ping_of_a_loop_that_was_blocked_leaves_the_client_its_time_to_answer() -> None:
    made = session()
    assert due(made, 130) == PING
    assert made.deadline == 130 - MAX_DELAY + 20
    assert due(made, made.deadline - 0.01) is None
    assert due(made, made.deadline) == DEAD


@pytest.mark.parametrize("sign", ["4", "4text", b"\x01", "bAQ=="])
def test_a_client_that_sends_but_does_not_answer_is_asked_once_more(sign: str | bytes) -> None:
    made = session()
    assert due(made, 125) == PING
    receive(made, CURRENT, sign, 140)
    assert due(made, 145) == PING
    assert due(made, 164.9) is None
    assert due(made, 165) == DEAD


def test_what_was_sent_before_a_ping_is_no_answer_to_it() -> None:
    made = session()
    receive(made, CURRENT, "4text", 124)
    assert due(made, 125) == PING
    assert due(made, 145) == DEAD


@pytest.mark.parametrize("packet", ["2probe", "5", "4x", "3", b"x"])
def test_what_comes_on_the_candidate_is_no_sign_of_life(packet: str | bytes) -> None:
    made = session()
    assert due(made, 125) == PING
    receive(made, CANDIDATE, packet, 140)
    assert due(made, 145) == DEAD


def test_a_pong_that_nobody_asked_for_puts_the_next_ping_off() -> None:
    made = session()
    receive(made, CURRENT, "3", 110)
    assert due(made, 125) is None
    assert due(made, 135) == PING


def test_a_late_pong_before_the_deadline_was_looked_at_counts() -> None:
    made = session()
    assert due(made, 125) == PING
    receive(made, CURRENT, "3", 146)
    assert due(made, 150) is None
    assert due(made, 171) == PING


def test_heartbeats_go_on_across_an_upgrade() -> None:
    made = session()
    assert due(made, 125) == PING  # leaves by polling
    receive(made, CANDIDATE, "2probe", 126)
    receive(made, CANDIDATE, "5", 127)
    receive(made, CURRENT, "3", 128)  # comes by the WebSocket
    assert due(made, 145) is None
    assert due(made, 153) == PING


def test_with_a_timeout_above_the_interval_pings_keep_the_interval() -> None:
    made = session(interval=1, timeout=20)
    for now in (101.0, 102.5, 104.0):
        assert made.deadline <= now
        assert due(made, now) == PING
        receive(made, CURRENT, "3", now + 0.5)
        assert made.deadline == now + 1.5


def test_with_a_timeout_above_the_interval_a_client_gets_all_of_its_time() -> None:
    made = session(interval=1, timeout=20)
    assert due(made, 101) == PING
    assert due(made, 102) is None  # the interval is over, the time to answer is not
    assert due(made, 120.9) is None
    assert made.deadline == 121
    assert due(made, 121) == DEAD


def test_with_a_timeout_above_the_interval_a_sign_of_life_counts_as_well() -> None:
    made = session(interval=1, timeout=20)
    assert due(made, 101) == PING
    receive(made, CURRENT, "4x", 101.5)
    assert due(made, 102) is None
    assert due(made, 121) == PING
    assert due(made, 122) is None
    assert due(made, 141) == DEAD


def test_while_we_do_not_read_nobody_is_declared_dead() -> None:
    made = session()
    assert due(made, 125) == PING
    made.suspend_deadline(140)
    assert due(made, 145) is None
    assert made.deadline == 165
    assert due(made, 165) == PING  # reading goes on; there may have been an answer, so the client is asked
    assert due(made, 185) == DEAD


def test_while_we_do_not_read_the_next_ping_is_put_off() -> None:
    made = session()
    made.suspend_deadline(110)
    assert due(made, 125) is None
    assert due(made, 135) == PING


def test_a_closed_session_is_never_due() -> None:
    made = session()
    made.close("transport close")
    made.suspend_deadline(110)
    assert due(made, 1_000) is None


@given(
    st.sampled_from([(25.0, 20.0), (1.0, 20.0), (0.3, 0.2), (5.0, 5.0)]),
    st.lists(st.tuples(st.floats(0, 30), st.sampled_from(["3", "4x", b"x", "due", "suspend"])), max_size=30),
)
def test_the_deadline_never_moves_to_an_earlier_time(
    times: tuple[float, float], events: list[tuple[float, str | bytes]]
) -> None:
    now = 100.0
    made = session(interval=times[0], timeout=times[1], now=now)
    last_sign, last_deadline = now, made.deadline
    for delay, event in events:
        now += delay
        if event == "due":
            outcome = made.receive_deadline(now)
            if outcome is not None and not isinstance(outcome, SendPing):
                # Nobody is declared dead within the time to answer.
                assert now >= last_sign + times[1] - MAX_DELAY - 1e-9
                return
            assert made.deadline > now
        elif event == "suspend":
            made.suspend_deadline(now)
        else:
            last_sign = now
            made.receive_packet(CURRENT, event, now)
        assert made.deadline >= last_deadline
        last_deadline = made.deadline


@pytest.mark.parametrize(("interval", "timeout"), [(0.3, 0.2), (25.0, 20.0), (1.0, 20.0)])
def test_a_client_that_falls_silent_is_gone_after_interval_and_timeout(interval: float, timeout: float) -> None:
    made = session(interval=interval, timeout=timeout)
    while made.state is not State.CLOSED:
        now = made.deadline
        made.receive_deadline(now)
    assert now == pytest.approx(100 + interval + timeout)


# -- closing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [State.OPEN, State.PROBING, State.UPGRADED])
def test_a_session_is_closed_with_a_reason(state: State) -> None:
    made = session_in(state)
    assert told(made.close("server shutting down", "stop")) == ended("server shutting down", "stop")
    assert made.state is State.CLOSED


def test_a_session_is_closed_once() -> None:
    made = session_in(State.CLOSED)
    with pytest.raises(UsageError, match="closed already"):
        made.close("transport close")
