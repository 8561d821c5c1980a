"""Limits and real clients: the reactions of rate limits, a reader that stalls under each policy, and what the
application's hook is told of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import socketio

from tests.apps.running import Served, serving
from tests.support.node import run_node
from tests.support.raw import Connection, PollingSession, WebSocketSession
from tests.support.waiting import wait_until

MODES = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": ["polling", "websocket"]}
BURST = 3
COUNT = 400
"""Values of 50 kB: far more than the outbox and the kernel's buffers hold together."""
KEYS = 5
STALLED = {"outbox_limit": 1_000_000, "message_log_format": None}


def state(server: Served) -> dict[str, Any]:
    with Connection(server.port) as connection:
        answer: dict[str, Any] = json.loads(connection.request("GET", "/state").text)
        return answer


def told(server: Served, limit: str) -> list[dict[str, Any]]:
    return [one for one in state(server)["told"] if one["limit"] == limit]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    settings = json.dumps({"max_payload": 10_000, "max_channels": 2})
    with serving("limits_app.py", settings, log_directory=tmp_path_factory.mktemp("limits")) as running:
        yield running


@contextmanager
def client_of(server: Served, mode: str, namespace: str) -> Iterator[socketio.Client]:
    client = socketio.Client(handle_sigint=False, reconnection=False)
    url = f"http://127.0.0.1:{server.port}"
    client.connect(url, transports=MODES[mode], namespaces=[namespace], wait_timeout=10)
    try:
        yield client
    finally:
        client.disconnect()


class TestRates:
    @pytest.mark.parametrize("mode", MODES)
    def test_drop(self, server: Served, mode: str) -> None:
        with client_of(server, mode, "/drop") as client:
            before = state(server)["handled"].get("/drop", 0)
            for number in range(BURST + 5):
                client.emit("e", number, namespace="/drop")
            assert client.call("other", namespace="/drop", timeout=10) == ["handled"]
            assert state(server)["handled"]["/drop"] - before == BURST + 1
            assert client.connected

    @pytest.mark.parametrize("mode", MODES)
    def test_error(self, server: Served, mode: str) -> None:
        with client_of(server, mode, "/error") as client:
            answers = [client.call("e", number, namespace="/error", timeout=10) for number in range(BURST + 1)]
            assert answers[:BURST] == [["handled", number] for number in range(BURST)]
            assert answers[BURST]["__error__"] == "rate_limit"
            assert answers[BURST]["retry_after"] > 0
            assert client.call("other", namespace="/error", timeout=10) == ["handled"]
            session = client.get_sid("/error")
            wait_until(lambda: any(one["session"] == session for one in told(server, "rate_limit")))
            [one] = [one for one in told(server, "rate_limit") if one["session"] == session]
            assert (one["address"], one["most"]) == ("127.0.0.1", BURST)

    @pytest.mark.parametrize("mode", MODES)
    def test_disconnect(self, server: Served, mode: str) -> None:
        with client_of(server, mode, "/disconnect") as client:
            before = state(server)["handled"].get("/disconnect", 0)
            for number in range(BURST):
                assert client.call("e", number, namespace="/disconnect", timeout=10) == ["handled", number]
            client.emit("e", 0, namespace="/disconnect")
            wait_until(lambda: not client.connected)
            assert state(server)["handled"]["/disconnect"] - before == BURST

    def test_clients_of_one_address_share_what_it_has(self, server: Served) -> None:
        with client_of(server, "polling", "/address") as one, client_of(server, "websocket", "/address") as other:
            answers = [
                client.call("e", namespace="/address", timeout=10) for client in (one, other) for _ in range(BURST)
            ]
        assert [type(answer) for answer in answers] == [list] * BURST + [dict] * BURST


@pytest.mark.npm
class TestAReaderThatStalls:
    def report(self, directory: Path, policy: str) -> tuple[dict[str, Any], list[dict[str, Any]], str]:
        settings = json.dumps({**STALLED, "outbox_policy": policy})
        with serving("limits_app.py", settings, log_directory=directory) as server:
            url = f"http://127.0.0.1:{server.port}"
            report = run_node("client_stalled.js", url, "websocket", COUNT, log=directory / "client.log")
            wait_until(lambda: told(server, "outbox_limit"))
            return report, told(server, "outbox_limit"), server.program.output()

    def test_disconnect(self, tmp_path: Path) -> None:
        report, told, _ = self.report(tmp_path, "disconnect")
        assert report["reason"] in ("transport close", "transport error")
        assert report["taken"] < COUNT
        numbers = [number for _, number in report["items"]]
        assert numbers == list(range(len(numbers)))
        assert len(told) == 1

    def test_drop_newest(self, tmp_path: Path) -> None:
        report, told, _ = self.report(tmp_path, "drop_newest")
        numbers = [number for _, number in report["items"]]
        assert (report["reason"], report["echo"]) == (None, "still served")
        assert 0 < len(numbers) == report["taken"] < COUNT
        assert numbers == list(range(len(numbers)))
        assert (len(told), told[0]["most"], told[0]["count"]) == (1, 1_000_000, 1)

    def test_drop_oldest(self, tmp_path: Path) -> None:
        report, told, _ = self.report(tmp_path, "drop_oldest")
        numbers = [number for _, number in report["items"]]
        assert (report["reason"], report["taken"]) == (None, COUNT)
        assert len(numbers) < COUNT
        assert numbers == sorted(numbers)
        assert (numbers[0], numbers[-1]) == (0, COUNT - 1)
        assert len(told) == 1

    def test_coalesce(self, tmp_path: Path) -> None:
        settings = json.dumps({**STALLED, "outbox_policy": "coalesce"})
        with serving("limits_app.py", settings, log_directory=tmp_path) as server:
            url = f"http://127.0.0.1:{server.port}"
            report = run_node("client_stalled.js", url, "websocket", COUNT, log=tmp_path / "client.log")
            assert state(server)["told"] == []
        assert (report["reason"], report["taken"]) == (None, COUNT)
        assert len(report["items"]) < COUNT
        latest = dict(report["items"])
        assert latest == {key: COUNT - KEYS + key for key in range(KEYS)}


class TestTheHook:
    def test_a_message_that_is_too_large(self, server: Served) -> None:
        with WebSocketSession(server.port) as session:
            session.send_text("42" + "x" * 10_000)
            assert session.read_close() == (1009, "")
        wait_until(lambda: told(server, "max_payload"))
        assert told(server, "max_payload")[0]["size"] == 10_002

    def test_a_post_that_is_too_large(self, server: Served) -> None:
        with PollingSession(server.port) as session:
            response = session.post("42" + "x" * 12_000)
            assert (response.status, response.text) == (413, "")
        wait_until(lambda: any(one["size"] == 12_002 for one in told(server, "max_payload")))

    def test_a_channel_too_many(self, server: Served) -> None:
        with client_of(server, "websocket", "/") as client:
            answers = [client.call("__subscribe__", channel, timeout=10) for channel in "abc"]
            assert answers == [True, True, False]
            session = client.get_sid("/")
        wait_until(lambda: told(server, "max_channels"))
        assert told(server, "max_channels")[0]["session"] == session
