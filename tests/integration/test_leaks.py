"""Thousands of connections come and go, three times and more: nothing of them stays.

What the process holds is counted by itself (``GET /state`` of the application) when all of them are gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent.pool import Pool

from tests.apps.raw_server import RawServer
from tests.support.raw import POLLING, TEXT, Connection, PollingSession, Session, WebSocketSession, close_frame, frame
from tests.support.waiting import wait_until

CONNECTIONS = 5_000
AT_ONCE = 250
CYCLES, MOST_CYCLES = 3, 8
HEARTBEAT = {"ping_interval": 3, "ping_timeout": 3, "close_timeout": 1, "head_timeout": 3, "keepalive_timeout": 3}
"""Short, so that what was left without a word is noticed within the test."""

COUNTED = (
    *("clients", "farewells", "sockets", "channels", "members", "timed", "slots", "lines", "busy workers", "budget"),
    *("descriptors", "watchers", "greenlets"),
)
GROWTH = 0.05
"""The share by which the resident memory may be larger after the last of three cycles than after the first."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawServer]:
    with RawServer(tmp_path_factory.mktemp("leaks"), most_records=0, **HEARTBEAT) as running:
        yield running


def take_part(session: Session, number: int) -> None:
    """Do what an ordinary client does: join a channel, and exchange something."""
    session.emit("join me", f"channel {number % 50}", ack=1)
    assert session.receive_ack(1) == [True]
    assert session.echo(number) == number


# The ways in which clients come and go -------------------------------------------------------------------------------


def close_properly(server: RawServer, number: int) -> None:
    with WebSocketSession(server.port) as session:
        take_part(session, number)
        session.send(close_frame(1000))
        assert session.read_close()[0] == 1000


def vanish(server: RawServer, number: int) -> None:
    with WebSocketSession(server.port) as session:
        take_part(session, number)


def reset(server: RawServer, number: int) -> None:
    session = WebSocketSession(server.port)
    take_part(session, number)
    session.reset()


def close_the_engine(server: RawServer, number: int) -> None:
    with WebSocketSession(server.port) as session:
        take_part(session, number)
        session.send_packet("1")


def be_thrown_out(server: RawServer, number: int) -> None:
    with WebSocketSession(server.port) as session:
        take_part(session, number)
        session.emit("disconnect me")
        session.read_close_and_end()


def misbehave(server: RawServer, number: int) -> None:
    with WebSocketSession(server.port) as session:
        take_part(session, number)
        session.send(frame(TEXT, "42[", masked=bool(number % 2)))
        session.read_close_and_end()


def never_join(server: RawServer, number: int) -> None:
    WebSocketSession(server.port, joined=False).close()


def poll(server: RawServer, number: int) -> None:
    with PollingSession(server.port) as session:
        take_part(session, number)
        session.leave()


def poll_and_be_gone(server: RawServer, number: int) -> None:
    with PollingSession(server.port) as session, session.begin_poll():
        take_part_by_post(session)


def take_part_by_post(session: PollingSession) -> None:
    session.send_packet('42["join me","channel of the lost"]')


def upgrade(server: RawServer, number: int) -> None:
    with PollingSession(server.port) as session, session.begin_upgrade() as candidate:
        take_part(session, number)
        candidate.send_text("2probe", "5", f'42["echo",{number}]')
        assert candidate.read_packet() == "3probe"
        assert candidate.read_packet() == f'42["echo",{number}]'


def fail_to_upgrade(server: RawServer, number: int) -> None:
    with PollingSession(server.port) as session, session.begin_upgrade() as candidate:
        candidate.send_text("nonsense")
        candidate.read_close_and_end()
        session.leave()


def be_refused(server: RawServer, number: int) -> None:
    with Connection(server.port) as connection:
        assert connection.request("GET", f"{POLLING}&sid=unknown").status == 400


WAYS: list[Callable[[RawServer, int], None]] = [
    *(close_properly, vanish, reset, close_the_engine, be_thrown_out, misbehave, never_join),
    *(close_properly, vanish, poll, upgrade, be_refused, fail_to_upgrade, poll_and_be_gone),
]


def come_and_go(server: RawServer, count: int, at_once: int = AT_ONCE) -> None:
    """Have so many clients, ``at_once`` of them at the same time, and return when all have left."""
    pool = Pool(at_once)
    try:
        clients = [pool.spawn(WAYS[number % len(WAYS)], server, number) for number in range(count)]
        gevent.joinall(clients, raise_error=True)
    finally:
        pool.kill()


def held(server: RawServer) -> dict[str, Any]:
    """Return what the server holds, without the memory."""
    state = server.state()
    return {name: state[name] for name in COUNTED}


def settled(server: RawServer) -> dict[str, Any] | None:
    """Return what the server holds, if nobody is there, not even whoever has asked before."""
    state = held(server)
    names = ("clients", "timed", "slots", "lines", "busy workers")
    return None if any(state[name] for name in names) else state


def wait_until_only(server: RawServer, before: dict[str, Any]) -> None:
    """Wait until the server holds what it held before, or tell what else there is."""
    try:
        wait_until(lambda: held(server) == before, 20)
    except AssertionError:
        assert held(server) == before, "is left"
        raise


@pytest.mark.timeout(500)
def test_nothing_stays_of_thousands_of_connections(server: RawServer, capsys: pytest.CaptureFixture[str]) -> None:
    # What is made once is made now; and the allocator's own reserves grow with the number of clients at a time, which
    # varies with the load of the machine, but is rarely as high again.
    come_and_go(server, 6 * AT_ONCE, at_once=2 * AT_ONCE)
    before = wait_until(lambda: settled(server), 20)
    resident: list[int] = []
    while not is_steady(resident) and len(resident) < MOST_CYCLES:
        come_and_go(server, CONNECTIONS)
        wait_until_only(server, before)
        state = server.state()
        assert state["idle workers"] <= 100
        resident.append(state["kilobytes"])
    with capsys.disabled():
        print(
            f"\n  {len(resident)} times {CONNECTIONS} connections; resident memory after each: {resident} kB; "
            f"held: {before}"
        )
    assert is_steady(resident)


def is_steady(resident: list[int]) -> bool:
    """Tell whether the memory has not grown in the last cycles: a leak grows in all of them, reserves only at first."""
    last = resident[-CYCLES:]
    return len(last) == CYCLES and last[-1] <= last[0] * (1 + GROWTH)


@pytest.mark.parametrize(
    ("resident", "steady"),
    [
        ([], False),
        ([100, 100], False),
        ([100, 103, 105], True),
        ([100, 103, 106], False),
        ([100, 107, 108, 109], True),
        ([100, 103, 106, 109, 112, 115, 119], False),
    ],
)
def test_memory_is_steady_when_it_does_not_grow_in_three_cycles(resident: list[int], steady: bool) -> None:
    assert is_steady(resident) is steady
