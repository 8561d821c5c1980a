"""The server as HTTP sees it: connections, bodies, origins, sessions of web.py, and how it starts and stops."""

from __future__ import annotations

import gc
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import gevent
import pytest
import web

from tests.apps.raw_server import RawServer
from tests.support.ports import free_port
from tests.support.raw import (
    POLLING,
    SEPARATOR,
    TEXT,
    WEBSOCKET,
    Connection,
    PollingSession,
    WebSocket,
    WebSocketSession,
    ask,
    frame,
    head,
)
from tests.support.waiting import wait_until
from webpy_socketio import SocketIOServer, UsageError, config, socketio_urls
from webpy_socketio.server import OWN_FROZEN

FORBIDDEN = (403, {"code": 4, "message": "Forbidden"})

# Connections ---------------------------------------------------------------------------------------------------------


def test_one_connection_serves_many_polls(server: RawServer) -> None:
    with PollingSession(server.port) as session:
        for number in range(200):
            assert session.echo(number) == number
        assert "connection" not in session.post("3").headers


def test_a_client_that_wants_to_close_is_told_so(server: RawServer) -> None:
    with Connection(server.port) as connection:
        response = connection.request("GET", POLLING, headers={"Connection": "close"})
        assert response.closes
        assert connection.is_closed_by_server()


def test_clients_whose_messages_came_together_are_served_in_the_order_of_these(patient_server: RawServer) -> None:
    with ExitStack() as stack:
        *clients, watcher = (stack.enter_context(WebSocketSession(patient_server.port)) for _ in range(21))
        order = [7 * number % 20 for number in range(20)]
        os.kill(patient_server.program.pid, signal.SIGSTOP)
        try:
            for number in order:
                clients[number].emit("tell all", number)
        finally:
            os.kill(patient_server.program.pid, signal.SIGCONT)
        assert [watcher.receive() for _ in order] == [["message", number] for number in order]


def test_an_http_1_0_client_polls(server: RawServer) -> None:
    with Connection(server.port) as connection:
        response = connection.request("GET", POLLING, version="HTTP/1.0")
        assert response.text.startswith('0{"sid":')
        assert response.closes
        assert "transfer-encoding" not in response.headers
        assert connection.is_closed_by_server()


def test_an_http_1_0_client_may_keep_its_connection(server: RawServer) -> None:
    with Connection(server.port) as connection:
        for _ in range(3):
            response = connection.request("GET", POLLING, headers={"Connection": "keep-alive"}, version="HTTP/1.0")
            assert response.headers["connection"] == "keep-alive"


def test_an_idle_connection_is_closed_after_a_while(hasty: RawServer) -> None:
    with Connection(hasty.port) as connection:
        began = time.monotonic()
        assert connection.request("GET", "/clients").status == 200
        assert connection.is_closed_by_server()
        assert time.monotonic() - began > 0.5
    assert hasty.records() == []


def test_a_client_that_ends_its_half_of_the_connection_is_answered(server: RawServer) -> None:
    with Connection(server.port) as connection:
        connection.send(head("GET", POLLING))
        connection.socket.shutdown(socket.SHUT_WR)
        assert connection.read_response().text.startswith('0{"sid":')


def test_pipelined_requests_are_answered_in_order(server: RawServer) -> None:
    with PollingSession(server.port) as session:
        packets = [f'42["note","pipelined {number}"]' for number in range(5)]
        heads = [head("POST", session.path, {"Content-Length": len(packet)}) for packet in packets]
        session.posts.send(b"".join(begin + packet.encode() for begin, packet in zip(heads, packets, strict=True)))
        assert [session.posts.read_response().text for _ in packets] == ["ok"] * 5


def test_expect_100_continue_is_answered_before_the_body(server: RawServer) -> None:
    with PollingSession(server.port) as session:
        body = b'42["echo","continued"]'
        session.posts.send(head("POST", session.path, {"Content-Length": len(body), "Expect": "100-continue"}))
        assert session.posts.read_response().status == 100
        session.posts.send(body)
        assert session.posts.read_response().text == "ok"
        assert session.receive() == ["echo", "continued"]


def test_a_refused_request_that_expects_100_closes_and_says_so(server: RawServer) -> None:
    # Its body will not come: what follows on the connection would be taken for it.
    with Connection(server.port) as connection:
        fields = {"Content-Length": 10, "Expect": "100-continue"}
        connection.send(head("POST", f"{POLLING}&sid=unknown", fields))
        response = connection.read_response()
        assert (response.status, response.closes) == (400, True)
        assert connection.is_closed_by_server()


def test_a_chunked_body_is_a_body(server: RawServer) -> None:
    with PollingSession(server.port) as session:
        chunks = b'6;x=y\r\n42["ec\r\nc\r\nho","chunked\r\n2\r\n"]\r\n0\r\nTrailer: 1\r\n\r\n'
        session.posts.send(head("POST", session.path, {"Transfer-Encoding": "Chunked"}) + chunks)
        assert session.posts.read_response().text == "ok"
        assert session.receive() == ["echo", "chunked"]
        assert session.echo("and on, on the same connection") == "and on, on the same connection"


def test_a_page_that_leaves_a_small_body_unread_keeps_the_connection(server: RawServer) -> None:
    with Connection(server.port) as connection:
        for _ in range(3):
            response = connection.request("POST", "/unread", b"x" * 1_000)
            assert (response.text, response.closes) == ("unread", False)


@pytest.mark.parametrize("coding", [{"Content-Length": 5_000_000}, {"Transfer-Encoding": "chunked"}])
def test_a_page_that_leaves_a_large_body_unread_closes_and_says_so(server: RawServer, coding: dict[str, Any]) -> None:
    with Connection(server.port) as connection:
        connection.send(head("POST", "/unread", coding))
        response = connection.read_response()
        assert (response.text, response.closes) == ("unread", True)
        assert connection.is_closed_by_server()


def test_a_page_may_read_what_it_likes(server: RawServer) -> None:
    assert ask(server.port, "POST", "/upload", b"x" * 3_000_000).text == "3000000"


@pytest.mark.parametrize("path", ["/clients", "/download?size=100000", POLLING, "/socket.io/webpy_socketio.js"])
def test_head_has_no_body(server: RawServer, path: str) -> None:
    with Connection(server.port) as connection:
        for _ in range(2):
            response = connection.request("HEAD", path)
            assert response.status == (400 if path == POLLING else 200)
        assert connection.request("GET", "/clients").status == 200


def test_early_frames_are_taken(server: RawServer) -> None:
    early = frame(TEXT, "40") + b"".join(frame(TEXT, f'42["echo",{number}]') for number in range(50))
    before = server.state()["greenlets"]
    with WebSocket(server.port, early=early) as websocket:
        assert websocket.read_text().startswith('0{"sid"')
        assert websocket.read_text().startswith('40{"sid"')
        assert [websocket.read_text() for _ in range(50)] == [f'42["echo",{number}]' for number in range(50)]
        assert server.state()["greenlets"] <= before  # that of the request has ended


def test_early_frames_that_do_not_fit_one_segment_are_taken(server: RawServer) -> None:
    text = "x" * 90_000
    early = frame(TEXT, "40") + frame(TEXT, f'42["echo","{text}"]')
    with WebSocket(server.port, early=early) as websocket:
        assert websocket.read_text().startswith('0{"sid"')
        assert websocket.read_text().startswith('40{"sid"')
        assert websocket.read_text() == f'42["echo","{text}"]'


def test_early_frames_that_are_wrong_end_the_connection(server: RawServer) -> None:
    with WebSocket(server.port, early=frame(TEXT, "40", masked=False)) as websocket:
        assert websocket.response.status == 101
        assert websocket.read_close_and_end()[0] == 1002
    assert "must be masked" in server.logged()[1]


def test_an_early_end_is_noticed(server: RawServer) -> None:
    with WebSocket(server.port, early=frame(TEXT, "40")) as websocket:
        websocket.socket.shutdown(socket.SHUT_WR)
        assert websocket.response.status == 101
        websocket.read_to_end()
    assert server.logged()[1].endswith("closed: transport close")


# Who may connect from a browser --------------------------------------------------------------------------------------


def answers(port: int, origin: str | None) -> list[Any]:
    """Try a handshake by polling and by WebSocket with this origin; give both statuses."""
    headers = {} if origin is None else {"Origin": origin}
    with Connection(port) as connection:
        polled = connection.request("GET", POLLING, headers={"Host": f"127.0.0.1:{port}", **headers})
    with WebSocket(port, headers={"Host": f"127.0.0.1:{port}", **headers}) as websocket:
        upgraded = websocket.response
    for response in (polled, upgraded):
        if response.status == 403:
            assert response.error == FORBIDDEN
    return [polled.status, upgraded.status]


GRANTED, REFUSED = [200, 101], [403, 403]


def test_by_default_only_pages_of_the_same_origin_connect(server: RawServer) -> None:
    here = f"127.0.0.1:{server.port}"
    assert answers(server.port, None) == GRANTED  # no page at all
    assert answers(server.port, f"http://{here}") == GRANTED
    assert answers(server.port, f"https://{here}") == GRANTED  # a proxy may have ended TLS
    foreign = ["http://evil.example", f"http://{here}.evil.example", "http://127.0.0.1:1", "http://127.0.0.1"]
    odd = ["null", "", f"ftp://{here}", f"file://{here}", f"http://evil.example@{here}.x", "http://["]
    for origin in foreign + odd:
        assert answers(server.port, origin) == REFUSED, origin


def test_a_foreign_origin_cannot_use_a_session_either(server: RawServer) -> None:
    with PollingSession(server.port) as session:
        foreign = {"Origin": "http://evil.example"}
        for method, body in (("GET", None), ("POST", "40")):
            assert session.posts.request(method, session.path, body, foreign).error == FORBIDDEN
        with WebSocket(server.port, session.sid, headers=foreign) as websocket:
            assert websocket.response.error == FORBIDDEN
        assert session.echo("unharmed") == "unharmed"


def test_a_refusal_is_logged_with_its_origin_and_has_no_cors_headers(server: RawServer) -> None:
    response = ask(server.port, "GET", POLLING, Origin="http://evil.example")
    assert not [name for name in response.headers if name.startswith("access-control")]
    assert "'http://evil.example' may not connect" in server.logged()[1]


LISTED = ["http://friend.example", "https://other.example:8443/"]


@pytest.fixture(scope="module")
def listing_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawServer]:
    with RawServer(tmp_path_factory.mktemp("listing"), cors_allowed_origins=LISTED) as running:
        yield running


def test_listed_origins_connect_with_credentials(listing_server: RawServer) -> None:
    port = listing_server.port
    for origin in ("http://friend.example", "HTTP://Friend.Example", "https://other.example:8443"):
        assert answers(port, origin) == GRANTED
        response = ask(port, "GET", POLLING, Origin=origin)
        assert response.headers["access-control-allow-origin"] == origin
        assert response.headers["access-control-allow-credentials"] == "true"
        assert response.headers["vary"] == "Origin"
    assert answers(port, f"http://127.0.0.1:{port}") == GRANTED
    for origin in ("https://friend.example", "http://friend.example:81", "http://sub.friend.example", "null"):
        assert answers(port, origin) == REFUSED


def test_an_answer_that_depends_on_the_origin_says_so_to_caches(listing_server: RawServer) -> None:
    assert "Origin" in ask(listing_server.port, "GET", "/socket.io/webpy_socketio.js").headers["vary"]


def test_errors_can_be_read_by_listed_origins(listing_server: RawServer) -> None:
    response = ask(listing_server.port, "GET", f"{POLLING}&sid=unknown", Origin="http://friend.example")
    assert response.error[1]["code"] == 1
    assert response.headers["access-control-allow-origin"] == "http://friend.example"


def test_a_preflight_of_a_listed_origin_is_granted(listing_server: RawServer) -> None:
    with Connection(listing_server.port) as connection:
        for _ in range(2):
            wish = {
                "Origin": "http://friend.example",
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "content-type,x-own",
            }
            response = connection.request("OPTIONS", POLLING, headers=wish)
            assert (response.status, response.body) == (204, b"")
            assert response.headers["access-control-allow-origin"] == "http://friend.example"
            assert response.headers["access-control-allow-credentials"] == "true"
            assert "POST" in response.headers["access-control-allow-methods"]
            assert response.headers["access-control-allow-headers"] == "content-type,x-own"


def test_a_preflight_of_another_origin_is_refused(listing_server: RawServer) -> None:
    response = ask(listing_server.port, "OPTIONS", POLLING, Origin="http://evil.example")
    assert response.error == FORBIDDEN
    assert not [name for name in response.headers if name.startswith("access-control")]


def test_a_star_lets_everybody_in(tmp_path: Path) -> None:
    with RawServer(tmp_path, cors_allowed_origins="*") as running:
        for origin in ("http://anybody.example", "null"):
            assert answers(running.port, origin) == GRANTED
            response = ask(running.port, "GET", POLLING, Origin=origin)
            assert response.headers["access-control-allow-origin"] == origin
            assert response.headers["access-control-allow-credentials"] == "true", "old clients ask with them"
        assert ask(running.port, "OPTIONS", POLLING, Origin="http://anybody.example").status == 204


def test_a_callable_decides_and_one_that_raises_refuses(tmp_path: Path) -> None:
    with RawServer(tmp_path, cors_allowed_origins="callable") as running:
        assert answers(running.port, "http://friend.example") == GRANTED
        assert answers(running.port, "http://evil.example") == REFUSED
        running.mark()
        assert ask(running.port, "GET", POLLING, Origin="http://raises.example").error == FORBIDDEN
        levels = [(level, error) for _, level, _, error in running.wait_for_records(2)]
        assert levels == [("ERROR", "OwnTrouble"), ("INFO", None)]


# Another path --------------------------------------------------------------------------------------------------------


def test_the_endpoint_may_have_another_path(tmp_path: Path) -> None:
    with RawServer(tmp_path, resource="/live/chat/") as running:
        path = "/live/chat/?EIO=4&transport="
        with PollingSession(running.port, path=f"{path}polling") as session:
            assert session.echo("by polling") == "by polling"
        with WebSocketSession(running.port, path=f"{path}websocket") as websocket:
            assert websocket.echo("by websocket") == "by websocket"
        assert ask(running.port, "GET", "/live/chat/webpy_socketio.js").status == 200
        assert ask(running.port, "GET", "/live/chatter/?EIO=4&transport=polling").status == 404


# web.py's sessions ---------------------------------------------------------------------------------------------------


@pytest.fixture
def visited(tmp_path: Path) -> Iterator[RawServer]:
    with RawServer(tmp_path, sessions=str(tmp_path / "sessions")) as running:
        yield running


def cookie(server: RawServer) -> dict[str, object]:
    """Log in as Ada; give the headers of her browser."""
    response = ask(server.port, "GET", "/visit?user=Ada")
    assert response.text == "Ada"
    return {"Cookie": response.headers["set-cookie"].split(";")[0]}


def test_an_open_poll_does_not_undo_what_another_request_changes(visited: RawServer) -> None:
    browser = cookie(visited)
    with PollingSession(visited.port) as session, Connection(visited.port) as poll:
        poll.send_request("GET", session.path, headers=browser)
        assert session.is_held(poll)
        assert ask(visited.port, "GET", "/visit?user=Grace", **browser).text == "Grace"
        session.emit("echo", "ends the poll")
        assert poll.read_response().status == 200
        assert ask(visited.port, "GET", "/visit", **browser).text == "Grace"


def test_who_logs_out_during_an_open_poll_stays_logged_out(visited: RawServer) -> None:
    browser = cookie(visited)
    with PollingSession(visited.port) as session, Connection(visited.port) as poll:
        poll.send_request("GET", session.path, headers=browser)
        assert session.is_held(poll)
        assert ask(visited.port, "GET", "/visit?kill=1", **browser).text == "gone"
        session.emit("echo", "ends the poll")
        assert poll.read_response().status == 200
        assert ask(visited.port, "GET", "/visit", **browser).text == "nobody"


def test_who_logs_out_during_an_open_websocket_stays_logged_out(visited: RawServer) -> None:
    browser = cookie(visited)
    with WebSocketSession(visited.port, headers=browser) as session:
        assert session.echo("open") == "open"
        assert ask(visited.port, "GET", "/visit?kill=1", **browser).text == "gone"
        assert session.echo("still open") == "still open"
    wait_until(lambda: visited.state()["clients"] == 0)
    assert ask(visited.port, "GET", "/visit", **browser).text == "nobody"


def test_two_handshakes_of_one_browser_keep_its_session(visited: RawServer) -> None:
    browser = cookie(visited)
    with WebSocketSession(visited.port, headers=browser), WebSocketSession(visited.port, headers=browser):
        assert ask(visited.port, "GET", "/visit", **browser).text == "Ada"


# Stopping ------------------------------------------------------------------------------------------------------------


def test_stopping_ends_everybody_in_good_order(tmp_path: Path) -> None:
    with RawServer(tmp_path) as running:
        websocket, polling, late = (
            WebSocketSession(running.port),
            PollingSession(running.port),
            PollingSession(running.port),
        )
        poll, idle, busy = polling.begin_poll(), Connection(running.port), Connection(running.port)
        assert polling.is_held(poll)
        assert idle.request("GET", "/clients").status == 200
        busy.send_request("GET", "/slow?seconds=0.3")
        late.emit("sleep", 0.3)
        assert idle.request("GET", "/stop?timeout=5").text == "stopping"
        assert websocket.read_close() == (1001, "server shutting down")
        assert poll.read_response().text.split(SEPARATOR)[-1] == "1"
        assert late.poll().text.split(SEPARATOR)[-1] == "1"
        response = busy.read_response()
        assert (response.text, response.closes) == ("slept", True)
        assert idle.is_closed_by_server()
        running.program.wait_for_line("^stopped.*'disconnect server shutting down': 3.*")
        running.program.wait_for_line("^stopped.*'finish': 3.*")
        assert running.program.wait(10) == 0


def test_a_handler_that_does_not_return_is_ended_by_stopping(tmp_path: Path) -> None:
    with RawServer(tmp_path) as running:
        with WebSocketSession(running.port) as session:
            session.emit("never return")
            wait_until(lambda: running.seen("never") == 1)
            ask(running.port, "GET", "/stop?timeout=0.3")
            assert session.read_close() == (1001, "server shutting down")
        running.program.wait_for_line("^stopped.*'finish': 1")
        assert running.program.wait(10) == 0


# Starting, in this process -------------------------------------------------------------------------------------------


class Page:
    def GET(self) -> str:
        return "page"


def application() -> Any:
    web.config.debug = False
    return web.application(("/page", Page, *socketio_urls), {}, autoreload=False).wsgifunc()


@pytest.fixture
def running() -> Iterator[SocketIOServer]:
    server = SocketIOServer(("127.0.0.1", 0), application(), close_timeout=0.5)
    server.start()
    yield server
    server.stop(1)


def test_a_server_stops_and_another_starts_in_its_place(running: SocketIOServer) -> None:
    port = running.server_port
    for _ in range(3):
        with WebSocketSession(port) as session:
            running.stop(1)
            assert session.read_close() == (1001, "server shutting down")
        running = SocketIOServer(("127.0.0.1", port), application(), close_timeout=0.5, ping_interval=20)
        running.start()
        with WebSocketSession(port) as session:
            assert session.handshake["pingInterval"] == 20_000
    running.stop(1)


@contextmanager
def serving_for_ever() -> Iterator[Any]:
    server: Any = SocketIOServer(("127.0.0.1", 0), application(), close_timeout=0.5)
    serving = gevent.spawn(server.serve_forever)
    try:
        wait_until(lambda: server.started)
        yield server
    finally:
        server.stop(1)
        serving.get(timeout=10)


def test_while_it_serves_for_ever_the_garbage_collector_leaves_alone_what_was_there_before() -> None:
    with serving_for_ever() as server:
        assert gc.get_freeze_count() > OWN_FROZEN
        assert ask(server.server_port, "GET", POLLING).status == 200
    assert gc.get_freeze_count() == 0


def test_the_few_objects_that_the_interpreter_has_frozen_are_not_an_application(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """CPython 3.12 begins with some."""
    frozen: list[int] = []
    monkeypatch.setattr(gc, "get_freeze_count", lambda: frozen[-1] if frozen else 375)
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(50_000))
    monkeypatch.setattr(gc, "unfreeze", lambda: frozen.append(0))
    with serving_for_ever():
        assert frozen == [50_000]
    assert frozen == [50_000, 0]


def test_what_the_application_has_frozen_is_its_own_business() -> None:
    gc.freeze()
    frozen = gc.get_freeze_count()
    try:
        with serving_for_ever() as server:
            assert ask(server.server_port, "GET", POLLING).status == 200
        assert gc.get_freeze_count() == pytest.approx(frozen, rel=0.01)  # some of it was released meanwhile
    finally:
        gc.unfreeze()


def test_what_the_application_freezes_while_it_is_served_stays_so() -> None:
    try:
        with serving_for_ever():
            kept = [[] for _ in range(10_000)]
            gc.freeze()
        assert gc.get_freeze_count() > len(kept)
    finally:
        gc.unfreeze()


def test_a_client_that_does_not_answer_our_close_frame_does_not_outlive_the_server(running: SocketIOServer) -> None:
    with WebSocketSession(running.server_port) as session:
        running.stop(1)
        assert session.read_close() == (1001, "server shutting down")
        session.socket.settimeout(3)
        assert session.is_closed_by_server()


def test_a_connection_that_outlives_its_server_begins_no_session(running: SocketIOServer) -> None:
    with Connection(running.server_port) as connection:
        connection.send(b"GET " + POLLING.encode())
        assert ask(running.server_port, "GET", "/page").text == "page"  # by now the beginning has come
        running.stop(1)
        connection.send(b" HTTP/1.1\r\nHost: x\r\n\r\n")
        response = connection.read_response()
        assert (response.status, response.closes) == (503, True)


def test_a_port_in_use_is_an_error_and_leaves_nothing_behind(running: SocketIOServer) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        before = config.current()
        second = SocketIOServer(taken.getsockname(), application(), close_timeout=0.5)
        with pytest.raises(OSError, match="Address already in use"):
            second.start()
        assert config.current() is before
        assert ask(running.server_port, "GET", POLLING).status == 200


def test_a_second_server_with_other_settings_is_an_error_and_changes_nothing(running: SocketIOServer) -> None:
    before = config.current()
    second = SocketIOServer(("127.0.0.1", 0), application(), resource="other")
    with pytest.raises(UsageError, match="Another SocketIOServer runs"):
        second.start()
    assert config.current() is before
    assert not second.started


def test_two_servers_with_the_same_settings_share_their_clients(running: SocketIOServer) -> None:
    second = SocketIOServer(("127.0.0.1", 0), application(), close_timeout=0.5)
    second.start()
    with WebSocketSession(running.server_port) as first, WebSocketSession(second.server_port) as other:
        second.stop(1)
        first.send_packet('42["unknown"]')
        assert ask(running.server_port, "GET", "/page").text == "page"
        assert not first.has_data(0.05)
        assert not other.has_data(0.05)  # its session is not of one listener
        running.stop(1)
        assert first.read_close() == (1001, "server shutting down")
        assert other.read_close() == (1001, "server shutting down")


def test_a_listening_socket_may_be_given() -> None:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(5)
    listener.setblocking(False)
    server = SocketIOServer(listener, application())
    server.start()
    try:
        with WebSocketSession(server.server_port) as session:
            assert session.sid
    finally:
        server.stop(1)


def test_a_unix_socket_serves_websockets_too(tmp_path: Path) -> None:
    path = str(tmp_path / "server.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(5)
    listener.setblocking(False)
    server = SocketIOServer(listener, application())
    server.start()
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(path)
            client.sendall(head("GET", WEBSOCKET, {"Connection": "Upgrade", "Upgrade": "websocket",
                "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}))  # fmt: skip
            received = b""
            while b'0{"sid"' not in received:
                received += client.recv(4096)
            assert received.startswith(b"HTTP/1.1 101 ")
    finally:
        server.stop(1)


class Lines:
    """An access log."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, text: str) -> None:
        self.lines.append(text)


def test_the_access_log_has_a_line_per_request() -> None:
    log = Lines()
    server = SocketIOServer(("127.0.0.1", 0), application(), log=log)
    server.start()
    try:
        with Connection(server.server_port) as connection:
            assert connection.request("GET", "/page").status == 200
            connection.send(b"GET\r\n\r\n")
            assert connection.read_response().status == 400
        with WebSocketSession(server.server_port):
            pass
        wait_until(lambda: len(log.lines) == 3)
        assert [line.split('"')[2].split()[0] for line in log.lines] == ["200", "400", "101"]
    finally:
        server.stop(1)


def test_the_access_log_has_the_beginning_of_a_session_id_alone() -> None:
    log = Lines()
    server = SocketIOServer(("127.0.0.1", 0), application(), log=log)
    server.start()
    try:
        with PollingSession(server.server_port) as session:
            wait_until(lambda: any("sid=" in line for line in log.lines))
            assert not any(session.sid in line for line in log.lines)
            assert any(f"&sid={session.sid[:6]}… HTTP/1.1" in line for line in log.lines)
    finally:
        server.stop(1)


def test_the_access_log_names_clients_behind_trusted_proxies() -> None:
    log = Lines()
    server = SocketIOServer(("127.0.0.1", 0), application(), log=log, trusted_proxies="127.0.0.1")
    server.start()
    try:
        with Connection(server.server_port) as connection:
            for headers in ({"X-Forwarded-For": "192.0.2.1"}, {"X-Forwarded-For": "2001:db8::1"}, {}):
                assert connection.request("GET", "/page", None, headers).status == 200
            connection.send(b"GET\r\n\r\n")
            assert connection.read_response().status == 400
        with WebSocketSession(server.server_port, headers={"X-Forwarded-For": "192.0.2.2"}):
            pass
        wait_until(lambda: len(log.lines) == 5)
        addresses = [line.split()[0] for line in log.lines]
        assert addresses == ["192.0.2.1", "2001:db8::1", "127.0.0.1", "127.0.0.1", "192.0.2.2"]
    finally:
        server.stop(1)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"colour": "red"}, "Unknown option 'colour'"),
        ({"ping_interval": 0}, "ping_interval must be"),
        ({"application": "app"}, "must be a WSGI callable"),
        ({"handler_class": object}, "handler_class must be"),
        ({"transports": ("telegraph",)}, "transports must be"),
    ],
)
def test_what_does_not_fit_is_an_error_at_once(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        SocketIOServer(("127.0.0.1", free_port()), **options)


def test_stopping_twice_or_before_the_start_is_harmless(running: SocketIOServer) -> None:
    SocketIOServer(("127.0.0.1", 0), application()).stop()
    assert ask(running.server_port, "GET", POLLING).status == 200
    running.stop(1)
    running.stop(1)
