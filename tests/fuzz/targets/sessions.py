"""The machines of one Engine.IO session, 4 and 3: packets on both lanes, deadlines, and calls of ours.

First byte: bit 0 Engine.IO 3, bit 1 a session that begins on a WebSocket. Then steps of one byte: what is done (the
three low bits) and how much time goes by (the others); a packet's length and bytes follow where one is received.
"""

from __future__ import annotations

from tests.fuzz.reader import Reader
from webpy_socketio.errors import UsageError
from webpy_socketio.state.engine_session import (
    CloseLane,
    CloseSession,
    EngineSession,
    Lane,
    Outcome,
    Probed,
    SendPing,
    SendPong,
    State,
    Upgraded,
)
from webpy_socketio.state.engine_session_3 import EngineSession3

MAX_LENGTH = 2_000
INTERVAL, TIMEOUT = 25.0, 20.0
MAX_STEPS = 500


def _steps(flags: int, *steps: tuple[int, str | bytes | None]) -> bytes:
    data = bytes((flags,))
    for action, packet in steps:
        data += bytes((action,))
        if packet is not None:
            encoded = packet.encode() if isinstance(packet, str) else packet
            data += bytes((len(encoded),)) + encoded
    return data


TEXT, BINARY, CANDIDATE, CANDIDATE_BINARY, DEADLINE, LOSE, SUSPEND, CLOSE = range(8)
LATER = 0xC8
"""Added to an action: so many eights of seconds."""

SEEDS = [
    _steps(0, (TEXT, "4hello"), (CANDIDATE, "2probe"), (TEXT, "4more"), (CANDIDATE, "5"), (TEXT, "4on")),
    _steps(0, (CANDIDATE, "2probe"), (LOSE, None), (CANDIDATE, "2probe"), (CANDIDATE, "4no")),
    _steps(2, (DEADLINE + LATER, None), (TEXT, "3"), (DEADLINE + LATER, None), (DEADLINE + LATER, None)),
    _steps(0, (TEXT, "1"), (TEXT, "4late")),
    _steps(0, (TEXT, "bAQI="), (BINARY, b"\1\2"), (TEXT, "b!")),
    _steps(3, (TEXT, "2ping"), (BINARY, b"\4data"), (TEXT, "b4AQI="), (SUSPEND + LATER, None), (TEXT, "3")),
    _steps(1, (CANDIDATE, "2probe"), (CANDIDATE, "5"), (CLOSE, None), (TEXT, "2")),
    _steps(1, (DEADLINE + LATER, None), (DEADLINE + LATER, None), (DEADLINE + LATER, None)),
]

WORDS = [b"\2\0062probe", b"\2\0015", b"\0\0023", b"\0\0014", b"\xc8", b"\0\0011", b"\4", b"\5", b"\6"]


def run(data: bytes) -> None:
    """Do the steps; whatever comes, a session that hears nothing more comes to its end in time."""
    reader = Reader(data)
    flags = reader.byte()
    kind = EngineSession3 if flags & 1 else EngineSession
    now = 1_000.0
    session = kind("sid", upgraded=bool(flags & 2), ping_interval=INTERVAL, ping_timeout=TIMEOUT, now=now)
    steps = Reader(reader.rest())
    for _ in range(min(len(data), MAX_STEPS)):
        step = steps.byte()
        now += (step >> 3) / 4
        before, deadline = session.state, session.deadline
        outcome = _take(session, step & 7, steps, now)
        assert session.deadline >= deadline, "a deadline moved to an earlier time"
        _check(session, before, outcome)
    _fall_silent(session, now)


def _take(session: EngineSession, action: int, steps: Reader, now: float) -> Outcome | None:
    if action <= CANDIDATE_BINARY:
        packet = bytes(steps.byte() for _ in range(steps.byte() & 31))
        lane = Lane.CURRENT if action < CANDIDATE else Lane.CANDIDATE
        return session.receive_packet(lane, packet if action & 1 else packet.decode("latin-1"), now)
    if action == DEADLINE:
        return session.receive_deadline(now)
    if action == LOSE:
        session.lose_candidate()
        return None
    if action == SUSPEND:
        return None if session.state is State.CLOSED else session.suspend_deadline(now)
    try:
        return session.close("as we wish")
    except UsageError:
        assert session.state is State.CLOSED
        return None


def _check(session: EngineSession, before: State, outcome: Outcome | None) -> None:
    after = session.state
    if before is State.CLOSED:
        assert after is State.CLOSED and (outcome is None or isinstance(outcome, CloseLane))
    elif isinstance(outcome, CloseSession):
        assert after is State.CLOSED and outcome.reason
    elif isinstance(outcome, Probed):
        assert (before, after) == (State.OPEN, State.PROBING)
    elif isinstance(outcome, Upgraded):
        assert (before, after) == (State.PROBING, State.UPGRADED)
    elif isinstance(outcome, CloseLane) or outcome is None:
        assert after is before or (before, after) == (State.PROBING, State.OPEN)
    else:
        assert isinstance(outcome, (str, bytes, SendPing, SendPong)) and after is before


def _fall_silent(session: EngineSession, now: float) -> None:
    end = max(now, session.deadline) + 2 * (INTERVAL + TIMEOUT) + 1
    while session.state is not State.CLOSED:
        now = max(now, session.deadline)
        assert now <= end, "a session without a peer does not end"
        session.receive_deadline(now)
