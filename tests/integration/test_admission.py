"""Who may connect: the ``admit`` hook, proxies that are believed, places per address, the cookie, what is reaped."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.apps.raw_server import RawServer, bystanders
from tests.support.node import run_node
from tests.support.raw import (
    POLLING,
    WEBSOCKET,
    Connection,
    PollingSession,
    Response,
    Session,
    WebSocket,
    WebSocketSession,
    ask,
    head,
    upgrade_headers,
)
from tests.support.waiting import wait_until

FORBIDDEN = (403, {"code": 4, "message": "Forbidden"})


@pytest.fixture(scope="module")
def asking_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawServer]:
    with RawServer(tmp_path_factory.mktemp("asking"), admit=True, cookie=True) as running:
        yield running


@pytest.fixture
def asking(asking_server: RawServer) -> Iterator[RawServer]:
    """A server whose ``admit`` does what the query wishes, and which sets a cookie."""
    with bystanders(asking_server):
        yield asking_server


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawServer]:
    """A server that takes 127.0.0.1, which all tests come from, for a proxy."""
    settings = {"trusted_proxies": ["127.0.0.1"], "max_connections_per_address": 2, "cookie": True}
    with RawServer(tmp_path_factory.mktemp("proxied"), **settings) as running:
        yield running


def handshake(port: int, carrier: str, query: str = "", **headers: object) -> Response:
    """Ask for a session, and leave it at that."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if carrier == "polling":
        return ask(port, "GET", POLLING + query, **headers)
    with WebSocket(port, path=WEBSOCKET + query, headers=named) as websocket:
        return websocket.response


# What the application says ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("carrier", ["polling", "websocket"])
class TestTheHook:
    def test_a_refusal_is_an_answer_with_its_status_and_text(self, asking: RawServer, carrier: str) -> None:
        response = handshake(asking.port, carrier, "&wish=refuse")
        assert response.error == (401, {"code": 4, "message": "Log in first"})
        assert response.headers["www-authenticate"] == "SocketIO"
        assert "set-cookie" not in response.headers
        assert asking.logged() == ("session", "Refused a request from 127.0.0.1: Log in first: by admit")

    def test_false_is_forbidden(self, asking: RawServer, carrier: str) -> None:
        assert handshake(asking.port, carrier, "&wish=false").error == FORBIDDEN
        assert asking.logged() == ("session", "Refused a request from 127.0.0.1: Forbidden: by admit")

    @pytest.mark.parametrize(("wish", "error"), [("raise", "OwnTrouble"), ("time out", "Timeout"), ("other", None)])
    def test_a_failure_lets_nobody_in(self, asking: RawServer, carrier: str, wish: str, error: str | None) -> None:
        response = handshake(asking.port, carrier, f"&wish={wish.replace(' ', '%20')}")
        assert response.error == (500, {"code": 4, "message": "Forbidden"})
        first, second = asking.wait_for_records(2)
        assert (first[1], first[3]) == ("ERROR", error)
        assert second[2] == "Refused a request from 127.0.0.1: Forbidden: admit failed"

    def test_true_lets_in_with_a_cookie(self, asking: RawServer, carrier: str) -> None:
        response = handshake(asking.port, carrier, "&wish=true")
        assert response.status == (200 if carrier == "polling" else 101)
        name, _, rest = response.headers["set-cookie"].partition("=")
        sid, _, attributes = rest.partition("; ")
        assert (name, len(sid), attributes) == ("io", 20, "Path=/; HttpOnly; SameSite=Lax")
        if carrier == "polling":
            assert json.loads(response.text[1:])["sid"] == sid

    def test_it_may_wait_and_holds_up_nobody_else(self, tmp_path: Path, carrier: str) -> None:
        with RawServer(tmp_path, admit=True) as server, bystanders(server), Connection(server.port) as connection:
            path, fields = (POLLING, {}) if carrier == "polling" else (WEBSOCKET, upgrade_headers())
            connection.send(head("GET", f"{path}&wish=wait", fields))
            wait_until(lambda: server.seen("admit wait") == 1)
            assert server.state()["clients"] == 2, "the bystanders"
            assert not connection.has_data()
            server.fetch("/seen")
            assert ask(server.port, "GET", "/release").text == "released"
            assert connection.read_response().status == (200 if carrier == "polling" else 101)
            assert server.seen("admit wait") == 1

    def test_it_is_asked_about_new_sessions_only(self, asking: RawServer, carrier: str) -> None:
        before = asking.seen("admit None")
        if carrier == "polling":
            with PollingSession(asking.port) as session:
                with session.begin_upgrade() as candidate:
                    candidate.send_text("2probe")
                    assert candidate.read_text() == "3probe"
                assert session.echo("still here") == "still here"
        else:
            with WebSocketSession(asking.port) as websocket:
                assert websocket.echo("here") == "here"
        wait_until(lambda: asking.seen("admit None") == before + 1)


@pytest.mark.parametrize("carrier", ["polling", "websocket"])
def test_where_everybody_may_connect_the_hook_does_not_know_who_visits_a_foreign_page(
    tmp_path: Path, carrier: str
) -> None:
    settings = {"admit": True, "cors_allowed_origins": "*", "sessions": str(tmp_path / "sessions")}
    with RawServer(tmp_path, **settings) as server:
        cookie = ask(server.port, "GET", "/visit?user=ann").headers["set-cookie"].split(";")[0]
        own = {"Origin": f"http://127.0.0.1:{server.port}", "Host": f"127.0.0.1:{server.port}"}
        for headers, told in ((own, "1 cookie, ann"), ({"Origin": "http://evil.example"}, "0 cookies, nobody")):
            response = handshake(server.port, carrier, "&wish=tell", Cookie=cookie, **headers)
            assert response.error == (403, {"code": 4, "message": told})


def test_what_the_hook_says_cannot_forge_lines_of_the_log(asking: RawServer) -> None:
    assert handshake(asking.port, "polling", "&wish=quote&name=a%0Ab%1B").error[1]["message"] == "No a\nb\x1b"
    assert asking.logged()[1] == r"Refused a request from 127.0.0.1: No a\u000ab\u001b: by admit"


def test_answers_are_what_they_say_they_are(asking: RawServer) -> None:
    for query in ("&wish=true", "&wish=refuse", "&sid=x"):
        assert handshake(asking.port, "polling", query).headers["x-content-type-options"] == "nosniff"
    asking.wait_for_records(2)


@pytest.mark.npm
@pytest.mark.parametrize(
    ("package", "carrier", "told"),
    [
        ("socket.io-client", "polling", {"message": "xhr poll error", "status": 401, "body": "Log in first"}),
        ("socket.io-client", "websocket", {"message": "websocket error"}),
        ("socket.io-client-2", "polling", {"message": "xhr poll error", "status": 401}),
        ("socket.io-client-2", "websocket", {"message": "websocket error"}),
    ],
)
def test_the_javascript_client_sees_an_error(
    asking: RawServer, tmp_path: Path, package: str, carrier: str, told: dict[str, Any]
) -> None:
    url = f"http://127.0.0.1:{asking.port}"
    assert run_node("client_refused.js", url, carrier, package, log=tmp_path / "node.log") == told
    assert "Log in first" in asking.logged()[1]


# Behind proxies -----------------------------------------------------------------------------------------------------


def who(session: Session) -> dict[str, Any]:
    session.emit("who", ack=1)
    found: dict[str, Any] = session.receive_ack(1)[0]
    return found


class TestProxies:
    def test_handlers_pages_and_the_log_see_the_client(self, proxied: RawServer) -> None:
        headers = {"X-Forwarded-For": "203.0.113.1, 192.0.2.1", "X-Forwarded-Proto": "https"}
        with WebSocketSession(proxied.port, headers=headers) as session:
            seen = who(session)
            assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"], seen["HTTP_HOST"]) == (
                "192.0.2.1",
                "https",
                "127.0.0.1",
            )
            assert "; Secure" in session.response.headers["set-cookie"]
        with Connection(proxied.port) as connection:
            page = json.loads(connection.request("GET", "/asker", None, headers).body)
            assert (page["REMOTE_ADDR"], page["wsgi.url_scheme"], page["REMOTE_PORT"]) == ("192.0.2.1", "https", None)
            plain = json.loads(connection.request("GET", "/asker").body)
            assert (plain["REMOTE_ADDR"], plain["wsgi.url_scheme"]) == ("127.0.0.1", "http"), "of the same connection"
        proxied.mark()
        ask(proxied.port, "GET", f"{POLLING}&sid=AAAAAAAAAAAAAAAAAAAA", X_Forwarded_For="192.0.2.1")
        assert proxied.logged()[1] == "Refused a request from 192.0.2.1 (AAAAAA…): Session ID unknown"

    def test_without_trust_nothing_is_believed(self, asking: RawServer) -> None:
        headers = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "a.example"}
        with WebSocketSession(asking.port, headers=headers) as session:
            seen = who(session)
        assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"]) == ("127.0.0.1", "http")
        assert handshake(asking.port, "polling", Origin="http://a.example", **headers).error == FORBIDDEN

    def test_headers_with_underscores_are_nobodys(self, proxied: RawServer) -> None:
        with Connection(proxied.port) as connection:
            page = json.loads(connection.request("GET", "/asker", None, {"X_Forwarded_For": "192.0.2.1"}).body)
        assert page["REMOTE_ADDR"] == "127.0.0.1"

    @pytest.mark.parametrize("carrier", ["polling", "websocket"])
    @pytest.mark.parametrize(
        ("origin", "fields", "allowed"),
        [
            ("https://chat.example", {"Host": "chat.example", "X-Forwarded-Proto": "https"}, True),
            ("http://chat.example", {"Host": "chat.example", "X-Forwarded-Proto": "https"}, False),
            ("https://chat.example:8443", {"Host": "inner:1", "X-Forwarded-Host": "chat.example:8443"}, True),
            ("http://inner:1", {"Host": "inner:1", "X-Forwarded-Host": "chat.example"}, False),
            ("https://evil.example", {"Host": "chat.example", "X-Forwarded-Proto": "https"}, False),
        ],
    )
    def test_the_same_origin_is_that_of_the_clients_side(
        self, proxied: RawServer, carrier: str, origin: str, fields: dict[str, str], allowed: bool
    ) -> None:
        headers = {**fields, "Origin": origin, "X-Forwarded-For": "192.0.2.77"}
        with (
            Connection(proxied.port) if carrier == "polling" else WebSocket(proxied.port, headers=headers) as connection
        ):
            response = (
                connection.request("GET", POLLING, None, headers) if carrier == "polling" else connection.response
            )
            assert response.status == ((200 if carrier == "polling" else 101) if allowed else 403)
            if carrier == "polling" and allowed:  # give the place back
                sid = json.loads(response.text[1:])["sid"]
                assert connection.request("POST", f"{POLLING}&sid={sid}", "1", headers).text == "ok"

    def test_sessions_are_counted_by_the_clients_address(self, proxied: RawServer) -> None:
        proxied.mark()
        ann, bob = {"X-Forwarded-For": "192.0.2.10"}, {"X-Forwarded-For": "192.0.2.11"}
        with WebSocketSession(proxied.port, headers=ann), WebSocketSession(proxied.port, headers=ann):
            for carrier in ("polling", "websocket"):
                response = handshake(proxied.port, carrier, **ann)
                assert response.error == (429, {"code": 3, "message": "Too many connections from your address"})
            with WebSocketSession(proxied.port, headers=bob) as session:
                assert session.echo("let in") == "let in"
        texts = [text for _, _, text, _ in proxied.records() if "max_connections_per_address" in text]
        assert texts, "it is in the log"
        assert all("192.0.2.10" in text and "at most 2" in text for text in texts)


# Places -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[RawServer]:
    """A server with two places for each address, which soon notices who is gone."""
    settings = {"ping_interval": 1, "ping_timeout": 1, "connect_timeout": 1.5, "close_timeout": 0.3}
    with RawServer(tmp_path, max_connections_per_address=2, **settings) as server:
        yield server


def leave(session: Session) -> None:
    session.send_packet("1")


def be_thrown_out(session: Session) -> None:
    session.emit("disconnect me")


def break_off(session: Session) -> None:
    (session if isinstance(session, WebSocketSession) else session.polls).reset()  # type: ignore[attr-defined]  # one or the other


def fall_silent(session: Session) -> None:
    pass


def speak_nonsense(session: Session) -> None:
    if isinstance(session, PollingSession):
        session.post("nonsense")
    else:
        session.send_packet("nonsense")


@pytest.mark.parametrize("end", [leave, be_thrown_out, break_off, fall_silent, speak_nonsense])
@pytest.mark.parametrize("kind", [PollingSession, WebSocketSession])
def test_however_a_session_ends_its_place_is_free_again(
    narrow: RawServer, kind: Callable[..., Any], end: Callable[[Session], None]
) -> None:
    sessions = [kind(narrow.port) for _ in range(2)]
    assert handshake(narrow.port, "polling").status == 429
    assert narrow.state()["addresses"] == 1
    for session in sessions:
        end(session)
    wait_until(lambda: narrow.state()["clients"] == narrow.state()["addresses"] == 0)
    for session in sessions:
        session.close()
    for _ in range(2):
        with WebSocketSession(narrow.port) as session:
            assert session.echo("in") == "in"
            session.send_packet("1")
            session.is_closed_by_server()
    wait_until(lambda: narrow.state()["addresses"] == 0)


@pytest.mark.parametrize("query", ["", "&j=0"])
def test_who_is_refused_takes_no_place(narrow: RawServer, query: str) -> None:
    for _ in range(5):
        assert handshake(narrow.port, "polling", query, Origin="http://evil.example").status in (400, 403)
        assert handshake(narrow.port, "websocket", "&sid=x").status == 400
        assert ask(narrow.port, "POST", POLLING, "40").status == 400
    assert narrow.state()["addresses"] == 0


# What nobody follows up ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "reason"),
    [("EIO=4", "connect timeout"), ("EIO=3", "ping timeout")],  # one of Engine.IO 3 has joined by its handshake
)
def test_a_handshake_without_follow_up_is_reaped(narrow: RawServer, query: str, reason: str) -> None:
    assert ask(narrow.port, "GET", f"/socket.io/?{query}&transport=polling").status == 200
    assert narrow.state()["clients"] == 1
    wait_until(lambda: narrow.state()["clients"] == narrow.state()["addresses"] == 0)
    wait_until(lambda: narrow.state()["farewells"] == 0)
    assert any(reason.replace(" ", "") in text.replace(" ", "").replace("_", "") for _, _, text, _ in narrow.records())


def test_a_websocket_that_never_joins_is_reaped(narrow: RawServer) -> None:
    with WebSocketSession(narrow.port, joined=False) as session:
        while (frame := session.read_frame())[0] != 8:
            if frame[1] == b"2":
                session.send_text("3")
    wait_until(lambda: narrow.state()["clients"] == narrow.state()["addresses"] == 0)
