"""Much at once: readers that stall, a thousand reconnections a second, handlers that raise, block or never return.

The figures are printed; what they may be depends on the machine only where nothing else would be a fair measure.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any

import pytest

from tests.integration.faults import FaultServer, last_line, settled, undisturbed, wait_until_only
from tests.support.processes import ROOT, Program, python_command
from tests.support.raw import PollingSession, WebSocketSession
from tests.support.waiting import wait_until

MEGABYTE = 1_024
"""Kilobytes."""


# Readers that stall ---------------------------------------------------------------------------------------------------

PIECES, SIZE = 3_000, 100_000
ROUNDS, MOST_ROUNDS = 3, 12
LIMIT = 16_000_000
FLOOR = 0.001
"""Seconds: below, the undisturbed value tells how the machine shares its processors out, and nothing of the server."""


class Stalled:
    """A client that asks for much and reads nothing of it."""

    def __init__(self, server: FaultServer, pieces: int = PIECES) -> None:
        self.server = server
        self.session = WebSocketSession(server.port, receive_buffer=4_096)
        self.before = server.seen("poured")
        self.session.emit("pour", pieces, SIZE)

    def is_poured(self) -> bool:
        return self.server.seen("poured") > self.before


def percentile_99(session: WebSocketSession, is_over: Callable[[float], bool]) -> float:
    """Echo until it is over; return the time in seconds that 99 of 100 echoes stay under."""
    began, times = monotonic(), []
    while not is_over(monotonic() - began):
        for number in range(100):
            start = monotonic()
            assert session.echo(number) == number
            times.append(monotonic() - start)
    return sorted(times)[len(times) * 99 // 100]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("policy", ["disconnect", "drop_oldest"])
def test_a_reader_that_stalls_costs_others_neither_memory_nor_time(
    tmp_path: Path, policy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings: dict[str, Any] = {"outbox_limit": LIMIT, "outbox_policy": policy, "close_timeout": 0.5}
    with FaultServer(tmp_path, message_log_format=None, **settings) as server:
        before = settled(server)
        with WebSocketSession(server.port) as session:
            percentile_99(session, lambda spent: spent > 0.3)
            start = server.kilobytes
            quiet: list[float] = []
            disturbed: list[float] = []
            # Other programs only ever make it slower, in the one half of a round or in the other. What a stalled
            # reader costs, it costs in every round: so the best one tells.
            while len(quiet) < ROUNDS or (min(disturbed) >= allowed(quiet) and len(quiet) < MOST_ROUNDS):
                quiet.append(percentile_99(session, lambda spent: spent > 0.8))
                seconds, peak = measure_disturbed(server, session)
                disturbed.append(seconds)
                assert peak - start < 4 * LIMIT / 1_024
            with capsys.disabled():
                print(
                    f"\n  {policy}, {len(quiet)} rounds: p99 of an echo {median(quiet) * 1e6:.0f} µs undisturbed, "
                    f"{min(disturbed) * 1e6:.0f} to {max(disturbed) * 1e6:.0f} µs beside a reader that stalls; "
                    f"{(peak - start) / MEGABYTE:.0f} MB more memory"
                )
            assert min(disturbed) < allowed(quiet)
            session.send_packet("1")
        wait_until_only(server, before)


def allowed(quiet: list[float]) -> float:
    """Give the time that 99 of 100 echoes must stay under."""
    return 3 * max(median(quiet), FLOOR)


def measure_disturbed(server: FaultServer, session: WebSocketSession) -> tuple[float, int]:
    """Measure beside a stalled reader: the time that 99 of 100 echoes stay under, and the most memory (kB)."""
    stalled = Stalled(server)
    samples: list[int] = []

    def is_over(spent: float) -> bool:
        samples.append(server.kilobytes)
        return spent > 0.8 and stalled.is_poured()

    seconds = percentile_99(session, is_over)
    stalled.session.close()
    wait_until(lambda: server.state()["clients"] == 1, what="the end of the stalled reader")
    return seconds, max(samples)


def test_all_stalled_readers_together_stay_under_the_ceiling(tmp_path: Path, capsys: Any) -> None:
    ceiling, count = 48_000_000, 16
    settings: dict[str, Any] = {"outbox_ceiling": ceiling, "outbox_policy": "drop_newest", "close_timeout": 0.5}
    with FaultServer(tmp_path, message_log_format=None, **settings) as server:
        before = settled(server)
        with undisturbed(server, listeners=2):
            start = server.kilobytes
            readers = [Stalled(server, pieces=200) for _ in range(count)]  # 320 MB for all of them
            peak, used = 0, 0
            while server.seen("poured") < count:
                peak, used = max(peak, server.kilobytes), max(used, server.state()["budget"])
            for reader in readers:
                reader.session.close()
        assert 0 < used <= ceiling
        assert peak - start < 2 * ceiling / 1_024
        with capsys.disabled():
            print(f"\n  {count} stalled readers: {(peak - start) / MEGABYTE:.0f} MB more memory, {used:,} bytes waited")
        wait_until_only(server, before)


# Reconnections --------------------------------------------------------------------------------------------------------

RATE, SECONDS = 1_000, 20
LOOK_INTERVAL = 1.0
"""Seconds: looking costs the server time, too."""


@pytest.mark.timeout(120)
def test_a_thousand_reconnections_a_second(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FaultServer(tmp_path, message_log_format=None, most_records=0, close_timeout=1) as server:
        storm(server, tmp_path, 2)  # what is made once is made now
        before = settled(server)
        start, peak, most = server.kilobytes, 0, 0
        with undisturbed(server, listeners=2):
            command = python_command(ROOT / "tests/apps/reconnector.py", server.port, RATE, SECONDS)
            with Program(command, tmp_path / "storm.log") as program:
                while program.running:
                    peak, most = max(peak, server.kilobytes), max(most, server.state()["clients"])
                    pause = monotonic() + LOOK_INTERVAL
                    wait_until(lambda pause=pause: monotonic() > pause or not program.running)
                assert program.wait(5) == 0, program.output()
                result = last_line(program.output())
        wait_until_only(server, before)
        with capsys.disabled():
            print(
                f"\n  {result['connects']} reconnections, {result['rate']:.0f}/s of {RATE}/s wanted, at most {most} "
                f"clients at a time, {(peak - start) / MEGABYTE:.0f} MB more memory, "
                f"slowest {result['at once']} in {result['slowest']:.2f} s"
            )
        assert result["failed"] == 0
        assert result["rate"] > RATE / 10  # how many more is the machine's affair
        assert most < 5 * RATE
        assert peak - start < 50 * MEGABYTE


def storm(server: FaultServer, directory: Path, seconds: float) -> None:
    command = python_command(ROOT / "tests/apps/reconnector.py", server.port, RATE, seconds)
    with Program(command, directory / "first.log") as program:
        assert program.wait(seconds + 20) == 0, program.output()


# Handlers -------------------------------------------------------------------------------------------------------------

CLIENTS = 200


def test_two_hundred_handlers_that_raise_block_or_never_return(tmp_path: Path) -> None:
    with FaultServer(tmp_path, close_timeout=0.5) as server:
        events: list[tuple[Any, ...]] = [("raise",), ("sleep", 1.0), ("hang",)]
        with undisturbed(server):
            kinds: list[type[WebSocketSession] | type[PollingSession]] = [
                WebSocketSession,
                WebSocketSession,
                PollingSession,
            ]
            clients = [kinds[number // 3 % 3](server.port) for number in range(CLIENTS)]
            for number, client in enumerate(clients):
                client.emit(*events[number % 3])
            hanging = len(clients[2::3])
            wait_until(lambda: server.seen("hanging") == hanging, what="the handlers that hang")
            raising = clients[0::3]
            assert server.seen("error OwnTrouble") == len(raising)
            for client in raising:
                assert client.echo("alive") == "alive"
            for client in clients:
                client.send_packet("1")
                client.close()
            wait_until(lambda: server.seen("finish") >= len(raising), what="the ends of those whose handlers returned")
            assert server.state()["busy workers"] >= hanging
            server.ask_for("/letgo")
            wait_until(lambda: server.seen("finish") == CLIENTS, what="all ends")


def test_handlers_that_never_return_are_ended_by_stopping(tmp_path: Path) -> None:
    with FaultServer(tmp_path) as server:
        clients = [WebSocketSession(server.port) for _ in range(CLIENTS // 4)]
        for client in clients:
            client.emit("never return")
        wait_until(lambda: server.seen("never") == len(clients))
        server.ask_for("/stop", timeout=0.3)
        assert server.program.wait(15) == 0, server.program.output()
        assert f"'finish': {len(clients)}" in server.program.output()
        for client in clients:
            client.close()
