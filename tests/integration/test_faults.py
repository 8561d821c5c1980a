"""Networks that fail: half-open peers, connections cut in mid-frame, mid-POST and at each step of an upgrade.

Everywhere other clients are served meanwhile, get every message in order, and nothing is left afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.integration.faults import FaultServer, undisturbed
from tests.support.fault_proxy import Direction, FaultProxy, How
from tests.support.node import run_node
from tests.support.raw import BINARY, SEPARATOR, TEXT, Connection, PollingSession, WebSocketSession, frame, head
from tests.support.waiting import wait_until

COUNT = 120
"""Messages each way."""

HEARTBEAT = {"ping_interval": 1.0, "ping_timeout": 1.0, "close_timeout": 0.2, "upgrade_timeout": 2.0}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultServer]:
    with FaultServer(tmp_path_factory.mktemp("faults"), **HEARTBEAT) as running:
        yield running


@pytest.fixture
def proxy(server: FaultServer) -> Iterator[FaultProxy]:
    with FaultProxy(server.port) as running:
        yield running


# Half-open peers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [WebSocketSession, PollingSession])
def test_half_open_peers_end_by_ping_timeout(
    server: FaultServer, proxy: FaultProxy, kind: type[WebSocketSession] | type[PollingSession]
) -> None:
    count, before = 20, server.seen("disconnect ping timeout")
    with undisturbed(server):
        lost = [kind(proxy.port) for _ in range(count)]
        polls = [session.begin_poll() for session in lost if isinstance(session, PollingSession)]
        for session in lost:
            session.send_packet('42["echo","there"]')
        proxy.cut("silence")
        wait_until(lambda: server.seen("disconnect ping timeout") == before + count, 10, "the ends of the silent")
        for connection in (*lost, *polls):
            connection.close()
        proxy.stop()


def test_peers_that_were_only_slow_stay(server: FaultServer, proxy: FaultProxy) -> None:
    proxy.delay, proxy.rate = 0.02, 200_000
    before = server.seen("disconnect ping timeout")
    with undisturbed(server), WebSocketSession(proxy.port) as websocket, PollingSession(proxy.port) as polling:
        for number in range(3):
            for session in (websocket, polling):
                assert session.echo(["x" * 20_000, number]) == ["x" * 20_000, number]
        websocket.send_packet("1")
        polling.send_packet("1")
    assert server.seen("disconnect ping timeout") == before


# Cuts within a message ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("opcode", "keep", "how"),
    [
        *((TEXT, 1, "close"), (TEXT, 5, "reset"), (TEXT, 60, "close"), (TEXT, 50_000, "reset")),
        *((BINARY, 1, "reset"), (BINARY, 60, "close")),
    ],
)
def test_a_frame_that_is_cut_is_no_message(
    server: FaultServer, proxy: FaultProxy, opcode: int, keep: int, how: How
) -> None:
    with undisturbed(server, listeners=2):
        before, ended = server.seen("note cut"), server.seen("finish")
        proxy.cut_at(b"cut here", "up", keep=keep, how=how)
        with WebSocketSession(proxy.port) as session:
            assert session.echo("whole") == "whole"
            text = '42["note","cut"]' if opcode == TEXT else '452-["note",{"_placeholder":true,"num":0},0]'
            padding = "cut here" + "x" * 60_000
            session.send(frame(TEXT, text if opcode == BINARY else f'42["note","cut","{padding}"]'))
            session.send(frame(BINARY, padding))
            assert session.is_closed_by_server()
        wait_until(lambda: server.seen("finish") == ended + 1, what="the end of the session")
        assert server.seen("note cut") == before


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_post_that_is_cut_is_not_handled_and_its_session_goes_on(
    server: FaultServer, proxy: FaultProxy, how: How
) -> None:
    with undisturbed(server, listeners=2), PollingSession(server.port) as session:
        before = server.seen("note cut")
        body = SEPARATOR.join(['42["note","cut"]'] * 1_000 + ["4cut here"])
        proxy.cut_at(b"cut here", "up", keep=5_000, how=how)
        with Connection(proxy.port) as connection:
            connection.send(head("POST", session.path, {"Content-Length": len(body)}) + body.encode())
            assert connection.is_closed_by_server()
        # Before the server has noticed, another POST would be a second one at the same time.
        wait_until(lambda: any("broke off" in text for _, _, text, _ in server.records()), what="the end of the POST")
        assert session.echo("on") == "on"
        assert server.seen("note cut") == before
        session.send_packet("1")


@pytest.mark.parametrize("keep", [0, 20, 150])
def test_an_answer_that_is_cut_ends_nobody_elses_session(server: FaultServer, proxy: FaultProxy, keep: int) -> None:
    with undisturbed(server, listeners=2), PollingSession(proxy.port) as session:
        session.send_packet('42["echo","cut here"]')
        proxy.cut_at(b"cut here", "down", keep=keep)
        with Connection(proxy.port) as poll:
            poll.send_request("GET", session.path)
            poll.is_closed_by_server()
        # The kernel had taken it, so it is gone for this session, as with any server; but the session lives.
        session.polls.close()
        session.posts.close()
        with Connection(server.port) as connection:
            assert connection.request("POST", session.path, '42["echo","next"]').text == "ok"
            assert "next" in connection.request("GET", session.path).text
            assert connection.request("POST", session.path, "1").text == "ok"


# A real client --------------------------------------------------------------------------------------------------------


def talk(proxy: FaultProxy, mode: str, log: Path, *, count: int = COUNT, pause: int = 2, delay: int = 30) -> Any:
    """Have the official client exchange numbered messages, ``pause`` milliseconds apart, until all have come.

    Its WebSocket takes ``delay`` milliseconds more than it needs to open.
    """
    return run_node("client_faults.js", proxy.url, mode, count, pause, delay, log=log / "client.log")


def check_sessions(
    server: FaultServer, result: Any, before: dict[str, list[int]], mode: str, count: int = COUNT
) -> list[list[int]]:
    """See that nothing was lost or doubled; return what was put in each of its sessions."""
    assert result["fed"] == list(range(count))
    log = {name: numbers for name, numbers in server.log(mode).items() if name not in before}
    assert set(log) <= set(result["ids"])
    for numbers in log.values():
        assert all(second == first + 1 for first, second in pairwise(numbers)), "lost or doubled within a session"
    assert sorted({number for numbers in log.values() for number in numbers}) == list(range(count))
    return list(log.values())


STEPS: dict[str, tuple[bytes, Direction, int | None, str]] = {
    "before the probe": (b"2probe", "up", 0, "stays"),
    "within the probe": (b"2probe", "up", 5, "stays"),
    "after the probe": (b"2probe", "up", None, "stays"),
    "before the answer": (b"3probe", "down", 0, "stays"),
    "within the answer": (b"3probe", "down", 4, "stays"),
    # From here on the client takes itself for upgraded.
    "after the answer": (b"3probe", "down", None, "reconnects"),
    "before the upgrade packet": (b"5", "up", 0, "reconnects"),
    "within the upgrade packet": (b"5", "up", 3, "reconnects"),
    "after the upgrade packet": (b"5", "up", None, "reconnects"),
    "before the noop": (b"\r\n\r\n6", "down", 0, "reconnects"),
    "after the noop": (b"\r\n\r\n6", "down", None, "goes on"),
}


HOW: list[tuple[str, How]] = [(step, "close") for step in STEPS]
HOW += [(step, "reset") for step in ("after the probe", "after the answer", "after the upgrade packet")]


@pytest.mark.parametrize(("step", "how"), HOW)
def test_an_upgrade_cut_at_any_step_loses_and_doubles_nothing(
    server: FaultServer, proxy: FaultProxy, tmp_path: Path, step: str, how: How
) -> None:
    text, direction, keep, then = STEPS[step]
    rule = proxy.cut_at(text, direction, keep=keep, how=how, alone=text == b"5")
    with undisturbed(server, listeners=2):
        # A poll that finds messages is not released with a noop: the upgrade is to come between two of them, which on
        # a busy machine it may fail to do.
        pace = {"count": 20, "pause": 100, "delay": 150} if "noop" in step else {"count": COUNT}
        for _ in range(8 if "noop" in step else 1):
            before = server.log("upgrade")
            result = talk(proxy, "upgrade", tmp_path, **pace)
            sessions = check_sessions(server, result, before, "upgrade", pace["count"])
            if rule.struck:
                break
        assert rule.struck
    if then == "stays":
        assert (len(sessions), result["reasons"], result["transport"]) == (1, [], "polling")
    elif then == "goes on":
        assert (len(sessions), result["transport"]) == (1, "websocket")
    else:
        assert len(result["ids"]) == 2


@pytest.mark.parametrize(
    ("mode", "text", "direction", "keep", "how"),
    [
        ("websocket", b'"fed",50', "down", 4, "close"),
        ("websocket", b'"fed",50', "down", 4, "reset"),
        ("websocket", b'"put",50', "up", 9, "close"),
        ("polling", b'"fed",50', "down", 130, "close"),
        ("polling", b'"fed",50', "down", 0, "reset"),
        ("polling", b'"put",50', "up", 200, "close"),
        ("polling", b'"put",50', "up", 200, "reset"),
    ],
)
def test_a_client_that_is_cut_off_comes_back_and_misses_nothing(
    server: FaultServer,
    proxy: FaultProxy,
    tmp_path: Path,
    mode: str,
    text: bytes,
    direction: Direction,
    keep: int,
    how: How,
) -> None:
    rule = proxy.cut_at(text, direction, keep=keep, how=how)
    before = server.log(mode)
    with undisturbed(server, listeners=2):
        result = talk(proxy, mode, tmp_path)
        check_sessions(server, result, before, mode)
    assert rule.struck
    assert len(result["ids"]) == 2


def test_a_client_behind_a_half_open_connection_comes_back(
    server: FaultServer, proxy: FaultProxy, tmp_path: Path
) -> None:
    before = server.log("websocket")
    with undisturbed(server, listeners=2):
        rule = proxy.cut_at(b'"put",50', "up", keep=0, how="silence")
        result = talk(proxy, "websocket", tmp_path)
        check_sessions(server, result, before, "websocket")
    assert rule.struck
    assert result["reasons"] == ["ping timeout"]
