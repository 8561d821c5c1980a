"""HTTP connections that wait in the loop: what is answered there, what goes through the application, what it costs."""

from __future__ import annotations

import contextvars
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
import web
from gevent.pool import Pool

from tests.apps.raw_server import RawServer, bystanders
from tests.support.raw import SEPARATOR, Connection, PollingSession, WebSocketSession, ask, head
from tests.support.waiting import wait_until
from webpy_socketio import SocketIOServer, on_event, socketio_urls
from webpy_socketio.events import registry

MANY = 200
SLOW = {"body_timeout": 1.0, "max_payload": 100_000}

# In this process -----------------------------------------------------------------------------------------------------

seen: list[str] = []
mine = threading.local()
variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


def note_request(handle: Callable[[], Any]) -> Any:
    seen.append(f"{web.ctx.method} {'sid' in web.input(_method='get')}")
    return handle()


class Environ:
    """Answers with its environ."""

    def GET(self) -> str:
        return json.dumps({name: str(value) for name, value in web.ctx.env.items() if not is_object(value)})


def is_object(value: object) -> bool:
    """Tell whether a value is one of a kind, and not a mere fact."""
    return not isinstance(value, (str, int, tuple))


class Leave:
    """Leaves something of every kind in its greenlet."""

    def GET(self) -> str:
        greenlet: Any = gevent.getcurrent()
        mine.user = web.ctx.user = greenlet.user = greenlet.spawn_tree_locals["user"] = "ann"
        variable.set("ann")
        if "timeout" in web.input():
            gevent.Timeout(0.02).start()
        if "exit" in web.input():
            raise {"greenlet": gevent.GreenletExit, "system": SystemExit, "timeout": gevent.Timeout}[web.input().exit]
        return "left"


class Look:
    """Tells what it finds of that."""

    def GET(self) -> str:
        greenlet: Any = gevent.getcurrent()
        gevent.sleep(0.05)  # time for what was left running
        found = [hasattr(mine, "user"), "user" in web.ctx, hasattr(greenlet, "user"), variable.get()]
        return json.dumps([*found, dict(greenlet.spawn_tree_locals)])


def application() -> Any:
    web.config.debug = False
    urls = ("/environ.*", Environ, "/leave", Leave, "/look", Look, *socketio_urls)
    made = web.application(urls, {}, autoreload=False)
    made.add_processor(note_request)
    return made.wsgifunc()


@pytest.fixture
def make_server() -> Iterator[Callable[..., SocketIOServer]]:
    """A function that starts a server in this process."""
    before = dict(registry._handlers)
    registry.clear()
    seen.clear()

    @on_event("echo")
    def echo(request: Any, socket: Any, context: Any, value: Any) -> None:
        socket.emit("echo", value)

    made: list[SocketIOServer] = []

    def make(listener: Any = ("127.0.0.1", 0), **options: Any) -> SocketIOServer:
        made.append(SocketIOServer(listener, application(), **options))
        made[-1].start()
        return made[-1]

    yield make
    for server in made:
        server.stop(1)
        wait_until(lambda server=server: not server.lines and not server._handlers, what="the end of its connections")
    registry.clear()
    registry._handlers.update(before)


class Log:
    def write(self, text: str) -> None:
        """Drop a line."""


class TestWhoSeesARequest:
    def test_processors_see_the_handshake_alone(self, make_server: Callable[..., SocketIOServer]) -> None:
        with PollingSession(make_server().server_port) as session:
            assert session.echo("a") == "a"
        assert seen == ["GET False"]

    @pytest.mark.parametrize(
        "options", [{"direct_polling": False}, {"log": Log()}, {"spawn": Pool(100)}], ids=["setting", "log", "spawn"]
    )
    def test_where_they_are_to_see_all_they_do(
        self, make_server: Callable[..., SocketIOServer], options: dict[str, Any]
    ) -> None:
        with PollingSession(make_server(**options).server_port) as session:
            assert session.echo("a") == "a"
        assert seen == ["GET False", "POST True", "GET True", "POST True", "GET True"]


class TestTheEnvironOfAPage:
    """A page finds the same, whoever has read its head: the loop, or pywsgi because it came in two pieces."""

    @pytest.mark.parametrize("path", ["/environ", "/environ?", "/environ?a=b&c=%20", "/environ/a;b/~c"])
    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"Host": "chat.example:80", "Cookie": "a=b", "X-Forwarded-For": "192.0.2.1", "X-A": ""},
            {"Content-Type": "text/plain", "Accept-Encoding": "gzip", "Connection": "keep-alive"},
            {"Upgrade": "h2c", "Connection": "Upgrade"},
        ],
    )
    def test_over_tcp(self, make_server: Callable[..., SocketIOServer], path: str, fields: dict[str, object]) -> None:
        server = make_server(trusted_proxies="127.0.0.1", environ={"application.own": "x"})
        with Connection(server.server_port) as connection:
            self.compare(server.server_port, connection, head("GET", path, fields))

    def test_over_ipv6(self, make_server: Callable[..., SocketIOServer]) -> None:
        server = make_server(("::1", 0))
        with socket.create_connection(("::1", server.server_port)) as client:
            found = self.exchange(client, head("GET", "/environ"))
        assert found["REMOTE_ADDR"] == "::1"

    def test_over_a_unix_socket(self, make_server: Callable[..., SocketIOServer], tmp_path: Path) -> None:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(tmp_path / "server.sock"))
        listener.listen(5)
        listener.setblocking(False)
        make_server(listener, trusted_proxies="unix")
        request = head("GET", "/environ", {"X-Forwarded-For": "192.0.2.1"})
        found = []
        for pieces in ([request], [request[:30], request[30:]]):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(tmp_path / "server.sock"))
                found.append(self.exchange(client, *pieces))
        assert found[0] == found[1]
        assert found[0]["REMOTE_ADDR"] == "192.0.2.1"

    @staticmethod
    def exchange(client: socket.socket, *pieces: bytes) -> dict[str, str]:
        connection: Any = Connection.__new__(Connection)  # what it does not know how to open
        connection.socket, connection.buffer = client, bytearray()
        client.settimeout(10)
        for piece in pieces:
            client.sendall(piece)
            gevent.idle()  # so that each of them is read alone
        found: dict[str, str] = json.loads(connection.read_response().body)
        return found

    @staticmethod
    def compare(port: int, connection: Connection, request: bytes) -> None:
        connection.send(request)
        whole = json.loads(connection.read_response().body)
        connection.send(request[:30])
        assert ask(port, "GET", "/look").status == 200  # by now the beginning has come
        connection.send(request[30:])
        assert json.loads(connection.read_response().body) == whole
        assert whole["application.own"] == "x"


class TestWhatAPageLeavesInItsGreenlet:
    @pytest.mark.parametrize("query", ["", "?timeout=1"])
    def test_is_gone_for_the_next_request(self, make_server: Callable[..., SocketIOServer], query: str) -> None:
        port = make_server().server_port
        for _ in range(3):
            assert ask(port, "GET", f"/leave{query}").text == "left"
            response = ask(port, "GET", "/look")
            assert json.loads(response.text) == [False, False, False, "unset", {}]

    @pytest.mark.parametrize("way", ["greenlet", "system", "timeout"])
    def test_also_where_it_ended_in_an_unusual_way(
        self, make_server: Callable[..., SocketIOServer], way: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reported: list[Any] = []
        monkeypatch.setattr(gevent.get_hub(), "print_exception", lambda *error: reported.append(error[1]))
        monkeypatch.setattr(gevent.get_hub(), "handle_system_error", lambda *error, **_: reported.append(error[0]))
        port = make_server().server_port
        with Connection(port) as connection:
            assert connection.request("GET", f"/leave?exit={way}").status == 500
        response = ask(port, "GET", "/look")
        assert json.loads(response.text) == [False, False, False, "unset", {}]
        assert len(reported) <= 1


class TestStopping:
    def test_while_requests_are_in_all_states(self, make_server: Callable[..., SocketIOServer]) -> None:
        server = make_server(close_timeout=0.5)
        port = server.server_port
        with PollingSession(port) as session, Connection(port) as idle, Connection(port) as fresh:
            poll = session.begin_poll()
            assert session.is_held(poll)
            assert idle.request("GET", "/environ").status == 200
            fresh.send(head("GET", "/environ")[:20])
            assert ask(port, "GET", "/look").status == 200
            server.stop(1)
            assert poll.read_response().text == "1"
            assert idle.is_closed_by_server()
            assert poll.is_closed_by_server()
            fresh.send(head("GET", "/environ")[20:])
            assert fresh.read_response().closes


# In a process of its own ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawServer]:
    with RawServer(tmp_path_factory.mktemp("entrance"), **SLOW) as running:
        yield running


@pytest.fixture
def server(running: RawServer) -> Iterator[RawServer]:
    """A server with bystanders who must not notice anything."""
    with bystanders(running):
        yield running


class TestConnections:
    def test_one_serves_pages_and_polls_in_any_order(self, server: RawServer) -> None:
        with PollingSession(server.port) as session, Connection(server.port) as connection:
            for number in range(3):
                assert connection.request("GET", "/asker").status == 200
                assert connection.request("POST", session.path, f'42["echo",{number}]').text == "ok"
                assert connection.request("GET", session.path).text == f'42["echo",{number}]'
                assert connection.request("POST", "/upload", b"12345").text == "5"

    def test_requests_that_come_together_are_answered_in_order(self, server: RawServer) -> None:
        with PollingSession(server.port) as session, Connection(server.port) as connection:
            body = b'42["echo",1]'
            post = head("POST", session.path, {"Content-Length": len(body)}) + body
            page = head("POST", "/upload", {"Content-Length": 3}) + b"123"
            connection.send(post + page + head("GET", session.path) + post + page + head("GET", session.path) + page)
            answers = [connection.read_response().text for _ in range(7)]
            assert answers == ["ok", "3", '42["echo",1]', "ok", "3", '42["echo",1]', "3"]

    @pytest.mark.parametrize("at", [1, 30, -5, -1])
    def test_a_post_may_come_in_two_segments(self, server: RawServer, at: int) -> None:
        with PollingSession(server.port) as session:
            for number in range(2):
                body = f'42["echo",{number}]'.encode()
                data = head("POST", session.path, {"Content-Length": len(body)}) + body
                session.posts.send(data[:at])
                assert server.ask_for("/clients")  # by now the beginning has come
                session.posts.send(data[at:])
                assert session.posts.read_response().text == "ok"
                assert session.receive() == ["echo", number]

    def test_frames_behind_an_upgrade_are_taken(self, server: RawServer) -> None:
        with Connection(server.port) as used:
            assert used.request("GET", "/asker").status == 200
        with WebSocketSession(server.port, joined=False, early=b"\x81\x82\0\0\0\x0040") as session:
            assert session.next_packet().startswith("40{")

    def test_idle_ones_and_held_polls_cost_no_greenlets(self, running: RawServer) -> None:
        before = running.state()["greenlets"]
        idle = [Connection(running.port) for _ in range(MANY)]
        sessions = [PollingSession(running.port, joined=False) for _ in range(MANY)]
        for connection in idle:
            assert connection.request("GET", "/asker").status == 200
        polls = [session.begin_poll() for session in sessions]
        assert sessions[-1].is_held(polls[-1])
        state = running.state()
        assert state["clients"] >= MANY
        assert state["greenlets"] <= before + 5
        for session in sessions:
            session.send_packet("1")
        assert {poll.read_response().text for poll in polls} == {"6"}
        for closing in (*idle, *sessions, *polls):
            closing.close()
        wait_until(lambda: running.state()["watchers"].get("io", 0) < 20, what="the end of their watchers")


class TestBrokenConnections:
    @pytest.mark.parametrize("how", ["close", "reset"])
    def test_what_came_for_a_poll_whose_client_has_left_is_in_the_next(self, server: RawServer, how: str) -> None:
        with PollingSession(server.port) as session:
            for number in range(20):
                poll = session.begin_poll()
                assert session.is_held(poll)
                getattr(poll, how)()
                assert session.echo(number) == number

    def test_of_an_answer_that_was_partly_read_nothing_is_lost(self, server: RawServer) -> None:
        with PollingSession(server.port) as session:
            session.emit("bytes", 1, 8_000_000)
            connection = Connection(server.port, receive_buffer=20_000)
            connection.send_request("GET", session.path)
            assert connection.socket.recv(10_000)
            connection.reset()
            name, text = session.receive()
            assert (name, len(text)) == ("bytes", 8_000_000)

    def test_a_farewell_is_heard_by_who_comes_again(self, server: RawServer) -> None:
        with PollingSession(server.port) as session:
            session.emit("disconnect me")
            assert session.poll().text.split(SEPARATOR)[-1] == "1"
            assert session.poll().status == 400


class TestSlowReaders:
    def test_a_large_answer_arrives_whole_and_costs_others_nothing(self, server: RawServer) -> None:
        with PollingSession(server.port) as session:
            session.emit("bytes", 1, 12_000_000)
            with Connection(server.port, receive_buffer=20_000) as connection:
                connection.send_request("GET", session.path)
                received = 0
                while received < 12_000_000:
                    piece = connection.socket.recv(150_000)
                    assert piece, f"the end after {received} bytes"
                    received += len(piece)
                    gevent.sleep(0.005)

    def test_who_does_not_read_is_given_up_and_gets_it_with_the_next_poll(self, server: RawServer) -> None:
        with PollingSession(server.port) as session, Connection(server.port, receive_buffer=20_000) as connection:
            session.emit("bytes", 1, 12_000_000)
            connection.send_request("GET", session.path)
            wait_until(lambda: server.state()["budget"] > 12_000_000, what="the end of the answer")
            assert len(session.receive()[1]) == 12_000_000


class TestTheLog:
    def test_a_refusal_is_told_once(self, server: RawServer) -> None:
        with PollingSession(server.port) as session:
            assert session.post("40", Origin="http://foe.example").status == 403
            name, text = server.logged()
            assert (name, text.count("foe.example")) == ("session", 1)

    def test_so_is_the_end_of_a_session_for_a_fault(self, server: RawServer) -> None:
        with PollingSession(server.port) as session:
            assert session.post("4x").status == 400
            assert server.logged()[0] == "session"


def test_stopping_answers_many_polls(tmp_path: Path) -> None:
    with RawServer(tmp_path, close_timeout=1.0) as running:
        sessions = [PollingSession(running.port, joined=False) for _ in range(MANY)]
        polls = [session.begin_poll() for session in sessions]
        assert sessions[-1].is_held(polls[-1])
        assert ask(running.port, "GET", "/stop?timeout=5").text == "stopping"
        for poll in polls:
            response = poll.read_response()
            assert (response.text, response.closes) == ("1", True)
            assert poll.is_closed_by_server()
        assert running.program.wait(10) == 0
        for session in sessions:
            session.close()
