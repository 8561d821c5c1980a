"""Classes, namespaces by a regular expression, and questions to many clients at once, with real clients."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import socketio

from tests.support.node import run_node
from tests.support.ports import free_port
from tests.support.processes import ROOT, Program, python_command
from tests.support.waiting import wait_until

APP = ROOT / "tests" / "apps" / "namespaces_app.py"
MODES = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": ["polling", "websocket"]}
PLACES = ("view", "greenlet", "thread")
ALL_BYTES = bytes(range(256))
BLOB = {"bytes": "00041e7f80ff"}
TIMEOUT = 10.0


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    program = Program(python_command(APP, port), tmp_path_factory.mktemp("server") / "server.log")
    try:
        program.wait_for_port(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        program.stop()


@pytest.fixture(scope="module", params=MODES)
def reported(request: pytest.FixtureRequest, url: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the JavaScript program saw, run once for each kind of transport."""
    log = tmp_path_factory.mktemp("client") / "client.log"
    return run_node("client_namespaces.js", url, request.param, log=log)


@pytest.mark.npm
class TestJavaScript:
    def test_a_class_has_stages_events_rooms_and_access_lists(self, reported: Any) -> None:
        assert reported["classes"] == {
            "refused": ["You are banned", {"until": "never"}],
            "nicknames": [[True, "two"], [True, "one"]],
            "announced": ["one has come"],
            "errors": [["method_access_denied", 'You do not have access to method "on_user_message"']],
            "message": [[{"count": 1, "blob": BLOB}], [{"count": 2, "blob": BLOB}]],
            "heard": [["one", "grüezi", BLOB], ["one", "grüezi", BLOB], ["grüezi"]],
            "send": [["/chat"], [{"back": [1]}]],
            "other": [["any thing", 1, {"two": 2}]],
            "left": True,
        }

    def test_a_regular_expression_makes_a_namespace_for_each_name(self, reported: Any) -> None:
        tenants = reported["tenants"]
        ids = tenants.pop("ids")
        assert tenants == {
            "who": [["/tenant-1", ids[0]]],
            "said": [1],
            "heard": ["/tenant-1", "hello"],
            "tenants": [[["/tenant-1", "/tenant-2"]], [["/tenant-1"]]],
            "unknown": "Invalid namespace",
            "left": True,
        }

    @pytest.mark.parametrize("place", PLACES)
    def test_many_are_asked_and_who_is_missing_is_named(self, reported: Any, place: str) -> None:
        questions = reported["questions"][place]
        binary, empty, _, silent = questions["ids"]
        answers = [
            {binary: {"value": value, "blob": {"bytes": ALL_BYTES.hex()}, "mine": BLOB}, empty: None}
            for value in (1, [2])
        ]
        assert questions["first"] == {"answers": answers[0], "missing": [silent]}
        assert questions["second"] == {"answers": answers[1]}
        assert questions["left"] is True


@pytest.fixture(params=MODES)
def connect(request: pytest.FixtureRequest, url: str) -> Iterator[Callable[..., socketio.Client]]:
    """A function that connects a client of python-socketio to namespaces."""
    opened: list[socketio.Client] = []

    def open_client(*namespaces: str, **options: Any) -> socketio.Client:
        client = socketio.Client(handle_sigint=False, reconnection=False)
        opened.append(client)
        client.connect(
            url + options.pop("path", ""),
            transports=MODES[request.param],
            namespaces=[*namespaces],
            wait_timeout=TIMEOUT,
            **options,
        )
        return client

    yield open_client
    for client in opened:
        client.disconnect()


class TestPython:
    def test_a_class_and_patterns_on_one_connection(self, connect: Callable[..., socketio.Client]) -> None:
        client = connect("/chat", "/tenant-7", "/tenant-8", path="?trusted=yes")

        def ask(namespace: str, event: str, *arguments: Any) -> Any:
            return client.call(event, arguments, namespace=namespace, timeout=TIMEOUT)

        assert ask("/chat", "nickname", "py") == (True, "py")
        assert ask("/chat", "user message", "hi", ALL_BYTES) == {"count": 1, "blob": ALL_BYTES}
        assert ask("/chat", "un-known", 1) == ["un-known", 1]
        assert ask("/tenant-7", "tenants") == ["/tenant-7", "/tenant-8"]
        assert ask("/tenant-8", "who") == ["/tenant-8", client.get_sid("/tenant-8")]

    @pytest.mark.parametrize("place", PLACES)
    def test_questions_are_answered_in_bytes_late_and_not_at_all(
        self, connect: Callable[..., socketio.Client], url: str, place: str
    ) -> None:
        clients = [connect("/") for _ in range(3)]
        channel = f"python {place} {clients[0].get_sid()}"
        heard: list[Any] = []
        for client in clients:
            assert client.call("__subscribe__", channel, timeout=TIMEOUT) is True
        clients[0].on("question", lambda *arguments: {"back": arguments[1]})
        clients[1].on("question", lambda *arguments: ("two", b"values"))

        def leave(*arguments: Any) -> None:
            heard.append(arguments)
            clients[2].disconnect()  # so that the ack, which this client sends by itself, comes too late

        clients[2].on("question", leave)
        wanted = {"place": place, "channel": channel, "timeout": TIMEOUT, "value": "?"}
        ids = [client.get_sid() for client in clients]
        with urllib.request.urlopen(f"{url}/ask", data=json.dumps(wanted).encode(), timeout=2 * TIMEOUT) as response:
            answered = json.load(response)
        assert heard == [("?", ALL_BYTES)]
        assert answered == {
            "answers": {ids[0]: {"back": {"bytes": ALL_BYTES.hex()}}, ids[1]: ["two", {"bytes": b"values".hex()}]}
        }

    def test_nothing_is_left(self, connect: Callable[..., socketio.Client], url: str) -> None:
        connect("/chat", "/tenant-9").disconnect()

        def left() -> Any:
            with urllib.request.urlopen(f"{url}/left", timeout=TIMEOUT) as response:
                homes, jobs = json.load(response)
            return [home for home in homes if home != "/"], jobs  # there a client may be that left without a word

        wait_until(lambda: left() == ([], 0), TIMEOUT, f"what is left: {left()}")
